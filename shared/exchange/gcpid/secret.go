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
	var answer struct {
		Payload struct {
			Data string `json:"data"`
		} `json:"payload"`
	}
	trail, err := i.secrets(ctx, name, "access", name+":access", nil, &answer)
	if err != nil {
		return exchange.Secret{}, nil, err
	}
	text, err := base64.StdEncoding.DecodeString(answer.Payload.Data)
	if err != nil {
		last := len(trail) - 1
		return exchange.Secret{}, nil, exchange.AtEdge(errors.New("the secret is not in base64"), trail[last], trail[:last])
	}
	return exchange.NewSecret(string(text)), trail, nil
}

// secrets calls an operation on a secret's versions as the identity itself: with a body it is
// a POST. The trail has the edge.
// https://cloud.google.com/secret-manager/docs/reference/rest
func (i *Identity) secrets(ctx context.Context, secret, op, at string, body, answer any) (exchange.Trail, error) {
	edge := exchange.Edge{From: i.email, To: secret, Op: "secretmanager.versions." + op}
	own, err := i.self(ctx)
	if err != nil {
		return nil, exchange.AtEdge(err, edge, nil)
	}
	const url = "https://secretmanager.googleapis.com/v1/"
	if body != nil {
		err = i.cloud.post(ctx, url+at, own.Value, body, answer, &edge)
	} else {
		header := http.Header{"Authorization": {"Bearer " + own.Value.Reveal()}}
		err = i.cloud.send(ctx, http.MethodGet, url+at, header, nil, into(answer), &edge)
	}
	if err != nil {
		return nil, failed(err, edge, own.Trail)
	}
	return own.Trail.Then(edge), nil
}
