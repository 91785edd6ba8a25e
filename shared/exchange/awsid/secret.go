package awsid

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"carnet.dev/carnet/shared/exchange"
)

// Secret reads a secret's current text from Secrets Manager, in the Region that its
// ARN names. The trail has the edge.
func (i *Identity) Secret(ctx context.Context, arn string) (exchange.Secret, exchange.Trail, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:GetSecretValue"}
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return exchange.Secret{}, nil, fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	s, err := i.self(ctx)
	if err != nil {
		return exchange.Secret{}, nil, exchange.AtEdge(err, edge, nil)
	}
	out, err := secretsmanager.NewFromConfig(i.cloud.Config(s, parts[3])).GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &arn})
	if err != nil {
		return exchange.Secret{}, nil, Failed(err, edge, s.Trail)
	}
	edge.RequestID, _ = awsmiddleware.GetRequestIDMetadata(out.ResultMetadata)
	return exchange.NewSecret(aws.ToString(out.SecretString)), s.Trail.Then(edge), nil
}
