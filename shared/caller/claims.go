package caller

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/strict"
)

// claims are a part of a token, by the exact spelling of its keys: an issuer whose users
// may name a claim does not let them name the subject.
type claims struct{ strict.Object }

func parseClaims(text []byte) (claims, error) {
	o, err := strict.Parse(text)
	if err != nil {
		return claims{}, unverified("a part of the token: %w", err)
	}
	return claims{o}, nil
}

// decodePart reads one of the first two parts of a token.
func decodePart(part string) (claims, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return claims{}, unverified("the token is not in base64url")
	}
	return parseClaims(text)
}

// read fills to from a claim; one that is not there leaves it as it is.
func (c claims) read(name string, to any) bool {
	value, ok := c.Get(name)
	return !ok || json.Unmarshal(value, to) == nil
}

// text is a claim that is a string, or empty.
func (c claims) text(name string) string {
	value, _ := c.Get(name)
	s, _ := strict.String(value)
	return s
}

// standard reads the claims of RFC 7519 that count here.
func (c claims) standard() (j jwt.Claims, ok bool) {
	j.Issuer, j.Subject = c.text("iss"), c.text("sub")
	return j, c.read("aud", &j.Audience) && c.read("exp", &j.Expiry) && c.read("nbf", &j.NotBefore) && c.read("iat", &j.IssuedAt)
}

// proven checks what a token says, its signature being good, and names the caller.
func proven(issuer, audience string, payload []byte) (exchange.Caller, error) {
	said, err := parseClaims(payload)
	if err != nil {
		return exchange.Caller{}, err
	}
	standard, ok := said.standard()
	if !ok {
		return exchange.Caller{}, unverified("the token's claims are not of their types")
	}
	now := time.Now()
	err = standard.ValidateWithLeeway(jwt.Expected{Issuer: issuer, Time: now}, leeway)
	switch {
	case err != nil:
		return exchange.Caller{}, unverified("%w", err)
	case !slices.Equal(standard.Audience, jwt.Audience{audience}):
		// Each of several audiences could show here what was shown to it.
		// https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation
		return exchange.Caller{}, unverified("the token is for another audience, or for others as well")
	case standard.Expiry == nil || !now.Before(standard.Expiry.Time()):
		return exchange.Caller{}, unverified("the token has expired, or never does")
	case standard.IssuedAt == nil:
		return exchange.Caller{}, unverified("the token does not say when it was issued")
	case standard.Subject == "":
		return exchange.Caller{}, unverified("the token has no subject")
	case issuer == googleIssuer:
		return account(said)
	}
	return exchange.Caller{Issuer: issuer, Subject: standard.Subject}, nil
}

// account is who a token of Google's names.
func account(said claims) (exchange.Caller, error) {
	email, verified := said.text("email"), false
	if !said.read("email_verified", &verified) || email == "" || !verified {
		return exchange.Caller{}, unverified("the token has no verified email: ask Google for it with format=full, or with includeEmail")
	}
	return exchange.Caller{Issuer: Google, Subject: email}, nil
}
