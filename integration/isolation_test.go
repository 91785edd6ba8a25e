package integration

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

func startSample(t testing.TB) (*lab.Lab, string) {
	t.Helper()
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	return labOf(t, w)
}

// labOf is a lab over a world, with a folder of the sample's catalog.
func labOf(t testing.TB, w *world.World) (*lab.Lab, string) {
	t.Helper()
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	return started(t, w), dir
}

// started is a lab over a world, for as long as the test takes.
func started(t testing.TB, w *world.World) *lab.Lab {
	t.Helper()
	l, err := lab.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func deploy(t *testing.T, l *lab.Lab, runtime, dir string) *deployment.Deployment {
	t.Helper()
	d, err := l.Deploy(t.Context(), runtime, dir, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func vend(ctx context.Context, d *deployment.Deployment, tenant, destination string) (*exchange.Credential, error) {
	return d.Broker.Vend(ctx, exchange.Request{Caller: exchange.Console, Tenant: tenant, Destination: destination})
}

// TestCloudsRefuseAnotherTenantsDestination gives each tenant the other's whole list
// of destinations, ExternalIds and all, as a catalog gone wrong would. It is the
// clouds that must refuse.
func TestCloudsRefuseAnotherTenantsDestination(t *testing.T) {
	for _, pair := range [][2]string{{"acme", "globex"}, {"globex", "acme"}} {
		l, dir := startSample(t)
		thief, victim := pair[0], pair[1]
		swap(t, dir, thief, victim)
		for _, runtime := range []string{"aws", "gcp"} {
			d := deploy(t, l, runtime, dir)
			for _, dest := range []string{"lake", "drop", "warehouse"} {
				_, err := vend(t.Context(), d, thief, dest)
				var edge *exchange.EdgeError
				if !errors.As(err, &edge) || edge.Reason != exchange.Refused || edge.Owner != exchange.ThirdParty {
					t.Errorf("on %s, %s asks for %s/%s: %v", runtime, thief, victim, dest, err)
				}
			}
		}
	}
}

// swap keeps a tenant's identities and takes another's destinations.
func swap(t *testing.T, dir, thief, victim string) {
	t.Helper()
	read := func(tenant string) string {
		text, err := os.ReadFile(filepath.Join(dir, "tenants", tenant+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	own, _, _ := strings.Cut(read(thief), "destinations:")
	_, theirs, _ := strings.Cut(read(victim), "destinations:")
	if err := os.WriteFile(filepath.Join(dir, "tenants", thief+".yaml"), []byte(own+"destinations:"+theirs), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestHundredTenantsEnterGoogleOnce: the federated token belongs to the pool's
// provider, one for the identity that enters, however many accounts lie behind.
func TestHundredTenantsEnterGoogleOnce(t *testing.T) {
	l, dir := startSample(t)
	globex, err := os.ReadFile(filepath.Join(dir, "tenants", "globex.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		name := fmt.Sprintf("globex-%d", i)
		text := bytes.Replace(globex, []byte("tenant: globex"), []byte("tenant: "+name), 1)
		if err := os.WriteFile(filepath.Join(dir, "tenants", name+".yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := deploy(t, l, "aws", dir)
	for i := range 100 {
		if _, err := vend(t.Context(), d, fmt.Sprintf("globex-%d", i), "warehouse"); err != nil {
			t.Fatal(err)
		}
	}
	ops := map[string]int{}
	for _, c := range l.Calls() {
		ops[c.Op]++
	}
	if ops["sts.token"] != 1 || ops["iamcredentials.generateAccessToken"] != 100 {
		t.Errorf("100 tenants made these calls: %v", ops)
	}
}

// TestSecondAskIsServedFromTheCache, and leaves a record that says so.
func TestSecondAskIsServedFromTheCache(t *testing.T) {
	l, dir := startSample(t)
	var audit bytes.Buffer
	d, err := l.Deploy(t.Context(), "aws", dir, &audit)
	if err != nil {
		t.Fatal(err)
	}
	first, err := vend(t.Context(), d, "acme", "lake")
	if err != nil {
		t.Fatal(err)
	}
	l.Calls()
	second, err := vend(t.Context(), d, "acme", "lake")
	if err != nil || second.Digest() != first.Digest() {
		t.Errorf("the second ask got another credential: %v", err)
	}
	if calls := l.Calls(); len(calls) != 0 {
		t.Errorf("the second ask made calls: %v", calls)
	}
	lines := strings.Split(strings.TrimSpace(audit.String()), "\n")
	if strings.Contains(lines[0], `"cached":true`) || !strings.Contains(lines[1], `"cached":true`) {
		t.Errorf("the records do not tell the cached vend from the fresh one:\n%s", audit.String())
	}
}

// TestFileChangeTakesEffect: what was cached for a tenant is gone with its file.
func TestFileChangeTakesEffect(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	if _, err := vend(t.Context(), d, "acme", "lake"); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "tenants", "acme.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte("disabled: true\n"), text...), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := vend(t.Context(), d, "acme", "lake"); !errors.Is(err, exchange.ErrDenied) {
		t.Errorf("a disabled tenant is still served: %v", err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if _, err := vend(t.Context(), d, "acme", "lake"); !errors.Is(err, exchange.ErrDenied) {
		t.Errorf("a tenant whose file is gone is still served: %v", err)
	}
}
