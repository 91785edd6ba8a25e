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
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
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

	// Most is how many requests the handler answers at a time. 0: as many as come.
	Most int
	// Ahead opens the connections that the first chain will want after its first call
	// while that call is made. FromEnv says yes, unless CARNET_WARM is off.
	Ahead bool
	// Kinds are the kinds of places that files may name. Nil: all that carnet knows.
	Kinds destination.Kinds
	// Log gets what callers are not told. Nil: slog's default.
	Log *slog.Logger

	// Platform finds the credentials of a process that is no Lambda. Nil: the
	// environment has them.
	Platform func(region string, client *http.Client) (aws.CredentialsProvider, error)
	// Google gives the tokens of a process on Google Cloud. Required there.
	Google gcpid.Tokens

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
	Linker   *destination.Linker // of tenants, as this process reaches the clouds
	Check    *check.Checker
	Handler  http.Handler // of the API
	Schedule *schedule.Runner

	http *http.Client
	sts  string // the host of the Region's token service

	warmed atomic.Bool
}

// New builds a deployment. It reads carnet.yaml and nothing else of the catalog, and
// calls no cloud.
func New(ctx context.Context, c Config) (*Deployment, error) {
	if c.Kinds == nil {
		c.Kinds = kinds.All()
	}
	issuers, err := c.client()
	if err != nil {
		return nil, err
	}
	source, err := c.source()
	if err != nil {
		return nil, err
	}
	op, err := operator(ctx, source)
	if err != nil {
		return nil, err
	}
	issuers.allow(caller.Hosts(op))
	linker, err := c.linker(op)
	if err != nil {
		return nil, err
	}
	return c.assemble(source, linker), nil
}

// issuerHosts are the hosts of the issuers of callers' tokens. They stand in carnet.yaml,
// which is read through the same client that may reach them afterwards.
type issuerHosts struct{ list atomic.Pointer[[]string] }

func (h *issuerHosts) allow(hosts []string) { h.list.Store(&hosts) }

func (h *issuerHosts) has(host string) bool {
	list := h.list.Load()
	return list != nil && slices.Contains(*list, host)
}

// client makes the one HTTP client of the process, unless the config has one. It reaches the
// clouds at once, and issuers once they are allowed.
func (c *Config) client() (*issuerHosts, error) {
	issuers := new(issuerHosts)
	if c.HTTP != nil {
		return issuers, nil
	}
	var err error
	c.HTTP, err = c.Transport.Client(func(host string) bool {
		return awsid.Calls(host) || gcpid.Calls(host) || c.Kinds.Host(host) || issuers.has(host)
	})
	return issuers, err
}

// assemble puts the broker, the checks, the API and the schedule on top of what is known.
func (c Config) assemble(source source, linker *destination.Linker) *Deployment {
	d := &Deployment{
		Operator: linker.Operator,
		Runtime:  linker.Runtime,
		Linker:   linker,
		http:     c.HTTP,
		sts:      linker.AWS.Host("sts"),
	}
	d.warmed.Store(!c.Ahead)
	out := c.Audit
	if out == nil {
		out = os.Stdout
	}
	tenants := newTenants(c.Kinds, source, linker, d.reach)
	d.Broker = &exchange.Broker{Tenants: tenants, Audit: auditTo(out)}
	d.Check = &check.Checker{Tenant: tenants.parsed, Linker: linker, Kinds: c.Kinds, Audit: d.Broker.Audit}
	ready := func(ctx context.Context) error {
		_, _, err := source.Read(ctx, operatorFile)
		return err
	}
	d.Handler = c.handler(d, caller.New(d.Operator, c.HTTP), ready)
	d.Schedule = &schedule.Runner{Vend: d.Broker.Vend, Refuse: refuse(d.Check), Tenants: tenants, List: source.Tenants, Store: d.Runtime.(schedule.Store)}
	return d
}

// handler opens the doors. On Google Cloud the platform names nobody to the function, so
// that the caller's own token is what counts at either door.
func (c Config) handler(d *Deployment, v *caller.Verifier, ready func(context.Context) error) http.Handler {
	a := api.Config{Vend: d.Broker.Vend, Check: d.Check.Sparing(), Log: c.Log, Ready: ready, Most: c.Most}
	_, onAWS := d.Runtime.(*awsid.Identity)
	a.Principals = onAWS && (len(c.Doors) == 0 || slices.Contains(c.Doors, DoorIAM))
	if !onAWS || slices.Contains(c.Doors, DoorToken) {
		a.Verify = v.Verify
	}
	return api.New(a)
}

const operatorFile = "carnet.yaml"

func operator(ctx context.Context, source catalog.Source) (*catalog.Operator, error) {
	text, _, err := source.Read(ctx, operatorFile)
	if err != nil {
		return nil, fmt.Errorf("reading the operator's file: %w", err)
	}
	return catalog.ParseOperator(operatorFile, text)
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
		HTTP:     c.HTTP,
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
		if c.Google == nil {
			return nil, errNotGoogle
		}
		return l.GCP.Runtime(own.GCP.ServiceAccount, c.Google), nil
	}
	if own.AWS.Role == "" {
		return nil, fmt.Errorf("carnet.yaml does not say who the runtime is on AWS: write `runtime: {aws: {role: …}}`")
	}
	credentials, err := c.credentials(l.AWS.Region())
	if err != nil {
		return nil, err
	}
	return l.AWS.Runtime(own.AWS.Role, credentials), nil
}

var errNotGoogle = errors.New("this process has no service account of Google Cloud's: set CARNET_RUNTIME to aws, with a catalog in a folder or under s3://")

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

// cloud tells where this process runs: as it was told, as the platform's own
// variables say, or as the operator's file leaves no doubt.
func (c Config) cloud(op *catalog.Operator) (string, error) {
	aws, gcp := op.Runtime.AWS.Role != "", op.Runtime.GCP.ServiceAccount != ""
	switch {
	case c.Runtime == onAWS || c.Runtime == onGCP:
		return c.Runtime, nil
	case c.Runtime != "":
		return "", fmt.Errorf("CARNET_RUNTIME is %q: write aws or gcp", c.Runtime)
	case aws && !gcp, os.Getenv("AWS_LAMBDA_FUNCTION_NAME") != "", strings.HasPrefix(c.Catalog, "s3://"):
		return onAWS, nil
	case gcp && !aws, os.Getenv("K_SERVICE") != "", strings.HasPrefix(c.Catalog, "gs://"):
		return onGCP, nil
	}
	return "", fmt.Errorf("carnet.yaml names a runtime on both clouds: set CARNET_RUNTIME to aws or gcp, whichever this process runs on")
}
