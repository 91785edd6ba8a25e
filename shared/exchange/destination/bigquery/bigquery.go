// Package bigquery is the kind of place bigquery: a dataset, which a service account of the
// customer's may use.
//
// Google has no access boundary for BigQuery. What narrows a token is its scope, and what bounds
// it is the account, which must be granted that one dataset and nothing else.
package bigquery

import (
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
		scopes := scopes(grant.Access)
		if scopes == nil {
			return gcpid.Ask{}, destination.Nothing(p.Project + "." + p.Dataset)
		}
		return gcpid.Ask{Scopes: scopes}, nil
	}), nil
}

// scopes: insertdata streams rows in and does nothing else; load jobs and
// queries that write need read_write.
// https://developers.google.com/identity/protocols/oauth2/scopes#bigquery
func scopes(a exchange.Access) []string {
	switch a {
	case exchange.Read:
		return []string{"https://www.googleapis.com/auth/bigquery.readonly"}
	case exchange.Write:
		return []string{"https://www.googleapis.com/auth/bigquery.insertdata"}
	case exchange.ReadWrite:
		return []string{"https://www.googleapis.com/auth/bigquery"}
	}
	return nil
}
