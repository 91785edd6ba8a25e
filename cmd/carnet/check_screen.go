package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// screenText is how one destination is told. What is to be pasted begins at the margin.
const screenText = `{{sign .}} {{bold (name .)}}  {{headline .}}
{{chain . -}}
{{range .Probes}}  {{probe .}}
{{end -}}
{{if not .NextProbe.IsZero}}  its refusals were tried a short while ago, and can be again at {{clock .NextProbe}}
{{end -}}
{{with .Note}}  {{.}}
{{end -}}
{{if .Finding -}}
{{with .Broke}}  from  {{.Edge.From}}
{{if ne .Edge.To .Edge.From}}  to    {{.Edge.To}}{{with .Edge.Via}}  (through {{join . ", "}}){{end}}
{{end}}{{end -}}
{{with .Finding.Op}}  call  {{.}}: {{or $.Finding.Code $.Finding.Reason}}
{{end -}}
{{if and .Said (ne .Outcome "unlinked")}}{{/* whose change says it */}}  said  {{line .Said}}
{{end -}}
{{if not .Changes}}{{range .Finding.Causes}}  {{.Code}}, {{party .Owner}}'s to mend: {{.Says}}
{{end}}{{end -}}
{{if gt (len .Changes) 1}}  The answer can mean {{len .Changes}} things.
{{end -}}
{{end -}}
{{range $i, $change := .Changes}}
  {{if gt (len $.Changes) 1}}{{number $i}} of {{len $.Changes}}: {{end}}{{bold .Cause}}, for {{party .Owner}}, in {{.Where}}
  {{.What}}
{{with .Tell}}  How to tell: {{.}}
{{end}}
{{with above (name $) .Text}}  The change is the one for {{.}}, above.
{{else}}{{ended .Text}}{{range .Missing}}
  {{.Placeholder}} stands for {{.What}}: {{.Command}}
{{end}}{{with .After}}
  {{.}}
{{end}}{{end}}{{end}}
`

// A screen prints what was found for a person. Marks and words tell everything; colours
// only help.
type screen struct {
	out    io.Writer
	colour bool
	quiet  bool             // leave out what is sound
	told   map[string]named // the changes that are on the screen already, by their text
}

// words are those that the screen and the page have in common.
func words() template.FuncMap {
	return template.FuncMap{"headline": headline, "party": party, "number": func(i int) int { return i + 1 }}
}

func (s screen) funcs() template.FuncMap {
	return template.FuncMap{
		"chain": s.chain, "probe": s.probe, "above": s.above, "clock": clockOf, "join": strings.Join, "name": (*looked).name,
		"bold":  func(v any) string { return s.in(bold, fmt.Sprint(v)) },
		"sign":  func(l *looked) string { m := l.mark(); return s.in(m.colour, m.sign) },
		"line":  func(text string) string { return strings.ReplaceAll(text, "\n", " ") },
		"ended": func(text string) string { return strings.TrimSuffix(text, "\n") + "\n" },
	}
}

// print prints destinations, and says in a line what came of many.
func (s screen) print(found []*looked) error {
	t, err := template.New("check").Funcs(words()).Funcs(s.funcs()).Parse(screenText)
	if err != nil {
		return err
	}
	for _, l := range found {
		if s.quiet && (l.Outcome == check.Sound || l.Outcome == check.NotInService) {
			continue
		}
		if err := t.Execute(s.out, l); err != nil {
			return err
		}
	}
	if len(found) < 2 {
		return nil
	}
	var words []string
	for _, sum := range sums(found) {
		words = append(words, fmt.Sprintf("%d %s", sum.N, sum.Word))
	}
	_, err = fmt.Fprintf(s.out, "%d destinations: %s.\n", len(found), strings.Join(words, ", "))
	return err
}

// above names the destination whose change has the text, if it is on the screen already.
func (s screen) above(whose named, text string) string {
	if first, ok := s.told[text]; ok {
		return first.String()
	}
	s.told[text] = whose
	return ""
}

// A mark is how a state is drawn.
type mark struct{ sign, arrow, colour string }

const (
	red    = "31"
	green  = "32"
	yellow = "33"
	dim    = "2"
	bold   = "1"
)

func markOf(s check.State) mark {
	switch s {
	case check.Held:
		return mark{"✓", "─✓─▶", green}
	case check.Broken:
		return mark{"✗", "─✗─▶", red}
	case check.Suspect:
		return mark{"?", "─?─▶", yellow}
	case check.Unknown:
		return mark{"!", "─!─▶", yellow}
	}
	return mark{"·", "┄┄┄▷", dim}
}

// mark is how a destination is drawn: as the edges that it is like.
func (l *looked) mark() mark {
	switch l.Outcome {
	case check.Sound:
		return markOf(check.Held)
	case check.NoAnswer:
		return markOf(check.Unknown)
	case check.NotInService:
		return markOf(check.Unreached)
	}
	return markOf(check.Broken)
}

func (s screen) in(colour, text string) string {
	if !s.colour || colour == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// headline says what was found in a line.
func headline(l *looked) string {
	switch {
	case l.Problem != "":
		return "not checked: " + l.Problem
	case l.Outcome == check.NotInService:
		return "disabled: nothing is vended"
	case l.Outcome == check.Unlinked:
		return "its file asks for what cannot be, from this runtime: the operator's to mend"
	case l.Outcome == check.UnsafeChain:
		return "UNSAFE: it let somebody in whom it must refuse"
	case l.Outcome == check.Sound:
		verified := "never verified"
		if l.Verified != "" {
			verified = "verified " + l.Verified
		}
		left := time.Until(l.Expires).Round(time.Minute).Minutes()
		return fmt.Sprintf("sound: %d ms, a credential would end at %s (in %.0f min), %s", l.Millis, clockOf(l.Expires), left, verified)
	}
	return headlineOf(l.Finding, len(l.Edges))
}

func headlineOf(f *check.Finding, of int) string {
	at := fmt.Sprintf("at edge %d of %d", f.Position, of)
	if f.Position == 0 {
		at = "before the first edge"
	}
	switch f.Reason {
	case exchange.Throttled:
		return "a cloud asks for fewer requests " + at
	case exchange.Unavailable:
		return "no useful answer " + at
	}
	return "broken " + at + ": " + owners(f.Causes) + " to mend"
}

// owners lists whose the causes are, each once.
func owners(causes []check.Cause) string {
	var list []string
	for _, c := range causes {
		if word := party(c.Owner) + "'s"; !slices.Contains(list, word) {
			list = append(list, word)
		}
	}
	return strings.Join(list, " or ")
}

func party(o exchange.Owner) string {
	if o == exchange.ThirdParty {
		return "the third party"
	}
	return "the " + string(o)
}

func clockOf(t time.Time) string { return t.Local().Format("15:04") }

// chain draws the line of edges, with a hook under the one that broke.
func (s screen) chain(l *looked) string {
	if len(l.Edges) == 0 {
		return ""
	}
	drawn, hook := "", ""
	width := 0
	add := func(text, colour string) {
		width += utf8.RuneCountInString(text)
		drawn += s.in(colour, text)
	}
	for i, name := range nodes(l.Report) {
		if i > 0 {
			m := markOf(l.Edges[i-1].State)
			if l.Finding != nil && i == l.Finding.Position {
				hook = fmt.Sprintf("  %*s╰ edge %d\n", width+2, "", i)
			}
			add(" "+m.arrow+" ", m.colour)
		}
		add(name, "")
	}
	return "  " + drawn + "\n" + hook
}

// nodes names who stands on a chain, or says what stands there where nobody is named.
func nodes(r check.Report) []string {
	list := []string{cmp.Or(shortPlace(r.Edges[0].From), r.Runtime+":runtime")}
	for _, e := range r.Edges {
		list = append(list, cmp.Or(shortPlace(e.To), "○"))
	}
	if r.Edges[0].From == "" {
		list[len(list)-1] = r.Kind
	}
	return list
}

// shortPlace names a principal by its cloud and the last part of its name; a place by all of it.
func shortPlace(name string) string {
	switch {
	case strings.HasPrefix(name, "arn:aws:secretsmanager:"):
		return "secret:" + shortName(name)
	case strings.HasPrefix(name, "arn:"):
		return "aws:" + shortName(name)
	case strings.Contains(name, "@"):
		return "gcp:" + shortName(name)
	}
	return name
}

func (s screen) probe(p check.Probed) string {
	m, word := markOf(check.Held), "refused"
	switch p.Verdict {
	case destination.ProbeLetIn:
		m, word = markOf(check.Broken), "LET IN"
	case destination.ProbeUnclear:
		m, word = markOf(check.Unknown), "unclear"
	}
	code := ""
	if p.Code != "" {
		code = " (" + p.Code + ")"
	}
	return fmt.Sprintf("%s %-7s  %s%s", s.in(m.colour, m.sign), word, p.Name, code)
}

// A sum is how many came to one outcome.
type sum struct {
	Word string
	N    int
}

// sums counts outcomes, in the order in which they come.
func sums(found []*looked) []sum {
	var list []sum
	for _, l := range found {
		word := outcomeWord(l)
		i := slices.IndexFunc(list, func(s sum) bool { return s.Word == word })
		if i < 0 {
			i = len(list)
			list = append(list, sum{Word: word})
		}
		list[i].N++
	}
	return list
}

func outcomeWord(l *looked) string {
	switch {
	case l.Problem != "":
		return "not checked"
	case l.Outcome == check.NoAnswer:
		return "without a useful answer"
	}
	return string(l.Outcome)
}
