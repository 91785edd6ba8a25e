// Package deployment puts the pieces together for one process: its own identity,
// its way to the clouds, the catalog, and the broker on top. The functions, the
// server and the command all start here, and differ only in what they do with the
// broker.
package deployment

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// Config says where a process stands. FromEnv reads it from the environment.
type Config struct {
	// Catalog is the folder with carnet.yaml and tenants/. Required.
	Catalog string
	// Runtime is the cloud whose identity the process has: aws or gcp. Empty: told
	// from the environment, or from carnet.yaml if that names only one.
	Runtime string
	// Audit is where the records go. Nil: standard output, which both platforms keep.
	Audit io.Writer
	// Transport says how the clouds are reached.
	Transport Transport

	// HTTP and Credentials replace what Transport and the platform give. The lab
	// sets them for processes of its own.
	HTTP        *http.Client
	Credentials aws.CredentialsProvider
}

// FromEnv reads the configuration from CARNET_CATALOG, CARNET_RUNTIME, CARNET_LAB,
// CARNET_LAB_CA and CARNET_PROXY.
func FromEnv() (Config, error) {
	c := Config{
		Catalog: os.Getenv("CARNET_CATALOG"),
		Runtime: os.Getenv("CARNET_RUNTIME"),
		Transport: Transport{
			Lab:   os.Getenv("CARNET_LAB"),
			LabCA: os.Getenv("CARNET_LAB_CA"),
		},
	}
	switch v := os.Getenv("CARNET_PROXY"); v {
	case "", "off":
	case "environment":
		c.Transport.Proxy = true
	default:
		return c, fmt.Errorf("CARNET_PROXY is %q: write environment, to use HTTPS_PROXY and NO_PROXY, or leave it out", v)
	}
	return c, nil
}

// A Deployment is a process that can vend.
type Deployment struct {
	Broker   *exchange.Broker
	Operator *catalog.Operator
	Runtime  exchange.Identity
	Google   *gcpid.Cloud // as this process reaches it
}

// New builds a deployment. It reads carnet.yaml and nothing else of the catalog, and
// calls no cloud.
func New(ctx context.Context, c Config) (*Deployment, error) {
	if c.Catalog == "" {
		return nil, fmt.Errorf("no catalog: set CARNET_CATALOG to the folder that holds carnet.yaml and tenants/")
	}
	source := catalog.Folder{Dir: c.Catalog}
	op, err := operator(ctx, source)
	if err != nil {
		return nil, err
	}
	if c.HTTP == nil {
		if c.HTTP, err = c.Transport.Client(cloudHosts); err != nil {
			return nil, err
		}
	}
	linker, err := c.linker(op)
	if err != nil {
		return nil, err
	}
	var out io.Writer = os.Stdout
	if c.Audit != nil {
		out = c.Audit
	}
	return &Deployment{
		Operator: op,
		Runtime:  linker.Runtime,
		Google:   linker.GCP,
		Broker:   &exchange.Broker{Tenants: newTenants(source, linker), Audit: auditTo(out)},
	}, nil
}

func operator(ctx context.Context, source catalog.Source) (*catalog.Operator, error) {
	const file = "carnet.yaml"
	text, _, err := source.Read(ctx, file)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's file: %w", err)
	}
	return catalog.ParseOperator(file, text)
}

func (c Config) linker(op *catalog.Operator) (*destination.Linker, error) {
	cloud, err := c.cloud(op)
	if err != nil {
		return nil, err
	}
	region := op.Region
	if cloud == onAWS {
		region = cmp.Or(os.Getenv("AWS_REGION"), op.Runtime.AWS.Region, op.Region)
	}
	if region == "" {
		return nil, fmt.Errorf("carnet.yaml has no region: write the AWS Region whose STS is to be called, such as `region: eu-west-1`")
	}
	l := &destination.Linker{
		AWS:      awsid.New(awsid.Config{Region: region, HTTP: c.HTTP}),
		GCP:      gcpid.New(c.HTTP),
		Operator: op,
	}
	l.Runtime, err = c.runtime(cloud, l)
	return l, err
}

func (c Config) runtime(cloud string, l *destination.Linker) (exchange.Identity, error) {
	own := l.Operator.Runtime
	if cloud == onGCP {
		if own.GCP.ServiceAccount == "" {
			return nil, fmt.Errorf("carnet.yaml does not say who the runtime is on Google Cloud: write `runtime: {gcp: {service_account: …}}`")
		}
		return l.GCP.Runtime(own.GCP.ServiceAccount), nil
	}
	if own.AWS.Role == "" {
		return nil, fmt.Errorf("carnet.yaml does not say who the runtime is on AWS: write `runtime: {aws: {role: …}}`")
	}
	if c.Credentials != nil {
		return l.AWS.Runtime(own.AWS.Role, c.Credentials), nil
	}
	ambient, err := l.AWS.Ambient()
	if err != nil {
		return nil, err
	}
	return l.AWS.Runtime(own.AWS.Role, ambient), nil
}

const (
	onAWS = "aws"
	onGCP = "gcp"
)

// cloud tells where this process runs: as it was told, as the platform's own
// variables say, or as the operator's file leaves no doubt.
func (c Config) cloud(op *catalog.Operator) (string, error) {
	aws, gcp := op.Runtime.AWS.Role != "", op.Runtime.GCP.ServiceAccount != ""
	switch {
	case c.Runtime == onAWS || c.Runtime == onGCP:
		return c.Runtime, nil
	case c.Runtime != "":
		return "", fmt.Errorf("CARNET_RUNTIME is %q: write aws or gcp", c.Runtime)
	case aws && !gcp, os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != "":
		return onAWS, nil
	case gcp && !aws, os.Getenv("K_SERVICE") != "":
		return onGCP, nil
	}
	return "", fmt.Errorf("carnet.yaml names a runtime on both clouds: set CARNET_RUNTIME to aws or gcp, whichever this process runs on")
}
