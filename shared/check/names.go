package check

import (
	"maps"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// Told is the report as a caller may have it: where in the chain, whose, and why, without
// the name of anybody.
func (r Report) Told() Report {
	r.Edges = slices.Clone(r.Edges)
	for i := range r.Edges {
		r.Edges[i].From, r.Edges[i].To = "", ""
	}
	r.err = nil
	return r
}

// Names are what a told report leaves out, as whoever has the catalog knows them.
type Names struct {
	Chain    []string // the runtime's identity, those that are entered, and the place
	Provider string   // the pool's, where the chain goes through one
	Secret   string   // that the runtime reads, where it reads one
	// Own tells that the place has an identity of its own, the last of the chain: what is asked
	// for the place that identity asks of itself.
	Own bool
}

// Named puts the names back into a report that was told. It is false where they do not fit:
// the catalog here is another than the one there.
func (r Report) Named(n Names, kinds destination.Kinds) (Report, bool) {
	if len(r.Edges) == 0 || len(n.Chain) != len(r.Edges)+1 {
		return r, false
	}
	r.Edges = slices.Clone(r.Edges)
	for i := range r.Edges {
		r.Edges[i].From, r.Edges[i].To = n.Chain[i], n.Chain[i+1]
	}
	f := r.Finding
	if f == nil || r.Outcome == Unlinked || f.Position > len(r.Edges) {
		return r, true
	}
	broken := &exchange.EdgeError{Edge: n.edge(r), Reason: f.Reason, Code: f.Code}
	named := *f
	named.Causes = diagnosisOf(kinds).placed(f.Causes, broken)
	r.Finding, r.err = &named, broken
	return r, true
}

// edge is the one that the finding is about, as the clouds' calls have it.
func (n Names) edge(r Report) exchange.Edge {
	at := r.Finding.Position - 1
	if at < 0 {
		return exchange.Edge{From: "platform", To: n.Chain[0], Op: r.Finding.Op}
	}
	e := exchange.Edge{From: n.Chain[at], To: n.Chain[at+1], Op: r.Finding.Op}
	for at > 0 && r.Edges[at].State == Suspect && r.Edges[at-1].State == Suspect {
		e.Via = append([]string{n.Chain[at]}, e.Via...)
		at--
		e.From = n.Chain[at]
	}
	last := r.Finding.Position == len(r.Edges)
	switch op := e.Op; {
	case op == "sts.token" && n.Provider != "":
		e.To = n.Provider
	case strings.HasPrefix(op, "secret") && n.Secret != "":
		e.To = n.Secret
	case last && n.Secret != "":
		e.From = n.Secret
	case last && n.Own:
		e.To = e.From
	}
	return e
}

// placed says of each cause where it is to be changed. Where any account of a run can be
// the reason, a cause is there for each.
func (d diagnosis) placed(causes []Cause, e *exchange.EdgeError) []Cause {
	seen, all := map[string]int{}, d.all()
	list := slices.Clone(causes)
	for i, c := range list {
		if k, ok := all[c.Code]; ok {
			at := places(k, e)
			list[i].At = at[min(seen[c.Code], len(at)-1)]
			seen[c.Code]++
		}
	}
	return list
}

// all are the causes that a finding can have, by code.
func (d diagnosis) all() map[string]cause.Cause {
	all := map[string]cause.Cause{}
	for _, r := range append(d[:len(d):len(d)], cause.Rule{Means: []cause.Cause{throttled, away, deadline, file, other}}) {
		for _, k := range r.Means {
			all[k.Code] = k
		}
	}
	return all
}

// Codes lists the codes that a cause can have, sorted.
func Codes(kinds destination.Kinds) []string {
	return slices.Sorted(maps.Keys(diagnosisOf(kinds).all()))
}
