// Package apply writes what the owner of a dataset of BigQuery applies. It is for people: no
// function links it.
package apply

import (
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/bigquery"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Kind returns the kind's part for people.
func Kind() mend.Kind { return mend.Kind{Kind: trust.Kind{Apply: bindings, Module: module}} }

// bindings: Google has no boundary for BigQuery, so the account's own grants are all that
// narrows it.
func bindings(s *trust.Sheet) {
	p := s.Dest.Place.(*bigquery.Place)
	member := "serviceAccount:" + p.Account.Email
	role, why := "roles/bigquery.dataEditor", "Tables of this dataset: create, read, write."
	switch p.Access {
	case exchange.Read:
		role, why = "roles/bigquery.dataViewer", "Tables of this dataset: read."
	case exchange.Write:
		role = s.Custom(p.Project, "carnetInsert", "Streaming rows into tables that stand, and no reading.", "bigquery.tables.get", "bigquery.tables.updateData")
		why = "Tables of this dataset: rows can be streamed in, and none read."
	}
	s.Bind(trust.Binding{On: trust.Dataset, Name: p.Project + ":" + p.Dataset, Role: role, Member: member,
		Why: why + " On the dataset, never on the project: there is no access boundary for BigQuery, so what this account may reach is what a vended token may."})
	if p.Access != exchange.Write {
		s.Bind(trust.Binding{On: trust.Project, Name: p.Project, Role: "roles/bigquery.jobUser", Member: member,
			Why: "Running queries is the project's own permission, and opens no data."})
	}
}

func module(s *trust.Sheet, h *trust.Block) (string, error) {
	p := s.Dest.Place.(*bigquery.Place)
	s.AccountInputs(h)
	h.Set("What the account may do. There is no access boundary for BigQuery: its own grants are all that narrows it.", "dataset", p.Dataset)
	h.Set("", "access", p.Access)
	return s.ModuleOnGoogle(h)
}
