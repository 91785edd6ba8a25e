// Benchtable reads the output of go test -bench and writes one table, in which each of
// carnet's figures has its ratio to the best of the others, and a chart of the chains.
//
// What a benchmark is called says who was measured: /by=carnet, or /by= and a library's name.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A row is one benchmark of one contestant: its figures, the telling one first.
type row struct {
	group, by string
	figures   []figure
}

type figure struct {
	unit  string
	value float64
}

func main() {
	chart := flag.String("svg", "", "write a chart of the cold chains to this file")
	flag.Parse()
	rows, err := read(os.Stdin)
	if err == nil {
		table(os.Stdout, rows)
	}
	if err == nil && *chart != "" {
		err = os.WriteFile(*chart, []byte(svg(rows)), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchtable:", err)
		os.Exit(1)
	}
}

func read(r io.Reader) ([]row, error) {
	var rows []row
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) > 0 && f[0] == "FAIL":
			return nil, fmt.Errorf("a benchmark failed: %s", lines.Text())
		case len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark"):
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndex(name, "-"); i > 0 {
			name = name[:i] // the number of cores
		}
		group, by, _ := strings.Cut(name, "by=")
		one := row{group: strings.TrimSuffix(group, "/"), by: by}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", lines.Text(), err)
			}
			one.figures = append(one.figures, figure{f[i+1], v})
		}
		one.figures = telling(one.figures)
		rows = append(rows, one)
	}
	return rows, lines.Err()
}

// telling puts first what contestants are held against each other by. Bytes are left to
// benchstat.
func telling(all []figure) []figure {
	first := []string{"ms/chain", "ms-last", "s-without", "MB-kept", "requests/s", "ratio", "trips"}
	place := func(f figure) int {
		if i := slices.Index(first, f.unit); i >= 0 {
			return i
		}
		return len(first)
	}
	all = slices.DeleteFunc(all, func(f figure) bool { return f.unit == "B/op" })
	slices.SortStableFunc(all, func(a, b figure) int { return place(a) - place(b) })
	return all
}

func (f figure) String() string {
	switch {
	case f.unit != "ns/op":
		return strconv.FormatFloat(f.value, 'g', 4, 64) + " " + f.unit
	case f.value >= 1e6:
		return fmt.Sprintf("%.3g ms", f.value/1e6)
	case f.value >= 1e3:
		return fmt.Sprintf("%.3g µs", f.value/1e3)
	}
	return fmt.Sprintf("%.3g ns", f.value)
}

func (r row) isCarnet() bool { return r.by == "" || strings.HasPrefix(r.by, "carnet") }

// label is the contestant in words.
func (r row) label() string {
	if r.isCarnet() {
		return strings.ReplaceAll(r.by, "-", " ")
	}
	return r.by
}

func (r row) String() string {
	var all []string
	for _, f := range r.figures {
		all = append(all, f.String())
	}
	return strings.Join(all, ", ")
}

func table(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| benchmark | carnet | the others | ratio to the best of them |")
	fmt.Fprintln(w, "|---|---|---|---|")
	for _, r := range rows {
		if r.isCarnet() {
			others, ratio := theirs(rows, r)
			fmt.Fprintf(w, "| %s%s | %s | %s | %s |\n", r.group, strings.TrimPrefix(r.label(), "carnet"), r, others, ratio)
		}
	}
}

// theirs lists the other contestants' figures, and the ratio to the least of the first.
func theirs(rows []row, ours row) (list, ratio string) {
	var all []string
	best := 0.0
	for _, r := range rows {
		if r.group != ours.group || r.isCarnet() {
			continue
		}
		all = append(all, r.by+": "+r.String())
		if v := r.figures[0].value; best == 0 || v < best {
			best = v
		}
	}
	if best > 0 {
		ratio = fmt.Sprintf("%.2f", ours.figures[0].value/best)
	}
	return strings.Join(all, "; "), ratio
}
