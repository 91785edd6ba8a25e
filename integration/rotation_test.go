package integration

import (
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/exchange"
)

const (
	lakesID     = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
	lakesNextID = "0e5b0a52-8a55-4f0a-9d6c-6a1d0e7f1b33"
)

// TestBothExternalIdsWhileOneTakesOver: with both in the file, a role is entered that
// knows the old one, both, or the new one; a role that knows neither is not.
func TestBothExternalIdsWhileOneTakesOver(t *testing.T) {
	for _, runtime := range []string{"aws", "gcp"} {
		for known, enters := range map[string]bool{
			`"` + lakesID + `"`:                           true,
			`["` + lakesID + `","` + lakesNextID + `"]`:   true,
			`"` + lakesNextID + `"`:                       true,
			`"00000000-0000-4000-8000-000000000000"`:      false,
			`["somebody","somebody-else","` + "x0" + `"]`: false,
		} {
			l, dir := labOf(t, knowing(t, known))
			replaceIn(t, dir, "tenants/acme.yaml", "external_id: "+lakesID, "external_id: "+lakesID+"\n    next_external_id: "+lakesNextID)
			d := deploy(t, l, runtime, dir)
			if _, err := vend(t.Context(), d, "acme", "lake"); enters != (err == nil) {
				t.Errorf("on %s, with a role that knows %s: %v", runtime, known, err)
			}
		}
	}
}

// TestTheOldExternalIdIsRemembered: a role that does not know the next one is asked with
// it once, and not at every vend.
func TestTheOldExternalIdIsRemembered(t *testing.T) {
	l, dir := labOf(t, knowing(t, `"`+lakesID+`"`))
	replaceIn(t, dir, "tenants/acme.yaml", "external_id: "+lakesID, "external_id: "+lakesID+"\n    next_external_id: "+lakesNextID)
	d := deploy(t, l, "aws", dir)
	for i, want := range []int{3, 1} { // the tenant's role, the refusal and the entry; then the entry alone
		l.Calls()
		_, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "lake", Fresh: true})
		if err != nil {
			t.Fatal(err)
		}
		if calls := l.Calls(); len(calls) != want {
			t.Errorf("vend %d made %d calls, not %d: %v", i+1, len(calls), want, calls)
		}
	}
}

// knowing is the sample with acme's bucket behind a role that knows these ids.
func knowing(t *testing.T, ids string) *world.World {
	t.Helper()
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	role := w.AWS.Accounts["999988887777"].Roles["acme-share"]
	role.Trust = world.JSON(strings.ReplaceAll(string(role.Trust), `"`+lakesID+`"`, ids))
	return w
}
