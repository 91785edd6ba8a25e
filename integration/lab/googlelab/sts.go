package googlelab

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

const (
	grantExchange   = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT         = "urn:ietf:params:oauth:token-type:jwt"
	typeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
	typeAWS4Request = "urn:ietf:params:aws:token-type:aws4_request"
)

// STS is the security token service.
// https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
func (c *Cloud) STS() http.Handler {
	return unpacked(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Lab-Operation", "sts.token")
		w.Header().Set("Cache-Control", "no-store")
		answer, f := c.exchange(r)
		if f != nil {
			writeJSON(w, f.status, f)
			return
		}
		writeJSON(w, http.StatusOK, answer)
	}))
}

type exchanged struct {
	AccessToken string `json:"access_token"`
	Type        string `json:"issued_token_type"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
}

func (c *Cloud) exchange(r *http.Request) (any, *oauthFault) {
	if r.Method != http.MethodPost || r.URL.Path != "/v1/token" {
		return nil, &oauthFault{http.StatusNotFound, "invalid_request", "Not found."}
	}
	if r.Header.Get("Authorization") != "" {
		return nil, oauth("invalid_client", "The token endpoint does not take an Authorization header.")
	}
	if c.world.Throttled {
		return nil, &oauthFault{http.StatusTooManyRequests, "quota_exceeded", "The request was throttled due to rate limit: sts.googleapis.com/requests. Please retry after a few seconds."}
	}
	args, f := arguments(r)
	if f != nil {
		return nil, f
	}
	switch {
	case args.Get("grant_type") != grantExchange:
		return nil, oauth("unsupported_grant_type", "Invalid value for \"grant_type\".")
	case args.Get("requested_token_type") != typeAccessToken:
		return nil, oauth("invalid_request", "Invalid value for \"requested_token_type\".")
	case args.Get("subject_token") == "":
		return nil, oauth("invalid_request", "Missing required field: subject_token.")
	case args.Get("subject_token_type") == typeAccessToken:
		return c.bound(args)
	}
	return c.federate(r, args)
}

// arguments come as a form, or as JSON with names in camel case.
func arguments(r *http.Request) (url.Values, *oauthFault) {
	text, err := body(r)
	if err != nil {
		return nil, oauth("invalid_request", "Unreadable body.")
	}
	args, err := url.ParseQuery(string(text))
	if err != nil || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		return nil, oauth("invalid_request", "The request body must be application/x-www-form-urlencoded.")
	}
	for key, values := range args {
		if len(values) > 1 {
			return nil, oauth("invalid_request", "Repeated field: "+key+".")
		}
	}
	return args, nil
}

// federate makes a federated token out of a subject token.
func (c *Cloud) federate(r *http.Request, args url.Values) (any, *oauthFault) {
	audience := strings.TrimPrefix(args.Get("audience"), "https:")
	provider, ref, name, f := c.provider(audience)
	if f != nil {
		return nil, f
	}
	if args.Get("scope") == "" {
		return nil, oauth("invalid_scope", "Missing required field: scope.")
	}
	now := c.now()
	expires := now.Add(time.Hour)
	var assertion map[string]any
	switch kind := args.Get("subject_token_type"); {
	case kind == typeAWS4Request && provider.AWSAccount != "":
		assertion, f = c.replay(r, provider, audience, args.Get("subject_token"))
	case (kind == typeJWT || kind == typeIDToken) && provider.Issuer != "":
		assertion, expires, f = c.verify(r, provider, audience, args.Get("subject_token"))
	default:
		f = oauth("invalid_request", "Invalid value for \"subject_token_type\": the provider does not accept "+kind+".")
	}
	if f != nil {
		return nil, f
	}
	who, f := c.identify(provider, name, assertion)
	if f != nil {
		return nil, f
	}
	// A federated token ends with the JWT that it came from.
	if most := now.Add(time.Hour); expires.After(most) {
		expires = most
	}
	value := c.open(&token{members: who, pool: ref, scopes: strings.Fields(args.Get("scope")), expires: expires})
	return exchanged{value, typeAccessToken, "Bearer", int(expires.Sub(now).Seconds())}, nil
}

// provider finds the provider that an audience names, by the project's number.
func (c *Cloud) provider(audience string) (*world.Provider, *poolRef, string, *oauthFault) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	gone := oauth("invalid_target", "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.")
	m := regexp.MustCompile(`^//iam\.googleapis\.com/(projects/([0-9]+)/locations/global/workloadIdentityPools/([a-z0-9-]+))/providers/([a-z0-9-]+)$`).FindStringSubmatch(audience)
	if m == nil {
		return nil, nil, "", oauth("invalid_request", "Invalid value for \"audience\". This value should be the full resource name of the Identity Provider.")
	}
	for id, project := range c.world.Projects {
		if project.Number != m[2] {
			continue
		}
		pool := project.Pools[m[3]]
		if pool == nil || pool.Disabled || pool.Providers[m[4]] == nil || pool.Providers[m[4]].Disabled {
			return nil, nil, "", gone
		}
		p := *pool.Providers[m[4]]
		return &p, &poolRef{id, m[3]}, m[1], nil
	}
	return nil, nil, "", gone
}

// plainly takes options that are percent-encoded within the form too, as google-auth sends
// them: no JSON text begins with a percent sign.
// https://github.com/googleapis/google-auth-library-python/blob/main/google/oauth2/sts.py
func plainly(options string) string {
	if !strings.HasPrefix(options, "%") {
		return options
	}
	if text, err := url.PathUnescape(options); err == nil {
		return text
	}
	return options
}

// bound narrows an account's token by an access boundary.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
func (c *Cloud) bound(args url.Values) (any, *oauthFault) {
	source := c.living(args.Get("subject_token"))
	if source == nil {
		return nil, oauth("invalid_grant", "The subject token is invalid or expired.")
	}
	if source.bounds != nil {
		return nil, oauth("invalid_request", "The subject token already has an access boundary.")
	}
	// https://github.com/projectnessie/nessie/pull/12901
	if !source.has("cloud-platform") {
		return nil, oauth("invalid_scope", "The subject token does not have the scope https://www.googleapis.com/auth/cloud-platform.")
	}
	var options struct {
		AccessBoundary struct {
			Rules []rule `json:"accessBoundaryRules"`
		} `json:"accessBoundary"`
	}
	text := plainly(args.Get("options"))
	if len(text) > maxBoundary {
		return nil, oauth("invalid_request", fmt.Sprintf("The access boundary exceeds the limit of %d characters.", maxBoundary))
	}
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&options); err != nil {
		return nil, oauth("invalid_request", "Invalid value for \"options\".")
	}
	rules := options.AccessBoundary.Rules
	if len(rules) == 0 || len(rules) > maxRules {
		return nil, oauth("invalid_request", fmt.Sprintf("An access boundary has 1 to %d rules.", maxRules))
	}
	for _, r := range rules {
		if err := c.checkRule(r); err != nil {
			return nil, oauth("invalid_request", "Invalid access boundary: "+err.Error())
		}
	}
	narrowed := *source
	narrowed.bounds = slices.Clone(rules)
	return exchanged{c.open(&narrowed), typeAccessToken, "Bearer", int(source.expires.Sub(c.now()).Seconds())}, nil
}
