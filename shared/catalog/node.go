package catalog

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile bounds a file before it is parsed; a tenant with a thousand destinations
// takes a third of it.
const maxFile = 1 << 20

// maxDepth bounds nesting. The format needs four.
const maxDepth = 16

// A reader walks a file's nodes and collects what is wrong with them.
type reader struct {
	file     string
	problems Problems
}

func (r *reader) bad(n *yaml.Node, format string, args ...any) {
	line := 0
	if n != nil {
		line = n.Line
	}
	r.problems = append(r.problems, Problem{r.file, line, fmt.Sprintf(format, args...)})
}

// root parses a file that holds one mapping.
func (r *reader) root(text []byte) *yaml.Node {
	if len(text) > maxFile {
		r.bad(nil, "is %d bytes long, and %d is the most: split the tenant in two", len(text), maxFile)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		r.bad(nil, "is empty")
		return nil
	} else if err != nil {
		r.notYAML(err)
		return nil
	}
	if err := dec.Decode(&second); err == nil {
		r.bad(&second, "has a second document: a file holds one, so take out the line with ---")
	} else if !errors.Is(err, io.EOF) {
		r.notYAML(err)
	}
	if r.plain(doc.Content[0], 0) {
		return doc.Content[0]
	}
	return nil
}

// notYAML takes the line out of the parser's message.
func (r *reader) notYAML(err error) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	line := 0
	if m := regexp.MustCompile(`^line (\d+): `).FindStringSubmatch(message); m != nil {
		line, _ = strconv.Atoi(m[1])
		message = message[len(m[0]):]
	}
	if message == "found character that cannot start any token" {
		message += ": if it is a tab, indent with spaces"
	}
	r.problems = append(r.problems, Problem{r.file, line, "is not YAML: " + message})
}

// plain refuses what makes one place of a file depend on another.
func (r *reader) plain(n *yaml.Node, depth int) bool {
	switch {
	case depth > maxDepth:
		r.bad(n, "is nested too deeply")
		return false
	case n.Kind == yaml.AliasNode || n.Anchor != "":
		r.bad(n, "uses an anchor or an alias: write the value out where it is meant")
		return false
	case n.Kind == yaml.ScalarNode && n.Tag == "!!merge":
		r.bad(n, "uses a merge key: write the keys out")
		return false
	}
	ok := true
	for _, c := range n.Content {
		ok = r.plain(c, depth+1) && ok
	}
	return ok
}

// A mapping is a node's keys, each of which is taken once.
type mapping struct {
	*reader
	node  *yaml.Node
	what  string
	value map[string]*yaml.Node
	taken []string
}

// mapping reads the keys. A key that repeats, also in another case, is refused: its
// meaning would depend on who reads the file.
func (r *reader) mapping(n *yaml.Node, what string) *mapping {
	m := &mapping{reader: r, node: n, what: what, value: map[string]*yaml.Node{}}
	if n == nil {
		return m
	}
	if n.Kind != yaml.MappingNode {
		r.bad(n, "%s is %s: write keys and values", what, kindOf(n))
		return m
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch lower := strings.ToLower(key.Value); {
		case key.Kind != yaml.ScalarNode:
			r.bad(key, "%s has a key that is no word", what)
		case seen[lower]:
			r.bad(key, "%s has %q twice: keep one", what, key.Value)
		default:
			seen[lower] = true
			m.value[key.Value] = n.Content[i+1]
		}
	}
	return m
}

// has tells whether a key is there, and take gives its value.
func (m *mapping) has(key string) bool { return m.value[key] != nil }

func (m *mapping) take(key string) *yaml.Node {
	m.taken = append(m.taken, key)
	return m.value[key]
}

// at is the node to blame for a key: its value, or the mapping where it is missing.
func (m *mapping) at(key string) *yaml.Node {
	if n := m.value[key]; n != nil {
		return n
	}
	return m.node
}

// done refuses the keys that nobody took.
func (m *mapping) done() {
	if m.node == nil {
		return
	}
	for i := 0; i+1 < len(m.node.Content); i += 2 {
		key := m.node.Content[i]
		if m.value[key.Value] == nil || slices.Contains(m.taken, key.Value) {
			continue
		}
		m.bad(key, "%s has no key %q: %s", m.what, key.Value, instead(key.Value, m.taken))
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

// text takes a string. A number or a date in its place is refused, since YAML would
// change what was written: 012345678901 is not an account.
func (m *mapping) text(key string) string {
	n := m.take(key)
	if n == nil {
		return ""
	}
	if n.Kind != yaml.ScalarNode || n.Tag != "!!str" {
		m.bad(n, "%s: %s is %s: write a string%s", m.what, key, kindOf(n), quoted(n))
		return ""
	}
	if n.Value == "" {
		m.bad(n, "%s: %s is empty: write its value, or take the key out", m.what, key)
	}
	return n.Value
}

func quoted(n *yaml.Node) string {
	if n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return ", \"" + n.Value + "\""
	}
	return ""
}

// must takes a string that has to be there.
func (m *mapping) must(key, example string) string {
	if !m.has(key) {
		m.taken = append(m.taken, key)
		m.bad(m.node, "%s has no %s: write one like `%s: %s`", m.what, key, key, example)
		return ""
	}
	return m.text(key)
}

// matching takes a string that has to follow a rule.
func (m *mapping) matching(key string, rule rule, required bool) string {
	var s string
	if required {
		s = m.must(key, rule.example)
	} else {
		s = m.text(key)
	}
	if s != "" && !rule.ok(s) {
		m.bad(m.at(key), "%s: %s %q is not %s: write it like %s", m.what, key, s, rule.name, rule.example)
		return ""
	}
	return s
}

// oneOf takes one of a few words.
func (m *mapping) oneOf(key, otherwise string, words ...string) string {
	s := m.text(key)
	if s == "" {
		return otherwise
	}
	if !slices.Contains(words, s) {
		m.bad(m.at(key), "%s: %s is %q: write %s", m.what, key, s, either(words))
	}
	return s
}

// flag takes true or false, in these letters: YAML has True and TRUE as well, and a tenant
// must not be served because of how somebody wrote that it is disabled.
// either lists words as a sentence does: read, write or read_write.
func either(words []string) string {
	last := len(words) - 1
	if last == 0 {
		return words[0]
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func (m *mapping) flag(key string) bool {
	n := m.take(key)
	if n == nil {
		return false
	}
	switch {
	case n.Kind != yaml.ScalarNode || n.Tag != "!!bool":
		m.bad(n, "%s: %s is %s: write true or false", m.what, key, kindOf(n))
	case n.Value != "true" && n.Value != "false":
		m.bad(n, "%s: %s is %s: write true or false", m.what, key, n.Value)
	}
	return n.Value == "true"
}

// items takes a list.
func (m *mapping) items(key string) []*yaml.Node {
	n := m.take(key)
	if n == nil {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		m.bad(n, "%s: %s is %s: write a list, [one, two]", m.what, key, kindOf(n))
		return nil
	}
	if len(n.Content) == 0 {
		m.bad(n, "%s: %s is an empty list, which means nothing at all: name what it should hold, or take the key out", m.what, key)
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
