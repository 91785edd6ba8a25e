package snowflakelab_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/integration/lab/snowflakelab"
	"carnet.dev/carnet/integration/lab/world"
)

const (
	issuer   = "https://issuer.example"
	audience = "6b1f0c52"
	google   = "https://accounts.google.com"
)

// A signer is an issuer, or a user with a key pair.
type signer struct{ key *rsa.PrivateKey }

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signer{key}
}

func (s signer) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	made, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: s.key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(made).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s signer) public(t *testing.T) (pemText, fingerprint string) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(s.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), "SHA256:" + base64.StdEncoding.EncodeToString(sum[:])
}

// RoundTrip serves the issuers' keys: theirs are all the same.
func (s signer) RoundTrip(r *http.Request) (*http.Response, error) {
	at := "https://" + r.URL.Host
	if at != issuer && at != google {
		return nil, errors.New("no such host")
	}
	w := httptest.NewRecorder()
	if r.URL.Path == "/keys" {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	} else {
		json.NewEncoder(w).Encode(map[string]string{"issuer": at, "jwks_uri": at + "/keys"})
	}
	return w.Result(), nil
}

func login(t *testing.T, c *snowflakelab.Cloud, data map[string]string) (code string, ok bool) {
	t.Helper()
	text, err := json.Marshal(map[string]any{"data": data})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "https://acme.snowflakecomputing.com/session/v1/login-request", bytes.NewReader(text)))
	var answer struct {
		Code    string
		Success bool
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Code, answer.Success
}

func TestWhoGetsIn(t *testing.T) {
	theirs, user, stranger := newSigner(t), newSigner(t), newSigner(t)
	public, print := user.public(t)
	_, strangePrint := stranger.public(t)
	c, err := snowflakelab.New(&world.Snowflake{Accounts: map[string]*world.SnowflakeAccount{
		"ACME": {Host: "acme.snowflakecomputing.com", Users: map[string]*world.SnowflakeUser{
			"OIDC": {WorkloadIdentity: []world.SnowflakeWorkloadIdentity{{Type: "OIDC", Issuer: issuer, Subject: "s", Audiences: []string{audience, "other"}}}},
			"AWS":  {WorkloadIdentity: []world.SnowflakeWorkloadIdentity{{Type: "AWS", Issuer: issuer, Subject: "arn:aws:iam::111122223333:role/r"}}},
			"GCP":  {WorkloadIdentity: []world.SnowflakeWorkloadIdentity{{Type: "GCP", Subject: "1000"}}},
			"OFF":  {Disabled: true, WorkloadIdentity: []world.SnowflakeWorkloadIdentity{{Type: "OIDC", Issuer: issuer, Subject: "off"}}},
			"KEYS": {PublicKey: public},
		}},
	}}, snowflakelab.Options{Transport: theirs})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	claims := func(pairs ...any) map[string]any {
		all := map[string]any{"iss": issuer, "sub": "s", "aud": audience, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i].(string)] = pairs[i+1]
		}
		return all
	}
	keys := func(pairs ...any) map[string]any {
		return claims(append([]any{"iss", "ACME.KEYS." + print, "sub", "ACME.KEYS"}, pairs...)...)
	}
	federated := func(provider, token string) map[string]string {
		return map[string]string{"ACCOUNT_NAME": "acme", "AUTHENTICATOR": "WORKLOAD_IDENTITY", "PROVIDER": provider, "TOKEN": token}
	}
	paired := func(token string) map[string]string {
		return map[string]string{"ACCOUNT_NAME": "ACME", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token}
	}
	const own = "snowflakecomputing.com"
	const arn = "arn:aws:iam::111122223333:role/r"
	elsewhere := federated("OIDC", theirs.sign(t, claims()))
	elsewhere["ACCOUNT_NAME"] = "GLOBEX"
	for name, x := range map[string]struct {
		data map[string]string
		code string // empty: let in
	}{
		"a listed audience":                       {federated("OIDC", theirs.sign(t, claims())), ""},
		"another of the list":                     {federated("OIDC", theirs.sign(t, claims("aud", []string{"x", "other"}))), ""},
		"AWS's token":                             {federated("AWS", theirs.sign(t, claims("sub", arn, "aud", own))), ""},
		"Google's token":                          {federated("GCP", theirs.sign(t, claims("iss", google, "sub", "1000", "aud", own))), ""},
		"a key pair":                              {paired(user.sign(t, keys())), ""},
		"an audience nobody listed":               {federated("OIDC", theirs.sign(t, claims("aud", own))), "390100"},
		"AWS's, for one account":                  {federated("AWS", theirs.sign(t, claims("sub", arn, "aud", audience))), "390100"},
		"another subject":                         {federated("OIDC", theirs.sign(t, claims("sub", "S"))), "390100"},
		"another issuer":                          {federated("OIDC", theirs.sign(t, claims("iss", google))), "390100"},
		"shown as of another kind":                {federated("AWS", theirs.sign(t, claims())), "390100"},
		"a stranger's signature":                  {federated("OIDC", stranger.sign(t, claims())), "390100"},
		"after its time":                          {federated("OIDC", theirs.sign(t, claims("exp", now.Add(-time.Second).Unix()))), "390100"},
		"without an end":                          {federated("OIDC", theirs.sign(t, claims("exp", nil))), "390100"},
		"issued tomorrow":                         {federated("OIDC", theirs.sign(t, claims("iat", now.Add(24*time.Hour).Unix()))), "390100"},
		"before its time":                         {federated("OIDC", theirs.sign(t, claims("nbf", now.Add(10*time.Minute).Unix()))), "390100"},
		"a user who is disabled":                  {federated("OIDC", theirs.sign(t, claims("sub", "off", "aud", own))), "390100"},
		"a signed GetCallerIdentity":              {federated("AWS", base64.StdEncoding.EncodeToString([]byte(`{"url":"https://sts.eu-west-1.amazonaws.com"}`))), "390144"},
		"at another account's name":               {elsewhere, "390201"},
		"a password":                              {map[string]string{"ACCOUNT_NAME": "ACME", "AUTHENTICATOR": "SNOWFLAKE", "LOGIN_NAME": "KEYS"}, "390100"},
		"another key":                             {paired(stranger.sign(t, keys())), "390144"},
		"another key's fingerprint":               {paired(user.sign(t, keys("iss", "ACME.KEYS."+strangePrint))), "390144"},
		"a key pair's token for another":          {paired(user.sign(t, keys("sub", "ACME.OIDC"))), "390144"},
		"in lower case":                           {paired(user.sign(t, keys("sub", "acme.keys"))), "390144"},
		"a key pair's, an hour and a bit":         {paired(user.sign(t, keys("iat", now.Add(-61*time.Minute).Unix(), "exp", now.Add(time.Hour).Unix()))), "390144"},
		"a key pair's, in milliseconds":           {paired(user.sign(t, keys("iat", now.UnixMilli(), "exp", now.Add(time.Hour).UnixMilli()))), ""},
		"a key pair's, in milliseconds, ended":    {paired(user.sign(t, keys("iat", now.Add(-2*time.Hour).UnixMilli(), "exp", now.Add(-time.Hour).UnixMilli()))), "390144"},
		"a key pair's, in milliseconds, tomorrow": {paired(user.sign(t, keys("iat", now.Add(24*time.Hour).UnixMilli(), "exp", now.Add(25*time.Hour).UnixMilli()))), "390144"},
		"an issuer's, in milliseconds":            {federated("OIDC", theirs.sign(t, claims("iat", now.UnixMilli(), "exp", now.Add(time.Hour).UnixMilli()))), "390100"},
	} {
		if code, ok := login(t, c, x.data); ok != (x.code == "") || code != x.code {
			t.Errorf("%s: in is %v, with code %q and not %q", name, ok, code, x.code)
		}
	}
}
