package gcpid

import (
	"context"
	"fmt"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/keep"
)

const (
	stsURL = "https://sts.googleapis.com/v1/token"

	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	typeAWS4Request = "urn:ietf:params:aws:token-type:aws4_request"
)

// entering bounds how many identities a provider remembers federated tokens of: as many as
// there are tenants that stay linked. A tenant's identity is forgotten some time after its
// file changed.
const entering = 10_000

// A Provider of a workload identity pool trusts one AWS account, or one OIDC
// issuer. Its federated tokens belong to it, one for each identity that entered:
// all service accounts behind the pool are reached with the same one.
type Provider struct {
	cloud   *Cloud
	name    string
	accepts exchange.Form
	// Keyed by the identity itself and not by its name: where two tenants' files name the
	// same role, only one of them may be able to enter it, and the other must not get its token.
	tokens *lru.Cache[exchange.Identity, *keep.Value[Token]]
}

// NewProvider returns the provider of that resource name,
// //iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER,
// which takes the given form of proof.
func (c *Cloud) NewProvider(name string, accepts exchange.Form) *Provider {
	tokens, err := lru.New[exchange.Identity, *keep.Value[Token]](entering)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &Provider{cloud: c, name: name, accepts: accepts, tokens: tokens}
}

// token exchanges the identity's subject token for a federated one.
func (p *Provider) token(ctx context.Context, from exchange.Identity) (Token, error) {
	t, fresh, err := p.kept(from).Get(ctx, alive, func(ctx context.Context) (Token, time.Time, error) {
		ahead := p.cloud.clock.Ahead()
		t, err := p.exchange(ctx, from)
		if err != nil && p.cloud.clock.Moved(ahead) {
			t, err = p.exchange(ctx, from) // the refusal told what time it is
		}
		return t, t.Expires, err
	})
	if err == nil && !fresh {
		t.Trail, t.kept = t.Trail.Again(), true
	}
	return t, err
}

func (p *Provider) kept(from exchange.Identity) *keep.Value[Token] {
	v := new(keep.Value[Token])
	if held, ok, _ := p.tokens.PeekOrAdd(from, v); ok {
		p.tokens.Get(from) // PeekOrAdd leaves the order of use alone
		return held
	}
	return v
}

// entered is an identity inside a provider's pool.
type entered struct {
	pool *Provider
	from exchange.Identity
}

func (e entered) self(ctx context.Context) (Token, error) { return e.pool.token(ctx, e.from) }
func (e entered) drop(t Token)                            { e.pool.kept(e.from).Drop(t.same) }

func (p *Provider) exchange(ctx context.Context, from exchange.Identity) (Token, error) {
	edge := exchange.Edge{From: from.Principal(), To: p.name, Op: "sts.token"}
	proof, err := from.SubjectToken(ctx, exchange.RelyingParty{Audience: p.name, Accepts: []exchange.Form{p.accepts}, Ahead: p.cloud.clock.Ahead()})
	if err != nil {
		return Token{}, exchange.AtEdge(err, edge, nil)
	}
	answer, err := p.cloud.exchangeToken(ctx, url.Values{
		"audience":           {p.name},
		"scope":              {cloudPlatform},
		"subject_token_type": {subjectTokenType(proof.Form)},
		"subject_token":      {proof.Value.Reveal()},
	}, &edge)
	if err != nil {
		return Token{}, failed(err, edge, proof.Trail)
	}
	return answer.token(proof.Trail.Then(edge)), nil
}

func subjectTokenType(f exchange.Form) string {
	if f == exchange.SignedCallerIdentity {
		return typeAWS4Request
	}
	return typeJWT
}

// exchangeAnswer is RFC 8693's successful response.
type exchangeAnswer struct {
	AccessToken string `json:"access_token"`
	ExpiresIn   int    `json:"expires_in"`
}

func (a exchangeAnswer) token(trail exchange.Trail) Token {
	return Token{Value: exchange.NewSecret(a.AccessToken), Expires: within(a.ExpiresIn), Trail: trail}
}

func (c *Cloud) exchangeToken(ctx context.Context, form url.Values, edge *exchange.Edge) (exchangeAnswer, error) {
	form.Set("grant_type", grantExchange)
	form.Set("requested_token_type", typeAccessToken)
	var answer exchangeAnswer
	err := c.postForm(ctx, stsURL, form, &answer, edge)
	if err == nil && answer.AccessToken == "" {
		err = fmt.Errorf("the answer has no access token")
	}
	return answer, err
}
