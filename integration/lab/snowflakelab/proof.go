package snowflakelab

import (
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/integration/lab/discovery"
	"carnet.dev/carnet/integration/lab/world"
)

// A refused proof, by Snowflake's number.
type refused struct{ code, message string }

// ownAudience is what a token is for where the user lists no audience of its own.
// https://docs.snowflake.com/en/user-guide/workload-identity-federation
const ownAudience = "snowflakecomputing.com"

// longestJWT: a key-pair JWT counts for an hour after it was issued, whatever it says.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
const longestJWT = time.Hour

// leeway is for clocks that differ.
const leeway = time.Minute

func noLogin() *refused { return &refused{"390100", "Incorrect username or password was specified."} }
func badJWT() *refused  { return &refused{"390144", "JWT token is invalid."} }

// prove finds the user that a proof stands for.
func (c *Cloud) prove(r *http.Request, a *account, p proof) (string, *refused) {
	if name := strings.ToUpper(p.Account); name != a.name {
		return "", &refused{"390201", "The requested account does not exist or is not authorized."}
	}
	if a.shut {
		// https://docs.snowflake.com/en/user-guide/network-policies
		return "", &refused{"390422", "Incoming request with IP/Token 203.0.113.7 is not allowed to access Snowflake. Contact your account administrator."}
	}
	switch p.Authenticator {
	case "SNOWFLAKE_JWT":
		return c.keyPair(a, p.Token)
	case "WORKLOAD_IDENTITY":
		return c.workload(r, a, p)
	}
	return "", noLogin()
}

// workload finds the user whose identity a token proves. Which key may have signed it
// follows from the users' own issuers, not from the token.
func (c *Cloud) workload(r *http.Request, a *account, p proof) (string, *refused) {
	token, err := jwt.ParseSigned(p.Token, []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.ES384})
	if err != nil {
		return "", &refused{"390144", "The workload identity's token is no JWT signed with RS256, ES256 or ES384."}
	}
	for name, u := range a.users {
		for _, id := range u.WorkloadIdentity {
			if !u.Disabled && id.Type == p.Provider && c.proves(r, token, id) {
				return name, nil
			}
		}
	}
	return "", noLogin()
}

// issuerOf: Google's issuer is known, the others stand on the user.
func issuerOf(id world.SnowflakeWorkloadIdentity) string {
	if id.Type == "GCP" {
		return "https://accounts.google.com"
	}
	return id.Issuer
}

func (c *Cloud) proves(r *http.Request, token *jwt.JSONWebToken, id world.SnowflakeWorkloadIdentity) bool {
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil || claims.Issuer != issuerOf(id) || claims.Subject != id.Subject {
		return false // before the issuer is asked for its keys
	}
	keys, err := discovery.Client{Transport: c.transport}.Keys(r.Context(), issuerOf(id))
	if err != nil || token.Claims(keys, &claims) != nil {
		return false
	}
	audiences := []string{ownAudience}
	if id.Type == "OIDC" && len(id.Audiences) > 0 {
		audiences = id.Audiences
	}
	meant := slices.ContainsFunc(claims.Audience, func(a string) bool { return slices.Contains(audiences, a) })
	now := c.now()
	return meant && claims.Expiry != nil && now.Before(claims.Expiry.Time()) &&
		(claims.IssuedAt == nil || claims.IssuedAt.Time().Before(now.Add(leeway))) &&
		(claims.NotBefore == nil || claims.NotBefore.Time().Before(now.Add(leeway)))
}

// keyPair checks a JWT that a user signed: iss is ACCOUNT.USER.SHA256:FINGERPRINT, sub
// is ACCOUNT.USER, both in upper case.
func (c *Cloud) keyPair(a *account, text string) (string, *refused) {
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return "", badJWT()
	}
	var claims jwt.Claims
	if token.UnsafeClaimsWithoutVerification(&claims) != nil {
		return "", badJWT()
	}
	name, ok := strings.CutPrefix(claims.Subject, a.name+".")
	u := a.users[name]
	if !ok || u == nil || u.Disabled || u.PublicKey == "" {
		return "", badJWT()
	}
	key, err := publicKey(u.PublicKey)
	if err != nil || token.Claims(key, &claims) != nil {
		return "", badJWT()
	}
	print, err := fingerprint(key)
	if err != nil || claims.Issuer != claims.Subject+"."+print || claims.IssuedAt == nil || claims.Expiry == nil {
		return "", badJWT()
	}
	now, issued, expires := c.now(), at(claims.IssuedAt), at(claims.Expiry)
	if !now.Before(expires) || now.After(issued.Add(longestJWT)) || issued.After(now.Add(leeway)) {
		return "", badJWT()
	}
	return name, nil
}

// latestSecond is the year 5138: a date beyond it is in milliseconds, as Snowflake's own driver
// for Node writes them.
// https://github.com/snowflakedb/snowflake-connector-nodejs/blob/master/lib/authentication/auth_keypair.js
const latestSecond = 100_000_000_000

func at(date *jwt.NumericDate) time.Time {
	if *date > latestSecond {
		return time.UnixMilli(int64(*date))
	}
	return date.Time()
}

func fingerprint(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	sum := sha256.Sum256(der)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), err
}

func publicKey(text string) (*rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("rsa_public_key is not PEM")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := key.(*rsa.PublicKey)
	if !ok || rsaKey.N.BitLen() < 2048 {
		return nil, errors.New("rsa_public_key is not an RSA key of 2,048 bits or more")
	}
	return rsaKey, nil
}
