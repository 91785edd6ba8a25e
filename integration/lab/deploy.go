package lab

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/deployment"
)

// Deploy sets up a process in the lab, as Lambda (runtime aws) or Cloud Functions
// (gcp) would: it has the runtime's identity of the catalog's carnet.yaml, a client
// that reaches the lab alone, and nothing cached. Audit records go to out.
func (l *Lab) Deploy(ctx context.Context, runtime, catalogDir string, out io.Writer) (*deployment.Deployment, error) {
	text, _, err := catalog.Folder{Dir: catalogDir}.Read(ctx, "carnet.yaml")
	if err != nil {
		return nil, err
	}
	op, err := catalog.ParseOperator("carnet.yaml", text)
	if err != nil {
		return nil, err
	}
	identity := op.Runtime.AWS.Role
	if runtime == "gcp" {
		identity = op.Runtime.GCP.ServiceAccount
	}
	return l.DeployAs(ctx, deployment.Config{Catalog: catalogDir, Runtime: runtime, Audit: out}, identity)
}

// DeployAs sets up a process as a role or a service account of the lab, whichever the
// configuration's runtime has.
func (l *Lab) DeployAs(ctx context.Context, c deployment.Config, identity string) (*deployment.Deployment, error) {
	account, err := "", error(nil)
	switch c.Runtime {
	case "gcp":
		account = identity
	case "aws":
		c.Credentials, err = l.lambda(identity)
	default:
		err = fmt.Errorf("no runtime %q in the lab: aws or gcp", c.Runtime)
	}
	if err != nil {
		return nil, err
	}
	machine, err := l.Machine(account)
	if err != nil {
		return nil, err
	}
	c.HTTP, c.Google = machine.Client(), machine.Tokens()
	return deployment.New(ctx, c)
}

// lambda gives the credentials that Lambda puts in a function's environment.
func (l *Lab) lambda(role string) (aws.CredentialsProvider, error) {
	s, err := l.AWS.RoleSession(role, "carnet-vend")
	if err != nil {
		return nil, err
	}
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{
			AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken,
			CanExpire: true, Expires: s.Expires,
		}, nil
	}), nil
}
