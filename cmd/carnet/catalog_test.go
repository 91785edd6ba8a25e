package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// A ran command is what came out, and how it ended.
type ran struct {
	out, wrong string
	err        error
}

func (r ran) code() int {
	if r.err == nil {
		return 0
	}
	return exitCode(r.err)
}

// carnet runs a command in this process, with answers on standard input.
func carnet(t *testing.T, dir, answers string, args ...string) ran {
	t.Helper()
	t.Setenv("CARNET_CATALOG", dir)
	t.Setenv("CARNET_RUNTIME", "")
	cmd := root()
	var out, wrong bytes.Buffer
	cmd.SetOut(&out)
	cmd.SetErr(&wrong)
	cmd.SetIn(strings.NewReader(answers))
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(t.Context())
	return ran{out.String(), wrong.String(), err}
}

func sampleCatalog(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func readFile(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func writeFile(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const acme = "tenants/acme.yaml"

func parsed(t *testing.T, dir, tenant string) *catalog.Tenant {
	t.Helper()
	file := "tenants/" + tenant + ".yaml"
	parsed, err := kinds.All().Catalog().ParseTenant(file, []byte(readFile(t, dir, file)))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// lost are the lines of a file that are not in another, in order.
func lost(from, to string) []string {
	var list []string
	rest := strings.Split(to, "\n")
	for _, line := range strings.Split(from, "\n") {
		found := false
		for i, have := range rest {
			if have == line {
				rest, found = rest[i+1:], true
				break
			}
		}
		if !found {
			list = append(list, line)
		}
	}
	return list
}

func isUUID4(s string) bool {
	return regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(s)
}

func s3Flags(name string) []string {
	return []string{"catalog", "add", name, "--kind", "s3", "--role", "arn:aws:iam::999988887777:role/acme-two",
		"--region", "eu-west-1", "--bucket", "acme-two", "--prefix", "in/", "--access", "write"}
}

func TestAddADestination(t *testing.T) {
	dir := sampleCatalog(t)
	before := readFile(t, dir, acme)
	got := carnet(t, dir, "", append(s3Flags("acme/two"), "--json")...)
	if got.err != nil {
		t.Fatal(got.err, got.wrong)
	}
	var said struct {
		ExternalID string `json:"external_id"`
	}
	if err := json.Unmarshal([]byte(got.out), &said); err != nil || !isUUID4(said.ExternalID) {
		t.Errorf("%v: it said %s", err, got.out)
	}
	if gone := lost(before, readFile(t, dir, acme)); len(gone) > 0 {
		t.Errorf("these lines are gone: %q", gone)
	}
	if d := parsed(t, dir, "acme").Destinations["two"]; d == nil || d.End.Role.ExternalID != said.ExternalID || d.Grant.Prefixes[0] != "in/" {
		t.Errorf("the file has %+v", d)
	}
	if got := carnet(t, dir, "", "catalog", "lint"); got.err != nil {
		t.Errorf("lint: %v\n%s", got.err, got.out)
	}
}

func TestAddATenant(t *testing.T) {
	dir := sampleCatalog(t)
	name := "a-name-of-twenty-eight-chars"
	got := carnet(t, dir, "", append(s3Flags(name+"/lake"), "--caller", "aws:arn:aws:iam::111122223333:role/sync-worker", "--caller", "https://issuer.example#job")...)
	if got.err != nil {
		t.Fatal(got.err)
	}
	tenant := parsed(t, dir, name)
	if len(tenant.Callers) != 2 || tenant.Identities.AWS.ARN != "arn:aws:iam::111122223333:role/carnet-t-"+name || !isUUID4(tenant.Identities.AWS.ExternalID) {
		t.Errorf("the file has %+v", tenant)
	}
	// As Terraform's module names it: 8 characters, a dash, 12 digits of the name's SHA-256.
	if email := tenant.Identities.GCP.Email; !regexp.MustCompile(`^carnet-t-a-name-o-[0-9a-f]{12}@operator-prod\.iam\.gserviceaccount\.com$`).MatchString(email) {
		t.Errorf("the account is %s", email)
	}
	if tenant.Identities.AWS.ExternalID == tenant.Destinations["lake"].End.Role.ExternalID {
		t.Error("the identity and the destination have one ExternalId")
	}
}

func TestAddAsks(t *testing.T) {
	dir := sampleCatalog(t)
	got := carnet(t, dir, "gcs\nacme-share@acme-prod.iam.gserviceaccount.com\n\nacme-more\nin/, out\nread_write\n", "catalog", "add", "acme/more", "--ask")
	if got.err != nil {
		t.Fatal(got.err)
	}
	d := parsed(t, dir, "acme").Destinations["more"]
	if d.Shown != "acme-more" || strings.Join(d.Grant.Prefixes, " ") != "in/ out/" {
		t.Errorf("the file has %+v", d)
	}
	if !strings.Contains(got.wrong, "bucket (The bucket") || strings.Contains(got.out, "bucket (") {
		t.Errorf("it asked on the wrong side: %q, %q", got.out, got.wrong)
	}
}

func TestAddRefuses(t *testing.T) {
	dir := sampleCatalog(t)
	before := readFile(t, dir, acme)
	refused := func(why, says string, args ...string) {
		t.Helper()
		got := carnet(t, dir, "", args...)
		if got.err == nil || !strings.Contains(got.err.Error(), says) {
			t.Errorf("%s: %v", why, got.err)
		}
		if readFile(t, dir, acme) != before {
			t.Fatalf("%s: the file was changed", why)
		}
	}
	refused("a destination that stands", "not overwritten", s3Flags("acme/lake")...)
	refused("a tenant that stands", "not overwritten", "catalog", "add", "acme")
	refused("no kind and nobody to ask", "write --kind s3, gcs, ", "catalog", "add", "acme/two")
	refused("nothing said and nobody to ask", "--role, --region, --bucket, --prefix or --whole-bucket, --access", "catalog", "add", "acme/two", "--kind", "s3")
	refused("a bucket without a destination", "--bucket is not for a tenant without a destination", "catalog", "add", "initech", "--bucket", "x")
	refused("a flag of another kind", "--dataset is not for kind s3", append(s3Flags("acme/two"), "--dataset", "x")...)
	refused("all of a bucket and a part of it", "exclude each other", append(s3Flags("acme/two"), "--whole-bucket")...)
	refused("all of a dataset", "--whole-bucket is not for kind bigquery", "catalog", "add", "acme/two", "--kind", "bigquery", "--whole-bucket")
	refused("a user to make in a bucket", "--create-user is not for kind s3", append(s3Flags("acme/two"), "--create-user")...)
	refused("a rotation that is printed in no format", "write json, terraform", "catalog", "rotate", "acme/lake", "--as", "yaml")
	refused("a rotation that is printed in another's format", "write --as", "catalog", "rotate", "acme/lake", "--as", "gcloud")
	refused("a kind without a destination", "--kind is not for a tenant without a destination", "catalog", "add", "initech", "--kind", "s3")
	refused("a prefix that is empty", "--prefix", append(s3Flags("acme/two"), "--prefix", "")...)
	refused("a port that is none", `--port is "07": write a number`, "catalog", "add", "acme/two", "--kind", "redshift", "--port", "07")
	refused("a role that is none", `role "acme" is not the ARN of a role`, append(s3Flags("acme/two"), "--role", "acme")...)
	refused("a prefix with a star", "prefix", append(s3Flags("acme/two"), "--prefix", "a*/")...)
	refused("a name with a slash more", "TENANT/DESTINATION", "catalog", "add", "acme/two/three")
	refused("identities of a tenant that stands", "change them in the file", append(s3Flags("acme/two"), "--tenant-role", "none")...)
	writeFile(t, dir, acme, before+"oops: true\n")
	before += "oops: true\n"
	refused("a file that does not parse", `no key "oops"`, s3Flags("acme/two")...)
	refused("the same, to disable", `no key "oops"`, "catalog", "disable", "acme")
	if left, err := filepath.Glob(filepath.Join(dir, "tenants", ".carnet-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestEditsKeepLayout: comments, blank lines, quotes, flow style and line ends stay, and
// what was switched and switched back is the same file.
func TestEditsKeepLayout(t *testing.T) {
	for name, text := range map[string]string{
		"block": "# ours\ntenant: t # the name\n\nidentities:\n    aws: {role: \"arn:aws:iam::111122223333:role/carnet-t-t\", external_id: aa-1} # é\n\ndestinations:\n    # the lake\n    lake:\n        kind: s3 # S3\n        role: arn:aws:iam::999988887777:role/share\n        external_id: 'bb-1'  # made in 2026\n        region: eu-west-1\n        bucket: lake\n        prefixes:\n            - in/\n        access: write\n\n# the end\n",
		"flow":  "tenant: t\nidentities: {aws: {role: \"arn:aws:iam::111122223333:role/carnet-t-t\", external_id: aa-1}}\ndestinations:\n  lake: {kind: s3, role: \"arn:aws:iam::999988887777:role/share\", external_id: \"bb-1\", region: eu-west-1, bucket: é-no, prefixes: [in/], access: write}\n",
	} {
		text = strings.ReplaceAll(text, "é-no", "lake")
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(name, func(t *testing.T) {
				dir := sampleCatalog(t)
				text := strings.ReplaceAll(text, "\n", end)
				writeFile(t, dir, "tenants/t.yaml", text)
				for _, at := range []string{"t", "t/lake"} {
					if got := carnet(t, dir, "", "catalog", "disable", at); got.err != nil {
						t.Fatal(got.err)
					}
					if now := parsed(t, dir, "t"); !now.Disabled && !now.Destinations["lake"].Disabled {
						t.Errorf("%s is not disabled", at)
					}
					if got := carnet(t, dir, "", "catalog", "enable", at); got.err != nil {
						t.Fatal(got.err)
					}
					if now := readFile(t, dir, "tenants/t.yaml"); now != text {
						t.Errorf("%s and back is not the same file:\n%q\n%q", at, text, now)
					}
				}
				if got := carnet(t, dir, "", "catalog", "rotate", "t/lake"); got.err != nil {
					t.Fatal(got.err)
				}
				next := parsed(t, dir, "t").Destinations["lake"].End.Role.NextExternalID
				if got := carnet(t, dir, "", "catalog", "rotate", "t/lake", "--finish"); got.err != nil {
					t.Fatal(got.err)
				}
				got := readFile(t, dir, "tenants/t.yaml")
				want := regexp.MustCompile(`['"]?bb-1['"]?`).ReplaceAllString(text, next)
				if got != want {
					t.Errorf("after the rotation:\n%q\n%q", want, got)
				}
			})
		}
	}
}

func TestRotate(t *testing.T) {
	dir := sampleCatalog(t)
	const old = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
	first := carnet(t, dir, "", "catalog", "rotate", "acme/lake")
	role := parsed(t, dir, "acme").Destinations["lake"].End.Role
	next := role.NextExternalID
	if first.err != nil || role.ExternalID != old || !isUUID4(next) {
		t.Fatalf("%v: %+v", first.err, role)
	}
	if !strings.Contains(first.out, old) || !strings.Contains(first.out, next) {
		t.Errorf("what is printed does not let both in:\n%s", first.out)
	}
	if again := carnet(t, dir, "", "catalog", "rotate", "acme/lake"); again.err == nil || !strings.Contains(again.err.Error(), "--finish") {
		t.Errorf("a second beginning: %v", again.err)
	}
	last := carnet(t, dir, "", "catalog", "rotate", "acme/lake", "--finish")
	role = parsed(t, dir, "acme").Destinations["lake"].End.Role
	if last.err != nil || role.ExternalID != next || role.NextExternalID != "" || strings.Contains(last.out, old) || !strings.Contains(last.out, next) {
		t.Errorf("%v: %+v\n%s", last.err, role, last.out)
	}
	if none := carnet(t, dir, "", "catalog", "rotate", "acme/lake", "--finish"); none.err == nil {
		t.Error("what was not begun was finished")
	}
	if google := carnet(t, dir, "", "catalog", "rotate", "acme/drop"); google.err == nil || !strings.Contains(google.err.Error(), "no external_id") {
		t.Errorf("a Google account was rotated: %v", google.err)
	}
	frost := carnet(t, dir, "", "catalog", "rotate", "acme/frost", "--google-subject", "100000000000000000002")
	if frost.err != nil || strings.Count(frost.out, "ADD WORKLOAD IDENTITY") != 4 {
		t.Errorf("%v\n%s", frost.err, frost.out)
	}
	frost = carnet(t, dir, "", "catalog", "rotate", "acme/frost", "--finish", "--google-subject", "100000000000000000002")
	if frost.err != nil || strings.Count(frost.out, "REMOVE WORKLOAD IDENTITY carnet_") != 2 {
		t.Errorf("%v\n%s", frost.err, frost.out)
	}
}

func TestDisableSaysWhen(t *testing.T) {
	dir := sampleCatalog(t)
	text := readFile(t, dir, "tenants/globex.yaml")
	writeFile(t, dir, "tenants/globex.yaml", strings.Replace(text, "bucket: globex-lake", "bucket: globex-lake\n    lifetime: 4h", 1))
	for name, longest := range map[string]string{"globex/lake": "4h0m0s", "globex/drop": "1h0m0s", "globex": "4h0m0s"} {
		got := carnet(t, dir, "", "catalog", "disable", name, "--json")
		var said switched
		if err := json.Unmarshal([]byte(got.out), &said); err != nil || got.err != nil {
			t.Fatal(err, got.err)
		}
		if said.Longest != longest || said.Ends.Sub(said.Stops).String() != longest || !said.Disabled {
			t.Errorf("%s: %+v", name, said)
		}
	}
	if got := carnet(t, dir, "", "catalog", "disable", "globex/nothing"); got.err == nil {
		t.Error("a destination that is not there was disabled")
	}
}

func TestLintFindsAllAtOnce(t *testing.T) {
	dir := sampleCatalog(t)
	globex := readFile(t, dir, "tenants/globex.yaml")
	globex = strings.Replace(globex, "external_id: 8b7f2d94-51c6-4d7e-9a34-c2e90b6f1a58", "external_id: 3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40", 1)
	globex = strings.Replace(globex, "arn:aws:iam::444455556666:role/globex-marts", "arn:aws:iam::999988887777:role/acme-marts", 1)
	globex = strings.Replace(globex, "carnet-t-globex@", "carnet-t-acme@", 1)
	writeFile(t, dir, "tenants/globex.yaml", globex)
	writeFile(t, dir, "tenants/broken.yaml", "tenant: broken\ncolour: red\ndestinations:\n  x: {kind: s3}\n")
	writeFile(t, dir, "tenants/Loud.yaml", "tenant: Loud\n")
	writeFile(t, dir, "tenants/short.yml", "tenant: short\n")
	writeFile(t, dir, "tenants/itself.yaml", "tenant: itself\nidentities:\n  aws: {role: \"arn:aws:iam::111122223333:role/carnet-f-vend\", external_id: zz-1}\n")
	writeFile(t, dir, "carnet.yaml", readFile(t, dir, "carnet.yaml")+"\nnobody: {aws: {role: \"arn:aws:iam::111122223333:role/carnet-no-one\"}}\n")
	writeFile(t, dir, "tenants/noone.yaml", "tenant: noone\nidentities:\n  aws: {role: \"arn:aws:iam::111122223333:role/carnet-no-one\", external_id: zz-2}\n")
	writeFile(t, dir, "tenants/unheard.yaml", "tenant: unheard\nidentities:\n  aws: {role: \"arn:aws:iam::111122223333:role/carnet-t-unheard\", external_id: zz-3}\ncallers:\n  - google: sync-worker@operator-prod.iam.gserviceaccount.com\n  - issuer: https://tokens.example.com/\n    subject: job\n")
	writeFile(t, dir, "carnet.yaml", strings.Replace(readFile(t, dir, "carnet.yaml"), "google_audience: https://carnet.lab\nissuers:\n", "issuers:\n  - {issuer: \"https://tokens.example.com\", audience: \"https://carnet.lab\"}\n", 1))
	var many strings.Builder
	for i := range 40 {
		fmt.Fprintf(&many, "from-operator/a-folder-with-a-long-name-%d/, ", i)
	}
	acme := readFile(t, dir, "tenants/acme.yaml")
	writeFile(t, dir, "tenants/acme.yaml", strings.Replace(acme, "prefixes: [from-operator/]", "prefixes: ["+many.String()+"from-operator/x/]", 1))
	got := carnet(t, dir, "", "catalog", "lint")
	if got.code() != exitFound {
		t.Errorf("it ended with %d: %v", got.code(), got.err)
	}
	for _, want := range []string{
		`tenants/broken.yaml:2: the file has no key "colour"`,
		"tenants/broken.yaml:4: destination x has no role",
		"tenants/Loud.yaml: is never read",
		"tenants/short.yml: is never read: name it short.yaml",
		"tenants/globex.yaml:4: carnet-t-acme@operator-prod.iam.gserviceaccount.com is in the file of tenant acme too (tenants/acme.yaml:7)",
		"the external_id 3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40 stands at tenants/acme.yaml:17 too",
		"arn:aws:iam::999988887777:role/acme-marts is in the file of tenant acme too",
		"destination lake: 41 prefixes make a session policy of",
		"tenants/itself.yaml:3: arn:aws:iam::111122223333:role/carnet-f-vend is the runtime itself",
		"tenants/noone.yaml:3: arn:aws:iam::111122223333:role/carnet-no-one is nobody",
		"tenants/unheard.yaml:5: sync-worker@operator-prod.iam.gserviceaccount.com cannot call: carnet.yaml says no google_audience",
		"tenants/unheard.yaml:6: job cannot call: its issuer https://tokens.example.com/ is none of carnet.yaml's",
	} {
		if !strings.Contains(got.out, want) {
			t.Errorf("it does not say %q:\n%s", want, got.out)
		}
	}
	var said struct{ Problems []jsonProblem }
	if asJSON := carnet(t, dir, "", "catalog", "lint", "--json"); json.Unmarshal([]byte(asJSON.out), &said) != nil || len(said.Problems) != strings.Count(got.out, "\n") || asJSON.code() != exitFound {
		t.Errorf("as JSON: %s", asJSON.out)
	}
}

func TestListAndSchema(t *testing.T) {
	dir := sampleCatalog(t)
	var rows []listed
	got := carnet(t, dir, "", "catalog", "list", "globex", "--json")
	if err := json.Unmarshal([]byte(got.out), &rows); err != nil || len(rows) < 5 || len(rows[0].Ways) != 2 {
		t.Errorf("%v: %s", err, got.out)
	}
	if got := carnet(t, dir, "", "catalog", "list"); !strings.Contains(got.out, "aws:carnet-f-vend → aws:carnet-t-acme → gcp:carnet-t-acme → gcp:acme-share") || strings.Contains(got.out, "\x1b") {
		t.Error(got.out)
	}
	for _, which := range []string{"tenant", "operator"} {
		if got := carnet(t, dir, "", "catalog", "schema", which); !json.Valid([]byte(got.out)) || got.err != nil {
			t.Errorf("%s: %v", which, got.err)
		}
	}
	if got := carnet(t, dir, "", "catalog", "schema", "house"); got.err == nil {
		t.Error("there is a schema of a house")
	}
}

func TestCompletion(t *testing.T) {
	dir := sampleCatalog(t)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"trust", ""}, "acme/lake"},
		{[]string{"vend", ""}, "globex/drop"},
		{[]string{"vend", "acme/lake", "--format", ""}, "env"},
		{[]string{"check", ""}, "acme/lake"},
		{[]string{"catalog", "disable", ""}, "globex\n"},
		{[]string{"trust", "acme/lake", "--as", ""}, "cloudformation"},
		{[]string{"catalog", "rotate", "--catalog", dir, "a"}, "acme/frost"},
	} {
		if got := carnet(t, dir, "", append([]string{"__complete"}, c.args...)...); !strings.Contains(got.out, c.want) {
			t.Errorf("%v completes to %q", c.args, got.out)
		}
	}
	if got := carnet(t, "", "", "__complete", "trust", ""); strings.Contains(got.out, "acme") {
		t.Error("without a catalog it completes names all the same")
	}
}

func TestTrustRefuses(t *testing.T) {
	dir := sampleCatalog(t)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"it has acme, globex", []string{"trust", "umbrella/lake"}},
		{"it has drop, frost", []string{"trust", "acme/nothing"}},
		{"write third-party, tenant or operator", []string{"trust", "acme/lake", "--for", "nobody"}},
		{"write --as json", []string{"trust", "acme/lake", "--as", "gcloud"}},
		{"write --as gcloud", []string{"trust", "acme/drop", "--as", "cloudformation"}},
		{"write --as gcloud", []string{"trust", "acme/drop", "--as", "sql"}},
		{"write json, terraform", []string{"trust", "acme/lake", "--as", "yaml"}},
		{"write aws, gcp or both", []string{"trust", "acme/lake", "--runtime", "azure"}},
		{"about 21 digits", []string{"trust", "acme/lake", "--google-subject", "somebody"}},
		{"--for operator", []string{"trust", "acme/lake", "--for", "tenant"}},
		{"TENANT/DESTINATION", []string{"trust", "acme"}},
		{"is a bucket", []string{"trust", "acme/lake", "--catalog", "s3://bucket"}},
		{"for the role of", []string{"trust", "acme/drop", "--document", "trust"}},
	} {
		got := carnet(t, dir, "", c.args...)
		if got.err == nil || !strings.Contains(got.err.Error(), c.says) || got.code() != 1 || got.out != "" {
			t.Errorf("%v: code %d: %v", c.args, got.code(), got.err)
		}
	}
}

func TestTrustSaysWhatIsMissing(t *testing.T) {
	dir := sampleCatalog(t)
	got := carnet(t, dir, "", "trust", "globex/marts", "--as", "cloudformation")
	var own exitError
	if !errors.As(got.err, &own) || got.code() != exitPlaceholder {
		t.Errorf("it ended with %d: %v", got.code(), got.err)
	}
	for _, want := range []string{"NUMERIC-ID-OF-carnet-t-globex", "ID-OF-WORKGROUP-globex-wg", "gcloud iam service-accounts describe", "aws redshift-serverless get-workgroup"} {
		if !strings.Contains(got.out, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	got = carnet(t, dir, "", "trust", "globex/marts", "--document", "trust", "--google-subject", "100000000000000000003", "--workgroup-id", "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f")
	if got.err != nil || !json.Valid([]byte(got.out)) || strings.Contains(got.out, "NUMERIC") {
		t.Errorf("%v\n%s", got.err, got.out)
	}
}

// TestTrustNamesTheModulesInputs: every input that is printed is a variable of the module,
// and every variable without a default is printed.
func TestTrustNamesTheModulesInputs(t *testing.T) {
	dir := sampleCatalog(t)
	variable := regexp.MustCompile(`(?m)^variable "(\w+)" \{\n((?:  .*\n|\n)*)\}`)
	for _, tenant := range []string{"acme", "globex"} {
		for name := range parsed(t, dir, tenant).Destinations {
			for _, owner := range []string{"third-party", "operator"} {
				got := carnet(t, dir, "", "trust", tenant+"/"+name, "--for", owner, "--as", "terraform")
				blocks := regexp.MustCompile(`(?s)module "\w+" \{\n.*?\n\}\n`).FindAllString(got.out, -1)
				if len(blocks) == 0 {
					t.Errorf("%s/%s for the %s: %v\n%s", tenant, name, owner, got.err, got.out)
				}
				for _, block := range blocks {
					inputs := map[string]bool{}
					for _, m := range regexp.MustCompile(`(?m)^  (\w+) += (.*)$`).FindAllStringSubmatch(block, -1) {
						inputs[m[1]] = true
					}
					module := regexp.MustCompile(`source +\= "\./terraform/modules/([a-z0-9-]+)"`).FindStringSubmatch(block)[1]
					text, err := os.ReadFile("../../terraform/modules/" + module + "/variables.tf")
					if err != nil {
						t.Fatal(err)
					}
					delete(inputs, "source")
					for _, v := range variable.FindAllStringSubmatch(string(text), -1) {
						if !inputs[v[1]] && !strings.Contains(v[2], "  default ") {
							t.Errorf("%s/%s: module %s needs %s:\n%s", tenant, name, module, v[1], block)
						}
						delete(inputs, v[1])
					}
					if len(inputs) > 0 {
						t.Errorf("%s/%s: module %s has no %v", tenant, name, module, inputs)
					}
				}
			}
		}
	}
}
