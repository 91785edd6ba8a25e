package tour

import (
	"context"
	"encoding/json"
	"io"
	"sync"

	"github.com/aws/aws-sdk-go-v2/credentials"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// The jobs that ask.
const (
	workerRole    = "arn:aws:iam::111122223333:role/sync-worker"
	workerAccount = "sync-worker@operator-prod.iam.gserviceaccount.com"
	reporterRole  = "arn:aws:iam::111122223333:role/reporter" // whom no tenant's file names
	audience      = "https://carnet.lab"
)

// A function is one of the two, deployed in the lab with nothing cached, and a client that
// proves the job to it.
type function struct {
	*deployment.Deployment
	client *client.Client
	audit  *audit
}

func (f *function) last() exchange.Record { return f.audit.last() }

// deploy sets up a function on one cloud behind the platform's own check of callers.
func (t *Tour) deploy(ctx context.Context, runtime, catalogDir string) (*function, error) {
	return t.deployFor(ctx, runtime, catalogDir, workerRole)
}

func (t *Tour) deployFor(ctx context.Context, runtime, catalogDir, role string) (*function, error) {
	f := &function{audit: new(audit)}
	var err error
	if f.Deployment, err = t.lab.Deploy(ctx, runtime, catalogDir, io.MultiWriter(t.out, f.audit)); err != nil {
		return nil, err
	}
	if runtime == "aws" {
		f.client, err = t.behindURL(f, role)
	} else {
		f.client, err = t.behindService(f)
	}
	return f, err
}

// behindURL is a job on AWS, which signs its requests to the function's URL.
func (t *Tour) behindURL(f *function, role string) (*client.Client, error) {
	session, err := t.lab.AWS.RoleSession(role, "job-1")
	if err != nil {
		return nil, err
	}
	machine, err := t.lab.Machine("")
	if err != nil {
		return nil, err
	}
	creds := credentials.NewStaticCredentialsProvider(session.AccessKeyID, session.SecretAccessKey, session.SessionToken)
	return &client.Client{URL: t.lab.FunctionURL(f.Handler), HTTP: machine.Client(), Proof: client.SigV4(creds, "eu-west-1")}, nil
}

// behindService is a job on Google Cloud, which shows its token to the platform and to
// carnet.
func (t *Tour) behindService(f *function) (*client.Client, error) {
	machine, err := t.lab.Machine(workerAccount)
	if err != nil {
		return nil, err
	}
	url := t.lab.Service(f.Handler, "serviceAccount:"+workerAccount)
	worker := gcpid.New(machine.Client()).Runtime(workerAccount, machine.Tokens())
	showing := func(audience string) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			token, err := worker.IDToken(ctx, audience)
			return token.Value.Reveal(), err
		}
	}
	return &client.Client{URL: url, HTTP: machine.Client(), Proof: client.CloudRun(showing(url), showing(audience))}, nil
}

// An audit reads the records that a function writes.
type audit struct {
	mu     sync.Mutex
	record exchange.Record
}

func (a *audit) last() exchange.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.record
}

// Write takes one line.
func (a *audit) Write(line []byte) (int, error) {
	var r struct{ Audit exchange.Record }
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.record = r.Audit
	return len(line), nil
}
