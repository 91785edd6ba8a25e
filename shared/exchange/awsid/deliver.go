package awsid

import (
	"context"
	"errors"
	"slices"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// Pace is how many deliveries a second stay under Secrets Manager's quota of 50 changes of
// secrets, of an account in a Region.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
func (i *Identity) Pace() float64 { return 40 }

// Delivered tells whether a secret has a version of one of the ids. DescribeSecret does not
// say when a version was made, and its LastChangedDate moves with a change of tags as well.
func (i *Identity) Delivered(ctx context.Context, arn string, ids []string, _ time.Time) (bool, error) {
	var answer struct{ VersionIdsToStages map[string][]string }
	_, err := i.secrets(ctx, "DescribeSecret", arn, struct{ SecretId string }{arn}, &answer)
	return slices.ContainsFunc(ids, func(id string) bool { _, there := answer.VersionIdsToStages[id]; return there }), err
}

// Deliver makes text the secret's current version, under an id of 32 to 64 characters.
// It is one step: before it the old version is current, after it the new one. A version
// of that id that is there already is left as it is.
func (i *Identity) Deliver(ctx context.Context, arn, id string, text []byte) error {
	ask := struct{ SecretId, ClientRequestToken, SecretString string }{arn, id, string(text)}
	_, err := i.secrets(ctx, "PutSecretValue", arn, ask, new(struct{}))
	var edge *exchange.EdgeError
	if errors.As(err, &edge) && edge.Code == "ResourceExistsException" {
		return nil // another run of the same slot was first
	}
	return err
}
