package integration

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"

	gcreds "cloud.google.com/go/auth/credentials"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// startServer puts the handler of a deployment with the token door on loopback.
func startServer(t *testing.T, l *lab.Lab, runtime, dir string) string {
	t.Helper()
	identity := map[string]string{"aws": function, "gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"}[runtime]
	d, err := l.DeployAs(t.Context(), deployment.Config{Catalog: dir, Runtime: runtime, Audit: io.Discard, Doors: []deployment.Door{deployment.DoorToken}}, identity)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(d.Handler)
	t.Cleanup(s.Close)
	return s.URL
}

func constant(token string) func(context.Context) (string, error) {
	return func(context.Context) (string, error) { return token, nil }
}

func TestTheGoClient(t *testing.T) {
	l, dir := startSample(t)
	google, outbound := workersTokens(t, l)
	for runtime, token := range map[string]string{"aws": outbound, "gcp": google} {
		t.Run(runtime, func(t *testing.T) {
			c := &client.Client{URL: startFunction(t, l, runtime, dir), Proof: client.Token(constant(token))}
			store := s3Store{bucket: "acme-lake", client: s3.New(s3.Options{Region: region, HTTPClient: machine(t, l).Client(), Credentials: c.AWS("acme", "lake"), RetryMaxAttempts: 1})}
			source := c.TokenSource(t.Context(), "acme", "drop")
			db := sql.OpenDB(c.Connector("acme", "marts", func(cred *exchange.Credential) (driver.Connector, error) {
				config, err := pgx.ParseConfig(cred.Login.DSN.Reveal())
				if err != nil {
					return nil, errors.New("the connection string cannot be read")
				}
				m := machine(t, l)
				config.DialFunc, config.TLSConfig.RootCAs = m.Dial, m.Roots()
				config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
				return stdlib.GetConnector(*config), nil
			}))
			defer db.Close()
			tryAll(t, []operation{
				{"the AWS SDK writes", func(ctx context.Context) error { return store.put(ctx, "from-operator/x") }, true},
				{"a Google token lists", func(ctx context.Context) error { return listWith(ctx, l, t, source, "from-operator/") }, true},
				{"database/sql logs in", func(ctx context.Context) error {
					var user string
					return db.QueryRowContext(ctx, "select 1").Scan(&user)
				}, true},
				{"a session for a bucket of the other cloud", func(ctx context.Context) error {
					_, err := c.AWS("acme", "drop").Retrieve(ctx)
					return err
				}, false},
			})
			_, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "nothere"})
			var no *client.Error
			if !errors.As(err, &no) || no.Code != "denied" || no.RequestID == "" {
				t.Errorf("%v", err)
			}
			if _, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake", Grant: exchange.Grant{Access: exchange.Read, Prefixes: []string{"from-operator/2026/"}}, Job: "j"}); err != nil {
				t.Errorf("a narrowed one: %v", err)
			}
		})
	}
}

func listWith(ctx context.Context, l *lab.Lab, t *testing.T, source oauth2.TokenSource, prefix string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://storage.googleapis.com/storage/v1/b/acme-drop/o?prefix="+prefix, nil)
	if err != nil {
		return err
	}
	web := &http.Client{Transport: &oauth2.Transport{Source: source, Base: machine(t, l).Client().Transport}}
	resp, err := web.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// TestSigV4ReachesTheIAMDoor: the signature is one that AWS itself would take, for the
// service lambda. The lab's own verifier stands in for the function URL.
func TestSigV4ReachesTheIAMDoor(t *testing.T) {
	var seen *http.Request
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen = r; w.WriteHeader(403) }))
	defer s.Close()
	c := &client.Client{URL: s.URL, Proof: client.SigV4(credentials.NewStaticCredentialsProvider("ASIAX", "secret", "token"), region)}
	_, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake"})
	var no *client.Error
	if !errors.As(err, &no) || no.Code != "platform" || no.Status != 403 {
		t.Errorf("%v", err)
	}
	if auth := seen.Header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/lambda/aws4_request") || seen.Header.Get("X-Amz-Security-Token") != "token" {
		t.Errorf("%q", auth)
	}
}

// TestTheAWSSDKsContainerEndpoint: unmodified, by AWS_CONTAINER_CREDENTIALS_FULL_URI and a
// static token.
func TestTheAWSSDKsContainerEndpoint(t *testing.T) {
	l, dir := startSample(t)
	_, outbound := workersTokens(t, l)
	at := startFunction(t, l, "aws", dir) + "/v1/tenants/acme/destinations/"
	provider := endpointcreds.New(at+"lake/aws", func(o *endpointcreds.Options) { o.AuthorizationToken = outbound })
	store := s3Store{bucket: "acme-lake", client: s3.New(s3.Options{Region: region, HTTPClient: machine(t, l).Client(), Credentials: aws.NewCredentialsCache(provider)})}
	if err := store.put(t.Context(), "from-operator/by-container"); err != nil {
		t.Error(err)
	}
	_, err := endpointcreds.New(at+"lake/aws", func(o *endpointcreds.Options) { o.AuthorizationToken = "bad" }).Retrieve(t.Context())
	if err == nil || !strings.Contains(err.Error(), "unauthenticated") {
		t.Errorf("the SDK loses the code: %v", err)
	}
}

// TestGooglesLibrariesByExternalAccount: both of Google's Go libraries, unmodified, with
// carnet as the token_url.
func TestGooglesLibrariesByExternalAccount(t *testing.T) {
	l, dir := startSample(t)
	worker, _ := workersTokens(t, l)
	proof := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, worker) }))
	defer proof.Close()
	file := []byte(`{"type":"external_account","audience":"` + api.Audience("acme", "drop") + `","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
		"token_url":"` + startFunction(t, l, "gcp", dir) + `/v1/token","credential_source":{"url":"` + proof.URL + `","format":{"type":"text"}}}`)
	const scope = "https://www.googleapis.com/auth/devstorage.read_write"
	t.Run("x/oauth2", func(t *testing.T) {
		creds, err := google.CredentialsFromJSONWithType(t.Context(), file, google.ExternalAccount, scope)
		if err != nil {
			t.Fatal(err)
		}
		if err := listWith(t.Context(), l, t, creds.TokenSource, "from-operator/"); err != nil {
			t.Error(err)
		}
		if err := listWith(t.Context(), l, t, creds.TokenSource, "theirs/"); err == nil {
			t.Error("the token reaches beyond its prefix")
		}
	})
	t.Run("cloud.google.com/go/auth", func(t *testing.T) {
		creds, err := gcreds.NewCredentialsFromJSON(gcreds.ExternalAccount, file, &gcreds.DetectOptions{Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		token, err := creds.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := listWith(t.Context(), l, t, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token.Value}), "from-operator/"); err != nil {
			t.Error(err)
		}
	})
}
