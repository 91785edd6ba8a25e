package client

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// Delivered reads the credential that a schedule keeps in a secret of Secrets Manager, for a
// job that may read the secret and asks nobody. The tenant's file has `deliver:` in the format
// json. Errors are Secrets Manager's, or say what is wrong with what stands there.
func Delivered(ctx context.Context, from *secretsmanager.Client, secret string) (*exchange.Credential, error) {
	out, err := from.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &secret})
	if err != nil {
		return nil, fmt.Errorf("carnet: reading a delivered credential: %w", err)
	}
	cred, _, err := wire.Decode([]byte(aws.ToString(out.SecretString)))
	if err != nil {
		return nil, fmt.Errorf("carnet: %s holds no credential in carnet's own format: write `format: json` under its deliver, or leave format out", secret)
	}
	if !time.Now().Before(cred.Expires) {
		return nil, fmt.Errorf("carnet: the credential in %s ended at %s: no delivery has worked since, and the operator's schedule says why", secret, cred.Expires.UTC().Format(time.RFC3339))
	}
	return cred, nil
}
