// Package deployment puts the pieces together for one process: its own identity,
// its way to the clouds, the catalog, and the broker on top. The functions, the
// server and the command all start here, and differ only in what they do with the
// broker.
package deployment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
	"carnet.dev/carnet/shared/schedule"
)

// Config says where a process stands. FromEnv reads it from the environment.
type Config struct {
	// Catalog is where carnet.yaml and tenants/ are: a folder, s3://BUCKET/PREFIX or
	// gs://BUCKET/PREFIX. Required.
	Catalog string
	// Runtime is the cloud whose identity the process has: aws or gcp. Empty: told
	// from the environment, or from carnet.yaml if that names only one.
	Runtime string
	// Audit is where the records go. Nil: standard output, which both platforms keep.
	Audit io.Writer
	// Transport says how the clouds are reached.
	Transport Transport
	// Doors are the ways in that the handler takes: iam, token, or both. Empty: iam.
	Doors []Door
	// Function is which of the two functions a process is: vend or schedule. Empty where
	// the platform tells by the entry point, or it is neither.
	Function string

	// Ahead opens the connections that the first chain will want after its first call
	// while that call is made. FromEnv says yes, unless CARNET_WARM is off.
	Ahead bool
	// Log gets what callers are not told. Nil: slog's default.
	Log *slog.Logger

	// Platform finds the credentials of a process that is no Lambda. Nil: the
	// environment has them.
	Platform func(region string, client *http.Client) (aws.CredentialsProvider, error)

	// HTTP and Credentials replace what Transport and the platform give. The lab
	// sets them for processes of its own.
	HTTP        *http.Client
	Credentials aws.CredentialsProvider
}

// A Door is a way in.
type Door string

const (
	// DoorIAM: the platform has checked the caller first. On AWS its word counts; on
	// Google Cloud the caller's own token is verified here all the same.
	DoorIAM Door = "iam"
	// DoorToken: the platform lets everybody through, and the caller's token is all
	// there is.
	DoorToken Door = "token"
)

// A Deployment is a process that can vend.
type Deployment struct {
	Broker   *exchange.Broker
	Operator *catalog.Operator
	Runtime  exchange.Identity
	Google   *gcpid.Cloud // as this process reaches it
	Handler  http.Handler // of the API
	Schedule *schedule.Runner

	http *http.Client
	sts  string // the host of the Region's token service

	warmed atomic.Bool
}

// New builds a deployment. It reads carnet.yaml and nothing else of the catalog, and
// calls no cloud. The error names all that is wrong with the configuration, or with
// carnet.yaml.
func New(ctx context.Context, c Config) (*Deployment, error) {
	if err := errors.Join(c.check()...); err != nil {
		return nil, err
	}
	e := &editions{log: c.Log}
	if c.HTTP == nil {
		var err error
		if c.HTTP, err = c.Transport.Client(e.mayDial); err != nil {
			return nil, err
		}
	}
	var err error
	if e.source, err = c.source(); err != nil {
		return nil, err
	}
	d := &Deployment{http: c.HTTP}
	d.warmed.Store(!c.Ahead)
	e.edit = func(op *catalog.Operator) (*edition, error) {
		linker, err := c.linker(op)
		if err != nil {
			return nil, err
		}
		return &edition{operator: op, linker: linker, tenants: newTenants(e.source, linker, d.reach), verifier: caller.New(op, c.HTTP)}, nil
	}
	first, err := e.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("CARNET_CATALOG is %s: %w", c.Catalog, err)
	}
	return c.assemble(d, e, first), nil
}

// assemble puts a deployment on top of the operator's file, whatever edition of it counts.
func (c Config) assemble(d *Deployment, e *editions, first *edition) *Deployment {
	var out io.Writer = os.Stdout
	if c.Audit != nil {
		out = c.Audit
	}
	d.Operator, d.Runtime, d.Google, d.sts = first.operator, first.linker.Runtime, first.linker.GCP, first.linker.AWS.Host("sts")
	d.Broker = &exchange.Broker{Tenants: e, Audit: auditTo(out)}
	d.Handler = c.handler(d, e)
	d.Schedule = &schedule.Runner{Vend: d.Broker.Vend, Tenants: e, List: e.source.Tenants, Store: d.Runtime.(schedule.Store)}
	return d
}

// handler opens the doors. On Google Cloud the platform names nobody to the function, so
// that the caller's own token is what counts at either door.
func (c Config) handler(d *Deployment, e *editions) http.Handler {
	a := api.Config{Vend: d.Broker.Vend, Log: c.Log, Ready: e.ready}
	_, onAWS := d.Runtime.(*awsid.Identity)
	a.Principals = onAWS && (len(c.Doors) == 0 || slices.Contains(c.Doors, DoorIAM))
	if !onAWS || slices.Contains(c.Doors, DoorToken) {
		a.Verify = e.verify
	}
	return api.New(a)
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
	l := &destination.Linker{GCP: gcpid.New(c.HTTP), Operator: op}
	var noRegion error
	if region == "" {
		noRegion = errors.New("carnet.yaml has no region: write the AWS Region whose STS is to be called, such as `region: eu-west-1`")
	} else {
		l.AWS = awsid.New(awsid.Config{Region: region, HTTP: c.HTTP})
	}
	if err := errors.Join(noRegion, named(cloud, op)); err != nil {
		return nil, err
	}
	l.Runtime, err = c.runtime(cloud, l)
	return l, err
}

// named tells whether the operator's file says who the runtime is on its cloud.
func named(cloud string, op *catalog.Operator) error {
	switch {
	case cloud == onGCP && op.Runtime.GCP.ServiceAccount == "":
		return errors.New("carnet.yaml does not say who the runtime is on Google Cloud: write `runtime: {gcp: {service_account: …}}`")
	case cloud == onAWS && op.Runtime.AWS.Role == "":
		return errors.New("carnet.yaml does not say who the runtime is on AWS: write `runtime: {aws: {role: …}}`")
	}
	return nil
}

func (c Config) runtime(cloud string, l *destination.Linker) (exchange.Identity, error) {
	own := l.Operator.Runtime
	if cloud == onGCP {
		return l.GCP.Runtime(own.GCP.ServiceAccount), nil
	}
	credentials, err := c.credentials(l.AWS.Region())
	if err != nil {
		return nil, err
	}
	return l.AWS.Runtime(own.AWS.Role, credentials), nil
}

// credentials are those that the process has on AWS.
func (c Config) credentials(region string) (aws.CredentialsProvider, error) {
	switch {
	case c.Credentials != nil:
		return c.Credentials, nil
	case c.Platform != nil:
		return c.Platform(region, c.HTTP)
	}
	return awsid.Environment(), nil
}

const (
	onAWS = "aws"
	onGCP = "gcp"
)

// cloud tells where this process runs: as it was told, as the platform's own variables
// say, as the bucket of the catalog does, or as the operator's file leaves no doubt.
func (c Config) cloud(op *catalog.Operator) (string, error) {
	if known := cmp.Or(c.platform(), bucketsCloud(c.Catalog)); known != "" {
		return known, nil
	}
	switch aws, gcp := op.Runtime.AWS.Role != "", op.Runtime.GCP.ServiceAccount != ""; {
	case aws && !gcp:
		return onAWS, nil
	case gcp && !aws:
		return onGCP, nil
	}
	return "", fmt.Errorf("carnet.yaml names a runtime on both clouds: set CARNET_RUNTIME to aws or gcp, whichever this process runs on")
}

// platform is the cloud that a function runs on; empty where only the files can tell.
func (c Config) platform() string {
	switch {
	case c.Runtime != "":
		return c.Runtime
	case os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != "":
		return onAWS
	case os.Getenv("K_SERVICE") != "":
		return onGCP
	}
	return ""
}
