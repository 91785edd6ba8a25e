package caller

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

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
type Verifier struct{ issuers map[string]issuer }

type issuer struct {
	audience string
	keys     *keySet
}

// New makes a verifier of carnet.yaml's google_audience and issuers. It makes no call:
// keys are fetched when the first token of an issuer comes.
func New(op *catalog.Operator, client *http.Client) *Verifier {
	v := &Verifier{issuers: map[string]issuer{}}
	for _, i := range op.Issuers {
		v.issuers[i.URL] = issuer{i.Audience, newKeySet(i.URL, i.Keys, client)}
	}
	if op.GoogleAudience != "" {
		v.issuers[googleIssuer] = issuer{op.GoogleAudience, newKeySet(googleIssuer, googleKeys, client)}
	}
	return v
}

// Hosts lists the hosts that a verifier asks for keys, for the list of those that may be
// dialled.
func Hosts(op *catalog.Operator) []string {
	var hosts []string
	add := func(raw string) {
		if u, err := url.Parse(raw); err == nil && u.Hostname() != "" {
			hosts = append(hosts, u.Hostname())
		}
	}
	if op.GoogleAudience != "" {
		add(googleKeys)
	}
	for _, i := range op.Issuers {
		add(i.URL)
		add(i.Keys)
	}
	return hosts
}

// Verify returns the caller that a token proves: of Google, the account by its verified
// email; of another issuer, its subject. The token may have "Bearer " before it. Errors
// wrap ErrUnverified, but for those of an issuer that cannot be asked for its keys.
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
	payload, err := from.keys.verify(ctx, token)
	if err != nil {
		return exchange.Caller{}, err
	}
	return proven(name, from.audience, payload)
}

// withoutScheme: SDKs send AWS_CONTAINER_AUTHORIZATION_TOKEN as it is, and people write
// it with "Bearer" or without.
func withoutScheme(token string) string {
	const scheme = "bearer "
	if len(token) > len(scheme) && strings.EqualFold(token[:len(scheme)], scheme) {
		return token[len(scheme):]
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
	for _, part := range parts[:2] {
		text, err := base64.RawURLEncoding.Strict().DecodeString(part)
		if err != nil {
			return "", unverified("the token is not in base64url")
		}
		if err := plainObject(text); err != nil {
			return "", err
		}
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", unverified("the token is not in base64url")
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil || claims.Issuer == "" {
		return "", unverified("the token names no issuer")
	}
	return claims.Issuer, nil
}

// plainObject refuses an object in which a key is repeated, in any case: parsers do not
// agree on which of the two counts.
func plainObject(text []byte) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return unverified("a part of the token is no object")
	}
	seen := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		name, ok := key.(string)
		if err != nil || !ok || seen[strings.ToLower(name)] {
			return unverified("a part of the token is malformed, or repeats a key")
		}
		seen[strings.ToLower(name)] = true
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return unverified("a part of the token is malformed")
		}
	}
	if _, err := dec.Token(); err != nil {
		return unverified("a part of the token is malformed")
	}
	if dec.More() {
		return unverified("a part of the token has more than one object")
	}
	return nil
}

// proven checks what a token says, its signature being good, and names the caller.
func proven(issuer, audience string, payload []byte) (exchange.Caller, error) {
	var claims struct {
		jwt.Claims
		Email         string `json:"email"`
		EmailVerified bool   `json:"email_verified"`
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return exchange.Caller{}, unverified("the token's claims are not of their types")
	}
	now := time.Now()
	err := claims.ValidateWithLeeway(jwt.Expected{Issuer: issuer, AnyAudience: jwt.Audience{audience}, Time: now}, leeway)
	switch {
	case err != nil:
		return exchange.Caller{}, unverified("%w", err)
	case claims.Expiry == nil || !now.Before(claims.Expiry.Time()):
		return exchange.Caller{}, unverified("the token has expired, or never does")
	case claims.IssuedAt == nil:
		return exchange.Caller{}, unverified("the token does not say when it was issued")
	case claims.Subject == "":
		return exchange.Caller{}, unverified("the token has no subject")
	case issuer != googleIssuer:
		return exchange.Caller{Issuer: issuer, Subject: claims.Subject}, nil
	case claims.Email == "" || !claims.EmailVerified:
		return exchange.Caller{}, unverified("the token has no verified email: ask Google for it with format=full, or with includeEmail")
	}
	return exchange.Caller{Issuer: Google, Subject: claims.Email}, nil
}
