package awsid

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"carnet.dev/carnet/shared/exchange"
)

// pause is what Secrets Manager asks for between two versions of a secret: it keeps no
// more than about 100 of those that have no label, and removes none younger than a day.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
const pause = 10 * time.Minute

// Delivered tells whether a secret has the version of that id, or one so young that the
// next has to wait.
func (i *Identity) Delivered(ctx context.Context, arn, id string, _ time.Time) (bool, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:DescribeSecret"}
	client, s, err := i.secrets(ctx, arn, edge)
	if err != nil {
		return false, err
	}
	out, err := client.DescribeSecret(ctx, &secretsmanager.DescribeSecretInput{SecretId: &arn})
	if err != nil {
		return false, Failed(err, edge, s.Trail)
	}
	if _, there := out.VersionIdsToStages[id]; there {
		return true, nil
	}
	return out.LastChangedDate != nil && time.Since(*out.LastChangedDate) < pause, nil
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
