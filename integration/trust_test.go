package integration

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/tour"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/snowflake"
)

// TestPrintedTrustMendsEachDestination: with a third party's side taken away nobody gets
// in; with what is printed applied, the chain works from every runtime it works from.
func TestPrintedTrustMendsEachDestination(t *testing.T) {
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	for name, tenant := range tenantsIn(t, dir) {
		for dest, d := range tenant.Destinations {
			for _, format := range formatsOf(d) {
				t.Run(name+"/"+dest+"/"+format, func(t *testing.T) { mends(t, dir, name, dest, d, format) })
			}
		}
	}
}

func mends(t *testing.T, dir, tenant, dest string, d *catalog.Destination, format string) {
	w := sampleWorld(t)
	flags := facts(w)
	from := vendsFrom(t, w, tenant, dest)
	bareOf(w, d)
	// Snowflake's account is asked only when the token is used: the tour does that.
	if still := vendsFrom(t, w, tenant, dest); d.Kind != snowflake.Name && len(still) > 0 {
		t.Fatalf("there is nothing to mend from %v", still)
	}
	text, err := printed(t, dir, append(flags, tenant+"/"+dest, "--as", format)...)
	if err != nil {
		t.Fatal(err)
	}
	applier{t, w}.apply(format, text, d.Where)
	if got := vendsFrom(t, w, tenant, dest); len(from) == 0 || !slices.Equal(got, from) {
		t.Errorf("with what was printed applied it works from %v, not from %v\n%s", got, from, text)
	}
}

// vendsFrom are the runtimes from which a destination can be vended.
func vendsFrom(t *testing.T, w *world.World, tenant, dest string) []string {
	t.Helper()
	l, dir := labOf(t, w)
	var from []string
	for _, runtime := range []string{"aws", "gcp"} {
		if _, err := vend(t.Context(), deploy(t, l, runtime, dir), tenant, dest); err == nil {
			from = append(from, runtime)
		}
	}
	return from
}

// TestPrintedTrustCarriesTheTour takes all trust away, the operator's too, applies what
// is printed for each of the tour's catalogs, and walks: every chain works and is used,
// and every refusal holds, so that what is printed is enough and not too much.
func TestPrintedTrustCarriesTheTour(t *testing.T) {
	w := sampleWorld(t)
	catalogs, err := tour.New(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer catalogs.Close()
	root, flags := filepath.Dir(catalogs.Catalog()), facts(w)
	operatorsBare(w)
	for _, tenant := range tenantsIn(t, catalogs.Catalog()) {
		for _, d := range tenant.Destinations {
			bareOf(w, d)
		}
	}
	for _, variant := range []string{"both", "aws", "gcp"} {
		applyAll(t, w, filepath.Join(root, variant), flags)
	}
	walk, err := tour.In(w, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer walk.Close()
	rows := 0
	err = walk.Walk(t.Context(), func(r tour.Row) {
		rows++
		if !r.OK() {
			t.Errorf("%s from %s: %s/%s through %v: %s %s at %s", r.Attempt, r.Runtime, r.Tenant, r.Destination, r.Chain, r.Outcome, r.Code, r.Edge)
		}
	})
	if err != nil || rows < 40 {
		t.Errorf("%d rows: %v", rows, err)
	}
}

// applyAll has every owner of a catalog apply its part.
func applyAll(t *testing.T, w *world.World, dir string, flags []string) {
	t.Helper()
	for name, tenant := range tenantsIn(t, dir) {
		for dest, d := range tenant.Destinations {
			for _, owner := range []exchange.Owner{exchange.ThirdParty, exchange.Operator} {
				format := "json"
				if d.Kind == snowflake.Name && owner == exchange.ThirdParty {
					format = "sql"
				}
				text, err := printed(t, dir, append(flags, name+"/"+dest, "--as", format, "--for", string(owner))...)
				if err != nil {
					t.Fatalf("%s/%s for the %s: %v", name, dest, owner, err)
				}
				applier{t, w}.apply(format, text, d.Where)
			}
		}
	}
}

// TestPrintedTrustOfAThirdPartysOwnPool: a role enters a pool that the third party makes,
// and no other role of the same account does.
func TestPrintedTrustOfAThirdPartysOwnPool(t *testing.T) {
	w := sampleWorld(t)
	flags := facts(w)
	l, dir := labOf(t, w)
	defer l.Close()
	replaceIn(t, dir, "tenants/acme.yaml", "    bucket: acme-drop",
		"    provider: //iam.googleapis.com/projects/200000000001/locations/global/workloadIdentityPools/for-carnet/providers/operator-aws\n    bucket: acme-drop",
		"  gcp:\n    service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com\n", "")
	d := tenantsIn(t, dir)["acme"].Destinations["drop"]
	bareOf(w, d)
	text, err := printed(t, dir, append(flags, "acme/drop", "--as", "gcloud")...)
	if err != nil {
		t.Fatal(err)
	}
	applier{t, w}.apply("gcloud", text, "")
	provider := w.Google.Projects["acme-prod"].Pools["for-carnet"].Providers["operator-aws"]
	if want := "assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/carnet-t-acme/')"; provider.Condition != want {
		t.Errorf("the provider lets in %q, not %q", provider.Condition, want)
	}
	mended, _ := labOf(t, w)
	if _, err := vend(t.Context(), deploy(t, mended, "aws", dir), "acme", "drop"); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

// TestTrustAsksTheRuntime for the numeric id that the catalog does not know, from either
// cloud; off a runtime there is a placeholder, the command that fills it in, and exit code 3.
func TestTrustAsksTheRuntime(t *testing.T) {
	l, dir := startSample(t)
	m, err := l.Machine("carnet-f-vend@operator-prod.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	for runtime, own := range map[string][]string{"aws": asLambda(t, l), "gcp": {"GCE_METADATA_HOST=" + m.Metadata}, "": nil} {
		cmd := exec.Command(built(t, "./cmd/carnet"), "trust", "globex/lake")
		cmd.Env = environment(t, l, dir, append(own, "CARNET_RUNTIME="+runtime)...)
		var out, wrong bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &wrong
		err := cmd.Run()
		known := strings.Contains(out.String(), `"accounts.google.com:sub": "100000000000000000003"`)
		if runtime != "" && (!known || err != nil) {
			t.Errorf("from %s: %v\n%s%s", runtime, err, out.String(), wrong.String())
		}
		if runtime == "" && (known || cmd.ProcessState.ExitCode() != 3 || !strings.Contains(wrong.String(), "gcloud iam service-accounts describe carnet-t-globex@")) {
			t.Errorf("off a runtime: code %d\n%s%s", cmd.ProcessState.ExitCode(), out.String(), wrong.String())
		}
	}
}

// TestPrintedTemplatesPassCfnLint: AWS's own linter has nothing to say about any template.
func TestPrintedTemplatesPassCfnLint(t *testing.T) {
	lint := os.Getenv("CARNET_CFN_LINT")
	if lint == "" {
		t.Skip("CARNET_CFN_LINT names no program: scripts/test-peers installs it and runs this test")
	}
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	flags, linted := facts(sampleWorld(t)), 0
	for name, tenant := range tenantsIn(t, dir) {
		for dest, d := range tenant.Destinations {
			for _, owner := range []exchange.Owner{exchange.ThirdParty, exchange.Operator} {
				if owner == exchange.ThirdParty && d.End.Role == nil || owner == exchange.Operator && tenant.Identities.AWS == nil {
					continue // nothing on AWS is this owner's
				}
				text, err := printed(t, dir, append(slices.Clone(flags), name+"/"+dest, "--as", "cloudformation", "--for", string(owner))...)
				if err != nil {
					t.Fatal(err)
				}
				file := filepath.Join(t.TempDir(), "template.yaml")
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				linted++
				if out, err := exec.CommandContext(t.Context(), lint, "--", file).CombinedOutput(); err != nil {
					t.Errorf("%s/%s for the %s: %v\n%s\n%s", name, dest, owner, err, out, text)
				}
			}
		}
	}
	if linted < 5 {
		t.Errorf("%d templates were linted", linted)
	}
}

// TestPrintedTrustOfATenantsOwnIdentity: the tenant's role stands in an account of its own,
// so that all three owners apply something, and nothing works before the last has.
func TestPrintedTrustOfATenantsOwnIdentity(t *testing.T) {
	w := sampleWorld(t)
	flags := facts(w)
	w.AWS.Accounts["777788889999"] = &world.Account{Roles: map[string]*world.Role{}}
	_, dir := labOf(t, w)
	replaceIn(t, dir, "tenants/acme.yaml", "arn:aws:iam::111122223333:role/carnet-t-acme", "arn:aws:iam::777788889999:role/from-operator")
	bareOf(w, tenantsIn(t, dir)["acme"].Destinations["lake"])
	works := func() bool {
		l, err := lab.Start(w)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		_, err = vend(t.Context(), deploy(t, l, "aws", dir), "acme", "lake")
		return err == nil
	}
	for _, owner := range []exchange.Owner{exchange.ThirdParty, exchange.TenantSide, exchange.Operator} {
		if works() {
			t.Errorf("it works before the %s has applied anything", owner)
		}
		text, err := printed(t, dir, append(slices.Clone(flags), "acme/lake", "--as", "json", "--for", string(owner))...)
		if err != nil {
			t.Fatal(err)
		}
		applier{t, w}.json(text)
	}
	if !works() {
		t.Error("with all three parts applied it does not work")
	}
}
