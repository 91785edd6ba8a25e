package caller

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

const (
	// maxToken and the count of dots are looked at before any parser sees a token.
	maxToken = 8 << 10
	// leeway is how far an issuer's clock may be ahead of ours.
	leeway = time.Minute

	tokenLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

	googleIssuer = "https://accounts.google.com"
	googleKeys   = "https://www.googleapis.com/oauth2/v3/certs"
)

// algorithms are those whose keys are public. RS256 verifies in a tenth of the time of
// the elliptic curves of 384 bits.
func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384, jose.RS384, jose.RS512}
}

// A Verifier checks the tokens of the issuers that the operator lists. It is safe for
// concurrent use.
type Verifier struct{ issuers map[string]*keySet }

// New makes a verifier of carnet.yaml's google_audience and issuers. It makes no call:
// keys are fetched when the first token of an issuer comes. Of the client, redirects are
// not followed: keys count from where they were looked for.
func New(op *catalog.Operator, client *http.Client) *Verifier {
	own := *client
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	v := &Verifier{issuers: map[string]*keySet{}}
	for _, i := range op.Issuers {
		v.issuers[i.URL] = &keySet{issuer: i.URL, audience: i.Audience, at: i.Keys, client: &own}
	}
	if op.GoogleAudience != "" {
		v.issuers[googleIssuer] = &keySet{issuer: googleIssuer, audience: op.GoogleAudience, at: googleKeys, client: &own}
	}
	return v
}

// Hosts lists the hosts that a verifier asks for keys, for the list of those that may be
// dialled.
func Hosts(op *catalog.Operator) []string {
	var urls, hosts []string
	if op.GoogleAudience != "" {
		urls = append(urls, googleKeys)
	}
	for _, i := range op.Issuers {
		urls = append(urls, i.URL, i.Keys)
	}
	for _, raw := range urls {
		if u, err := url.Parse(raw); err == nil && u.Hostname() != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	return hosts
}

// Verify returns the caller that a token proves: of Google, the account by its verified
// email; of another issuer, its subject. The token may have "Bearer " before it. Errors
// wrap ErrUnverified, or ErrNoKeys where the issuer cannot be asked for its keys.
func (v *Verifier) Verify(ctx context.Context, token string) (exchange.Caller, error) {
	token = withoutScheme(token)
	name, err := claimedIssuer(token)
	if err != nil {
		return exchange.Caller{}, err
	}
	from, ok := v.issuers[name]
	if !ok {
		return exchange.Caller{}, unverified("the operator's file lists no such issuer")
	}
	payload, err := from.verify(ctx, token)
	if err != nil {
		return exchange.Caller{}, err
	}
	return proven(name, from.audience, payload)
}

// withoutScheme: SDKs send AWS_CONTAINER_AUTHORIZATION_TOKEN as it is, and people write
// it with "Bearer" or without.
func withoutScheme(token string) string {
	if scheme, rest, ok := strings.Cut(token, " "); ok && strings.EqualFold(scheme, "bearer") {
		return rest
	}
	return token
}

// claimedIssuer reads which issuer a token says it is from. Nothing else of it counts
// before its signature was checked.
func claimedIssuer(token string) (string, error) {
	if len(token) > maxToken {
		return "", unverified("the token has more than %d bytes", maxToken)
	}
	if strings.Count(token, ".") != 2 || strings.Trim(token, tokenLetters) != "" {
		return "", unverified("the credential is no JSON Web Token")
	}
	parts := strings.Split(token, ".")
	if strings.HasPrefix(parts[2], "SIGNATURE_REMOVED") {
		return "", unverified("the platform removed the token's signature: show the platform's token in X-Serverless-Authorization, and the caller's own in Authorization")
	}
	if _, err := decodePart(parts[0]); err != nil {
		return "", err
	}
	claims, err := decodePart(parts[1])
	if err != nil {
		return "", err
	}
	name := claims.text("iss")
	if name == "" {
		return "", unverified("the token names no issuer")
	}
	return name, nil
}
