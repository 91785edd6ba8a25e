package awsid

import (
	"context"
	"fmt"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// Secret reads a secret's current text from Secrets Manager, in the Region that its
// ARN names. The trail has the edge.
func (i *Identity) Secret(ctx context.Context, arn string) (exchange.Secret, exchange.Trail, error) {
	var answer struct{ SecretString string }
	trail, err := i.secrets(ctx, "GetSecretValue", arn, struct{ SecretId string }{arn}, &answer)
	return exchange.NewSecret(answer.SecretString), trail, err
}

// secrets calls an operation of Secrets Manager as the identity itself, in the Region that
// the secret's ARN names. The trail has the edge.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_Operations.html
func (i *Identity) secrets(ctx context.Context, action, arn string, ask, answer any) (exchange.Trail, error) {
	edge := exchange.Edge{From: i.arn, To: arn, Op: "secretsmanager:" + action}
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 {
		return nil, fmt.Errorf("%q is not the ARN of a secret", arn)
	}
	s, err := i.self(ctx)
	if err != nil {
		return nil, exchange.AtEdge(err, edge, nil)
	}
	edge.RequestID, err = i.cloud.JSON(ctx, s, "secretsmanager", parts[3], "secretsmanager."+action, ask, answer)
	if err != nil {
		return nil, Failed(err, edge, s.Trail)
	}
	return s.Trail.Then(edge), nil
}
