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
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	from, to := "<!-- keys of "+name+" -->\n", "<!-- end of keys -->"
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
