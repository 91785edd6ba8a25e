package gcpid

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"cloud.google.com/go/compute/metadata"

	"carnet.dev/carnet/shared/exchange"
)

// Runtime is the process's own service account, whose tokens the metadata server
// gives: on Cloud Functions and Cloud Run, on GKE with workload identity, on GCE.
func (c *Cloud) Runtime(email string) *Identity {
	server := metadata.NewClient(c.http)
	own := exchange.Edge{From: "platform", To: email}
	i := &Identity{cloud: c, email: email}
	i.mint = func(ctx context.Context, ask Ask) (Token, error) {
		edge := own
		edge.Op = "metadata.token"
		t, err := metadataToken(ctx, server, ask.Scopes)
		return t, exchange.AtEdge(err, edge, nil)
	}
	i.mintID = func(ctx context.Context, audience string) (Token, error) {
		edge := own
		edge.Op = "metadata.identity"
		t, err := metadataIDToken(ctx, server, audience)
		return t, exchange.AtEdge(err, edge, nil)
	}
	return i
}

const defaultAccount = "instance/service-accounts/default/"

func metadataToken(ctx context.Context, server *metadata.Client, scopes []string) (Token, error) {
	query := url.Values{"scopes": {strings.Join(scopes, ",")}}
	text, err := server.GetWithContext(ctx, defaultAccount+"token?"+query.Encode())
	if err != nil {
		return Token{}, err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if json.Unmarshal([]byte(text), &answer) != nil || answer.AccessToken == "" {
		return Token{}, errors.New("the metadata server's answer is not a token")
	}
	return Token{
		Value:   exchange.NewSecret(answer.AccessToken),
		Expires: time.Now().Add(time.Duration(answer.ExpiresIn) * time.Second),
	}, nil
}

func metadataIDToken(ctx context.Context, server *metadata.Client, audience string) (Token, error) {
	query := url.Values{"audience": {audience}, "format": {"full"}}
	text, err := server.GetWithContext(ctx, defaultAccount+"identity?"+query.Encode())
	if err != nil {
		return Token{}, err
	}
	expires, err := expiry(text)
	return Token{Value: exchange.NewSecret(text), Expires: expires}, err
}

// expiry reads when an ID token that Google just gave us ends. Its signature is
// the relying party's to check.
func expiry(jwt string) (time.Time, error) {
	parts := strings.SplitN(jwt, ".", 4)
	if len(parts) != 3 {
		return time.Time{}, errors.New("the answer is not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return time.Time{}, errors.New("the answer's JWT is not in base64")
	}
	var claims struct {
		Exp int64 `json:"exp"`
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Exp == 0 {
		return time.Time{}, fmt.Errorf("the answer's JWT has no exp")
	}
	return time.Unix(claims.Exp, 0), nil
}
