package googlelab

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// InvokeService verifies a request to a Cloud Run service as its invokers' check does: the
// token in X-Serverless-Authorization where there is one, and otherwise the one in
// Authorization, for the service's own URL. The token that was checked goes on without its
// signature.
// https://cloud.google.com/run/docs/authenticating/service-to-service
func (c *Cloud) InvokeService(r *http.Request, url string, invokers []string) error {
	name := "X-Serverless-Authorization"
	if r.Header.Get(name) == "" {
		name = "Authorization"
	}
	text, ok := strings.CutPrefix(r.Header.Get(name), "Bearer ")
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if !ok || err != nil {
		return errors.New("the request was not authenticated")
	}
	var claims idToken
	if err := token.Claims(c.key.Public(), &claims); err != nil {
		return fmt.Errorf("the access token could not be verified: %w", err)
	}
	switch {
	case claims.Issuer != issuerURL, !slices.Contains(claims.Audience, url), claims.Expiry == nil || !c.now().Before(claims.Expiry.Time()):
		return errors.New("the access token could not be verified")
	case !slices.Contains(invokers, "serviceAccount:"+claims.Email):
		return fmt.Errorf("%s may not invoke the service", claims.Email)
	}
	r.Header.Set(name, "Bearer "+text[:strings.LastIndex(text, ".")]+".SIGNATURE_REMOVED_BY_GOOGLE")
	return nil
}
