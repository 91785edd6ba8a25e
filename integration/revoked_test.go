package integration

import (
	"errors"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// anew vends what is kept nowhere: the destination's own edge is crossed each time, the edges
// before it where they are not kept.
func anew(t *testing.T, l *lab.Lab, d *deployment.Deployment, destination string) (trips int, err error) {
	t.Helper()
	l.Calls()
	_, err = d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: destination, Fresh: true})
	return lab.Trips(l.Calls()), err
}

// TestASessionThatEndsEarly: a tenant's session that AWS does not know any longer is not shown
// again, and the request that finds out is served.
func TestASessionThatEndsEarly(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	expect := func(when string, want int) {
		t.Helper()
		if trips, err := anew(t, l, d, "lake"); trips != want || err != nil {
			t.Errorf("%s: %d calls, not %d, %v", when, trips, want, err)
		}
	}
	expect("cold", 2)
	expect("with the session kept", 1)
	l.AWS.Anew("arn:aws:iam::111122223333:role/carnet-t-acme")
	expect("with the session gone: refused, entered, crossed", 3)
	expect("and from then on", 1)

	l.AWS.Anew("arn:aws:iam::111122223333:role/carnet-t-acme")
	l.AWS.Anew(function)
	trips, err := anew(t, l, d, "lake")
	var edge *exchange.EdgeError
	if trips != 2 || !errors.As(err, &edge) || edge.Code != "InvalidClientTokenId" || edge.Edge.From != function {
		t.Errorf("with the function's own gone too, there is one try: %d calls, %v", trips, err)
	}
}

// TestATokenThatEndsEarly does the same with Google's: the federated one, and the runtime's own.
func TestATokenThatEndsEarly(t *testing.T) {
	for _, runtime := range []string{"aws", "gcp"} {
		l, dir := startSample(t)
		d := deploy(t, l, runtime, dir)
		if _, err := anew(t, l, d, "warehouse"); err != nil {
			t.Fatal(err)
		}
		kept, err := anew(t, l, d, "warehouse")
		if err != nil {
			t.Error(err)
		}
		l.Google.EndTokens()
		ended, err := anew(t, l, d, "warehouse")
		if err != nil || ended <= kept {
			t.Errorf("%s: with the tokens ended %d calls, with them kept %d, %v", runtime, ended, kept, err)
		}
		if again, err := anew(t, l, d, "warehouse"); again != kept || err != nil {
			t.Errorf("%s: and from then on %d calls, %v", runtime, again, err)
		}
	}
}

// TestARefusalDropsNothing: where a third party does not let a tenant in, what the tenant
// entered with is as good as before.
func TestARefusalDropsNothing(t *testing.T) {
	l, dir := startSample(t)
	swap(t, dir, "acme", "globex")
	d := deploy(t, l, "aws", dir)
	for _, want := range []int{2, 1, 1} {
		trips, err := anew(t, l, d, "lake")
		var edge *exchange.EdgeError
		if trips != want || !errors.As(err, &edge) || edge.Code != "AccessDenied" {
			t.Errorf("%d calls, not %d, %v", trips, want, err)
		}
	}
}
