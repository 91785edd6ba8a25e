package googlelab_test

import (
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/integration/lab/world"
)

// An issuer signs tokens, and serves its key.
type issuer struct{ key *rsa.PrivateKey }

const issuerURL = "https://issuer.example"

func (i issuer) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	switch r.URL.String() {
	case issuerURL + "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": issuerURL, "jwks_uri": issuerURL + "/keys"})
	case issuerURL + "/keys":
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	default:
		return nil, errors.New("no such host")
	}
	return w.Result(), nil
}

// TestNumbersInClaims: a JSON number that is whole is an int of CEL, at any depth. The mapping
// shows it: the condition sees the subject that it made.
func TestNumbersInClaims(t *testing.T) {
	key, err := key()
	if err != nil {
		t.Fatal(err)
	}
	sign, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for number, c := range map[string]struct{ mapping, subject string }{
		"1":                   {"string(assertion.n)", "1"},
		"1000000":             {"string(assertion.n)", "1000000"},
		"123456789012345678":  {"string(assertion.n)", "123456789012345678"},
		"9223372036854775807": {"string(assertion.n)", "9223372036854775807"},
		"-21":                 {"string(assertion.n)", "-21"},
		"2.5":                 {"string(assertion.n)", "2.5"},
		"41":                  {"string(assertion.n + 1)", "42"},
		"42":                  {"assertion.n == 42 ? 'same' : 'other'", "same"},
		"43":                  {"type(assertion.n) == int ? 'int' : 'double'", "int"},
		"44.5":                {"type(assertion.n) == double ? 'double' : 'int'", "double"},
		`{"ids":[7000000]}`:   {"string(assertion.n.ids[0])", "7000000"},
	} {
		text := `google: {projects: {p: {number: "1", pools: {pool: {providers: {jwt: {issuer: "` + issuerURL + `", attribute_mapping: {google.subject: "` + c.mapping + `"}, attribute_condition: "google.subject == '` + c.subject + `'"}}}}}}}`
		w, err := world.Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		w.Google.Key = key
		here, err := googlelab.New(&w.Google, googlelab.Options{Now: time.Now, Transport: issuer{key}})
		if err != nil {
			t.Fatal(err)
		}
		const audience = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/jwt"
		token, err := jwt.Signed(sign).Claims(map[string]any{
			"iss": issuerURL, "sub": "s", "aud": audience, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(), "n": json.RawMessage(number),
		}).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		form := url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"audience": {audience}, "scope": {cloud}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "subject_token": {token},
		}
		r := httptest.NewRequest(http.MethodPost, "/v1/token", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		out := httptest.NewRecorder()
		here.STS().ServeHTTP(out, r)
		if out.Code != http.StatusOK {
			t.Errorf("%s as %s is not %q: %s", number, c.mapping, c.subject, out.Body)
		}
	}
}
