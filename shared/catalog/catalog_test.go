package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob("testdata/" + dir + "/*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no files: %v", err)
	}
	texts := map[string][]byte{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = text
	}
	return texts
}

func schema(t *testing.T, text []byte, err error) *jsonschema.Schema {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asJSON is what an editor's schema sees of a YAML file. A bare date is a string to
// it, as YAML 1.2 has it.
func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var n yaml.Node
	if err := yaml.Unmarshal(text, &n); err != nil {
		t.Fatal(err)
	}
	undate(&n)
	var v any
	if err := n.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func undate(n *yaml.Node) {
	if n.Tag == "!!timestamp" {
		n.Tag = "!!str"
	}
	for _, c := range n.Content {
		undate(c)
	}
}

func TestGoodFiles(t *testing.T) {
	s, err := kinds.All().Catalog().TenantSchema()
	validator := schema(t, s, err)
	for name, text := range files(t, "good") {
		if _, err := kinds.All().Catalog().ParseTenant(name, text); err != nil {
			t.Errorf("the parser refuses it: %v", err)
		}
		if err := validator.Validate(asJSON(t, text)); err != nil {
			t.Errorf("%s: the schema refuses it: %v", name, err)
		}
	}
}

// TestBadFiles: each file's first line says what the parser must say of it, with a
// line number; the schema must refuse it too, unless the second says that it cannot.
func TestBadFiles(t *testing.T) {
	s, err := kinds.All().Catalog().TenantSchema()
	validator := schema(t, s, err)
	for name, text := range files(t, "bad") {
		first, rest, _ := strings.Cut(string(text), "\n")
		want := strings.TrimPrefix(first, "# want: ")
		_, err := kinds.All().Catalog().ParseTenant(name, text)
		var problems catalog.Problems
		if !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the parser says %v and should say %q", name, err, want)
			continue
		}
		for _, p := range problems {
			if p.Line == 0 || p.File != name {
				t.Errorf("%s: a problem without its place: %v", name, p)
			}
		}
		if strings.HasPrefix(rest, "# no schema can see this") {
			continue
		}
		if validator.Validate(asJSON(t, text)) == nil {
			t.Errorf("%s: the schema takes what the parser refuses", name)
		}
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := kinds.All().Catalog().ParseTenant("tenants/acme.yaml", []byte("tenant: acme\nidentites: {}\ndestinations:\n  lake: {kind: s3, bucket: X}\n"))
	var problems catalog.Problems
	if !errors.As(err, &problems) || len(problems) < 6 {
		t.Errorf("not all problems of the file are told: %v", err)
	}
}

func TestOperatorFile(t *testing.T) {
	good := "runtime: {aws: {role: \"arn:aws:iam::111122223333:role/f\", region: eu-west-1}}\nproviders:\n  - {name: //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/prov, kind: oidc, account: \"111122223333\"}\nissuers:\n  - {issuer: https://token.actions.githubusercontent.com, audience: carnet}\n"
	s, err := catalog.OperatorSchema()
	validator := schema(t, s, err)
	if _, err := catalog.ParseOperator("carnet.yaml", []byte(good)); err != nil {
		t.Error(err)
	}
	if err := validator.Validate(asJSON(t, []byte(good))); err != nil {
		t.Error(err)
	}
	for change, want := range map[string]string{
		"account: 111122223333":           "account is a number",
		"kind: azure":                     "write aws or oidc",
		"issuer: http://insecure.example": "is not an issuer's https URL",
		"role: \"carnet\"":                "is not the ARN of a role",
	} {
		key, _, _ := strings.Cut(change, ":")
		bad := replaceValue(good, key, change)
		if _, err := catalog.ParseOperator("carnet.yaml", []byte(bad)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
		if validator.Validate(asJSON(t, []byte(bad))) == nil {
			t.Errorf("%s: the schema takes it", change)
		}
	}
}

func TestAnIssuerStandsOnce(t *testing.T) {
	_, err := catalog.ParseOperator("carnet.yaml", []byte("runtime: {gcp: {service_account: carnet-f-vend@operator-prod.iam.gserviceaccount.com}}\nissuers:\n  - {issuer: https://a.example, audience: one}\n  - {issuer: https://a.example, audience: two}\n"))
	if err == nil || !strings.Contains(err.Error(), "carnet.yaml:4: the issuer https://a.example stands here twice") {
		t.Error(err)
	}
}

// replaceValue changes `key: value` inside a flow mapping.
func replaceValue(text, key, change string) string {
	before, rest, _ := strings.Cut(text, key+": ")
	end := strings.IndexAny(rest, ",}")
	return before + change + rest[end:]
}

func TestAFolderTellsWhatHasChanged(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "acme.yaml")
	write := func(text string) {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	folder := catalog.Folder{Dir: dir}
	write("a")
	_, version, err := folder.Read(t.Context(), "acme.yaml")
	if err != nil || !folder.Unchanged("acme.yaml", version) {
		t.Errorf("untouched: changed, %v", err)
	}
	if write("ab"); folder.Unchanged("acme.yaml", version) {
		t.Error("longer: unchanged")
	}
	if os.Remove(name); folder.Unchanged("acme.yaml", version) {
		t.Error("gone: unchanged")
	}
}

func TestFolderStaysInside(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.yaml")
	inside := filepath.Join(dir, "catalog")
	if err := errors.Join(os.Mkdir(inside, 0o700), os.WriteFile(secret, []byte("x"), 0o600), os.Symlink(secret, filepath.Join(inside, "link.yaml"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../secret.yaml", "link.yaml", secret} {
		if text, _, err := (catalog.Folder{Dir: inside}).Read(t.Context(), name); err == nil {
			t.Errorf("%s was read: %s", name, text)
		}
	}
	if _, _, err := (catalog.Folder{Dir: inside}).Read(t.Context(), "none.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// FuzzParseTenant: nothing panics, and whatever is taken names nothing that could
// become syntax.
func FuzzParseTenant(f *testing.F) {
	for _, dir := range []string{"good", "bad"} {
		names, _ := filepath.Glob("testdata/" + dir + "/*.yaml")
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		tenant, err := kinds.All().Catalog().ParseTenant("", text)
		if err != nil {
			return
		}
		if !catalog.ValidName(tenant.Name) {
			t.Errorf("tenant %q", tenant.Name)
		}
		for name, d := range tenant.Destinations {
			for _, p := range d.Grant.Prefixes {
				if strings.ContainsAny(p, "*?$'\"\\") || p != "" && !strings.HasSuffix(p, "/") {
					t.Errorf("destination %s has the prefix %q", name, p)
				}
			}
		}
	})
}

// FuzzParseOperator: whatever stands in carnet.yaml is refused, or names only what is what it
// says.
func FuzzParseOperator(f *testing.F) {
	for _, text := range []string{
		"region: eu-west-1\nruntime:\n  aws: {role: arn:aws:iam::111122223333:role/f}\n",
		"region: eu-west-1\nproviders:\n  - {name: //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q, kind: aws, account: \"111122223333\"}\n",
		"google_audience: https://carnet\nissuers:\n  - {issuer: https://issuer.example, audience: carnet}\n",
		"a: &a [*a]\n", "region: [\n", "REGION: x\nregion: y\n", "",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		op, err := catalog.ParseOperator("carnet.yaml", text)
		if err != nil {
			return
		}
		for _, i := range op.Issuers {
			if u, err := url.Parse(i.URL); err != nil || u.Scheme != "https" || u.Host == "" || i.Audience == "" {
				t.Errorf("issuer %q for %q", i.URL, i.Audience)
			}
		}
		for _, p := range op.Providers {
			if !strings.HasPrefix(p.Name, "//iam.googleapis.com/projects/") {
				t.Errorf("provider %q", p.Name)
			}
		}
	})
}

// BenchmarkLookUp: one file is read, however many there are.
func BenchmarkLookUp(b *testing.B) {
	for _, n := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			folder := fill(b, n)
			for b.Loop() {
				if _, _, err := folder.Read(context.Background(), "tenants/t-42.yaml"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func fill(b *testing.B, n int) catalog.Folder {
	dir := b.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "tenants"), 0o700); err != nil {
		b.Fatal(err)
	}
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, "tenants", fmt.Sprintf("t-%d.yaml", i)), fmt.Appendf(nil, "tenant: t-%d\n", i), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	return catalog.Folder{Dir: dir}
}

// TestPublishedSchemas: docs/schema has what the parser's rules make. UPDATE=1
// writes it.
func TestPublishedSchemas(t *testing.T) {
	for name, make := range map[string]func() ([]byte, error){"tenant": kinds.All().Catalog().TenantSchema, "carnet": catalog.OperatorSchema} {
		file := "../../docs/schema/" + name + ".schema.json"
		want, err := make()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, '\n')
		if os.Getenv("UPDATE") == "1" {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what the rules make: run UPDATE=1 go test ./shared/catalog (%v)", file, err)
		}
	}
}
