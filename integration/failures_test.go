package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/mend"
)

// TestFailures is the catalogue of failures. Each file in testdata/failures is one that a
// cloud is documented to give: what it is and where that is written, what is asked of whom
// (request), what is wrong with the sample's world and catalog (world, catalog), and then
// what check says of it. Nothing here is a canned answer: the lab refuses because the world
// is so.
//
// With UPDATE=1 in the environment the diagnosis is written instead of compared.
func TestFailures(t *testing.T) {
	for _, file := range failures(t) {
		t.Run(failureName(file), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			f := newFailure(t, archive)
			got := f.diagnosis(t)
			if os.Getenv("UPDATE") == "1" {
				rewriteDiagnosis(t, file, archive, got)
				return
			}
			if want := section(archive, "diagnosis"); want != got {
				t.Errorf("the diagnosis is\n%s\nand should be\n%s", got, want)
			}
		})
	}
}

func failures(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/failures/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no failures: %v", err)
	}
	return files
}

func failureName(file string) string { return strings.TrimSuffix(filepath.Base(file), ".txtar") }

func rewriteDiagnosis(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	a.Files = slices.DeleteFunc(a.Files, func(f txtar.File) bool { return f.Name == "diagnosis" })
	a.Files = append(a.Files, txtar.File{Name: "diagnosis", Data: []byte(got)})
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A failure is a broken world, and the question that shows it.
type failure struct {
	Runtime, Tenant, Destination string
	Skew                         string // of the clouds' clocks, once this process has started
	Credentials                  string // what the platform gives: expired, unknown, false
	Later                        string // how long until it mends itself

	archive *txtar.Archive
}

func newFailure(t *testing.T, a *txtar.Archive) failure {
	t.Helper()
	f := failure{archive: a}
	if err := yaml.Unmarshal([]byte(section(a, "request")), &f); err != nil {
		t.Fatal(err)
	}
	return f
}

// An edit of the catalog.
type edit struct{ File, Replace, With string }

func (f failure) edits(t *testing.T, dir string) {
	t.Helper()
	var list []edit
	if err := yaml.Unmarshal([]byte(section(f.archive, "catalog")), &list); err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		replaceIn(t, dir, e.File, e.Replace, e.With)
	}
}

// looked runs a check in the world as it is.
func (f failure) looked(t *testing.T, w *world.World) (check.Report, []mend.Change) {
	t.Helper()
	l, dir := labOf(t, w)
	defer l.Close()
	f.edits(t, dir)
	d := f.deployed(t, l, dir)
	if f.Skew != "" {
		l.Skew(duration(t, f.Skew))
	}
	r := f.check(t, d)
	m := mender(t, w, d.Operator, dir)
	m.Tenant = tenantsIn(t, dir)[f.Tenant]
	m.Facts.Facts = map[string]string{"workgroup-id": "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f", "public-key": publicKeyOf(w)}
	if f.Later != "" {
		l.Skew(duration(t, f.Later))
		if again := f.check(t, d); again.Outcome != check.Sound {
			t.Errorf("after %s it is %s still", f.Later, again.Outcome)
		}
	}
	changes := m.Changes(r)
	namedAgain(t, r, m, changes)
	return r, changes
}

// namedAgain holds that a report which came over the API, without a name, leads to the same
// owners and places once the names are put back. What only the cloud's own words tell is
// lost on the way: which of two projects an API is off in.
func namedAgain(t *testing.T, r check.Report, m mend.Mender, want []mend.Change) {
	t.Helper()
	text, err := json.Marshal(r.Told())
	if err != nil || r.Outcome == check.Unlinked || r.Outcome == check.Sound {
		return
	}
	var told check.Report
	if err := json.Unmarshal(text, &told); err != nil {
		t.Fatal(err)
	}
	end := m.Tenant.Destinations[r.Destination].End
	names := check.Names{Chain: []string{r.Edges[0].From}, Own: end.User == ""}
	for _, e := range r.Edges {
		names.Chain = append(names.Chain, e.To)
	}
	for _, at := range []string{r.Broke().Edge.From, r.Broke().Edge.To} {
		switch {
		case strings.HasPrefix(at, "//"):
			names.Provider = at
		case strings.Contains(at, ":secretsmanager:"), strings.Contains(at, "/secrets/"):
			names.Secret = at
		}
	}
	named, ok := told.Named(names, kinds.All())
	if !ok {
		t.Fatalf("the names do not fit %s", text)
	}
	var got, should []string
	for _, c := range m.Changes(named) {
		got = append(got, fmt.Sprint(c.Cause, c.Owner, c.Where))
	}
	for _, c := range want {
		should = append(should, fmt.Sprint(c.Cause, c.Owner, c.Where))
	}
	if want[0].Cause != "api_disabled" && !slices.Equal(got, should) {
		t.Errorf("named again it is for %v, and not for %v", got, should)
	}
}

func (f failure) check(t *testing.T, d *deployment.Deployment) check.Report {
	t.Helper()
	r, err := d.Check.Check(t.Context(), exchange.Request{ID: "R", Caller: exchange.Console, Tenant: f.Tenant, Destination: f.Destination}, false)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func duration(t *testing.T, text string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// deployed starts the function, with what the platform gives it.
func (f failure) deployed(t *testing.T, l *lab.Lab, dir string) *deployment.Deployment {
	t.Helper()
	if f.Credentials == "" {
		return deploy(t, l, f.Runtime, dir)
	}
	from := l
	switch f.Credentials {
	case "unknown": // to this AWS
		from, _ = startSample(t)
	case "expired":
		l.Skew(-7 * time.Hour)
	}
	s, err := from.AWS.RoleSession(function, "carnet-vend")
	if err != nil {
		t.Fatal(err)
	}
	l.Skew(0)
	if f.Credentials == "false" {
		s.SecretAccessKey = "of-somebody-else"
	}
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	given := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey, SessionToken: s.SessionToken}, nil
	})
	d, err := deployment.New(t.Context(), deployment.Config{Catalog: dir, Runtime: "aws", HTTP: m.Client(), Credentials: given, Audit: discard{}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

// diagnosis is what check says, and what came of what it prints.
func (f failure) diagnosis(t *testing.T) string {
	t.Helper()
	w := worldWith(t, section(f.archive, "world"))
	for _, s := range w.Google.Projects["operator-prod"].Secrets {
		if len(s.Versions) > 0 { // the key that the sample has on AWS
			s.Versions = []string{w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value}
		}
	}
	r, changes := f.looked(t, w)
	var b strings.Builder
	told(&b, r, changes)
	fmt.Fprintf(&b, "\nwhat is printed, applied: %s\n", f.mended(t, w, changes))
	return stable(b.String())
}

// publicKeyOf is the key pair's that the sample has made.
func publicKeyOf(w *world.World) string {
	lines := strings.Split(strings.TrimSpace(w.Snowflake.Accounts["ACME-PROD"].Users["CARNET_KEYS"].PublicKey), "\n")
	return strings.Join(lines[1:len(lines)-1], "")
}

func told(b *strings.Builder, r check.Report, changes []mend.Change) {
	fmt.Fprintf(b, "%s", r.Outcome)
	if r.Finding != nil {
		fmt.Fprintf(b, " at edge %d of %d", r.Finding.Position, len(r.Edges))
	}
	b.WriteString("\n")
	for i, e := range r.Edges {
		fmt.Fprintf(b, "%d %-11s %s → %s\n", i+1, e.State, e.From, e.To)
	}
	if e := r.Broke(); e != nil {
		fmt.Fprintf(b, "call: %s %s %s (status %d)\n", e.Edge.Op, e.Reason, e.Code, e.Status)
	}
	if r.Err() != nil {
		fmt.Fprintf(b, "said: %s\n", r.Err())
	}
	for _, c := range changes {
		fmt.Fprintf(b, "\n%s, for the %s, in %s\n%s\n", c.Cause, c.Owner, c.Where, c.What)
		if c.Tell != "" {
			fmt.Fprintf(b, "How to tell: %s\n", c.Tell)
		}
		b.WriteString(indent(c.Text))
		if c.After != "" {
			fmt.Fprintln(b, c.After)
		}
	}
}

func indent(text string) string {
	return regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(strings.TrimSuffix(text, "\n")+"\n", "    $1")
}

// mended applies what can be applied, and looks again.
func (f failure) mended(t *testing.T, w *world.World, changes []mend.Change) string {
	t.Helper()
	done := false
	for _, c := range changes {
		done = applier{t, w}.tried(c) || done
	}
	switch {
	case f.Later != "":
		return "nothing; it held after " + f.Later
	case !done:
		return "nothing, it is by hand"
	}
	if r, _ := f.looked(t, w); r.Outcome != check.Sound {
		return fmt.Sprintf("%s: %v", r.Outcome, r.Err())
	}
	return "sound"
}

// tried types the commands of a change, if they are commands that change something.
func (a applier) tried(c mend.Change) bool {
	a.t.Helper()
	if len(c.Missing) > 0 {
		return false // somebody has to fill it in
	}
	if strings.Contains(c.Text, "ALTER USER") {
		a.statements(c.Text, c.Where)
		return true
	}
	if strings.HasPrefix(c.Text, "--") {
		return false
	}
	done := false
	for _, words := range shellWords(a.t, c.Text) {
		done = a.awsCommand(words) == nil || a.command(words) == nil || done
	}
	return done
}
