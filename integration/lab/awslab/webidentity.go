package awslab

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/integration/lab/discovery"
)

const (
	google = "accounts.google.com"
	// lateFor: STS takes a token up to five minutes past its exp.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html
	lateFor = 5 * time.Minute
)

type claims struct {
	jwt.Claims
	AuthorizedParty string `json:"azp"`
}

func algorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512}
}

// assumeRoleWithWebIdentity lets a foreign identity enter a role.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func (c *Cloud) assumeRoleWithWebIdentity(r *http.Request, args url.Values) (any, *fault) {
	ask, f := c.readAsk(args, webIdentityRules())
	if f != nil {
		return nil, f
	}
	if f := c.packed(args.Get("Policy")); f != nil {
		return nil, f
	}
	to := c.roles[args.Get("RoleArn")]
	refused := accessDenied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
	if to == nil {
		return nil, refused
	}
	who, token, f := c.webIdentity(r, to.account, args.Get("WebIdentityToken"))
	if f != nil {
		return nil, f
	}
	context := c.webContext(who, token)
	context["sts:rolesessionname"] = []string{ask.name}
	req := request{action: "sts:AssumeRoleWithWebIdentity", who: principal{federated: who}, context: context}
	limit := c.limits[to.account].resource
	if !to.trust.decide(req).allows() || limit.decide(req) == denied {
		return nil, refused
	}
	if f := to.gives(ask.life); f != nil {
		return nil, f
	}
	opened := c.open(to, ask)
	return assumedWithWebIdentity{opened.credentials(), opened.user(), opened.size(), token.Subject, token.Issuer, strings.Join(token.Audience, ",")}, nil
}

// webContext: accounts.google.com:aud is the token's azp where it has one, and
// :oaud its aud then.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
func (c *Cloud) webContext(who string, t claims) map[string][]string {
	prefix := who
	if _, host, ok := strings.Cut(who, ":oidc-provider/"); ok {
		prefix = host
	}
	prefix = strings.ToLower(prefix)
	now := c.now().UTC()
	context := map[string][]string{
		prefix + ":sub": {t.Subject}, prefix + ":aud": t.Audience, "aws:sourceip": {"127.0.0.1"}, "aws:securetransport": {"true"},
		"aws:currenttime": {now.Format(time.RFC3339)}, "aws:epochtime": {strconv.FormatInt(now.Unix(), 10)},
	}
	if who == google && t.AuthorizedParty != "" {
		context[prefix+":oaud"] = t.Audience
		context[prefix+":aud"] = []string{t.AuthorizedParty}
	}
	return context
}

// webIdentity verifies a token and says as whom it speaks. Google is built in; any
// other issuer must be an OIDC provider of the role's account.
func (c *Cloud) webIdentity(r *http.Request, account, text string) (string, claims, *fault) {
	var t claims
	parsed, err := jwt.ParseSigned(text, algorithms())
	if err != nil || parsed.UnsafeClaimsWithoutVerification(&t) != nil {
		return "", t, badToken("The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)")
	}
	host := strings.TrimPrefix(t.Issuer, "https://")
	who := "arn:aws:iam::" + account + ":oidc-provider/" + host
	audiences, known := c.providers[account][t.Issuer]
	if t.Issuer == "https://"+google || t.Issuer == google {
		who, host = google, google
	} else if !known || strings.HasSuffix(host, ".tokens.sts.global.api.aws") {
		// Outbound tokens cannot come back in.
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_getting_started.html
		return "", t, badToken("No OpenIDConnect provider found in your account for " + t.Issuer)
	}
	keys, err := discovery.Client{Transport: c.transport, Unreachable: c.world.Unreachable}.Keys(r.Context(), "https://"+host)
	if err != nil {
		return "", t, &fault{http.StatusBadRequest, "IDPCommunicationError", "Error communicating with the Identity Provider: " + err.Error()}
	}
	if err := parsed.Claims(keys, &t); err != nil {
		return "", t, badToken("Couldn't retrieve verification key from your identity provider, please reference AssumeRoleWithWebIdentity documentation for requirements")
	}
	if who != google && !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(audiences, a) }) {
		return "", t, badToken("Incorrect token audience")
	}
	return who, t, c.current(t)
}

func badToken(message string) *fault {
	return &fault{http.StatusBadRequest, "InvalidIdentityToken", message}
}

func (c *Cloud) current(t claims) *fault {
	now := c.now()
	if t.Expiry == nil {
		return badToken("Missing a required claim: exp")
	}
	if exp := t.Expiry.Time(); !now.Before(exp.Add(lateFor)) {
		return &fault{http.StatusBadRequest, "ExpiredTokenException", fmt.Sprintf("Token expired: current date/time %d must be before the expiration date/time %d", now.Unix(), exp.Unix())}
	}
	if t.NotBefore != nil && now.Add(lateFor).Before(t.NotBefore.Time()) || t.IssuedAt != nil && now.Add(lateFor).Before(t.IssuedAt.Time()) {
		return badToken("The ID Token provided is not yet valid")
	}
	return nil
}
