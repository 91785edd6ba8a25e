package api

import (
	"context"
	"fmt"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

type principalKey struct{}

// WithPrincipal notes the caller whom the platform has verified, such as the IAM
// principal of a function URL. Nothing in a request can do the same.
func WithPrincipal(ctx context.Context, c exchange.Caller) context.Context {
	return context.WithValue(ctx, principalKey{}, c)
}

// who verifies the caller. Whatever the deployment says in front of it, a request
// without exactly one proof that counts is refused here.
func (c *call) who() (exchange.Caller, error) {
	principal, known := c.r.Context().Value(principalKey{}).(exchange.Caller)
	token, err := c.authorization()
	switch {
	case err != nil:
		return exchange.Caller{}, err
	case known && token != "":
		return exchange.Caller{}, errSeveral
	case known && c.Principals:
		return principal, nil
	case token == "":
		return exchange.Caller{}, fmt.Errorf("%w: no proof came", errUnauthenticated)
	}
	return c.verified(token)
}

var errSeveral = bad("the request shows several credentials, and which one counts is not guessed: show one")

func (c *call) verified(token string) (exchange.Caller, error) {
	if c.Verify == nil {
		return exchange.Caller{}, fmt.Errorf("%w: this deployment takes no tokens", errUnauthenticated)
	}
	who, err := c.Verify(c.r.Context(), token)
	if err == nil && (who.Issuer == "" || who.Subject == "") {
		err = errUnauthenticated
	}
	return who, err
}

// authorization is the one Authorization header. The signature of a request to a function
// URL is in it as well: the platform has checked it, and it is no token. What stands in
// X-Serverless-Authorization is the platform's own business on Google Cloud.
func (c *call) authorization() (string, error) {
	values := c.r.Header["Authorization"]
	switch {
	case len(values) > 1, len(c.r.Header["X-Serverless-Authorization"]) > 1:
		return "", errSeveral
	case len(values) == 0:
		return "", nil
	case strings.HasPrefix(values[0], "AWS4-HMAC-SHA256 "):
		return "", nil
	}
	return values[0], nil
}
