package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"carnet.dev/carnet/integration/lab/fromterraform"
)

// TestNoKeyAndNoPublicInTerraform reads every .tf file that there is.
func TestNoKeyAndNoPublicInTerraform(t *testing.T) {
	found, err := fromterraform.Sources(os.DirFS("../terraform"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// TestPlantedKeysAreFound: the check above finds what it is there for.
func TestPlantedKeysAreFound(t *testing.T) {
	for _, c := range []struct{ rule, text string }{
		{"stored-key", `resource "google_service_account_key" "planted" {`},
		{"stored-key", `resource "aws_iam_access_key" "planted" {`},
		{"stored-key", `resource "aws_iam_user" "planted" {`},
		{"stored-key", `resource "aws_iam_user_policy" "planted" {`},
		{"stored-key", `  secret_string = var.password`},
		{"public", `  Principal = "*"`},
		{"public", `  Principal = { AWS = "*" }`},
		{"public", `  Principal = { "AWS" : ["*"] }`},
		{"public", `  principal = "*"`},
		{"public", `  Principal = { AWS = ["arn:aws:iam::111122223333:root", "*"] }`},
		{"public", `  identifiers = ["*"]`},
		{"public", `  authorization_type = "NONE"`},
		{"public", `  member = "allUsers"`},
		{"public", `  member = "allUsers" # public: the token door`}, // in no other module
		{"public", `  member = "allAuthenticatedUsers"`},
		{"authoritative", `resource "google_project_iam_binding" "planted" {`},
		{"authoritative", `resource "google_service_account_iam_policy" "planted" {`},
		{"token-creator", `  role = "roles/iam.serviceAccountTokenCreator"`},
		{"project-wide", `resource "google_project_iam_member" "planted" {`},
		{"project-wide", `resource "google_project_iam_member" "planted" { # on the project: it reaches no data`}, // in no other module
		{"project-wide", `resource "google_folder_iam_member" "planted" {`},
		{"project-wide", `resource "google_organization_iam_member" "planted" {`},
	} {
		found, err := fromterraform.Sources(fstest.MapFS{"modules/planted/main.tf": {Data: []byte("# a file\n" + c.text + "\n")}})
		if err != nil || !slices.ContainsFunc(found, func(f fromterraform.Finding) bool { return f.Rule == c.rule }) {
			t.Errorf("%s: found %v, %v", c.text, found, err)
		}
	}
}

// TestWhatIsMeantIsNotAFinding: write-only secrets, comments, and the one public door
// where its line says so.
func TestWhatIsMeantIsNotAFinding(t *testing.T) {
	for _, text := range []string{
		`  secret_string_wo = var.password`,
		`# never roles/iam.serviceAccountTokenCreator`,
		`  member = "allUsers" # public: the token door`,
		`resource "google_project_iam_member" "build" { # on the project: it reaches no data`,
		`  Resource = "*"`,
	} {
		found, err := fromterraform.Sources(fstest.MapFS{"modules/gcp-function/main.tf": {Data: []byte(text)}})
		if err != nil || len(found) > 0 {
			t.Errorf("%s: found %v, %v", text, found, err)
		}
	}
}

// TestNoAccountOfFiveCharactersInTerraform: whatever a module takes for a service account, it
// refuses a name that Google's accounts cannot have: they have 6 to 30 characters.
// https://cloud.google.com/iam/docs/service-accounts-create#creating
func TestNoAccountOfFiveCharactersInTerraform(t *testing.T) {
	found := 0
	err := fs.WalkDir(os.DirFS("../terraform"), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".tf" {
			return err
		}
		text, err := os.ReadFile(filepath.Join("../terraform", path))
		for _, m := range regexp.MustCompile(`regex\("(\^[^"]*gserviceaccount[^"]*)"`).FindAllStringSubmatch(string(text), -1) {
			found++
			accounts := regexp.MustCompile(m[1])
			for name, want := range map[string]bool{"share": false, "shares": true, "a-name-that-has-30-characters0": true, "a-name-that-has-31-characters-0": false} {
				email := name + "@acme-prod.iam.gserviceaccount.com"
				if got := accounts.MatchString(email) || accounts.MatchString("serviceAccount:"+email); got != want {
					t.Errorf("%s: %s takes %s: %v", path, m[1], email, got)
				}
			}
		}
		return err
	})
	if err != nil || found < 8 {
		t.Errorf("%d rules for accounts: %v", found, err)
	}
}

// An hclBlock is one of Terraform's, as `terraform fmt` lays it out: it ends at the first brace at
// the margin.
type hclBlock struct {
	path, kind, name string // a resource's name is TYPE.NAME
	text             string
}

func hclBlocks(t *testing.T, glob string) []hclBlock {
	t.Helper()
	paths, err := filepath.Glob("../terraform/" + glob)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %d files, %v", glob, len(paths), err)
	}
	begins := regexp.MustCompile(`(?m)^(\w+)((?: "[^"]+")*) \{(?:(?: #[^\n]*)?\n(?s:(.*?))^\}|\}$)`)
	var all []hclBlock
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range begins.FindAllStringSubmatch(string(text), -1) {
			all = append(all, hclBlock{path, m[1], strings.NewReplacer(`" "`, ".", `"`, "", " ", "").Replace(m[2]), m[3]})
		}
	}
	return all
}

// TestWhatTheFunctionsNeedWaitsForItsAPI: on a fresh project nothing is asked of an API before
// it is switched on.
func TestWhatTheFunctionsNeedWaitsForItsAPI(t *testing.T) {
	resources := map[string]string{}
	for _, b := range hclBlocks(t, "modules/gcp-function/*.tf") {
		if b.kind == "resource" {
			resources[b.name] = b.text
		}
	}
	const apis = "google_project_service.api"
	if len(resources) < 20 || resources[apis] == "" {
		t.Fatalf("%d resources, and %s is %q", len(resources), apis, resources[apis])
	}
	refers := regexp.MustCompile(`\bgoogle_\w+\.\w+`)
	var waits func(name string, seen map[string]bool) bool
	waits = func(name string, seen map[string]bool) bool {
		if seen[name] {
			return false
		}
		seen[name] = true
		return name == apis || slices.ContainsFunc(refers.FindAllString(resources[name], -1), func(r string) bool { return waits(r, seen) })
	}
	for name := range resources {
		if !waits(name, map[string]bool{}) {
			t.Errorf("%s does not wait for its API: depends_on = [%s]", name, apis)
		}
	}
}

// TestNoPartitionByHand: GovCloud and China have ARNs of their own, so nothing is put together
// with arn:aws:, and a host with the suffix of one of them.
func TestNoPartitionByHand(t *testing.T) {
	byHand := regexp.MustCompile(`arn:aws(-cn|-us-gov)?:[^"]*\$\{|\.amazonaws\.com(\.cn)?\$\{|\}\.amazonaws\.com`)
	for _, glob := range []string{"modules/*/*.tf", "examples/*/*.tf"} {
		for _, b := range hclBlocks(t, glob) {
			if m := byHand.FindString(b.text); m != "" {
				t.Errorf("%s: %s %s writes %s: take data.aws_partition's", b.path, b.kind, b.name, m)
			}
		}
	}
}
