package snowflake

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
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// signed puts a key-pair JWT into the credential. The key itself stays here.
func (u linked) signed(ctx context.Context, cred *exchange.Credential, lifetime time.Duration) error {
	text, trail, err := u.at.Secret(ctx)
	if err != nil {
		return err
	}
	key, err := parseKey(text)
	if err != nil {
		return fmt.Errorf("the secret %s: %w", u.Secret, err)
	}
	now := time.Now().Truncate(time.Second)
	cred.Expires, cred.Trail = now.Add(lifetime), trail
	cred.Login, err = u.keyLogin(key, now, lifetime)
	return err
}

func (p *Place) keyLogin(key *rsa.PrivateKey, now time.Time, lifetime time.Duration) (*exchange.Login, error) {
	token, err := keyPairJWT(key, p.Account, p.User, now, lifetime)
	return &exchange.Login{User: p.User, Token: exchange.NewSecret(token), Authenticator: "SNOWFLAKE_JWT"}, err
}

// anotherKey logs in with a key that nobody knows.
func (u linked) anotherKey(ctx context.Context) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	login, err := u.keyLogin(key, time.Now().Truncate(time.Second), 5*time.Minute)
	if err != nil {
		return fmt.Errorf("signing with another key: %w", err)
	}
	return u.try(ctx, &exchange.Credential{Login: login})
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
