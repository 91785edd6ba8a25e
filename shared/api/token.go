package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// The names of RFC 8693 and RFC 7523.
const (
	grantExchange  = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccess     = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT        = "urn:ietf:params:oauth:token-type:jwt"
	typeID         = "urn:ietf:params:oauth:token-type:id_token"
	audiencePrefix = "//carnet/tenants/"
	formType       = "application/x-www-form-urlencoded"
	// tokenTTL is what a token has left at the least: Google's libraries refresh
	// within minutes of the end.
	tokenTTL = 10 * time.Minute
)

// Audience names a destination to POST /v1/token, and is the `audience` of an
// external_account file.
func Audience(tenant, destination string) string {
	return audiencePrefix + tenant + "/destinations/" + destination
}

// token answers POST /v1/token: the caller's own proof is the subject token, and what it
// is exchanged for is a destination's access token.
// https://www.rfc-editor.org/rfc/rfc8693
func (c *call) token() ([]byte, error) {
	form, err := c.form()
	if err != nil {
		return nil, err
	}
	tenant, destination, ok := target(form.Get("audience"))
	if !ok {
		return nil, fmt.Errorf("%w: %w", errTarget, bad("audience is no %s", Audience("TENANT", "DESTINATION")))
	}
	who, err := c.subject(form.Get("subject_token"))
	if err != nil {
		return nil, err
	}
	return c.vend(who, exchange.Request{Tenant: tenant, Destination: destination, MinTTL: tokenTTL}, wire.TokenExchange)
}

// failToken answers with an error in the shape of RFC 6749.
// https://www.rfc-editor.org/rfc/rfc6749#section-5.2
func (c *call) failToken(err error) {
	p := c.problem(err)
	status, code := oauth(err, p)
	c.headers(problem{status: status, after: p.after})
	c.send(status, encoded(map[string]string{"error": code, "error_description": p.Message + " (" + c.id + ")"}))
}

// errTarget means that the audience names nothing that gives an access token.
var errTarget = errors.New("invalid target")

// oauth puts an error into the words of RFC 6749 and RFC 8693.
// https://www.rfc-editor.org/rfc/rfc8693#section-2.2.2
func oauth(err error, p problem) (int, string) {
	switch {
	case errors.Is(err, errTarget), errors.Is(err, wire.ErrForm), p.Code == codeDenied:
		return http.StatusBadRequest, "invalid_target"
	case p.Code == codeUnauthenticated:
		return http.StatusBadRequest, "invalid_grant"
	case p.Code == codeBadRequest:
		return http.StatusBadRequest, "invalid_request"
	case p.Code == codeTrustRefused:
		return http.StatusForbidden, codeTrustRefused
	case p.Code == codeThrottled:
		return p.status, "slow_down"
	case p.Code == codeUnavailable:
		return p.status, "temporarily_unavailable"
	}
	return p.status, "server_error"
}

// form reads the parameters, each of which may be there once.
func (c *call) form() (url.Values, error) {
	text, err := c.body(formType)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, bad("the body is no form")
	}
	if err := once(form); err != nil {
		return nil, err
	}
	subject := form.Get("subject_token_type")
	switch {
	case form.Get("grant_type") != grantExchange:
		return nil, bad("grant_type is not %s", grantExchange)
	case form.Has("requested_token_type") && form.Get("requested_token_type") != typeAccess:
		return nil, bad("requested_token_type is not %s", typeAccess)
	case subject != typeJWT && subject != typeID:
		return nil, bad("subject_token_type is neither %s nor %s", typeJWT, typeID)
	case form.Has("actor_token"):
		return nil, bad("an actor_token means nothing here")
	case form.Has("resource"):
		return nil, fmt.Errorf("%w: %w", errTarget, bad("a resource means nothing here: the audience names the destination"))
	}
	return form, nil
}

// once refuses a parameter that is there twice, in whatever case, or that no person would
// write. Parameters that are not known are ignored, as RFC 6749 has it.
func once(form url.Values) error {
	seen := make(map[string]bool, len(form))
	for name, values := range form {
		folded := strings.ToLower(name)
		if len(values) != 1 || seen[folded] {
			return bad("the parameter %.64q is there twice", name)
		}
		seen[folded] = true
		if strings.ContainsFunc(values[0], unicode.IsControl) || !utf8.ValidString(values[0]) {
			return bad("the parameter %.64q has a control character in it", name)
		}
	}
	return nil
}

func target(audience string) (tenant, destination string, ok bool) {
	rest, ok := strings.CutPrefix(audience, audiencePrefix)
	if !ok {
		return "", "", false
	}
	tenant, destination, ok = strings.Cut(rest, "/destinations/")
	return tenant, destination, ok && tenant != "" && destination != "" && !strings.Contains(destination, "/")
}

// subject verifies the subject token, which is the request's one credential.
func (c *call) subject(token string) (exchange.Caller, error) {
	_, known := c.r.Context().Value(principalKey{}).(exchange.Caller)
	other, err := c.authorization()
	switch {
	case err != nil:
		return exchange.Caller{}, err
	case known || other != "":
		return exchange.Caller{}, errSeveral
	case token == "":
		return exchange.Caller{}, fmt.Errorf("%w: no subject_token came", errUnauthenticated)
	}
	return c.verified(token)
}
