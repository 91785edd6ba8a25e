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
	life := 5 * time.Minute
	if d := args.Get("DurationSeconds"); d != "" {
		n, err := strconv.Atoi(d)
		if err != nil || n < 60 || n > 3600 {
			return nil, invalid("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value between 60 and 3600", d)
		}
		life = time.Duration(n) * time.Second
	}
	audiences := members(args, "Audience.member.")
	algorithm := args.Get("SigningAlgorithm")
	if len(audiences) == 0 || algorithm != "RS256" && algorithm != "ES384" {
		return nil, invalid("1 validation error detected: an Audience and a SigningAlgorithm of RS256 or ES384 are required")
	}
	context := s.context()
	context["sts:identitytokenaudience"] = audiences
	context["sts:durationseconds"] = []string{strconv.Itoa(int(life.Seconds()))}
	context["sts:signingalgorithm"] = []string{algorithm}
	if d := s.permits(request{action: "sts:GetWebIdentityToken", resource: "*", context: context}); d == silent || d == denied {
		return nil, accessDenied("User: %s is not authorized to perform: sts:GetWebIdentityToken on resource: *", s.arn())
	}
	issuer := c.outbound[s.role.account]
	if issuer == nil {
		return nil, &fault{http.StatusForbidden, "OutboundWebIdentityFederationDisabledException", "Outbound web identity federation is not enabled for account " + s.role.account + "."}
	}
	now := c.now()
	if now.Add(life).After(s.expires.Add(time.Second)) {
		return nil, &fault{http.StatusForbidden, "SessionDurationEscalationException", "The requested token duration would extend the session beyond its original expiration time."}
	}
	token, err := issuer.sign(algorithm, outboundClaims(s, issuer, audiences, now, life))
	if err != nil {
		return nil, &fault{http.StatusInternalServerError, "InternalFailure", err.Error()}
	}
	return webIdentityToken{token, now.Add(life).UTC().Format(time.RFC3339)}, nil
}

// outboundClaims: sub is the role with its path and without the session.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound_token_claims.html
func outboundClaims(s *session, i *issuer, audiences []string, now time.Time, life time.Duration) any {
	return struct {
		jwt.Claims
		AWS map[string]any `json:"https://sts.amazonaws.com/"`
	}{
		Claims: jwt.Claims{
			Issuer: "https://" + i.host, Subject: s.role.arn, Audience: audiences, ID: requestID(),
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(life)),
		},
		AWS: map[string]any{
			"aws_account": s.role.account, "principal_id": s.role.arn,
			"original_session_exp": s.expires.UTC().Format(time.RFC3339),
		},
	}
}

func members(args url.Values, prefix string) []string {
	var list []string
	for i := 1; ; i++ {
		v := args.Get(fmt.Sprint(prefix, i))
		if v == "" {
			return list
		}
		list = append(list, v)
	}
}
