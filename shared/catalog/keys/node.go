package keys

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxFile bounds a file before it is parsed; a tenant with a thousand destinations
// takes a third of it.
const MaxFile = 1 << 20

// maxDepth bounds nesting. The format needs four.
const maxDepth = 16

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int
	Message string // what is wrong, and what to write instead
}

func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems are all that is wrong with a file, or with several.
type Problems []Problem

func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Sorted puts them in the order of files and lines.
func (ps Problems) Sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return ps
}

// A File is a file that is being read, and what is wrong with it.
type File struct {
	Name     string
	problems Problems
}

// Bad tells a problem at a node; nil is the file as a whole.
func (r *File) Bad(n *yaml.Node, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.problems = append(r.problems, Problem{r.Name, line, fmt.Sprintf(format, args...)})
}

// Err is Problems, or nil where there are none.
func (r *File) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return r.problems.Sorted()
}

// Read fills into from a file that holds one mapping of these keys.
func (s Set) ReadFile(r *File, text []byte, into any) *Mapping {
	m := r.Mapping(r.Root(text), "the file")
	s.readAll(m, into)
	return m
}

// Root parses a file that holds one mapping. It is nil where that cannot be read.
func (r *File) Root(text []byte) *yaml.Node {
	if len(text) > MaxFile {
		r.Bad(nil, "is %d bytes long, and %d is the most: split the tenant in two", len(text), MaxFile)
		return nil
	}
	if i := bytes.IndexAny(text, "\u0085\u2028\u2029"); i >= 0 {
		r.problems = append(r.problems, Problem{r.Name, 1 + bytes.Count(text[:i], []byte("\n")), "has a character that ends a line and that few editors show, U+0085, U+2028 or U+2029: take it out"})
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		r.Bad(nil, "is empty")
		return nil
	} else if err != nil {
		r.notYAML(err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		r.Bad(&second, "has a second document: a file holds one, so take out the line with ---")
	} else if !errors.Is(err, io.EOF) {
		r.notYAML(err)
	}
	if r.plain(doc.Content[0], 0) {
		return doc.Content[0]
	}
	return nil
}

// notYAML takes the line out of the parser's message.
func (r *File) notYAML(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if message == "found character that cannot start any token" {
		message += ": if it is a tab, indent with spaces"
	}
	r.problems = append(r.problems, Problem{r.Name, line, "is not YAML: " + message})
}

// plain refuses what makes one place of a file depend on another.
func (r *File) plain(n *yaml.Node, depth int) bool {
	switch {
	case depth > maxDepth:
		r.Bad(n, "is nested too deeply")
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.Bad(n, "uses an anchor or an alias: write the value out where it is meant")
		return false
	case n.Kind == yaml.ScalarNode && n.Tag == "!!merge":
		r.Bad(n, "uses a merge key: write the keys out")
		return false
	}
	ok := true
	for _, c := range n.Content {
		ok = r.plain(c, depth+1) && ok
	}
	return ok
}

// otherwise tells whether YAML 1.1 has a plain word for a number, or for true or false. Terraform's
// yamldecode reads files so, and would leave out what stands there. https://yaml.org/type/
func otherwise(n *yaml.Node) bool {
	digits := strings.TrimLeft(n.Value, "+-.")
	number := digits != "" && digits[0] >= '0' && digits[0] <= '9' && strings.Trim(digits, "0123456789_.eE:") == ""
	return n.Style == 0 && n.Tag == "!!str" && (number || slices.Contains([]string{"y", "n", "yes", "no", "on", "off"}, strings.ToLower(n.Value)))
}

// A Mapping is a node's keys, each of which is taken once.
type Mapping struct {
	*File
	What  string // names it in messages
	set   Set    // the first that reads it, with all others in it
	node  *yaml.Node
	value map[string]*yaml.Node
	taken []string
	wrong []string // keys that were not read
}

// Mapping reads the keys of a node. A key that repeats, also in another case, is refused: its
// meaning would depend on who reads the file.
func (r *File) Mapping(n *yaml.Node, what string) *Mapping {
	m := &Mapping{File: r, node: n, What: what, value: map[string]*yaml.Node{}}
	if n == nil {
		return m
	}
	if n.Kind != yaml.MappingNode {
		r.Bad(n, "%s is %s: write keys and values", what, kindOf(n))
		return m
	}
	seen := map[string]bool{}
	for key, value := range m.Pairs() {
		switch lower := strings.ToLower(key.Value); {
		case key.Kind != yaml.ScalarNode:
			r.Bad(key, "%s has a key that is no word", what)
		case key.Tag != "!!str" || otherwise(key):
			r.Bad(key, "%s has the key %s, which not every reader takes for a string: write %q", what, key.Value, key.Value)
		case seen[lower]:
			r.Bad(key, "%s has %q twice: keep one", what, key.Value)
		default:
			seen[lower] = true
			m.value[key.Value] = value
		}
	}
	return m
}

// Pairs are the keys and values as they are written; of what is no mapping there are none.
func (m *Mapping) Pairs() iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; m.node != nil && m.node.Kind == yaml.MappingNode && i+1 < len(m.node.Content); i += 2 {
			if !yield(m.node.Content[i], m.node.Content[i+1]) {
				return
			}
		}
	}
}

// within is a mapping in this one.
func (m *Mapping) within(n *yaml.Node, key string) *Mapping {
	switch {
	case m.What == "the file":
		return m.Mapping(n, key)
	case strings.Contains(m.What, " "):
		return m.Mapping(n, m.What+": "+key)
	}
	return m.Mapping(n, m.What+"."+key)
}

// Has tells whether a key is there.
func (m *Mapping) Has(key string) bool { return m.value[key] != nil }

// take gives a key's value; nil where it is not there.
func (m *Mapping) take(key string) *yaml.Node {
	m.taken = append(m.taken, key)
	return m.value[key]
}

// Text is a key's value where that is a scalar.
func (m *Mapping) Text(key string) string {
	if n := m.value[key]; n != nil {
		return n.Value
	}
	return ""
}

// At is the node to blame for a key: its value, or the mapping where it is missing.
func (m *Mapping) At(key string) *yaml.Node {
	if n := m.value[key]; n != nil {
		return n
	}
	return m.node
}

// bad tells what is wrong with a key, so that no rule reads it.
func (m *Mapping) bad(key string, n *yaml.Node, format string, args ...any) {
	m.wrong = append(m.wrong, key)
	m.Bad(n, format, args...)
}

func (m *Mapping) failed(key string) bool { return slices.Contains(m.wrong, key) }

// Done refuses the keys that no set has read.
func (m *Mapping) Done() {
	for key := range m.Pairs() {
		if m.value[key.Value] != nil && !slices.Contains(m.taken, key.Value) {
			m.Bad(key, "%s has no key %q: %s", m.What, key.Value, instead(key.Value, m.taken))
		}
	}
}

// instead suggests the key that was probably meant.
func instead(key string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(strings.ToLower(key), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	sorted := slices.Sorted(slices.Values(known))
	return "the keys here are " + strings.Join(slices.Compact(sorted), ", ")
}

// edits is Levenshtein's distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost = 1 + min(diagonal, row[j], row[j+1])
			}
			diagonal, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// items takes a list.
func (m *Mapping) items(key string) []*yaml.Node {
	n := m.take(key)
	if n.Kind != yaml.SequenceNode {
		m.bad(key, n, "%s: %s is %s: write a list, [one, two]", m.What, key, kindOf(n))
		return nil
	}
	if len(n.Content) == 0 {
		m.bad(key, n, "%s: %s is an empty list, which means nothing at all: name what it should hold, or take the key out", m.What, key)
	}
	return n.Content
}

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!null":
		return "empty"
	case "!!timestamp":
		return "a date"
	}
	return "a string"
}
