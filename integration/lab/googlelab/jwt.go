package googlelab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/integration/lab/discovery"
	"carnet.dev/carnet/integration/lab/world"
)

// verify checks a JWT as a provider of an OIDC issuer does.
// https://cloud.google.com/iam/docs/workload-identity-federation-with-other-providers
func (c *Cloud) verify(r *http.Request, p *world.Provider, audience, text string) (map[string]any, time.Time, *oauthFault) {
	none := time.Time{}
	parsed, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256, jose.ES256})
	if err != nil || len(parsed.Headers) != 1 || parsed.Headers[0].KeyID == "" {
		return nil, none, oauth("invalid_grant", "The ID Token must be signed with RS256 or ES256 and name its key by kid.")
	}
	var whose jwt.Claims
	if parsed.UnsafeClaimsWithoutVerification(&whose) == nil && whose.Issuer != p.Issuer {
		return nil, none, oauth("invalid_grant", fmt.Sprintf("The issuer in ID Token %s does not match the expected ones: %s.", whose.Issuer, p.Issuer))
	}
	keys, err := discovery.Client{Transport: c.transport, Unreachable: c.world.Unreachable}.Keys(r.Context(), p.Issuer)
	if err != nil {
		return nil, none, oauth("invalid_grant", "Error connecting to the given credential's issuer.")
	}
	var standard jwt.Claims
	all := map[string]any{}
	var raw json.RawMessage
	if err := parsed.Claims(keys, &standard, &all, &raw); err != nil || numbered(raw, &all) != nil {
		return nil, none, oauth("invalid_grant", "The signature of the ID Token could not be verified.")
	}
	if f := c.claims(p, audience, standard); f != nil {
		return nil, none, f
	}
	return celNumbers(all).(map[string]any), standard.Expiry.Time(), nil
}

// celNumbers makes CEL's numbers of JSON's: an int where it is one, so that string(assertion.n)
// is 1000000 and no exponent, and a double otherwise.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#json-data-conversion
func celNumbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case map[string]any:
		for key, inner := range v {
			v[key] = celNumbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = celNumbers(inner)
		}
	}
	return v
}

func (c *Cloud) claims(p *world.Provider, audience string, t jwt.Claims) *oauthFault {
	now := c.now()
	allowed := p.AllowedAudiences
	if len(allowed) == 0 {
		allowed = []string{audience, "https:" + audience}
	}
	switch {
	case !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(allowed, a) }):
		return oauth("invalid_grant", fmt.Sprintf("The audience in ID Token [%s] does not match the expected audience.", strings.Join(t.Audience, " ")))
	case t.Expiry == nil || t.IssuedAt == nil:
		return oauth("invalid_grant", "The ID Token has no exp or no iat.")
	case !now.Before(t.Expiry.Time()):
		return oauth("invalid_grant", fmt.Sprintf("ID Token issued at %d is stale to sign-in.", t.IssuedAt.Time().Unix()))
	case now.Sub(t.IssuedAt.Time()) > 24*time.Hour || t.IssuedAt.Time().After(now.Add(time.Minute)):
		return oauth("invalid_grant", fmt.Sprintf("ID Token issued at %d is stale to sign-in.", t.IssuedAt.Time().Unix()))
	case t.NotBefore != nil && t.NotBefore.Time().After(now.Add(time.Minute)):
		return oauth("invalid_grant", "The ID Token is not valid yet.")
	}
	return nil
}
