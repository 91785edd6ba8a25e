package tour_test

import (
	"bytes"
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab/tour"
	"carnet.dev/carnet/shared/exchange"
)

// trips is the table of performance: the fewest calls that reach a cloud, cold and
// asked again (for less, on the tenant's cached parts, where the kind has a grant), by
// the clouds of the chain. An access boundary (gcs) adds one to both, a database's
// password (redshift) one to the first.
func trips(r tour.Row) (cold, cached int) {
	switch way := strings.Join(r.Clouds, " "); {
	case r.Destination == "ledger", way == "gcp gcp", way == "gcp gcp gcp": // ledger: one read of a secret
		cold, cached = 1, 1
	case len(r.Clouds) == 2, way == "aws aws aws", way == "gcp aws aws", way == "gcp gcp aws", way == "aws gcp gcp":
		cold, cached = 2, 1
	default: // a chain that crosses into Google from AWS on the way, or crosses twice
		cold, cached = 3, 1
	}
	switch {
	case r.Kind == "gcs":
		return cold + 1, cached + 1
	case r.Kind == "redshift" && r.Tenant == "acme": // globex takes the Data API, without a password
		return cold + 1, 0
	case r.Kind == "redshift", r.Kind == "snowflake":
		return cold, 0
	}
	return cold, cached
}

func TestEveryChainVendsAndEveryRefusalIsRefused(t *testing.T) {
	var audit bytes.Buffer
	shapes := map[string]bool{}
	var rows []tour.Row
	walk(t, &audit, func(r tour.Row) { rows = append(rows, r) })
	for _, r := range rows {
		name := r.Attempt + " " + r.Runtime + " " + r.Tenant + "/" + r.Destination
		if !r.OK() {
			t.Errorf("%s: %s (%s) at %s, used %v", name, r.Outcome, r.Code, r.Edge, r.Used)
			continue
		}
		if from, _, ok := strings.Cut(r.Edge, " → "); ok && !slices.Contains(r.Chain, from) {
			t.Errorf("%s broke at %s, which begins at none of %v", name, r.Edge, r.Chain)
		}
		if r.Outcome != "vended" {
			continue
		}
		if len(r.Clouds) == 3 && r.Kind != "snowflake" {
			shapes[strings.Join(r.Clouds, " ")] = true
		}
		if cold, cached := trips(r); r.Trips != cold || r.TripsCached != cached {
			t.Errorf("%s along %v takes %d trips and %d cached, not %d and %d", name, r.Chain, r.Trips, r.TripsCached, cold, cached)
		}
	}
	if len(rows) != tour.Rows {
		t.Errorf("there are %d rows: tour.Rows says %d", len(rows), tour.Rows)
	}
	if len(shapes) != 8 {
		t.Errorf("%d of the eight shapes were walked: %v", len(shapes), shapes)
	}
	recordsHold(t, &audit)
}

func walk(t *testing.T, audit io.Writer, each func(tour.Row)) {
	t.Helper()
	lab, err := tour.New(audit)
	if err != nil {
		t.Fatal(err)
	}
	defer lab.Close()
	if err := lab.Walk(t.Context(), each); err != nil {
		t.Fatal(err)
	}
}

// recordsHold: every request left a record, with a digest and mint ids where
// something was vended, and no credential anywhere.
func recordsHold(t *testing.T, audit *bytes.Buffer) {
	t.Helper()
	text := audit.String()
	// The lab's tokens begin like Google's, its JWTs like every JWT; secret keys and
	// session tokens are long runs of base64.
	for _, secret := range []string{`ya29\.`, `eyJ[A-Za-z0-9_-]{10,}\.`, `[A-Za-z0-9+]{60,}={0,2}`} {
		if found := regexp.MustCompile(secret).FindString(text); found != "" && !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(found) {
			t.Errorf("the audit log has a credential in it: %.12s…", found)
		}
	}
	var outcomes []string
	for line := range strings.Lines(text) {
		var l struct{ Audit exchange.Record }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("a record is no JSON: %v", err)
		}
		r := l.Audit
		outcomes = append(outcomes, r.Outcome)
		if r.Outcome == "vended" && (r.Digest == "" || r.Expires.IsZero() || len(r.Edges) == 0 || r.Edges[len(r.Edges)-1].Op == "") {
			t.Errorf("a vend's record lacks its digest, expiry or edges: %s", line)
		}
		if r.Outcome == "refused" && (r.Failed == nil || r.Owner == "" || r.Code == "") {
			t.Errorf("a refusal's record lacks its edge, owner or code: %s", line)
		}
	}
	for _, want := range []string{"vended", "refused", "denied"} {
		if !slices.Contains(outcomes, want) {
			t.Errorf("no record of outcome %s", want)
		}
	}
}
