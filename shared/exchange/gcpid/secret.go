package gcpid

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"

	"carnet.dev/carnet/shared/exchange"
)

// Secret reads a version of a secret from Secret Manager:
// projects/PROJECT/secrets/NAME/versions/VERSION. The trail has the edge.
// https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access
func (i *Identity) Secret(ctx context.Context, name string) (exchange.Secret, exchange.Trail, error) {
	edge := exchange.Edge{From: i.email, To: name, Op: "secretmanager.versions.access"}
	own, err := i.self(ctx)
	if err != nil {
		return exchange.Secret{}, nil, exchange.AtEdge(err, edge, nil)
	}
	var answer struct {
		Payload struct {
			Data string `json:"data"`
		} `json:"payload"`
	}
	header := http.Header{"Authorization": {"Bearer " + own.Value.Reveal()}}
	err = i.cloud.send(ctx, http.MethodGet, "https://secretmanager.googleapis.com/v1/"+name+":access", header, nil, into(&answer), &edge)
	if err != nil {
		return exchange.Secret{}, nil, failed(err, edge, own.Trail)
	}
	text, err := base64.StdEncoding.DecodeString(answer.Payload.Data)
	if err != nil {
		return exchange.Secret{}, nil, exchange.AtEdge(errors.New("the secret is not in base64"), edge, own.Trail)
	}
	return exchange.NewSecret(string(text)), own.Trail.Then(edge), nil
}
