package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	googleplatform "carnet.dev/carnet/shared/exchange/gcpid/platform"
	"carnet.dev/carnet/shared/mend"
)

// A named destination.
type named struct{ tenant, destination string }

func (n named) String() string { return n.tenant + "/" + n.destination }

// A looked is what was found of one destination, and what mends it.
type looked struct {
	check.Report
	Said    string        `json:"said,omitempty"` // the cloud's own words
	Changes []mend.Change `json:"changes,omitempty"`
	Problem string        `json:"problem,omitempty"` // why it was not checked
	Note    string        `json:"note,omitempty"`
}

func (l *looked) name() named { return named{l.Tenant, l.Destination} }

// A looker goes along chains: this process, or a deployment elsewhere.
type looker interface {
	// tenants lists the tenants that there are.
	tenants(context.Context) ([]string, error)
	// tenant reads a tenant's file.
	tenant(ctx context.Context, name string) (*catalog.Tenant, error)
	// look fills in what was found of the destination that l names.
	look(ctx context.Context, l *looked, probe bool) error
}

func (o *checkOptions) looker(cmd *cobra.Command) (looker, error) {
	if o.url != "" {
		return o.there(cmd.Context())
	}
	return o.here(cmd)
}

// picked lists the destinations that arguments name, or all.
func picked(ctx context.Context, from looker, args []string) ([]named, error) {
	if len(args) == 0 {
		var err error
		if args, err = from.tenants(ctx); err != nil {
			return nil, err
		}
	}
	var list []named
	for _, arg := range args {
		tenant, dest, err := tenantArg(arg)
		if err != nil {
			return nil, err
		}
		all := []string{dest}
		if dest == "" {
			t, err := from.tenant(ctx, tenant)
			if err != nil {
				return nil, err
			}
			all = slices.Sorted(maps.Keys(t.Destinations))
		}
		for _, d := range all {
			list = append(list, named{tenant, d})
		}
	}
	if len(list) == 0 {
		return nil, errors.New("the catalog has no destination: `carnet catalog add` writes one")
	}
	return list, nil
}

// here checks as this process.
type here struct {
	*deployment.Deployment
	catalog string
}

func (o *checkOptions) here(cmd *cobra.Command) (looker, error) {
	config, err := deployment.FromEnv()
	if err != nil {
		return nil, err
	}
	config.Catalog = cmp.Or(o.catalog, config.Catalog)
	config.Runtime = cmp.Or(o.runtime, config.Runtime)
	// No audit records are kept: what a person checks by hand is on the screen.
	config.Audit, config.Platform, config.Google = io.Discard, platform.Credentials, googleplatform.Metadata{}
	d, err := deployment.New(cmd.Context(), config)
	return here{d, config.Catalog}, err
}

func (h here) tenants(ctx context.Context) ([]string, error) { return h.Schedule.List(ctx) }

func (h here) tenant(ctx context.Context, name string) (*catalog.Tenant, error) {
	t, err := h.Check.Tenant(ctx, name)
	if errors.Is(err, exchange.ErrNoTenant) {
		return nil, fmt.Errorf("the catalog has no tenant %q: `carnet catalog list` shows what it has", name)
	}
	return t, err
}

func (h here) look(ctx context.Context, l *looked, probe bool) error {
	t, err := h.tenant(ctx, l.Tenant)
	if err != nil {
		return err
	}
	if d := t.Destinations[l.Destination]; d != nil && (t.Disabled || d.Disabled) {
		l.Outcome = check.NotInService
		return nil
	}
	r, err := h.Check.Check(ctx, exchange.Request{Caller: exchange.Console, Tenant: l.Tenant, Destination: l.Destination}, probe)
	switch {
	case errors.Is(err, exchange.ErrDenied):
		return fmt.Errorf("tenant %s has no destination %q: it has %s", l.Tenant, l.Destination, strings.Join(slices.Sorted(maps.Keys(t.Destinations)), ", "))
	case err != nil:
		return err
	}
	l.Report = r
	if e := r.Err(); e != nil {
		l.Said = e.Error()
	}
	if broke := r.Broke(); broke != nil && broke.Err != nil {
		l.Said = broke.Err.Error()
	}
	l.mend(mend.Mender{Kinds: apply.All(), Operator: h.Operator, Tenant: t}, func() map[string]string {
		ids, _ := lookUp(ctx, h.catalog, t) // what cannot be looked up keeps its placeholder
		return ids
	})
	return nil
}

// mend adds the changes. Ids that the catalog does not have are asked for only where one is
// needed.
func (l *looked) mend(m mend.Mender, ids func() map[string]string) {
	l.Changes = m.Changes(l.Report)
	wants := func(c mend.Change) bool { return len(c.Missing) > 0 }
	if !slices.ContainsFunc(l.Changes, wants) {
		return
	}
	if m.Facts.Subjects = ids(); len(m.Facts.Subjects) > 0 {
		l.Changes = m.Changes(l.Report)
	}
}
