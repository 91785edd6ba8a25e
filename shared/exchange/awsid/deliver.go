package awsid

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"carnet.dev/carnet/shared/exchange"
)

// Pace is how many deliveries a second stay under Secrets Manager's quota of 50 changes of
// secrets, of an account in a Region.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
func (i *Identity) Pace() float64 { return 40 }

// Delivered tells whether a secret has a version of one of the ids. When a version was made
// DescribeSecret does not say; when the secret was changed, which it says, a change of its
// tags moves as well.
func (i *Identity) Delivered(ctx context.Context, arn string, ids []string, _ time.Time) (bool, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:DescribeSecret"}
	client, s, err := i.secrets(ctx, arn, edge)
	if err != nil {
		return false, err
	}
	out, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return false, Failed(err, edge, s.Trail)
	}
	return slices.ContainsFunc(ids, func(id string) bool { _, there := out.VersionIdsToStages[id]; return there }), nil
}

// Deliver makes text the secret's current version, under an id of 32 to 64 characters.
// It is one step: before it the old version is current, after it the new one. A version
// of that id that is there already is left as it is.
func (i *Identity) Deliver(ctx context.Context, arn, id string, text []byte) error {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:PutSecretValue"}
	client, s, err := i.secrets(ctx, arn, edge)
	if err != nil {
		return err
	}
	_, err = client.PutSecretValue(ctx, &secretsmanager.PutSecretValueInput{
		SecretId: &arn, ClientRequestToken: &id, SecretString: aws.String(string(text)),
	})
	var exists *types.ResourceExistsException
	if errors.As(err, &exists) {
		return nil // another run of the same slot was first
	}
	if err != nil {
		return Failed(err, edge, s.Trail)
	}
	return nil
}

func (i *Identity) secrets(ctx context.Context, arn string, edge exchange.Edge) (*secretsmanager.Client, Session, error) {
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return nil, Session{}, fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	s, err := i.self(ctx)
	if err != nil {
		return nil, s, exchange.AtEdge(err, edge, nil)
	}
	return secretsmanager.NewFromConfig(i.cloud.Config(s, parts[3])), s, nil
}
