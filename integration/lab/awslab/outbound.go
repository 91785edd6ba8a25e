package awslab

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// An issuer signs the outbound tokens of one account.
type issuer struct {
	host string
	rsa  *rsa.PrivateKey
	ec   *ecdsa.PrivateKey
}

func newIssuer(host string, r *rsa.PrivateKey) (*issuer, error) {
	if r == nil {
		var err error
		if r, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	e, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return &issuer{host: host, rsa: r, ec: e}, err
}

func (c *Cloud) issuerAt(host string) *issuer {
	for _, i := range c.outbound {
		if i.host == host {
			return i
		}
	}
	return nil
}

// ServeHTTP answers discovery and gives the keys.
func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		body = map[string]any{
			"issuer": "https://" + i.host, "jwks_uri": "https://" + i.host + "/.well-known/jwks.json",
			"id_token_signing_alg_values_supported": []string{"RS256", "ES384"},
			"response_types_supported":              []string{"id_token"}, "subject_types_supported": []string{"public"},
		}
	case "/.well-known/jwks.json":
		body = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: i.rsa.Public(), KeyID: "rs256", Algorithm: "RS256", Use: "sig"},
			{Key: i.ec.Public(), KeyID: "es384", Algorithm: "ES384", Use: "sig"},
		}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Lab-Operation", "issuer"+r.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(body)
}

func (i *issuer) sign(algorithm string, claims any) (string, error) {
	key := jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.rsa, KeyID: "rs256"}}
	if algorithm == "ES384" {
		key = jose.SigningKey{Algorithm: jose.ES384, Key: jose.JSONWebKey{Key: i.ec, KeyID: "es384"}}
	}
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	return jwt.Signed(signer).Claims(claims).Serialize()
}

type webIdentityToken struct {
	WebIdentityToken string
	Expiration       string
}

// getWebIdentityToken gives a session a token that proves it outside AWS.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
func (c *Cloud) getWebIdentityToken(s *session, args url.Values) (any, *fault) {
	ask, f := readOutbound(args)
	if f == nil {
		f = s.mayProve(args, ask)
	}
	if f != nil {
		return nil, f
	}
	issuer := c.outbound[s.role.account]
	if issuer == nil {
		return nil, &fault{http.StatusForbidden, "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for account " + s.role.account + "."}
	}
	now := c.now()
	if now.Add(ask.life).After(s.expires.Add(time.Second)) {
		return nil, &fault{http.StatusForbidden, "SessionDurationEscalationException", "The requested token duration would extend the session beyond its original expiration time."}
	}
	claims := outboundClaims(s, issuer, ask, now)
	if text, err := json.Marshal(claims); err != nil || c.world.JWTPayload > 0 && len(text) > c.world.JWTPayload {
		return nil, &fault{http.StatusBadRequest, "JWTPayloadSizeExceededException", "The requested token payload size exceeds the maximum allowed size."}
	}
	token, err := issuer.sign(ask.algorithm, claims)
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	return webIdentityToken{token, now.Add(ask.life).UTC().Format(time.RFC3339)}, nil
}

// An outboundAsk is what a token is asked for with.
type outboundAsk struct {
	audiences []string
	algorithm string
	life      time.Duration
	tags      map[string]string // by key in lower case
	claims    map[string]string // the tags as they are written
}

// readOutbound: no session here has an origin identity, so whoever asks for one is refused,
// and a scope, which goes with it alone.
func readOutbound(args url.Values) (a outboundAsk, f *fault) {
	if f := check(args, outboundRules()); f != nil {
		return a, f
	}
	a = outboundAsk{audiences: members(args, "Audience.member."), algorithm: args.Get("SigningAlgorithm"), life: 5 * time.Minute, claims: map[string]string{}}
	if n, err := strconv.Atoi(args.Get("DurationSeconds")); err == nil {
		a.life = time.Duration(n) * time.Second
	}
	if a.tags, f = readTags(args); f != nil {
		return a, f
	}
	for i, key := range fields(args, "Tags.member.", ".Key") {
		a.claims[key] = args.Get(fmt.Sprintf("Tags.member.%d.Value", i+1))
	}
	switch {
	case a.algorithm != "RS256" && a.algorithm != "ES384":
		return a, invalid("SigningAlgorithm must be RS256 or ES384.")
	case args.Get("SubjectMode") == "OriginIdentity":
		return a, invalid("The calling session has no trusted identity propagation context with an origin identity.")
	case args.Has("Scope"):
		return a, invalid("Scope can be specified only when SubjectMode is OriginIdentity.")
	}
	return a, nil
}

// mayProve asks for the permission of a token, and for that of its tags.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_getting_started.html
func (s *session) mayProve(args url.Values, a outboundAsk) *fault {
	context := s.context()
	context["sts:identitytokenaudience"] = a.audiences
	context["sts:durationseconds"] = []string{strconv.Itoa(int(a.life.Seconds()))}
	context["sts:signingalgorithm"] = []string{a.algorithm}
	context["sts:subjectmode"] = []string{"AWSIdentity"}
	tagged(context, args, a.tags)
	actions := []string{"sts:GetWebIdentityToken"}
	if len(a.tags) > 0 {
		actions = append(actions, "sts:TagGetWebIdentityToken")
	}
	for _, action := range actions {
		if !s.permits(request{action: action, resource: "*", context: context}).allows() {
			return accessDenied("User: %s is not authorized to perform: %s on resource: *", s.arn(), action)
		}
	}
	return nil
}

// outboundClaims: sub is the role with its path and without the session.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
func outboundClaims(s *session, i *issuer, a outboundAsk, now time.Time) any {
	own := map[string]any{
		"aws_account": s.role.account, "principal_id": s.role.arn,
		"original_session_exp": s.expires.UTC().Format(time.RFC3339),
	}
	if len(a.claims) > 0 {
		own["request_tags"] = a.claims
	}
	return struct {
		jwt.Claims
		AWS map[string]any `json:"https://sts.amazonaws.com/"`
	}{
		Claims: jwt.Claims{
			Issuer: "https://" + i.host, Subject: s.role.arn, Audience: a.audiences, ID: requestID(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(a.life)),
		},
		AWS: own,
	}
}
