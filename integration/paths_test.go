// Package integration holds the tests that need the lab: a path is a text file of the catalog,
// the request, the conversation with the clouds, the answer and the audit record; the others
// attack, break, measure and use what was vended with the vendors' own clients.
package integration

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

	"go.yaml.in/yaml/v3"
	"golang.org/x/tools/txtar"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/exchange"
)

// TestPaths shows whole paths. Each file in testdata/paths is one: what is asked of
// whom (request), what differs from the sample's world and catalog, and then what
// was said to the clouds, what came back, and what was written down.
//
// With UPDATE=1 in the environment the last three are written instead of compared.
func TestPaths(t *testing.T) {
	files, err := filepath.Glob("testdata/paths/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no paths: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { testPath(t, file) })
	}
}

func testPath(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l, dir := setUp(t, archive)
	got := ask(t, l, dir, section(archive, "request"))
	if os.Getenv("UPDATE") == "1" {
		rewrite(t, file, archive, got)
		return
	}
	for _, f := range got {
		if want := section(archive, f.Name); want != string(f.Data) {
			t.Errorf("%s is\n%s\nand should be\n%s", f.Name, f.Data, want)
		}
	}
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

func rewrite(t *testing.T, file string, a *txtar.Archive, got []txtar.File) {
	var kept []txtar.File
	for _, f := range a.Files {
		switch f.Name {
		case "conversation", "answer", "audit":
		default:
			kept = append(kept, f)
		}
	}
	a.Files = append(kept, got...)
	if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
		t.Fatal(err)
	}
}

// setUp starts the sample's lab with the archive's changes: a world section is laid
// over the sample's, catalog/… files replace or join the catalog's.
func setUp(t *testing.T, a *txtar.Archive) (*lab.Lab, string) {
	t.Helper()
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "catalog/"); ok {
			if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return started(t, worldWith(t, section(a, "world"))), dir
}

func worldWith(t testing.TB, changes string) *world.World {
	t.Helper()
	text, err := sample.WorldYAML()
	if err != nil {
		t.Fatal(err)
	}
	var base, over map[string]any
	if err := errors.Join(yaml.Unmarshal(text, &base), yaml.Unmarshal([]byte(changes), &over)); err != nil {
		t.Fatal(err)
	}
	merged, err := yaml.Marshal(overlay(base, over))
	if err != nil {
		t.Fatal(err)
	}
	return keyed(t, merged)
}

// overlay lays one mapping over another; what is no mapping replaces, and null takes out.
func overlay(base, over map[string]any) map[string]any {
	for k, v := range over {
		if v == nil {
			delete(base, k)
			continue
		}
		below, isMap := base[k].(map[string]any)
		above, same := v.(map[string]any)
		if isMap && same {
			base[k] = overlay(below, above)
		} else {
			base[k] = v
		}
	}
	return base
}

func ask(t *testing.T, l *lab.Lab, dir, request string) []txtar.File {
	t.Helper()
	var asked struct {
		Runtime, Tenant, Destination string
		Grant                        exchange.Grant
		MinTTL                       string `yaml:"min_ttl"`
	}
	if err := yaml.Unmarshal([]byte(request), &asked); err != nil {
		t.Fatal(err)
	}
	var audit bytes.Buffer
	d, err := l.Deploy(t.Context(), asked.Runtime, dir, &audit)
	if err != nil {
		t.Fatal(err)
	}
	cred, err := d.Broker.Vend(t.Context(), exchange.Request{
		ID: "REQUEST", Caller: exchange.Console, Tenant: asked.Tenant, Destination: asked.Destination, Grant: asked.Grant,
	})
	var conversation strings.Builder
	for _, c := range l.Calls() {
		fmt.Fprintf(&conversation, "%d  %-32s  %s\n", c.Status, c.Host, c.Op)
	}
	return []txtar.File{
		{Name: "conversation", Data: []byte(conversation.String())},
		{Name: "answer", Data: []byte(stable(answer(cred, err)))},
		{Name: "audit", Data: []byte(stable(indented(t, audit.Bytes())))},
	}
}

func answer(c *exchange.Credential, err error) string {
	if err != nil {
		return err.Error() + "\n"
	}
	what := "a login"
	switch {
	case c.Session != nil:
		what = "an AWS session of account " + c.Session.AccountID
	case c.Token != nil:
		what = "a Google access token for " + strings.Join(c.Token.Scopes, " ")
	}
	return fmt.Sprintf("%s, as %s\n", what, c.Principal)
}

func indented(t *testing.T, line []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, line, "", "  "); err != nil {
		t.Fatalf("the record is no JSON: %v: %s", err, line)
	}
	return b.String()
}

// stable replaces what differs from run to run by what it is.
func stable(s string) string {
	for _, r := range [][2]string{
		{`\b[A-Z2-7]{20}\b`, "MINT"},
		{`"request_id": "(?:[0-9a-f-]{36}|[A-Z2-7]{26})"`, `"request_id": "UPSTREAM"`},
		{`\b[0-9a-f]{64}\b`, "SHA256"},
		{`\b20\d{6}T\d{6}Z\b`, "TIME"},
		{`\b1[78]\d{8}\b`, "TIME"},
		{`RSA_PUBLIC_KEY = '[^']+'`, "RSA_PUBLIC_KEY = 'KEY'"},
		{`\b20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z`, "TIME"},
	} {
		s = regexp.MustCompile(r[0]).ReplaceAllString(s, r[1])
	}
	return s
}
