package destination

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// snowflakesAudience is what Snowflake expects of workload identities of type AWS
// and GCP. It is the same for every account, so such a token is good for any of them
// that knows the identity: login oidc, with an audience per account, is tighter.
// https://docs.snowflake.com/en/user-guide/workload-identity-federation
const snowflakesAudience = "snowflakecomputing.com"

// longestToken is an hour for each form: Google's ID tokens have it, AWS gives its
// outbound JWTs as much, and Snowflake takes a key-pair JWT for no longer.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
const longestToken = time.Hour

// A snowflake destination is a service user of an account. It has no identity of its
// own: the tenant's is the chain's end, and shows itself.
type snowflake struct {
	end exchange.Identity
	at  catalog.SnowflakePlace
	key secret // the private key as PEM; nil unless login is key_pair

	http *http.Client // for try alone
}

// A secret is read by the runtime itself.
type secret func(context.Context) (exchange.Secret, exchange.Trail, error)

func (d snowflake) mint(ctx context.Context, _ exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	cred := &exchange.Credential{
		Kind: "snowflake", Principal: d.at.Account + "." + d.at.User,
		Place: map[string]string{"account": d.at.Account, "host": d.at.Host},
	}
	if d.at.Login == catalog.SnowflakeKeyPair {
		return d.signed(ctx, cred, lifetime)
	}
	audience := snowflakesAudience
	if d.at.Login == catalog.SnowflakeOIDC {
		audience = d.at.ExternalID
	}
	proof, err := d.end.SubjectToken(ctx, exchange.RelyingParty{Audience: audience, Accepts: d.forms(), Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	cred.Expires, cred.Trail = proof.Expires, proof.Trail
	cred.Login = &exchange.Login{User: d.at.User, Token: proof.Value, Authenticator: "WORKLOAD_IDENTITY", Provider: d.provider()}
	return cred, nil
}

// forms: an AWS identity signs as the user's setting needs, a Google one RS256. A
// signed request is no form here: it would be good for Snowflake as a whole.
func (d snowflake) forms() []exchange.Form {
	if d.at.Algorithm == "RS256" {
		return []exchange.Form{exchange.RS256}
	}
	return []exchange.Form{exchange.ES384, exchange.RS256}
}

// provider is Snowflake's name for the kind of proof.
func (d snowflake) provider() string {
	switch {
	case d.at.Login == catalog.SnowflakeOIDC:
		return "OIDC"
	case strings.HasPrefix(d.end.Principal(), "arn:"):
		return "AWS"
	}
	return "GCP"
}

// signed puts a key-pair JWT into the credential. The key itself stays here.
func (d snowflake) signed(ctx context.Context, cred *exchange.Credential, lifetime time.Duration) (*exchange.Credential, error) {
	text, trail, err := d.key(ctx)
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("the secret %s: %w", d.at.Secret, err)
	}
	now := time.Now().Truncate(time.Second)
	token, err := keyPairJWT(key, d.at.Account, d.at.User, now, lifetime)
	if err != nil {
		return nil, err
	}
	cred.Expires, cred.Trail = now.Add(lifetime), trail
	cred.Login = &exchange.Login{User: d.at.User, Token: exchange.NewSecret(token), Authenticator: "SNOWFLAKE_JWT"}
	return cred, nil
}

func parseKey(text exchange.Secret) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil {
		return nil, errors.New("is not PEM: store the private key as openssl genrsa 2048 | openssl pkcs8 -topk8 -nocrypt prints it")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if rsaKey, ok := key.(*rsa.PrivateKey); ok && err == nil {
		return rsaKey, nil
	}
	// The parser's own error could quote the key.
	return nil, errors.New("holds no RSA private key in PKCS #8: an encrypted one cannot be used")
}

// accountName is what a login calls the account: without the region and the cloud behind a
// locator, or what stands behind the dash of a replicated account's global name.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#generating-a-jwt-in-python
func accountName(account string) string {
	end := "."
	if strings.HasSuffix(strings.ToLower(account), ".global") {
		end = "-"
	}
	name, _, _ := strings.Cut(account, end)
	return name
}

// keyPairJWT names the user and the public key's fingerprint, in upper case.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating#using-key-pair-authentication
func keyPairJWT(key *rsa.PrivateKey, account, user string, now time.Time, lifetime time.Duration) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	print := sha256.Sum256(der)
	subject := strings.ToUpper(accountName(account)) + "." + strings.ToUpper(user)
	claims, err := json.Marshal(map[string]any{
		"iss": subject + ".SHA256:" + base64.StdEncoding.EncodeToString(print[:]), "sub": subject,
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(),
	})
	if err != nil {
		return "", err
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	hash := sha256.Sum256([]byte(signed))
	mac, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, hash[:])
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac), err
}
