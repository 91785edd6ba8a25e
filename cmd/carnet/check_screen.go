package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/mend"
)

// A screen prints what was found for a person. Marks and words tell everything; colours
// only help.
type screen struct {
	out    io.Writer
	colour bool
	quiet  bool             // leave out what is sound
	told   map[string]named // the changes that are on the screen already, by their text
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

func signOf(l *looked) (sign, colour string) {
	switch l.Outcome {
	case check.Sound:
		return "✓", green
	case check.NoAnswer:
		return "!", yellow
	case check.NotInService:
		return "·", dim
	}
	return "✗", red
}

func (s screen) in(colour, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

func (s screen) line(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// looked prints one destination.
func (s screen) looked(l *looked) {
	if s.quiet && (l.Outcome == check.Sound || l.Outcome == check.NotInService) {
		return
	}
	sign, colour := signOf(l)
	s.line("%s %s  %s", s.in(colour, sign), s.in(bold, l.name().String()), headline(l))
	s.chain(l)
	for _, p := range l.Probes {
		s.probe(p)
	}
	if !l.NextProbe.IsZero() {
		s.line("  its refusals were tried a short while ago, and can be again at %s", clockOf(l.NextProbe))
	}
	if l.Note != "" {
		s.line("  %s", l.Note)
	}
	if f := l.Finding; f != nil {
		s.finding(l, f)
	}
	for i, c := range l.Changes {
		s.change(l.name(), c, i+1, len(l.Changes))
	}
	s.line("")
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
		return fmt.Sprintf("sound: %d ms, a credential would end at %s (in %s), %s",
			l.Millis, clockOf(l.Expires), left(l.Expires), verifiedOf(l))
	}
	return headlineOf(l.Finding, len(l.Edges))
}

func headlineOf(f *check.Finding, of int) string {
	at := fmt.Sprintf("at edge %d of %d", f.Position, of)
	if f.Position == 0 {
		at = "before the first edge"
	}
	word := map[exchange.Reason]string{exchange.Throttled: "a cloud asks for fewer requests ", exchange.Unavailable: "no useful answer "}[f.Reason]
	whose := ": " + owners(f.Causes) + " to mend"
	if word != "" {
		whose = ""
	}
	return cmp.Or(word, "broken ") + at + whose
}

// owners lists whose the causes are, each once.
func owners(causes []check.Cause) string {
	var list []string
	for _, c := range causes {
		if word := possessive(c.Owner); !strings.Contains(strings.Join(list, " "), word) {
			list = append(list, word)
		}
	}
	return strings.Join(list, " or ")
}

func possessive(o exchange.Owner) string { return party(o) + "'s" }

func party(o exchange.Owner) string {
	if o == exchange.ThirdParty {
		return "the third party"
	}
	return "the " + string(o)
}

func verifiedOf(l *looked) string {
	if l.Verified == "" {
		return "never verified"
	}
	return "verified " + l.Verified
}

func clockOf(t time.Time) string { return t.Local().Format("15:04") }

func left(t time.Time) string {
	return fmt.Sprintf("%d min", int(time.Until(t).Round(time.Minute).Minutes()))
}

// chain draws the line of edges, with a hook under the one that broke.
func (s screen) chain(l *looked) {
	if len(l.Edges) == 0 {
		return
	}
	var b strings.Builder
	width, hook := 0, -1
	add := func(text, colour string) {
		width += utf8.RuneCountInString(text)
		if colour != "" {
			text = s.in(colour, text)
		}
		b.WriteString(text)
	}
	for i, name := range nodes(l.Report) {
		if i > 0 {
			m := markOf(l.Edges[i-1].State)
			if l.Finding != nil && i == l.Finding.Position {
				hook = width + 2
			}
			add(" "+m.arrow+" ", m.colour)
		}
		add(name, "")
	}
	s.line("  %s", b.String())
	if hook >= 0 {
		s.line("  %s╰ edge %d", strings.Repeat(" ", hook), l.Finding.Position)
	}
}

// nodes names who stands on a chain, or says what stands there where nobody is named.
func nodes(r check.Report) []string {
	if r.Edges[0].From == "" {
		list := []string{r.Runtime + ":runtime"}
		for range r.Edges {
			list = append(list, "○")
		}
		list[len(list)-1] = r.Kind
		return list
	}
	list := []string{shortPlace(r.Edges[0].From)}
	for _, e := range r.Edges {
		list = append(list, shortPlace(e.To))
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

func (s screen) probe(p check.Probed) {
	sign, word, colour := "✓", "refused", green
	switch p.Verdict {
	case destination.ProbeLetIn:
		sign, word, colour = "✗", "LET IN", red
	case destination.ProbeUnclear:
		sign, word, colour = "!", "unclear", yellow
	}
	code := ""
	if p.Code != "" {
		code = " (" + p.Code + ")"
	}
	s.line("  %s %-7s  %s%s", s.in(colour, sign), word, p.Name, code)
}

func (s screen) finding(l *looked, f *check.Finding) {
	if broke := l.Broke(); broke != nil {
		via := ""
		if len(broke.Edge.Via) > 0 {
			via = "  (through " + strings.Join(broke.Edge.Via, ", ") + ")"
		}
		s.line("  from  %s", broke.Edge.From)
		if broke.Edge.To != broke.Edge.From {
			s.line("  to    %s%s", broke.Edge.To, via)
		}
	}
	if f.Op != "" {
		s.line("  call  %s: %s", f.Op, cmp.Or(f.Code, string(f.Reason)))
	}
	if l.Said != "" && l.Outcome != check.Unlinked { // whose change says it
		s.line("  said  %s", strings.ReplaceAll(l.Said, "\n", " "))
	}
	if len(l.Changes) == 0 {
		for _, c := range f.Causes {
			s.line("  %s, %s to mend: %s", c.Code, possessive(c.Owner), c.Says)
		}
	}
	if len(l.Changes) > 1 {
		s.line("  The answer can mean %d things.", len(l.Changes))
	}
}

// change prints what one owner does. What is to be pasted begins at the margin.
func (s screen) change(whose named, c mend.Change, n, of int) {
	number := ""
	if of > 1 {
		number = fmt.Sprintf("%d of %d: ", n, of)
	}
	s.line("")
	s.line("  %s%s, for %s, in %s", number, s.in(bold, c.Cause), party(c.Owner), c.Where)
	s.line("  %s", c.What)
	if c.Tell != "" {
		s.line("  How to tell: %s", c.Tell)
	}
	s.line("")
	if first, ok := s.told[c.Text]; ok {
		s.line("  The change is the one for %s, above.", first)
		return
	}
	s.told[c.Text] = whose
	fmt.Fprint(s.out, c.Text)
	if !strings.HasSuffix(c.Text, "\n") {
		s.line("")
	}
	for _, m := range c.Missing {
		s.line("\n  %s stands for %s: %s", m.Placeholder, m.What, m.Command)
	}
	if c.After != "" {
		s.line("\n  %s", c.After)
	}
}

// sum says in a line what came of many.
func (s screen) sum(found []*looked) {
	if len(found) < 2 {
		return
	}
	var words []string
	for _, sum := range sums(found) {
		words = append(words, fmt.Sprintf("%d %s", sum.N, sum.Word))
	}
	s.line("%d destinations: %s.", len(found), strings.Join(words, ", "))
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
