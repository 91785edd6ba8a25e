package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// there has a deployment check, and puts names to what it tells from the catalog here.
type there struct {
	client   *client.Client
	catalog  catalogFiles
	operator *catalog.Operator // nil: there is no catalog here
}

func (o *checkOptions) there(ctx context.Context) (looker, error) {
	c, err := o.client()
	if err != nil {
		return nil, err
	}
	t := there{client: c}
	if t.catalog, err = openCatalog(o.catalog); err != nil {
		if o.catalog != "" {
			return nil, err
		}
		return t, nil // names are a help, and no condition
	}
	t.operator, err = t.catalog.operator(ctx)
	return t, err
}

var errNoNames = errors.New("there is no catalog here to list destinations from: name them, as TENANT/DESTINATION, or write --catalog FOLDER")

func (t there) tenants(ctx context.Context) ([]string, error) {
	if t.operator == nil {
		return nil, errNoNames
	}
	return t.catalog.Tenants(ctx)
}

func (t there) tenant(ctx context.Context, name string) (*catalog.Tenant, error) {
	if t.operator == nil {
		return nil, errNoNames
	}
	return t.catalog.tenant(ctx, name)
}

func (t there) look(ctx context.Context, l *looked, probe bool) error {
	text, err := t.client.Check(ctx, l.Tenant, l.Destination, probe)
	if err == nil {
		err = json.Unmarshal(text, &l.Report)
	}
	if err == nil {
		t.name(ctx, l)
	}
	return err
}

// name puts in what a deployment tells nobody, where the catalog here knows it.
func (t there) name(ctx context.Context, l *looked) {
	if t.operator == nil {
		l.Note = "There is no catalog here: names, and what to change, need --catalog. The function's audit record of " + l.RequestID + " has them."
		return
	}
	var names check.Names
	file, err := t.catalog.tenant(ctx, l.Tenant)
	if err == nil {
		names, err = namesOf(t.operator, file, l.Report)
	}
	if err != nil {
		l.Note = "Names, and what to change, are missing: " + err.Error()
		return
	}
	r, ok := l.Named(names, kinds.All())
	if !ok && len(l.Edges) > 0 {
		l.Note = "The deployment goes along another chain than the catalog here has: names, and what to change, are missing."
		return
	}
	l.Report = r
	if l.Finding != nil {
		l.Said = "the function's audit record of " + l.RequestID + " has the cloud's words"
	}
	l.mend(mend.Mender{Kinds: apply.All(), Operator: t.operator, Tenant: file}, func() map[string]string { return nil })
}

// namesOf finds who stands on a chain, from the files alone.
func namesOf(op *catalog.Operator, t *catalog.Tenant, r check.Report) (check.Names, error) {
	d := t.Destinations[r.Destination]
	if d == nil {
		return check.Names{}, fmt.Errorf("the catalog here has no %s/%s", t.Name, r.Destination)
	}
	ways, err := trust.Ways(op, t)
	if err != nil {
		return check.Names{}, err
	}
	for _, w := range ways[r.Destination] {
		if w.Runtime == r.Runtime {
			end := d.End
			n := check.Names{Chain: append(w.Chain, d.Where), Secret: end.Secret, Own: end.User == ""}
			n.Provider = providerOn(op, t, d, n.Chain)
			return n, nil
		}
	}
	return check.Names{}, fmt.Errorf("by the catalog here %s/%s is not reached from %s", t.Name, r.Destination, r.Runtime)
}

// providerOn is the pool's, where a chain goes from a role into an account.
func providerOn(op *catalog.Operator, t *catalog.Tenant, d *catalog.Destination, chain []string) string {
	accounts := []*catalog.ServiceAccount{d.End.ServiceAccount, t.Identities.GCP}
	for _, link := range d.Chain {
		accounts = append(accounts, link.ServiceAccount)
	}
	for i, to := range chain[1:] {
		for _, a := range accounts {
			switch {
			case a == nil || a.Email != to || !strings.HasPrefix(chain[i], "arn:"):
			case a.Provider == "" && len(op.Providers) > 0:
				return op.Providers[0].Name
			default:
				return a.Provider
			}
		}
	}
	return ""
}
