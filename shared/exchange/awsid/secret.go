package awsid

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"

	"carnet.dev/carnet/shared/exchange"
)

// Pace is how many deliveries a second stay under Secrets Manager's quota of 50 changes of
// secrets, of an account in a Region.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
func (i *Identity) Pace() float64 { return 40 }

// Secret reads a secret's current text from Secrets Manager, in the Region that its
// ARN names. The trail has the edge.
func (i *Identity) Secret(ctx context.Context, arn string) (secret exchange.Secret, _ exchange.Trail, _ error) {
	trail, err := i.secrets(ctx, "GetSecretValue", arn, func(c *secretsmanager.Client) error {
		out, err := c.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
		if err == nil {
			secret = exchange.NewSecret(aws.ToString(out.SecretString))
		}
		return err
	})
	return secret, trail, err
}

// Delivered tells whether a secret has a version of one of the ids. DescribeSecret does not
// say when a version was made, and its LastChangedDate moves with a change of tags as well.
func (i *Identity) Delivered(ctx context.Context, arn string, ids []string, _ time.Time) (delivered bool, _ error) {
	_, err := i.secrets(ctx, "DescribeSecret", arn, func(c *secretsmanager.Client) error {
		out, err := c.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
		delivered = err == nil && slices.ContainsFunc(ids, func(id string) bool { _, there := out.VersionIdsToStages[id]; return there })
		return err
	})
	return delivered, err
}

// Deliver makes text the secret's current version, under an id of 32 to 64 characters.
// It is one step: before it the old version is current, after it the new one. A version
// of that id that is there already is left as it is.
func (i *Identity) Deliver(ctx context.Context, arn, id string, text []byte) error {
	_, err := i.secrets(ctx, "PutSecretValue", arn, func(c *secretsmanager.Client) error {
		_, err := c.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{SecretId: &arn, ClientRequestToken: &id, SecretString: aws.String(string(text))})
		return err
	})
	var edge *exchange.EdgeError
	if errors.As(err, &edge) && edge.Code == "ResourceExistsException" {
		return nil // another run of the same slot was first
	}
	return err
}

// secrets calls an operation of Secrets Manager as the identity itself, in the Region that
// the secret's ARN names. The trail has the edge.
func (i *Identity) secrets(ctx context.Context, action, arn string, call func(*secretsmanager.Client) error) (exchange.Trail, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:" + action}
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return nil, fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	s, err := i.self(ctx)
	if err != nil {
		return nil, exchange.AtEdge(err, edge, nil)
	}
	err = tries(ctx, func() (err error) {
		edge.RequestID, err = i.cloud.bySDK(s, parts[3], call)
		return err
	})
	if err != nil {
		return nil, Failed(err, edge, s.Trail)
	}
	return s.Trail.Then(edge), nil
}

// bySDK has the SDK make a call once, as the session.
func (c *Cloud) bySDK(s Session, region string, call func(*secretsmanager.Client) error) (id string, err error) {
	t := &attempt{cloud: c, ahead: c.clock.Ahead()}
	err = call(secretsmanager.New(secretsmanager.Options{
		Region: region, HTTPClient: t, HTTPSignerV4: t, Retryer: aws.NopRetryer{},
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return s.sdk(), nil }),
	}))
	var unread *smithy.DeserializationError
	switch {
	case t.err != nil:
		err = t.err
	case errors.As(err, &unread):
		err = errNoShape
	}
	return t.id, err
}

// An attempt is one call by the SDK. It is signed and sent as every other is, and the SDK reads
// only an answer that says yes, in one way.
type attempt struct {
	cloud *Cloud
	ahead time.Duration // AWS's clock, as it was known before the call

	id  string
	err error // what became of the call, without the SDK's words around it
}

// SignHTTP implements [secretsmanager.HTTPSignerV4], by AWS's clock.
func (t *attempt) SignHTTP(ctx context.Context, creds aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, _ ...func(*v4.SignerOptions)) error {
	return t.cloud.signer.SignHTTP(ctx, creds, r, hash, service, region, time.Now().Add(t.ahead))
}

// Do implements [secretsmanager.HTTPClient].
func (t *attempt) Do(r *http.Request) (*http.Response, error) {
	header, text, err := t.cloud.answer(r, t.ahead)
	if err == nil {
		err = isJSON(header.Get("Content-Type"), text)
	}
	if t.id, t.err = requestID(header), err; err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: header, Body: io.NopCloser(bytes.NewReader(text))}, nil
}
