// Package bigquery is the kind of place bigquery: a dataset, which a service account of the
// customer's may use.
//
// Google has no access boundary for BigQuery, and no scope with which a token can query and no
// more. What bounds a token is the account, which must be granted that one dataset and nothing else.
package bigquery

import (
	"fmt"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// Name is the kind's in files.
const Name = "bigquery"

// Kind returns the kind.
func Kind() destination.Kind {
	return destination.Kind{Kind: catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys}}
}

// A Place is a dataset and the service account that may use it.
type Place struct {
	Account catalog.ServiceAccount
	Project string
	Dataset string
	Access  exchange.Access
}

func placeKeys() keys.Set {
	return keys.Set{
		catalog.AccountAt(func(p *Place) *catalog.ServiceAccount { return &p.Account }),
		keys.Text("project", func(p *Place) *string { return &p.Project }, catalog.Project()).Says("The project of the dataset."),
		keys.Text("dataset", func(p *Place) *string { return &p.Dataset }, dataset()).Says("The dataset."),
		catalog.AccessKey(func(p *Place) *exchange.Access { return &p.Access }).Or(string(exchange.ReadWrite)),
	}
}

// https://cloud.google.com/bigquery/docs/datasets#dataset-naming
func dataset() keys.Grammar {
	return keys.Grammar{Name: "a dataset's name", Example: "shared", Pattern: `^[A-Za-z0-9_]+$`, Most: 1024}
}

// About implements [catalog.Place].
func (p *Place) About() catalog.About {
	name := p.Project + "." + p.Dataset
	return catalog.About{Shown: name, Where: name, End: catalog.End{ServiceAccount: &p.Account}, Grant: exchange.Grant{Access: p.Access}, Gives: catalog.Token}
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	place := map[string]string{"project": p.Project, "dataset": p.Dataset}
	return at.Tokens(Name, place, func(grant exchange.Grant) (gcpid.Ask, error) {
		scope, err := p.scope(grant.Access)
		return gcpid.Ask{Scopes: []string{scope}}, err
	}), nil
}

// scope: insertdata streams rows in and does nothing else. Whatever queries needs the whole scope,
// since jobs.insert, which every client's query calls, takes no narrower one, bigquery.readonly
// included. So reading is what the account may do, and no request can narrow to it.
// https://bigquery.googleapis.com/discovery/v1/apis/bigquery/v2/rest
// https://github.com/googleapis/google-cloud-go/issues/4412
func (p *Place) scope(a exchange.Access) (string, error) {
	switch {
	case a == exchange.Write:
		return "https://www.googleapis.com/auth/bigquery.insertdata", nil
	case a == "":
		return "", destination.Nothing(p.Project + "." + p.Dataset)
	case a != p.Access:
		return "", fmt.Errorf("%w: no scope of BigQuery's narrows a token to reading: ask for write, or for no grant", exchange.ErrBadRequest)
	}
	return "https://www.googleapis.com/auth/bigquery", nil
}
