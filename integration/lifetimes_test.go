package integration

import (
	"errors"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// TestLifetimes vends with a `lifetime:` in the file and reads off the credential how
// long it lives, or with what it was refused.
func TestLifetimes(t *testing.T) {
	const long = `
google:
  projects:
    acme-prod:
      service_accounts:
        acme-share@acme-prod.iam.gserviceaccount.com: {extended_lifetime: true}
aws:
  accounts:
    "444455556666":
      roles:
        globex-share: {max_session: 43200}
`
	for name, c := range map[string]struct {
		runtime, tenant, destination, kind string
		lifetime                           string
		lives                              time.Duration
		refused                            string // a code
	}{
		"a role entered from a role gives an hour": {"aws", "acme", "lake", "s3", "12h", time.Hour, ""},
		"or less": {"aws", "acme", "lake", "s3", "15m", 15 * time.Minute, ""},
		"a role entered from Google gives twelve":        {"gcp", "globex", "lake", "s3", "12h", 12 * time.Hour, ""},
		"if its maximum says so":                         {"gcp", "acme-only-google", "lake", "s3", "2h", 0, "ValidationError"},
		"an account with the extension gives twelve":     {"gcp", "acme", "warehouse", "bigquery", "12h", 12 * time.Hour, ""},
		"an account without it does not":                 {"gcp", "globex", "warehouse", "bigquery", "2h", 0, "INVALID_ARGUMENT"},
		"a token with a boundary as long as its own one": {"gcp", "acme", "drop", "gcs", "30m", 30 * time.Minute, ""},
		"a database's password as the file says":         {"aws", "acme", "marts", "redshift", "15m", 15 * time.Minute, ""},
		"and an hour where it says nothing":              {"aws", "acme", "marts", "redshift", "", time.Hour, ""},
		"AWS's token for Snowflake as the file says":     {"aws", "acme", "frost", "snowflake", "5m", 5 * time.Minute, ""},
		"Google's has its hour":                          {"gcp", "acme", "frost", "snowflake", "5m", time.Hour, ""},
		"a key pair's token as the file says":            {"aws", "acme", "ledger", "snowflake", "10m", 10 * time.Minute, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir := labOf(t, worldWith(t, long))
			if c.tenant == "acme-only-google" {
				c.tenant = "acme"
				change(t, dir, "acme", "  aws:\n    role: arn:aws:iam::111122223333:role/carnet-t-acme\n    external_id: 5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21\n", "")
			}
			if c.lifetime != "" {
				change(t, dir, c.tenant, "kind: "+c.kind, "kind: "+c.kind+"\n    lifetime: "+c.lifetime)
			}
			cred, err := deploy(t, l, c.runtime, dir).Broker.Vend(t.Context(), exchange.Request{
				Caller: exchange.Console, Tenant: c.tenant, Destination: c.destination,
			})
			var edge *exchange.EdgeError
			switch {
			case c.refused != "" && !(errors.As(err, &edge) && edge.Code == c.refused):
				t.Fatalf("%v, and not refused with %s", err, c.refused)
			case c.refused != "":
			case err != nil:
				t.Fatal(err)
			default:
				if lives := time.Until(cred.Expires); lives < c.lives-10*time.Second || lives > c.lives+time.Second {
					t.Errorf("lives for %s, not %s", lives, c.lives)
				}
			}
		})
	}
}

func TestMinTTLHasALimit(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	ask := func(destination string, least time.Duration) error {
		_, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: destination, MinTTL: least})
		return err
	}
	for _, destination := range []string{"lake", "drop", "warehouse", "marts", "frost", "ledger"} {
		if err := ask(destination, 45*time.Minute); err != nil {
			t.Errorf("%s, three quarters of an hour: %v", destination, err)
		}
		err := ask(destination, 46*time.Minute)
		if !errors.Is(err, exchange.ErrBadRequest) || !strings.Contains(err.Error(), "45m") {
			t.Errorf("%s, more than that: %v, and not a bad request that names 45m", destination, err)
		}
	}
}

// TestTheFilesMinTTL: what a file asks for holds for every caller, and cannot be more than
// the chain gives.
func TestTheFilesMinTTL(t *testing.T) {
	l, dir := startSample(t)
	change(t, dir, "acme", "kind: s3", "kind: s3\n    lifetime: 15m\n    min_ttl: 11m")
	change(t, dir, "acme", "kind: gcs", "kind: gcs\n    min_ttl: 46m")
	d := deploy(t, l, "aws", dir)
	cred, err := vend(t.Context(), d, "acme", "lake")
	if err != nil {
		t.Fatal(err)
	}
	if left := time.Until(cred.Expires); left < 11*time.Minute {
		t.Errorf("%s left, and the file says 11m", left)
	}
	if _, err := vend(t.Context(), d, "acme", "drop"); err == nil || !strings.Contains(err.Error(), "write min_ttl: 45m0s or less") {
		t.Errorf("a file that asks for more than there is: %v", err)
	}
}

// TestAFreshCredentialIsNotAKeptToken: what proves an identity on the way is kept for an
// hour, and must not be handed out with what is left of it.
func TestAFreshCredentialIsNotAKeptToken(t *testing.T) {
	l, dir := startSample(t)
	for _, runtime := range []string{"aws", "gcp"} {
		d := deploy(t, l, runtime, dir)
		for range 2 {
			cred, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "frost", Fresh: true})
			if err != nil {
				t.Fatal(err)
			}
			if last := cred.Trail[len(cred.Trail)-1]; last.Cached {
				t.Errorf("from %s: %s was crossed before, and its token kept", runtime, last.Op)
			}
		}
	}
}
