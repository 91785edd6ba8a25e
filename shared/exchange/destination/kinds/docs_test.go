package kinds_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// TestTheDocsListTheKeys: the tables of docs/catalog.md and of each kind's page are what the keys'
// declarations say. UPDATE=1 writes them.
func TestTheDocsListTheKeys(t *testing.T) {
	table(t, "catalog.md", "tenant", kinds.All().Catalog().TenantKeys())
	table(t, "catalog.md", "destination", catalog.CommonKeys())
	table(t, "catalog.md", "carnet", catalog.OperatorKeys())
	for _, kind := range kinds.All() {
		table(t, "destinations/"+kind.Name+".md", kind.Name, kind.Keys())
	}
}

// table holds what stands between two marks of a page against the declaration.
func table(t *testing.T, page, name string, set keys.Set) {
	t.Helper()
	file := filepath.Join("..", "..", "..", "..", "docs", page)
	from, to := "<!-- keys of "+name+" -->\n", "<!-- end of keys -->"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("docs/%s is missing: write it, with the two lines\n%s%s\nand UPDATE=1 writes the table between them", page, from, to)
	}
	before, rest, begins := strings.Cut(string(text), from)
	got, after, ends := strings.Cut(rest, to)
	if !begins || !ends {
		t.Errorf("docs/%s has no table between %q and %q", page, strings.TrimSpace(from), to)
		return
	}
	want := set.Table()
	if os.Getenv("UPDATE") == "1" {
		if err := os.WriteFile(file, []byte(before+from+want+to+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != want {
		t.Errorf("docs/%s: the keys of %s are not what their declaration says: run UPDATE=1 go test ./shared/exchange/destination/kinds", page, name)
	}
}

// TestTheDescriptionListsTheKinds: docs/openapi.yaml names every kind where it names one.
func TestTheDescriptionListsTheKinds(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	want := "kind: {enum: [" + strings.Join(kinds.All().Catalog().Names, ", ") + "]}"
	if named := strings.Count(string(text), "kind: {enum:"); named == 0 || strings.Count(string(text), want) != named {
		t.Errorf("docs/openapi.yaml names other kinds than the list: write %s", want)
	}
}
