package main

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange/destination"
)

//go:embed check.html
var pageText string

// A cell is an edge, or nothing.
type cell struct {
	check.Edge
	Sign, Word, To string
	Broke          bool
}

// page writes all that was found as one page that needs nothing else.
func page(w io.Writer, where string, at time.Time, found []*looked) error {
	most := 0 // edges of a chain
	for _, l := range found {
		most = max(most, len(l.Edges))
	}
	t, err := template.New("check").Funcs(words()).Funcs(template.FuncMap{
		"owners": owners,
		"cells":  func(l *looked) []cell { return cellsOf(l, most) },
		"sign":   func(l *looked) string { return l.mark().sign },
		"let":    func(p check.Probed) bool { return p.Verdict == destination.ProbeLetIn },
		"utc":    func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"iso":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, map[string]any{"Where": where, "At": at, "Most": most, "Tenants": byTenant(found), "Found": found, "Sums": sums(found)})
}

// byTenant puts together what stands together.
func byTenant(found []*looked) (tenants [][]*looked) {
	for i, l := range found {
		if i == 0 || found[i-1].Tenant != l.Tenant {
			tenants = append(tenants, nil)
		}
		last := len(tenants) - 1
		tenants[last] = append(tenants[last], l)
	}
	return tenants
}

// cellsOf are as many as the longest chain has edges.
func cellsOf(l *looked, n int) []cell {
	cells := make([]cell, n)
	for i, e := range l.Edges {
		words := map[check.State]string{check.Held: "held", check.Broken: "broken", check.Suspect: "suspect", check.Unknown: "no answer", check.Unreached: "not reached"}
		cells[i] = cell{Edge: e, Sign: markOf(e.State).sign, Word: words[e.State], To: nodes(l.Report)[i+1], Broke: l.Finding != nil && l.Finding.Position == i+1}
	}
	return cells
}
