// Package tour walks every chain of the lab's sample, uses what stands at its end,
// and then tries what must be refused.
//
// It is what `carnet lab` shows, and the proof behind it: each row is one HTTP request of a
// job, through the platform's check of its caller, to the Lambda or the Cloud Function.
package tour

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// A Row is one request and what came of it.
type Row struct {
	Attempt     string   `json:"attempt"` // what was tried, in words
	Runtime     string   `json:"runtime"`
	Tenant      string   `json:"tenant"`
	Destination string   `json:"destination"`
	Kind        string   `json:"kind"`
	Chain       []string `json:"chain"`  // the principals, the runtime's first
	Clouds      []string `json:"clouds"` // of each of them
	Outcome     string   `json:"outcome"`
	Expected    string   `json:"expected"`
	Code        string   `json:"code,omitempty"`
	Edge        string   `json:"edge,omitempty"` // where it broke: FROM → TO
	Owner       string   `json:"owner,omitempty"`
	Used        bool     `json:"used"`         // written to and read from with the credential
	Trips       int      `json:"trips"`        // calls of a cold vend that reached a cloud
	TripsCached int      `json:"trips_cached"` // of the next one, narrowed if its kind can be
	Millis      float64  `json:"millis"`       // of the cold vend
}

// OK tells whether the row came out as it should.
func (r Row) OK() bool {
	return r.Outcome == r.Expected && (r.Outcome == refused || r.Used)
}

const (
	vended  = "vended"
	refused = "refused"
)

// Rows is how many a tour has.
const Rows = 55

// A Tour is a lab with the sample in it, and the catalogs to walk.
type Tour struct {
	lab *lab.Lab
	dir string // of the catalogs: both, aws, gcp
	out io.Writer
}

// New starts the sample's lab. Audit records go to out.
func New(out io.Writer) (*Tour, error) {
	w, err := sample.World()
	if err != nil {
		return nil, err
	}
	return In(w, out)
}

// In starts a lab of another world with the sample's places in it.
func In(w *world.World, out io.Writer) (*Tour, error) {
	dir, err := os.MkdirTemp("", "carnet-lab-")
	if err != nil {
		return nil, err
	}
	t := &Tour{dir: dir, out: out}
	if err := writeCatalogs(dir); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if t.lab, err = lab.Start(w); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return t, nil
}

// Lab is where the tour takes place.
func (t *Tour) Lab() *lab.Lab { return t.lab }

// Catalog is the folder of the sample's catalog as it stands.
func (t *Tour) Catalog() string { return filepath.Join(t.dir, both) }

// Close stops the lab and removes its files.
func (t *Tour) Close() error {
	return errors.Join(t.lab.Close(), os.RemoveAll(t.dir))
}

// Walk calls each with every row: first all chains that can end in a destination,
// then the refusals.
func (t *Tour) Walk(ctx context.Context, each func(Row)) error {
	if err := t.chains(ctx, each); err != nil {
		return err
	}
	return t.refusals(ctx, each)
}

func (t *Tour) chains(ctx context.Context, each func(Row)) error {
	for _, runtime := range []string{"aws", "gcp"} {
		for _, tenant := range Tenants() {
			found, err := t.Tenant(tenant)
			if err != nil {
				return err
			}
			for _, dest := range inOrder(found) {
				if err := t.variants(ctx, runtime, tenant, dest, each); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Tenants are the sample's.
func Tenants() []string { return []string{"acme", "globex"} }

// Tenant reads a tenant's file of the sample as it stands.
func (t *Tour) Tenant(name string) (*catalog.Tenant, error) {
	file := filepath.Join("tenants", name+".yaml")
	text, err := os.ReadFile(filepath.Join(t.Catalog(), file))
	if err != nil {
		return nil, err
	}
	return kinds.All().Catalog().ParseTenant(file, text)
}

// inOrder lists a tenant's destinations, kind by kind.
func inOrder(t *catalog.Tenant) []string {
	names := slices.Collect(maps.Keys(t.Destinations))
	kind := func(name string) int {
		return slices.IndexFunc(kinds.All(), func(k destination.Kind) bool { return k.Name == t.Destinations[name].Kind })
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(kind(a)-kind(b), strings.Compare(a, b)) })
	return names
}

// variants vends through the chains that differ: by both of the tenant's
// identities as the default chain has them, by its role alone, by its account
// alone.
func (t *Tour) variants(ctx context.Context, runtime, tenant, dest string, each func(Row)) error {
	var seen []string
	for _, v := range []string{both, onlyAWS, onlyGCP} {
		d, err := t.deploy(ctx, runtime, filepath.Join(t.dir, v))
		if err != nil {
			return err
		}
		found, err := d.Broker.Tenants.Tenant(ctx, tenant)
		if errors.Is(err, exchange.ErrNoTenant) {
			continue
		}
		if err != nil {
			return err
		}
		place, ok := found.Destinations[dest]
		if !ok || place.Chain() == nil {
			continue // not this tenant's, or not to be reached from this runtime
		}
		way := strings.Join(place.Chain(), " ")
		if slices.Contains(seen, way) {
			continue
		}
		seen = append(seen, way)
		row, err := t.vend(ctx, d, runtime, tenant, dest)
		if err != nil {
			return err
		}
		each(row)
	}
	return nil
}

// vend asks twice: cold, and again; where the kind has a grant that can be narrowed,
// for less, which is minted afresh on the tenant's cached parts.
func (t *Tour) vend(ctx context.Context, d *function, runtime, tenant, dest string) (Row, error) {
	row, err := newRow(ctx, d, runtime, tenant, dest)
	if err != nil {
		return row, err
	}
	req := client.Request{Tenant: tenant, Destination: dest}
	t.lab.Calls()
	start := time.Now()
	cred, err := d.client.Vend(ctx, req)
	row.Millis = float64(time.Since(start).Microseconds()) / 1000
	row.Trips = lab.Trips(t.lab.Calls())
	row.outcome(err, d.last())
	if err != nil {
		return row, nil
	}
	req.Grant = less(row.Kind)
	if _, err := d.client.Vend(ctx, req); err != nil {
		row.outcome(err, d.last())
		return row, nil
	}
	row.TripsCached = lab.Trips(t.lab.Calls())
	if err := t.use(ctx, cred, "from-operator/", "incoming/"); err != nil {
		row.Code = err.Error()
		return row, nil
	}
	row.Used = true
	return row, nil
}

// less is a grant that a kind can narrow to: what a login may do is granted in the database, and
// what a token of BigQuery's may read, on its dataset.
func less(kind string) exchange.Grant {
	switch kind {
	case "s3", "gcs":
		return exchange.Grant{Access: exchange.Read}
	case "bigquery":
		return exchange.Grant{Access: exchange.Write}
	}
	return exchange.Grant{}
}

func newRow(ctx context.Context, d *function, runtime, tenant, dest string) (Row, error) {
	row := Row{Attempt: "vend, write and read", Runtime: runtime, Tenant: tenant, Destination: dest, Expected: vended}
	found, err := d.Broker.Tenants.Tenant(ctx, tenant)
	if err != nil {
		return row, err
	}
	place, ok := found.Destinations[dest]
	if !ok {
		return row, fmt.Errorf("the sample's tenant %s has no destination %s", tenant, dest)
	}
	row.Kind = place.Kind()
	row.through(append([]string{d.Runtime.Principal()}, place.Chain()...))
	return row, nil
}

func (r *Row) through(chain []string) {
	r.Chain = chain
	for _, principal := range chain {
		r.Clouds = append(r.Clouds, cloudOf(principal))
	}
}

func cloudOf(principal string) string {
	if strings.HasPrefix(principal, "arn:") {
		return "aws"
	}
	return "gcp"
}

// outcome fills in what came of it. The caller is told a code and whose job it is; which
// edge broke stands in the function's audit record.
func (r *Row) outcome(err error, record exchange.Record) {
	var no *client.Error
	switch {
	case err == nil:
		r.Outcome = vended
	case errors.As(err, &no) && no.Code == "denied":
		r.Outcome, r.Code = refused, no.Code
	case record.Failed != nil:
		r.Outcome, r.Code, r.Owner = record.Outcome, record.Code, string(record.Owner)
		r.Edge = record.Failed.From + " → " + record.Failed.To
	default:
		r.Outcome, r.Code = "failed", err.Error()
	}
}
