package tour

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

type table struct {
	out    io.Writer
	colour bool
}

// Print writes the rows as two tables.
func Print(w io.Writer, rows []Row, colour bool) error { return table{w, colour}.print(rows) }

func (t table) print(rows []Row) error {
	var vends, refusals []Row
	for _, r := range rows {
		if r.Expected == "vended" {
			vends = append(vends, r)
		} else {
			refusals = append(refusals, r)
		}
	}
	fmt.Fprintln(t.out, "Vended along every chain, then used")
	fmt.Fprintln(t.out, "(trips: calls to a cloud for the first credential / for the next one, which asks for less where it can)")
	fmt.Fprintln(t.out)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, " \tdestination\tkind\tchain\ttrips\tms")
	for _, r := range vends {
		fmt.Fprintf(w, "%s\t%s/%s\t%s\t%s\t%d / %d\t%.1f\n", t.mark(r), r.Tenant, r.Destination, r.Kind, chain(r), r.Trips, r.TripsCached, r.Millis)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintln(t.out, "Tried, and refused")
	fmt.Fprintln(t.out)
	fmt.Fprintln(w, " \tattempt\tfrom\tdestination\trefused with\tat the edge")
	for _, r := range refusals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%s\t%s\n", t.mark(r), r.Attempt, r.Runtime, r.Tenant, r.Destination, r.Code, short(r.Edge))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintf(t.out, "%d credentials vended and used, %d attempts refused, no stored key handed out.\n", len(vends), len(refusals))
	return nil
}

func (t table) mark(r Row) string {
	mark, code := "✓", "32"
	if !r.OK() {
		mark, code = "✗", "31"
	}
	if !t.colour {
		return mark
	}
	return "\x1b[" + code + "m" + mark + "\x1b[0m"
}

// chain names each identity by its cloud and the last part of its name.
func chain(r Row) string {
	var parts []string
	for i, p := range r.Chain {
		parts = append(parts, r.Clouds[i]+":"+shortName(p))
	}
	return strings.Join(parts, " → ")
}

func shortName(principal string) string {
	if i := strings.LastIndex(principal, "/"); i >= 0 {
		return principal[i+1:]
	}
	name, _, _ := strings.Cut(principal, "@")
	return name
}

// short names both ends of an edge. What no cloud was asked for has none, and a role that may
// not ask for its own login broke at its own policies.
func short(edge string) string {
	from, to, ok := strings.Cut(edge, " → ")
	switch {
	case !ok:
		return "carnet itself"
	case from == to:
		return shortName(from) + ", by its policies"
	}
	return shortName(from) + " → " + shortName(to)
}
