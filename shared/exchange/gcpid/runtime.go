package gcpid

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// Runtime is the process's own service account, whose tokens the metadata server
// gives: on Cloud Functions and Cloud Run, on GKE with workload identity, on GCE.
func (c *Cloud) Runtime(email string) *Identity {
	i := &Identity{cloud: c, email: email}
	i.mint = func(ctx context.Context, ask Ask) (Token, error) {
		return c.ownToken(ctx, exchange.Edge{From: "platform", To: email, Op: "metadata.token"}, ask.Scopes)
	}
	i.mintID = func(ctx context.Context, audience string) (Token, error) {
		return c.ownIDToken(ctx, exchange.Edge{From: "platform", To: email, Op: "metadata.identity"}, audience)
	}
	return i
}

// metadata asks the server that each machine of Google's has at hand, over HTTP and at an
// address that leads nowhere else. Without the header it answers nobody.
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func (c *Cloud) metadata(ctx context.Context, what string, query url.Values, read reader, edge *exchange.Edge) error {
	at := "http://" + cmp.Or(os.Getenv("GCE_METADATA_HOST"), "169.254.169.254") + "/computeMetadata/v1/instance/service-accounts/default/"
	header := http.Header{"Metadata-Flavor": {"Google"}}
	return c.send(ctx, http.MethodGet, at+what+"?"+query.Encode(), header, nil, read, edge)
}

func (c *Cloud) ownToken(ctx context.Context, edge exchange.Edge, scopes []string) (Token, error) {
	var answer exchangeAnswer // it has the same fields
	err := c.metadata(ctx, "token", url.Values{"scopes": {strings.Join(scopes, ",")}}, into(&answer), &edge)
	if err == nil && answer.AccessToken == "" {
		err = errors.New("the metadata server's answer is not a token")
	}
	if err != nil {
		return Token{}, failed(err, edge, nil)
	}
	return answer.token(nil), nil
}

func (c *Cloud) ownIDToken(ctx context.Context, edge exchange.Edge, audience string) (Token, error) {
	var token string
	var expires time.Time
	err := c.metadata(ctx, "identity", url.Values{"audience": {audience}, "format": {"full"}}, func(_ *http.Response, text []byte) (err error) {
		token = string(text)
		expires, err = expiry(token)
		return err
	}, &edge)
	if err != nil {
		return Token{}, failed(err, edge, nil)
	}
	return Token{Value: exchange.NewSecret(token), Expires: c.clock.Ours(expires)}, nil
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
