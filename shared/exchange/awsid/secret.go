package awsid

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"carnet.dev/carnet/shared/exchange"
)

// Secret reads a secret's current text from Secrets Manager, in the Region that its
// ARN names.
func (i *Identity) Secret(ctx context.Context, arn string) (exchange.Secret, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:GetSecretValue"}
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return exchange.Secret{}, fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	s, err := i.self(ctx)
	if err != nil {
		return exchange.Secret{}, exchange.AtEdge(err, edge, nil)
	}
	out, err := secretsmanager.NewFromConfig(i.cloud.Config(s, parts[3])).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return exchange.Secret{}, Failed(err, edge, s.Trail)
	}
	return exchange.NewSecret(aws.ToString(out.SecretString)), nil
}
