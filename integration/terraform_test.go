package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/fromterraform"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/tour"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// shown is what Terraform makes of the modules for the sample's catalog, read afresh so
// that a test may change it. scripts/terraform-trust writes the file.
func shown(t *testing.T) *fromterraform.Shown {
	t.Helper()
	text, err := os.ReadFile("testdata/terraform/trust.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := fromterraform.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// madeOf is the sample's world with Terraform's trust in the place of its own.
func madeOf(t *testing.T, s *fromterraform.Shown) *world.World {
	t.Helper()
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Into(w); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestTerraformsTrustCarriesEveryChain walks every chain of the sample from both
// runtimes on what the modules make, uses what stands at its end, and tries what must
// be refused.
func TestTerraformsTrustCarriesEveryChain(t *testing.T) {
	walk, err := tour.In(madeOf(t, shown(t)), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer walk.Close()
	vended := 0
	err = walk.Walk(t.Context(), func(r tour.Row) {
		if !r.OK() {
			t.Errorf("%s: on %s, %s/%s through %v: %s %s at %s", r.Attempt, r.Runtime, r.Tenant, r.Destination, r.Chain, r.Outcome, r.Code, r.Edge)
		}
		if r.Outcome == "vended" {
			vended++
		}
	})
	if err != nil || vended < 20 {
		t.Errorf("%d chains vended: %v", vended, err)
	}
}

// TestTerraformsTrustCarriesTheOutboundToken: the pool for the outbound token, with the
// provider as the module prints it for carnet.yaml.
func TestTerraformsTrustCarriesTheOutboundToken(t *testing.T) {
	s := shown(t)
	l, dir := labOf(t, madeOf(t, s))
	i := slices.IndexFunc(s.Providers, func(p fromterraform.Provider) bool { return p.Kind == "oidc" })
	if i < 0 {
		t.Fatal("Terraform shows no provider for the outbound token")
	}
	const signed = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/providers/aws-roles"
	replaceIn(t, dir, "carnet.yaml", signed, s.Providers[i].Name, "kind: aws", "kind: oidc")
	d := deploy(t, l, "aws", dir)
	for _, dest := range []string{"drop", "warehouse"} {
		if _, err := vend(t.Context(), d, "acme", dest); err != nil {
			t.Errorf("%s: %v", dest, err)
		}
	}
}

// TestTerraformsProvidersAreTheCatalogs: what the module prints is what carnet.yaml has.
func TestTerraformsProvidersAreTheCatalogs(t *testing.T) {
	_, dir := labOf(t, madeOf(t, shown(t)))
	text, err := os.ReadFile(filepath.Join(dir, "carnet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	op, err := catalog.ParseOperator("carnet.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range op.Providers {
		if !slices.Contains(shown(t).Providers, fromterraform.Provider{Name: want.Name, Kind: string(want.Kind), Account: want.Account}) {
			t.Errorf("Terraform does not print %+v", want)
		}
	}
}

// TestTerraformsOperatorFileIsTheCatalogs: carnet.yaml as Terraform writes it is read as the
// one that people wrote, with nobody in it besides.
func TestTerraformsOperatorFileIsTheCatalogs(t *testing.T) {
	read := func(text []byte) *catalog.Operator {
		op, err := catalog.ParseOperator("carnet.yaml", text)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return op
	}
	_, dir := labOf(t, madeOf(t, shown(t)))
	text, err := os.ReadFile(filepath.Join(dir, "carnet.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want, got := read(text), read([]byte(shown(t).OperatorFile))
	want.Nobody.AWS, want.Nobody.GCP = "arn:aws:iam::111122223333:role/carnet-nobody", "carnet-nobody@operator-prod.iam.gserviceaccount.com"
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Terraform writes\n%+v\nand people\n%+v", got, want)
	}
}

// askedByNobody checks a destination with Terraform's own carnet.yaml, and returns what became of
// the attempt by nobody.
func askedByNobody(t *testing.T, s *fromterraform.Shown, runtime, dest string) destination.Verdict {
	t.Helper()
	l, dir := labOf(t, madeOf(t, s))
	if err := os.WriteFile(filepath.Join(dir, "carnet.yaml"), []byte(s.OperatorFile), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := deploy(t, l, runtime, dir).Check.Check(t.Context(), exchange.Request{ID: "R", Caller: exchange.Console, Tenant: "acme", Destination: dest}, true)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(r.Probes, func(p check.Probed) bool { return strings.Contains(p.Name, "nobody") })
	if i < 0 {
		t.Fatalf("nobody did not ask: %+v", r)
	}
	return r.Probes[i].Verdict
}

// TestNobodyIsLetInNowhere: the identities that the functions' modules make for attempts can
// ask for a destination, so that it is the destination which refuses; and one that is open to
// all of the operator's account is found.
func TestNobodyIsLetInNowhere(t *testing.T) {
	for _, runtime := range []string{"aws", "gcp"} {
		for _, dest := range []string{"lake", "drop", "warehouse", "marts"} {
			if v := askedByNobody(t, shown(t), runtime, dest); v != destination.ProbeRefused {
				t.Errorf("on %s, nobody asks for %s: %v", runtime, dest, v)
			}
		}
	}
	loose := shown(t)
	trust(sharesRole, byRole, func(st map[string]any) { st["Principal"] = map[string]any{"AWS": "arn:aws:iam::111122223333:root"} })(t, loose)
	if v := askedByNobody(t, loose, "aws", "lake"); v != destination.ProbeLetIn {
		t.Errorf("a role that is open to the whole account was not found by asking: %v", v)
	}
}

// TestTerraformsTrustHasNoFinding: the lint is silent about what the modules make.
func TestTerraformsTrustHasNoFinding(t *testing.T) {
	for _, f := range shown(t).Lint() {
		t.Error(f)
	}
}

func replaceIn(t *testing.T, dir, file string, pairs ...string) {
	t.Helper()
	path := filepath.Join(dir, file)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.NewReplacer(pairs...).Replace(string(text))
	if changed == string(text) {
		t.Fatalf("%s: nothing to rewrite", file)
	}
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	acmeShare    = "arn:aws:iam::999988887777:role/acme-share"
	acmeShareID  = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
	acmeTenantID = "5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"
	someID       = "00000000-0000-4000-8000-000000000000"

	acmesRole    = `module.aws_tenant["acme"].aws_iam_role.kept[0]`
	sharesRole   = `module.acme_lake.aws_iam_role.this`
	runtimesList = `module.aws_function.aws_iam_policy.enter["tenants-7"]`
	poolsAWS     = `module.federation.google_iam_workload_identity_pool_provider.aws[0]`
	enterShare   = `module.acme_drop.google_service_account_iam_member.enter["account"]`
	enterAcme    = `module.gcp_tenant["acme"].google_service_account_iam_member.entry["tenant-role/pass"]`
	passThrough  = `module.federation.google_project_iam_custom_role.pass`
	awsPool      = "iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/"
)

// An attack is a deployment that somebody runs with a catalog of their own: their
// runtime, their files. It tells whether they got what they wanted.
type attack func(t *testing.T, l *lab.Lab, dir string) bool

// asks vends, and counts on the clouds alone to say no.
func asks(runtime, tenant, destination string, files ...func(*testing.T, string)) attack {
	return func(t *testing.T, l *lab.Lab, dir string) bool {
		for _, write := range files {
			write(t, dir)
		}
		_, err := vend(t.Context(), deploy(t, l, runtime, dir), tenant, destination)
		var edge *exchange.EdgeError
		if err != nil && (!errors.As(err, &edge) || edge.Reason != exchange.Refused) {
			t.Fatalf("the attack failed for another reason than a refusal: %v", err)
		}
		return err == nil
	}
}

// comesIn is an attack that got what it wanted once the pool let it in.
func comesIn(a attack) attack {
	return func(t *testing.T, l *lab.Lab, dir string) bool {
		l.Calls()
		a(t, l, dir)
		for _, c := range l.Calls() {
			if c.Op == "sts.token" {
				return c.Status == 200
			}
		}
		t.Fatal("the attack did not reach the pool")
		return false
	}
}

func edited(file string, pairs ...string) func(*testing.T, string) {
	return func(t *testing.T, dir string) { replaceIn(t, dir, file, pairs...) }
}

// written adds a tenant's file.
func written(tenant, text string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.WriteFile(filepath.Join(dir, "tenants", tenant+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mallory is a tenant whose chain is what the attack needs.
func mallory(chain, destination string) func(*testing.T, string) {
	return written("mallory", "tenant: mallory\ndestinations:\n  loot:\n    chain: ["+chain+"]\n"+destination)
}

const (
	lootShare = `    kind: s3
    role: ` + acmeShare + `
    external_id: ` + acmeShareID + `
    region: eu-west-1
    bucket: acme-lake
    prefixes: [from-operator/]
    access: read
    verified: 2026-11-20
`
	lootDrop = `    kind: gcs
    service_account: acme-share@acme-prod.iam.gserviceaccount.com
    bucket: acme-drop
    prefixes: [from-operator/]
    access: read
    verified: 2026-11-20
`
	acmesAccount = "{service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com}"
)

// bystanders are roles that stand in the accounts beside the modules' own: another
// tenant's, one whose name begins like acme's, a worker's, and in another account roles
// of the very names that the operator uses, and one that lets the operator's function in.
func bystanders(w *world.World) {
	enters := map[string]world.JSON{"enter": world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*"}]}`)}
	trusts := func(arn string) world.JSON {
		return world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"` + arn + `"}}]}`)
	}
	operator, other := w.AWS.Accounts["111122223333"], w.AWS.Accounts["444455556666"]
	other.Roles["open"] = &world.Role{Trust: trusts("arn:aws:iam::111122223333:role/carnet-f-vend"), Policies: enters}
	other.Roles["hoard"] = &world.Role{Trust: trusts("arn:aws:iam::444455556666:role/open"), Policies: enters}
	for _, name := range []string{"carnet-t-mallory", "carnet-t-acme-2", "sync-worker"} {
		operator.Roles[name] = &world.Role{Trust: trusts("arn:aws:iam::111122223333:role/carnet-f-vend"), Policies: enters}
	}
	other.Roles["carnet-f-vend"] = &world.Role{Trust: world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"lambda.amazonaws.com"}}]}`), Policies: enters}
	other.Roles["carnet-t-acme"] = &world.Role{Trust: trusts("arn:aws:iam::444455556666:role/carnet-f-vend"), Policies: enters}
}

// through is a link of a chain: a role of an account.
func through(account, name string) string {
	return "{role: arn:aws:iam::" + account + ":role/" + name + ", external_id: xx}"
}

// elsewhere makes the deployment one of another account's.
func elsewhere() func(*testing.T, string) {
	return edited("carnet.yaml", "arn:aws:iam::111122223333:role/carnet-f-vend", "arn:aws:iam::444455556666:role/carnet-f-vend")
}

// A loosening changes one thing in what Terraform shows.
type loosening func(t *testing.T, s *fromterraform.Shown)

func in(address, attribute string, edit func(old string) string) loosening {
	return func(t *testing.T, s *fromterraform.Shown) {
		r, err := s.Find(address)
		if err != nil {
			t.Fatal(err)
		}
		old := r.Values.Text(attribute)
		r.Values[attribute] = edit(old)
		if r.Values.Text(attribute) == old {
			t.Fatalf("%s: the change to %s changed nothing:\n%s", address, attribute, old)
		}
	}
}

func swap1(old, new string) func(string) string {
	return func(s string) string { return strings.ReplaceAll(s, old, new) }
}

// trust edits the statement that lets Google identities (or roles) enter a role.
func trust(address, action string, edit func(statement map[string]any)) loosening {
	return in(address, "assume_role_policy", func(text string) string {
		var doc map[string]any
		if json.Unmarshal([]byte(text), &doc) != nil {
			return text
		}
		for _, one := range doc["Statement"].([]any) {
			if st := one.(map[string]any); st["Action"] == action {
				edit(st)
			}
		}
		changed, err := json.Marshal(doc)
		if err != nil {
			return text
		}
		return string(changed)
	})
}

func without(keys ...string) func(map[string]any) {
	return func(st map[string]any) {
		for _, key := range keys {
			delete(st["Condition"].(map[string]any)["StringEquals"].(map[string]any), key)
		}
	}
}

func like(key, pattern string) func(map[string]any) {
	return func(st map[string]any) {
		without(key)(st)
		st["Condition"].(map[string]any)["StringLike"] = map[string]any{key: pattern}
	}
}

func added(r fromterraform.Resource) loosening {
	return func(_ *testing.T, s *fromterraform.Shown) { s.Resources = append(s.Resources, r) }
}

const (
	byRole  = "sts:AssumeRole"
	byToken = "sts:AssumeRoleWithWebIdentity"
	sub     = "accounts.google.com:sub"
	oaud    = "accounts.google.com:oaud"
)

// TestLoosenedTrustIsCaught loosens or swaps one thing at a time. The attack is refused
// on what the modules make and succeeds on the loosened trust, so the condition that
// stands in HCL is what refused it; and the lint names what is loose.
func TestLoosenedTrustIsCaught(t *testing.T) {
	globexTakesAcmes := asks("gcp", "globex", "lake", edited("tenants/globex.yaml",
		"arn:aws:iam::444455556666:role/globex-share", acmeShare, "8b7f2d94-51c6-4d7e-9a34-c2e90b6f1a58", acmeShareID))
	anotherParty := asks("gcp", "acme", "lake", onGoogleAlone, edited("tenants/acme.yaml", acmeShareID, someID))
	fromElsewhere := asks("aws", "mallory", "loot", elsewhere(), mallory(through("444455556666", "carnet-t-acme"), lootShare))
	alikeName := asks("aws", "mallory", "loot", mallory(through("111122223333", "carnet-t-acme-2"), lootShare))
	otherTenantsRole := asks("aws", "mallory", "loot", mallory(through("111122223333", "carnet-t-mallory")+", "+acmesAccount, lootDrop))

	for _, c := range []struct {
		name   string
		loosen loosening
		attack attack
		rule   string
	}{
		{"another account in a role's trust", trust(sharesRole, byRole, func(st map[string]any) {
			st["Principal"] = map[string]any{"AWS": []string{"arn:aws:iam::111122223333:role/carnet-t-acme", "arn:aws:iam::444455556666:role/carnet-t-acme"}}
		}), fromElsewhere, "strangers"},
		{"a whole account in a role's trust", trust(sharesRole, byRole, func(st map[string]any) {
			st["Principal"] = map[string]any{"AWS": "arn:aws:iam::444455556666:root"}
		}), fromElsewhere, "principal"},
		{"anyone in a role's trust", trust(sharesRole, byRole, func(st map[string]any) { st["Principal"] = "*" }), fromElsewhere, "public"},
		{"another account in the pool", func(t *testing.T, s *fromterraform.Shown) {
			in(poolsAWS, "attribute_condition", swap1("111122223333", "444455556666"))(t, s)
			r, _ := s.Find(poolsAWS)
			r.Values["aws"] = []any{map[string]any{"account_id": "444455556666"}}
		}, comesIn(asks("aws", "mallory", "loot", elsewhere(), mallory(through("444455556666", "carnet-t-acme")+", "+acmesAccount, lootDrop))), "condition"},
		{"a role outside the reserved prefix", in(poolsAWS, "attribute_condition", swap1("assumed-role/carnet-", "assumed-role/")),
			comesIn(asks("aws", "mallory", "loot", mallory(through("111122223333", "sync-worker")+", "+acmesAccount, lootDrop))), "condition"},
		{"no condition in the pool", in(poolsAWS, "attribute_condition", func(string) string { return "" }),
			comesIn(asks("aws", "mallory", "loot", mallory(through("111122223333", "sync-worker")+", "+acmesAccount, lootDrop))), "condition"},
		{"a role that shares a prefix with a tenant's", trust(sharesRole, byRole, func(st map[string]any) {
			st["Principal"] = map[string]any{"AWS": "arn:aws:iam::111122223333:root"}
			st["Condition"].(map[string]any)["ArnLike"] = map[string]any{"aws:PrincipalArn": "arn:aws:iam::111122223333:role/carnet-t-acme*"}
		}), alikeName, "string-like"},
		{"a missing :sub", trust(sharesRole, byToken, without(sub)), globexTakesAcmes, "google-sub"},
		{"another tenant's :sub", trust(sharesRole, byToken, func(st map[string]any) {
			st["Condition"].(map[string]any)["StringEquals"].(map[string]any)[sub] = globexNumber
		}), globexTakesAcmes, "strangers"},
		{"a missing :oaud", trust(sharesRole, byToken, without(oaud)), anotherParty, "google-oaud"},
		{"StringLike on :sub", trust(sharesRole, byToken, like(sub, "1*")), globexTakesAcmes, "string-like"},
		{"StringLike on :oaud", trust(sharesRole, byToken, like(oaud, "*")), anotherParty, "string-like"},
		{"/* in a principalSet", in(enterAcme, "member", func(string) string { return "principalSet://" + awsPool + "*" }), otherTenantsRole, "principal-set"},
		{"a role of the pool that is another tenant's", in(enterAcme, "member", swap1("carnet-t-acme", "carnet-t-mallory")), otherTenantsRole, "strangers"},
		{"no ExternalId on a destination's role", trust(sharesRole, byRole, func(st map[string]any) { delete(st, "Condition") }),
			asks("aws", "acme", "lake", edited("tenants/acme.yaml", acmeShareID, someID)), "external-id"},
		{"no ExternalId on a tenant's role", trust(acmesRole, byRole, func(st map[string]any) { delete(st, "Condition") }),
			asks("aws", "acme", "lake", edited("tenants/acme.yaml", acmeTenantID, someID)), "external-id"},
		{"a pattern in the list of what the function enters", in(runtimesList, "policy", swap1("arn:aws:iam::111122223333:role/carnet-t-acme", "*")),
			asks("aws", "mallory", "loot", mallory(through("444455556666", "open"), strings.Replace(lootShare, acmeShare, "arn:aws:iam::444455556666:role/hoard", 1))), "wildcard"},
		{"StringLike on the ExternalId", trust(sharesRole, byRole, like("sts:ExternalId", "*")),
			asks("aws", "acme", "lake", edited("tenants/acme.yaml", acmeShareID, someID)), "string-like"},
		{"tokenCreator on the whole project", added(fromterraform.Resource{
			Address: "google_project_iam_member.wide", Type: "google_project_iam_member",
			Values: fromterraform.Values{"project": "operator-prod", "role": "roles/iam.serviceAccountTokenCreator",
				"member": "principalSet://" + awsPool + "attribute.aws_role/arn:aws:sts::111122223333:assumed-role/carnet-t-mallory"},
		}), otherTenantsRole, "project-wide"},
		{"a third party's account that another tenant enters", in(enterShare, "member", swap1("carnet-t-acme", "carnet-t-globex")),
			asks("gcp", "globex", "drop", edited("tenants/globex.yaml", "globex-inbox@globex-data.iam.gserviceaccount.com", "acme-share@acme-prod.iam.gserviceaccount.com")), "strangers"},
		{"a mapping that leaves the account out", func(t *testing.T, s *fromterraform.Shown) {
			r, _ := s.Find(poolsAWS)
			role := "'arn:aws:sts::111122223333:assumed-role/' + assertion.arn.extract('assumed-role/{role}/')"
			r.Values["attribute_mapping"] = map[string]any{"google.subject": role, "attribute.aws_role": role}
			r.Values["aws"] = []any{map[string]any{"account_id": "444455556666"}}
			r.Values["attribute_condition"] = "assertion.arn.contains(':assumed-role/carnet-')"
		}, asks("aws", "mallory", "loot", elsewhere(), mallory(through("444455556666", "carnet-t-acme")+", "+acmesAccount, lootDrop)), "mapping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if attempt(t, shown(t), c.attack) {
				t.Error("the attack succeeds on what the modules make")
			}
			loose := shown(t)
			c.loosen(t, loose)
			if !attempt(t, loose, c.attack) {
				t.Error("the attack fails on the loosened trust too, so it proves nothing")
			}
			if !slices.ContainsFunc(loose.Lint(), func(f fromterraform.Finding) bool { return f.Rule == c.rule }) {
				t.Errorf("the lint does not find %s: %v", c.rule, loose.Lint())
			}
		})
	}
}

const globexNumber = "100000267625900367660" // as trust.json has it

func attempt(t *testing.T, s *fromterraform.Shown, a attack) bool {
	t.Helper()
	w := madeOf(t, s)
	bystanders(w)
	l, dir := labOf(t, w)
	return a(t, l, dir)
}

// onGoogleAlone leaves acme its Google account only, so that it is what enters a role.
func onGoogleAlone(t *testing.T, dir string) {
	replaceIn(t, dir, "tenants/acme.yaml", `  aws:
    role: arn:aws:iam::111122223333:role/carnet-t-acme
    external_id: `+acmeTenantID+"\n", "")
}

// TestOneRoleIsPinnedUpToItsSlash: a provider for one role alone, as only_role of the
// federation module makes it, keeps out the role whose name begins alike.
func TestOneRoleIsPinnedUpToItsSlash(t *testing.T) {
	alike := comesIn(asks("aws", "mallory", "loot", mallory(through("111122223333", "carnet-t-acme-2")+", "+acmesAccount, lootDrop)))
	pinned := shown(t)
	in(poolsAWS, "attribute_condition", swap1("assumed-role/carnet-", "assumed-role/carnet-t-acme/"))(t, pinned)
	if attempt(t, pinned, alike) || len(pinned.Lint()) > 0 {
		t.Errorf("a role pinned up to its slash: %v", pinned.Lint())
	}
	loose := shown(t)
	in(poolsAWS, "attribute_condition", swap1("assumed-role/carnet-", "assumed-role/carnet-t-acme"))(t, loose)
	if !attempt(t, loose, alike) || len(loose.Lint()) == 0 {
		t.Errorf("without the slash: %v", loose.Lint())
	}
}

// TestOneIdentityInTwoTenants: no cloud can tell two tenants apart that are one
// identity, so the catalog module's precondition (its tests name it) and the lint must.
func TestOneIdentityInTwoTenants(t *testing.T) {
	sharing := asks("gcp", "mallory", "loot", written("mallory", `tenant: mallory
identities: {gcp: {service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com}}
destinations:
  loot:
`+lootDrop))
	s := shown(t)
	if !attempt(t, s, sharing) {
		t.Error("a tenant with acme's identity does not reach acme's bucket, so this proves nothing")
	}
	s.Identities["mallory"] = []string{"carnet-t-acme@operator-prod.iam.gserviceaccount.com"}
	if !slices.ContainsFunc(s.Lint(), func(f fromterraform.Finding) bool { return f.Rule == "shared-identity" }) {
		t.Errorf("the lint does not find it: %v", s.Lint())
	}
}

// TestLintFindsWhatNoChainShows: what would not help an attacker of the lab's, and must
// not stand there all the same.
func TestLintFindsWhatNoChainShows(t *testing.T) {
	resource := func(kind string, v fromterraform.Values) loosening {
		return added(fromterraform.Resource{Address: kind + ".planted", Type: kind, Values: v})
	}
	for rule, changes := range map[string][]loosening{
		"stored-key": {
			resource("google_service_account_key", nil), resource("aws_iam_access_key", nil), resource("aws_iam_user", nil),
		},
		"public": {
			resource("google_storage_bucket_iam_member", fromterraform.Values{"member": "allUsers"}),
			resource("google_cloud_run_v2_service_iam_member", fromterraform.Values{"member": "allAuthenticatedUsers"}),
			resource("aws_lambda_permission", fromterraform.Values{"principal": "*"}),
			resource("aws_lambda_function_url", fromterraform.Values{"authorization_type": "NONE"}),
			resource("aws_s3_bucket_policy", fromterraform.Values{"policy": `{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws:iam::111122223333:root","*"]},"Action":"s3:GetObject"}]}`}),
			resource("aws_sqs_queue_policy", fromterraform.Values{"policy": `{"Statement":{"Effect":"Allow","Principal":"*","Action":"sqs:SendMessage"}}`}),
		},
		"authoritative": {resource("google_service_account_iam_policy", nil), resource("google_project_iam_binding", nil)},
		"token-creator": {
			in(enterShare, "role", func(string) string { return "roles/iam.serviceAccountTokenCreator" }),
			func(t *testing.T, s *fromterraform.Shown) {
				r, err := s.Find(passThrough)
				if err != nil {
					t.Fatal(err)
				}
				r.Values["permissions"] = []any{"iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.signJwt"}
			},
		},
		"google-sub": {trust(sharesRole, byToken, func(st map[string]any) {
			st["Condition"].(map[string]any)["StringEquals"].(map[string]any)[sub] = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
		})},
		"federated": {trust(sharesRole, byToken, func(st map[string]any) {
			st["Principal"] = map[string]any{"Federated": "arn:aws:iam::999988887777:oidc-provider/accounts.google.com"}
		})},
		"wildcard": {
			in(`module.aws_tenant["acme"].aws_iam_role_policy.enter[0]`, "policy", swap1("role/acme-share", "role/*")),
			in(runtimesList, "policy", swap1("role/carnet-t-acme", "role/carnet-t-*")),
		},
		"pool": {func(t *testing.T, s *fromterraform.Shown) {
			r, _ := s.Find(poolsAWS)
			s.Resources = append(s.Resources, *r)
		}},
		"session": {func(t *testing.T, s *fromterraform.Shown) {
			r, _ := s.Find(sharesRole)
			delete(r.Values, "max_session_duration")
		}},
	} {
		for _, loosen := range changes {
			s := shown(t)
			loosen(t, s)
			if !slices.ContainsFunc(s.Lint(), func(f fromterraform.Finding) bool { return f.Rule == rule }) {
				t.Errorf("the lint does not find %s: %v", rule, s.Lint())
			}
		}
	}
}

// TestDataSourcesAreNotWhatWasMade: what Terraform reads is nobody's trust.
func TestDataSourcesAreNotWhatWasMade(t *testing.T) {
	s, err := fromterraform.Parse([]byte(`{"values": {"root_module": {"resources": [
		{"address": "data.aws_partition.current", "mode": "data", "type": "aws_partition"},
		{"address": "aws_iam_role.r", "mode": "managed", "type": "aws_iam_role"}]}}}`))
	if err != nil || len(s.Resources) != 1 || s.Resources[0].Address != "aws_iam_role.r" {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestUnknownResourcesAreNotPassedOver: what the lab cannot load is an error.
func TestUnknownResourcesAreNotPassedOver(t *testing.T) {
	s := shown(t)
	s.Resources = append(s.Resources, fromterraform.Resource{Address: "aws_s3_bucket_policy.open", Type: "aws_s3_bucket_policy"})
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Into(w); err == nil {
		t.Error("a bucket policy was passed over")
	}
}
