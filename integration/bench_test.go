package integration

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// The benchmarks of this folder hold carnet against what a user would otherwise assemble,
// each used as its own documentation says, on the same lab in the same run. scripts/bench
// prints them as one table.

// A chain is who asks, as whom, for what kind of place, of the sample's tenant acme.
type chain struct{ runtime, tenant, to string }

func (c chain) String() string {
	return fmt.Sprintf("runtime=%s/tenant=%s/to=%s", c.runtime, c.tenant, c.to)
}

// acmes are acme's destinations, by kind.
func acmes() map[string]string {
	return map[string]string{"S3": "lake", "Redshift": "marts", "GCS": "drop", "BigQuery": "warehouse", "Snowflake": "frost"}
}

// threeHosts is the chain that most libraries can walk: a Lambda's role, the tenant's, and the
// customer's service account.
func threeHosts() chain { return chain{"aws", "aws", "BigQuery"} }

// only is the sample with acme's identity on one cloud alone, so that everybody walks the
// same chain.
func only(t testing.TB, cloud string) (*lab.Lab, string) {
	l, dir := startSample(t)
	other := "  gcp:\n    service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com\n"
	if cloud == "gcp" {
		other = "  aws:\n    role: " + tenant + "\n    external_id: " + tenantsID + "\n"
	}
	change(t, dir, "acme", other, "")
	return l, dir
}

func onlyRole(t testing.TB) (*lab.Lab, string) { return only(t, "aws") }

func BenchmarkCold(b *testing.B) {
	for _, tenant := range []string{"aws", "gcp"} {
		l, dir := only(b, tenant)
		for _, runtime := range []string{"aws", "gcp"} {
			for _, to := range []string{"S3", "Redshift", "GCS", "BigQuery", "Snowflake"} {
				c := chain{runtime, tenant, to}
				for _, rtt := range []time.Duration{0, 20 * time.Millisecond} {
					for _, who := range contestants(c, dir) {
						b.Run(fmt.Sprintf("%s/rtt=%s/by=%s", c, rtt, who.name), func(b *testing.B) { cold(b, l, c, rtt, who) })
					}
				}
			}
		}
	}
}

// cold asks with nothing cached and no connection open, from a machine of its own.
func cold(b *testing.B, l *lab.Lab, c chain, rtt time.Duration, who contestant) {
	l.Far(rtt)
	defer l.Far(0)
	var took []time.Duration
	var trips, opened int
	for b.Loop() {
		s := seatOf(b, l, c.runtime)
		get := who.make(b, s)
		l.Calls()
		had := s.at.Opened()
		began := time.Now()
		if err := get(b.Context()); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(began))
		trips, opened = lab.Trips(l.Calls()), s.at.Opened()-had
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millis(median(took)), "ms/chain")
	b.ReportMetric(float64(trips), "trips")
	b.ReportMetric(float64(opened), "connections")
}

func millis(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// BenchmarkSecond asks once more: for another destination of the same tenant, and for another
// tenant.
func BenchmarkSecond(b *testing.B) {
	l, dir := startSample(b)
	for what, second := range map[string][2]string{"destination": {"acme", "drop"}, "tenant": {"globex", "warehouse"}} {
		for _, runtime := range []string{"aws", "gcp"} {
			b.Run("runtime="+runtime+"/another="+what+"/by=carnet", func(b *testing.B) {
				var trips, opened int
				for b.Loop() {
					s := seatOf(b, l, runtime)
					d := deployed(b, s, runtime, dir, true)
					if _, err := vend(b.Context(), d, "acme", "warehouse"); err != nil {
						b.Fatal(err)
					}
					l.Calls()
					had := s.at.Opened()
					if _, err := vend(b.Context(), d, second[0], second[1]); err != nil {
						b.Fatal(err)
					}
					trips, opened = lab.Trips(l.Calls()), s.at.Opened()-had
				}
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(trips), "trips")
				b.ReportMetric(float64(opened), "connections")
			})
		}
	}
}

// BenchmarkWarm asks for what is kept: the look-up of the tenant's file and the audit record
// are in carnet's, and in nobody else's.
func BenchmarkWarm(b *testing.B) {
	for _, tenant := range []string{"aws", "gcp"} {
		l, dir := only(b, tenant)
		for _, to := range []string{"S3", "Redshift", "GCS", "BigQuery", "Snowflake"} {
			c := chain{tenant, tenant, to}
			for _, who := range contestants(c, dir) {
				if who.name == openedInInit {
					continue
				}
				b.Run(c.String()+"/by="+who.name, func(b *testing.B) {
					again(b, who.make(b, seatOf(b, l, c.runtime)))
				})
			}
		}
	}
}

func again(b *testing.B, get func(context.Context) error) {
	if err := get(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := get(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkColdAllocs counts the allocations of a three-trip chain on the asking side alone:
// answers that were recorded before are played back. carnet's tenant is linked before, which
// the others have nothing like.
func BenchmarkColdAllocs(b *testing.B) {
	l, dir := onlyRole(b)
	for _, who := range contestants(threeHosts(), dir) {
		if who.name == openedInInit {
			continue
		}
		b.Run("by="+who.name, func(b *testing.B) {
			s := seatOf(b, l, "aws")
			tape := &tape{from: s.web.Transport}
			s.web = &http.Client{Transport: tape}
			if err := who.make(b, s)(b.Context()); err != nil {
				b.Fatal(err)
			}
			tape.from = nil
			if who.name == "carnet" {
				who.make = linked(threeHosts(), dir)
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				get := who.make(b, s)
				b.StartTimer()
				if err := get(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// linked is carnet with the tenant's file read already, and nothing opened ahead.
func linked(c chain, dir string) func(testing.TB, seat) func(context.Context) error {
	return func(t testing.TB, s seat) func(context.Context) error {
		d := deployed(t, s, c.runtime, dir, false)
		if _, err := d.Broker.Tenants.Tenant(context.Background(), "acme"); err != nil {
			t.Fatal(err)
		}
		return asksFor(d, c, 0)
	}
}

// BenchmarkKept looks up a cached credential: who may ask, and what is kept, before the
// audit record and the encoding.
func BenchmarkKept(b *testing.B) {
	l, dir := onlyRole(b)
	found, err := deployed(b, seatOf(b, l, "aws"), "aws", dir, false).Broker.Tenants.Tenant(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	who := exchange.Caller{Issuer: "aws", Subject: workerARN}
	req := exchange.Request{Caller: who, Tenant: "acme", Destination: "lake", MinTTL: exchange.DefaultMinTTL}
	again(b, func(ctx context.Context) error {
		if !found.Allows(who, "lake") {
			return exchange.ErrDenied
		}
		_, err := found.Destinations["lake"].Vend(ctx, req)
		return err
	})
}

const workerARN = "arn:aws:iam::111122223333:role/sync-worker"

// deployed is carnet as a function on the runtime's cloud.
func deployed(t testing.TB, s seat, runtime, dir string, ahead bool) *deployment.Deployment {
	c := deployment.Config{Catalog: dir, Runtime: runtime, Audit: io.Discard, Ahead: ahead, HTTP: s.web, Google: lab.Tokens{HTTP: s.web}}
	if runtime == "aws" {
		c.Credentials = fromLambda(t, s.lab)
	}
	d, err := deployment.New(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func median(all []time.Duration) time.Duration { return percentile(all, 50) }

func percentile(all []time.Duration, n int) time.Duration {
	slices.Sort(all)
	return all[min(len(all)*n/100, len(all)-1)]
}
