package integration

import (
	"os"
	"path/filepath"
	"testing"

	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// What the examples ship has to be readable by the exchange as well as by Terraform.
func TestExamplesTenantsParse(t *testing.T) {
	files, err := filepath.Glob("../terraform/examples/*/catalog/tenants/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("found %d tenants, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := kinds.All().Catalog().ParseTenant(file, text); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
