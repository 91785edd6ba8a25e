// Benchtable reads the output of go test -bench and writes one table, in which each of
// carnet's figures has its ratio to the best of the others, and a chart of the chains.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A row is one benchmark of one contestant: its figures by unit.
type row struct {
	group, by string
	figures   map[string]float64
}

func main() {
	chart := flag.String("svg", "", "write a chart of the cold chains to this file")
	flag.Parse()
	rows, err := read(os.Stdin)
	if err == nil {
		print(os.Stdout, rows)
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
		if len(f) < 4 || !strings.HasPrefix(f[0], "Benchmark") {
			continue
		}
		name := strings.TrimPrefix(f[0], "Benchmark")
		if i := strings.LastIndex(name, "-"); i > 0 {
			name = name[:i] // the number of cores
		}
		group, by, _ := strings.Cut(name, "by=")
		one := row{strings.TrimSuffix(group, "/"), by, map[string]float64{}}
		for i := 2; i+1 < len(f); i += 2 {
			v, err := strconv.ParseFloat(f[i], 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", lines.Text(), err)
			}
			one.figures[f[i+1]] = v
		}
		rows = append(rows, one)
	}
	return rows, lines.Err()
}

func print(w io.Writer, rows []row) {
	fmt.Fprintln(w, "| benchmark | figure | "+"carnet | the others | ratio to the best of them |")
	fmt.Fprintln(w, "|---|---|---|---|---|")
	for _, r := range rows {
		if r.by != "" && !strings.HasPrefix(r.by, "carnet") {
			continue
		}
		for _, unit := range slices.Sorted(maps.Keys(r.figures)) {
			others, best := theirs(rows, r.group, unit)
			if r.by != "" && unit == "ns/op" && r.figures["ms/chain"] > 0 || unit == "B/op" {
				continue
			}
			ratio := ""
			if best > 0 {
				ratio = fmt.Sprintf("%.2f", r.figures[unit]/best)
			}
			fmt.Fprintf(w, "| %s %s | %s | %s | %s | %s |\n", r.group, strings.TrimPrefix(r.by, "carnet"), unit, number(r.figures[unit]), others, ratio)
		}
	}
}

// theirs lists the other contestants' figures, and the least of them.
func theirs(rows []row, group, unit string) (string, float64) {
	var list []string
	best := 0.0
	for _, r := range rows {
		v, ok := r.figures[unit]
		if r.group != group || r.by == "" || strings.HasPrefix(r.by, "carnet") || !ok {
			continue
		}
		list = append(list, r.by+" "+number(v))
		if best == 0 || v < best {
			best = v
		}
	}
	return strings.Join(list, ", "), best
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }

// svg draws the cold chains at a distance as bars, with their figures written beside them.
func svg(rows []row) string {
	var b strings.Builder
	y := 30
	for _, r := range rows {
		v, ok := r.figures["ms/chain"]
		if !ok || !strings.Contains(r.group, "rtt=20ms") {
			continue
		}
		fmt.Fprintf(&b, `<text x="0" y="%d">%s by %s</text><rect x="330" y="%d" width="%.0f" height="14" fill="currentColor" opacity="%s"/><text x="%.0f" y="%d">%.0f ms</text>`+"\n",
			y+12, strings.TrimPrefix(r.group, "Cold/"), r.by, y, v*2, opacity(r.by), 340+v*2, y+12, v)
		y += 22
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 %d" font-family="sans-serif" font-size="13"><style>svg{color:#333}text{fill:currentColor}@media(prefers-color-scheme:dark){svg{color:#ddd}}</style><text x="0" y="15">A first credential, 20 ms of round trip over TLS, fresh process</text>
%s</svg>
`, y, b.String())
}

func opacity(by string) string {
	if strings.HasPrefix(by, "carnet") {
		return "1"
	}
	return "0.45"
}
