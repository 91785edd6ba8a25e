package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/snowflakedb/gosnowflake"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// openSnowflake is the vendor's driver, as its documentation has it.
func openSnowflake(t *testing.T, l *lab.Lab, cred *exchange.Credential, change func(*gosnowflake.Config)) error {
	t.Helper()
	config := &gosnowflake.Config{
		Account: cred.Place["account"], Host: cred.Place["host"], Protocol: "https", Port: 443, User: cred.Login.User,
		Transporter: machine(t, l).Client().Transport, MaxRetryCount: 1,
		Params: map[string]*string{"CLIENT_TELEMETRY_ENABLED": aws.String("false")},
	}
	switch cred.Login.Authenticator {
	case "WORKLOAD_IDENTITY":
		config.Authenticator = gosnowflake.AuthTypeWorkloadIdentityFederation
		config.WorkloadIdentityProvider, config.Token = cred.Login.Provider, cred.Login.Token.Reveal()
	case "SNOWFLAKE_JWT":
		// The driver makes such tokens itself, of a key. Here the key stays where it
		// is, so the driver is given one that is good for nothing, and its transport
		// puts the vended token in the place of the one made with it.
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		config.Authenticator, config.PrivateKey = gosnowflake.AuthTypeJwt, key
		config.Transporter = vendedToken{config.Transporter, cred.Login.Token.Reveal()}
	}
	if change != nil {
		change(config)
	}
	gosnowflake.GetLogger().SetOutput(io.Discard) // it logs refusals, which are wanted here
	db := sql.OpenDB(gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, *config))
	defer db.Close()
	var user string
	if err := db.QueryRowContext(t.Context(), "select current_user()").Scan(&user); err != nil {
		return err
	}
	if user != cred.Login.User {
		t.Errorf("the driver is %s, not %s", user, cred.Login.User)
	}
	return nil
}

type vendedToken struct {
	base  http.RoundTripper
	token string
}

func (v vendedToken) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/login-request") {
		return v.base.RoundTrip(r)
	}
	var body struct {
		Data map[string]any `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	body.Data["TOKEN"] = v.token
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return v.base.RoundTrip(r)
}

func TestSnowflakeLoginsThroughTheDriver(t *testing.T) {
	l, dir := startSample(t)
	globex := func(c *gosnowflake.Config) { c.Account, c.Host = "GLOBEX-EU", "globex-eu.snowflakecomputing.com" }
	vended := func(runtime, destination string) *exchange.Credential {
		cred, err := vend(t.Context(), deploy(t, l, runtime, dir), "acme", destination)
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	for _, c := range []struct{ name, runtime, destination, provider string }{
		{"AWS's token", "aws", "frost", "OIDC"},
		{"Google's token", "gcp", "frost", "OIDC"},
		{"a key pair's token", "aws", "ledger", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := vended(c.runtime, c.destination)
			if cred.Login.Provider != c.provider {
				t.Errorf("provider %q, not %q", cred.Login.Provider, c.provider)
			}
			if err := openSnowflake(t, l, cred, nil); err != nil {
				t.Errorf("at its own account: %v", err)
			}
			if err := openSnowflake(t, l, cred, globex); err == nil {
				t.Error("another account lets it in")
			}
		})
	}
}

// TestSnowflakeWorkloadIdentities: a user of TYPE=AWS or TYPE=GCP is shown the tenant's own
// token with Snowflake's own audience, signed as the file says. Any account that knows the
// identity takes it: that is what login oidc is for.
func TestSnowflakeWorkloadIdentities(t *testing.T) {
	const identities = `{users: {CARNET_WIF: {workload_identity: [
        {type: AWS, issuer: "https://7c1d9a52-6a0e-4f39-9b0e-2f1c8a6f9d11.tokens.sts.global.api.aws", subject: "arn:aws:iam::111122223333:role/carnet-t-acme"},
        {type: GCP, subject: "100000000000000000002"}]}}}`
	l := startWith(t, `
aws:
  accounts:
    "111122223333":
      roles:
        carnet-t-acme:
          policies:
            snowflake: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*","Condition":{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":"snowflakecomputing.com"}}}]}'
snowflake:
  accounts:
    ACME-PROD: `+identities+`
    GLOBEX-EU: `+identities+`
`)
	for name, c := range map[string]struct{ runtime, keys, alg, provider string }{
		"AWS's, as it is":   {"aws", "login: workload_identity", "ES384", "AWS"},
		"AWS's, with RSA":   {"aws", "login: workload_identity\n    algorithm: RS256", "RS256", "AWS"},
		"Google's":          {"gcp", "login: workload_identity", "RS256", "GCP"},
		"AWS's as OIDC":     {"aws", "external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26", "ES384", "OIDC"},
		"the same with RSA": {"aws", "external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26\n    algorithm: RS256", "RS256", "OIDC"},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := startSample(t)
			oidc := c.provider == "OIDC"
			if !oidc {
				change(t, dir, "acme", "    user: CARNET\n", "    user: CARNET_WIF\n")
			}
			change(t, dir, "acme", "    external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26", "    "+c.keys)
			cred, err := vend(t.Context(), deploy(t, l, c.runtime, dir), "acme", "frost")
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.ParseSigned(cred.Login.Token.Reveal(), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.alg)})
			if err != nil || cred.Login.Authenticator != "WORKLOAD_IDENTITY" || cred.Login.Provider != c.provider {
				t.Fatalf("not a JWT signed %s for %s: %v, %+v", c.alg, c.provider, err, cred.Login)
			}
			var claims jwt.Claims
			if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil || len(claims.Audience) != 1 || oidc == (claims.Audience[0] == "snowflakecomputing.com") {
				t.Errorf("its audience is %v (%v)", claims.Audience, err)
			}
			tryAll(t, []operation{
				{"at its own account", func(ctx context.Context) error { return logIn(ctx, machine(t, l), cred, "ACME-PROD") }, true},
				{"at another", func(ctx context.Context) error { return logIn(ctx, machine(t, l), cred, "GLOBEX-EU") }, !oidc},
			})
		})
	}
}

// logIn says what a driver says, with the token of a provider whose tokens drivers make
// themselves.
func logIn(ctx context.Context, m *lab.Machine, cred *exchange.Credential, account string) error {
	ask, err := json.Marshal(map[string]any{"data": map[string]string{
		"ACCOUNT_NAME": account, "AUTHENTICATOR": cred.Login.Authenticator, "PROVIDER": cred.Login.Provider, "TOKEN": cred.Login.Token.Reveal(),
	}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+strings.ToLower(account)+".snowflakecomputing.com/session/v1/login-request", bytes.NewReader(ask))
	if err != nil {
		return err
	}
	resp, err := m.Client().Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool
		Code    string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if !answer.Success {
		return errors.New(answer.Code)
	}
	return nil
}

// TestTheKeyStaysInSecretManager serves a key pair from Google Cloud.
func TestTheKeyStaysInSecretManager(t *testing.T) {
	w := worldWith(t, `
google:
  projects:
    operator-prod:
      secrets:
        ledger:
          bindings:
            - {role: roles/secretmanager.secretAccessor, members: ["serviceAccount:carnet-f-vend@operator-prod.iam.gserviceaccount.com"]}
`)
	key := w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value
	w.Google.Projects["operator-prod"].Secrets["ledger"].Versions = []string{key}
	l, dir := labOf(t, w)
	change(t, dir, "acme", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/acme/ledger-Xk3fQz", "projects/operator-prod/secrets/ledger/versions/latest")
	cred, err := vend(t.Context(), deploy(t, l, "gcp", dir), "acme", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if err := openSnowflake(t, l, cred, nil); err != nil {
		t.Error(err)
	}
	for _, s := range secrets(cred) {
		if strings.Contains(s, "PRIVATE KEY") {
			t.Error("the private key left its place")
		}
	}
	if _, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "ledger"); err == nil || !strings.Contains(err.Error(), "on the other cloud") {
		t.Errorf("from AWS: %v, and not that the key is on the other cloud", err)
	}
	if _, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "lake"); err != nil {
		t.Errorf("the tenant's other destination suffers: %v", err)
	}
}
