package gcpid

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/flight"
)

// Tokens are what the platform gives the process's own account. Every source is asked once,
// and gives a token that no earlier asking has kept. What the platform says instead of yes is
// an [oauth2.RetrieveError].
type Tokens interface {
	Access(scopes ...string) oauth2.TokenSource
	ID(audience string) oauth2.TokenSource // the JWT, as AccessToken
}

// asking bounds how long one asking of the platform is waited for. A source knows no context:
// callers leave by theirs, and whoever comes meanwhile joins.
const asking = 20 * time.Second

// Runtime is the process's own service account, which the platform gives tokens of: on Cloud
// Functions and Cloud Run, on GKE with workload identity, on GCE.
func (c *Cloud) Runtime(email string, from Tokens) *Identity {
	p := &platform{account: email}
	i := &Identity{cloud: c, email: email}
	i.mint = func(ctx context.Context, ask Ask) (Token, error) {
		return p.ask(ctx, "metadata.token", strings.Join(ask.Scopes, ","), from.Access(ask.Scopes...), func(t *oauth2.Token) (time.Time, error) { return t.Expiry, nil })
	}
	i.mintID = func(ctx context.Context, audience string) (Token, error) {
		return p.ask(ctx, "metadata.identity", audience, from.ID(audience), c.ownExpiry)
	}
	return i
}

// A platform is asked for one token at a time of each kind.
type platform struct {
	account string
	flights flight.Group[*oauth2.Token]
}

func (p *platform) ask(ctx context.Context, op, what string, source oauth2.TokenSource, ends func(*oauth2.Token) (time.Time, error)) (Token, error) {
	edge := exchange.Edge{From: "platform", To: p.account, Op: op}
	t, err := p.flights.Do(ctx, op+" "+what, asking, func(context.Context) (*oauth2.Token, error) { return source.Token() })
	if err != nil {
		return Token{}, failed(refusedByPlatform(err), edge, nil)
	}
	end, err := ends(t)
	return Token{Value: exchange.NewSecret(t.AccessToken), Expires: end}, exchange.AtEdge(err, edge, nil)
}

// refusedByPlatform keeps the status alone.
func refusedByPlatform(err error) error {
	var no *oauth2.RetrieveError
	if !errors.As(err, &no) || no.Response == nil {
		return withoutURL(err)
	}
	status := no.Response.StatusCode
	return &upstreamError{status: status, code: strconv.Itoa(status), message: http.StatusText(status)}
}

// ownExpiry is when an ID token of the platform's ends: in an hour at the latest, which is all
// that one lives, since the platform has not told us its clock.
func (c *Cloud) ownExpiry(t *oauth2.Token) (time.Time, error) {
	told, err := expiry(t.AccessToken)
	if most := time.Now().Add(LongestToken); told.After(most) {
		return most, err
	}
	return c.clock.Ours(told), err
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
