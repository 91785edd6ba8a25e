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

// A sheet is what the page shows.
type sheet struct {
	Where   string
	At      time.Time
	Edges   []int // 1 to the most that a chain has
	Tenants []sheetTenant
	Found   []*looked
	Sums    []sum
}

type sheetTenant struct {
	Name string
	Rows []sheetRow
}

// A sheetRow is a destination, with as many cells as the longest chain has edges.
type sheetRow struct {
	Found *looked
	Cells []cell
}

// A cell is an edge, or nothing.
type cell struct {
	check.Edge
	Sign, Word, To string
	Broke          bool
}

// page writes all that was found as one page that needs nothing else.
func page(w io.Writer, where string, at time.Time, found []*looked) error {
	t, err := template.New("check").Funcs(template.FuncMap{
		"headline": headline, "party": party, "owners": owners,
		"sign": func(l *looked) string { return l.mark().sign },
		"let":  func(p check.Probed) bool { return p.Verdict == destination.ProbeLetIn },
		"utc":  func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}).Parse(pageText)
	if err != nil {
		return err
	}
	return t.Execute(w, newSheet(where, at, found))
}

func newSheet(where string, at time.Time, found []*looked) sheet {
	s := sheet{Where: where, At: at, Found: found, Sums: sums(found)}
	for _, l := range found {
		for len(s.Edges) < len(l.Edges) {
			s.Edges = append(s.Edges, len(s.Edges)+1)
		}
	}
	for _, l := range found {
		if n := len(s.Tenants); n == 0 || s.Tenants[n-1].Name != l.Tenant {
			s.Tenants = append(s.Tenants, sheetTenant{Name: l.Tenant})
		}
		t := &s.Tenants[len(s.Tenants)-1]
		t.Rows = append(t.Rows, sheetRow{l, cellsOf(l, len(s.Edges))})
	}
	return s
}

func cellsOf(l *looked, n int) []cell {
	cells := make([]cell, n)
	for i, e := range l.Edges {
		words := map[check.State]string{check.Held: "held", check.Broken: "broken", check.Suspect: "suspect", check.Unknown: "no answer", check.Unreached: "not reached"}
		cells[i] = cell{Edge: e, Sign: markOf(e.State).sign, Word: words[e.State], To: nodes(l.Report)[i+1], Broke: l.Finding != nil && l.Finding.Position == i+1}
	}
	return cells
}
