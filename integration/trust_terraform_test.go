package integration

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab/fromterraform"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/snowflake"
)

// A terraform applies roots with providers that know schemas and no cloud, and gathers what
// they make. scripts/terraform-check says which command that is.
type terraform struct {
	command string
	made    *fromterraform.Shown
}

// apply applies one root that `carnet trust --as terraform` printed, whose roles are in an
// account; Snowflake's SQL goes to an account of its own.
func (f terraform) apply(t *testing.T, text, account, frost string) {
	t.Helper()
	root := t.TempDir()
	repository, err := filepath.Abs("../terraform")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(repository, filepath.Join(root, "terraform")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "main.tf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f.run(t, root, "init", "-backend=false", "-input=false")
	f.run(t, root, "apply", "-auto-approve", "-input=false")
	f.gather(t, f.run(t, root, "show", "-json"), account, frost)
}

func (f terraform) run(t *testing.T, root string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), f.command, append([]string{"-chdir=" + root}, append(args, "-no-color")...)...)
	var wrong strings.Builder
	cmd.Stderr = &wrong
	out, err := cmd.Output()
	if err != nil {
		text, _ := os.ReadFile(filepath.Join(root, "main.tf"))
		t.Fatalf("%v: %v\n%s\n%s", args, err, wrong.String(), text)
	}
	return out
}

func (f terraform) gather(t *testing.T, text []byte, account, frost string) {
	t.Helper()
	shown, err := fromterraform.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var state struct {
		Values struct {
			Outputs struct{ SQL struct{ Value string } }
		}
	}
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	for _, r := range shown.Resources {
		if r.Type != "terraform_data" { // a check of the module's own
			f.made.Accounts[r.Module()] = account
			f.made.Resources = append(f.made.Resources, r)
		}
	}
	if frost != "" {
		f.made.Snowflake[frost] = state.Values.Outputs.SQL.Value
	}
}

// TestPrintedTerraformCarriesEveryDestination: with all trust taken away and what is printed
// as Terraform for both owners applied, every destination is vended from where it was.
func TestPrintedTerraformCarriesEveryDestination(t *testing.T) {
	f := terraform{os.Getenv("CARNET_TERRAFORM"), &fromterraform.Shown{Accounts: map[string]string{}, Snowflake: map[string]string{}}}
	if f.command == "" {
		t.Skip("CARNET_TERRAFORM names no command with providers that know no cloud: scripts/terraform-check does")
	}
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	w := sampleWorld(t)
	flags := append(facts(w), "--database", "SYNC", "--schema", "SHARED", "--warehouse", "LOADING")
	from := map[string][]string{}
	for name, tenant := range tenantsIn(t, dir) {
		for dest, d := range tenant.Destinations {
			if d.End.Secret != "" {
				continue // no identity is entered: its module prints what the lab's user has already
			}
			from[name+"/"+dest] = vendsFrom(t, w, name, dest)
			frost := ""
			if d.Kind == snowflake.Name {
				frost = d.Where
			}
			f.apply(t, f.printed(t, dir, name+"/"+dest, exchange.ThirdParty, flags), accountOf(d), frost)
		}
		f.apply(t, f.printed(t, dir, name+"/lake", exchange.Operator, flags), "111122223333", "")
	}
	f.into(t, w)
	for name, want := range from {
		tenant, dest, _ := strings.Cut(name, "/")
		if got := vendsFrom(t, w, tenant, dest); len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s works from %v, not from %v", name, got, want)
		}
	}
}

func (f terraform) printed(t *testing.T, dir, name string, owner exchange.Owner, flags []string) string {
	t.Helper()
	text, err := printed(t, dir, append(slices.Clone(flags), name, "--as", "terraform", "--for", string(owner))...)
	if err != nil {
		t.Fatalf("%s for the %s: %v", name, owner, err)
	}
	return text
}

func accountOf(d *catalog.Destination) string {
	if d.End.Role == nil {
		return ""
	}
	return strings.Split(d.End.Role.ARN, ":")[4]
}

// into puts what was made into a world, in the place of its trust. What the functions have,
// and the pools, other modules make: that stays. The stand-ins made up the accounts' ids.
func (f terraform) into(t *testing.T, w *world.World) {
	t.Helper()
	was := sampleWorld(t)
	accounts := was.Google.Projects["operator-prod"].ServiceAccounts
	for _, r := range f.made.Resources {
		if a := accounts[r.Values.Text("email")]; r.Type == "google_service_account" && a != nil {
			r.Values["unique_id"] = a.UniqueID
		}
	}
	if err := f.made.Into(w); err != nil {
		t.Fatal(err)
	}
	own, before := w.AWS.Accounts["111122223333"], was.AWS.Accounts["111122223333"]
	own.Outbound = before.Outbound
	for name, r := range before.Roles {
		if own.Roles[name] == nil && strings.HasPrefix(name, "carnet-f-") {
			own.Roles[name] = r
		}
	}
	p := w.Google.Projects["operator-prod"]
	p.Pools, p.Roles = was.Google.Projects["operator-prod"].Pools, was.Google.Projects["operator-prod"].Roles
	for email, a := range accounts {
		if p.ServiceAccounts[email] == nil && !strings.HasPrefix(email, "carnet-t-") {
			p.ServiceAccounts[email] = a
		}
	}
}
