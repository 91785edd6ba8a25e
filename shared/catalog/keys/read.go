package keys

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Read fills into, a pointer to what the set was declared for, from a mapping. What is wrong is
// told to the mapping, and keys that no set has read are [Mapping.Done]'s to refuse.
func (s Set) Read(m *Mapping, into any) {
	if m.set == nil {
		m.set = s
	}
	for _, k := range s {
		k.read(m, into)
	}
	for _, k := range s {
		if k.rule != nil && !slices.ContainsFunc(k.rule.reads, m.failed) {
			if err := k.rule.holds(into); err != nil {
				m.Bad(m.At(k.Name), "%s: %v", m.What, err)
			}
		}
	}
}

func (k Key) read(m *Mapping, into any) {
	switch {
	case k.rule != nil:
	case k.Inlined != nil:
		k.Inlined.Read(m, k.at(into))
	case k.OneOf != nil:
		k.choose(m, into)
	case !m.Has(k.Name):
		k.missing(m, into)
	case k.form != nil:
		m.take(k.Name)
		k.form.Read(m, k, into)
	case k.list:
		for _, n := range m.items(k.Name) {
			k.scalar(m, n, into)
		}
	default:
		k.scalar(m, m.take(k.Name), into)
	}
}

// missing puts the default, or says what to write.
func (k Key) missing(m *Mapping, into any) {
	m.take(k.Name)
	if k.Default != "" {
		v, err := k.leaf.value(k.Default)
		if err != nil {
			panic(fmt.Sprintf("the default of %s: %v", k.Name, err)) // the declaration is wrong
		}
		k.put(into, v)
	}
	if m.node != nil && k.Needs(m.valueOf) {
		m.bad(k.Name, m.node, "%s has no %s: write one like `%s: %s`", m.What, k.Name, k.Name, k.Example())
	}
}

// valueOf is another key's value: what stands there, or its default.
func (m *Mapping) valueOf(key string) string {
	if n := m.value[key]; n != nil {
		return n.Value
	}
	return m.set.Key(key).Default
}

// scalar reads one string, number or word. A number or a date in a string's place is refused,
// since YAML would change what was written: 012345678901 is no account.
func (k Key) scalar(m *Mapping, n *yaml.Node, into any) {
	switch {
	case n.Kind != yaml.ScalarNode || !k.leaf.takes(n.Tag):
		m.bad(k.Name, n, "%s: %s is %s: write %s%s", m.What, k.Name, kindOf(n), k.leaf.want(), k.quoted(n))
		return
	case n.Value == "":
		m.bad(k.Name, n, "%s: %s %s", m.What, k.Name, cmp.Or(k.leaf.empty, "is empty: write its value, or take the key out"))
		return
	}
	if k.leaf.tag == "!!str" && otherwise(n) {
		m.bad(k.Name, n, "%s: %s is %s, which not every reader takes for a string: write %q", m.What, k.Name, n.Value, n.Value)
		return
	}
	v, err := k.leaf.value(n.Value)
	if err != nil {
		m.bad(k.Name, n, "%s: %s %v", m.What, k.Name, err)
		return
	}
	k.put(into, v)
}

// takes tells whether YAML takes a scalar for what it must be. A quoted day is a day.
func (l *leaf) takes(tag string) bool {
	return tag == l.tag || l.tag == "!!timestamp" && tag == "!!str"
}

func (k Key) quoted(n *yaml.Node) string {
	if k.leaf.tag == "!!str" && n.Kind == yaml.ScalarNode && n.Tag != "!!null" && k.Check(n.Value) == nil {
		return ", \"" + n.Value + "\""
	}
	return ""
}

// choose reads the one set of a choice that stands.
func (k Key) choose(m *Mapping, into any) {
	var standing []Set
	for _, s := range k.OneOf {
		if s.stands(m) {
			standing = append(standing, s)
		}
	}
	switch len(standing) {
	case 0:
		m.Bad(m.node, "%s: write %s", m.What, k.choices())
	case 1:
	default:
		m.Bad(m.At(standing[1].first().Name), "%s: %s exclude each other: keep one", m.What, both(standing))
	}
	for _, s := range k.OneOf {
		if len(standing) == 1 && s.first().Name == standing[0].first().Name {
			s.Read(m, into)
			continue
		}
		for _, other := range s.Leaves() { // known, and not of this choice
			if n := m.take(other.Name); n != nil && len(standing) == 1 && !other.IsFlag() && !slices.ContainsFunc(standing[0].Leaves(), other.sameName) {
				m.bad(other.Name, n, "%s: %s does not go with %s: take it out", m.What, other.Name, standing[0].first().Name)
			}
		}
	}
}

func (k Key) sameName(other Key) bool { return k.Name == other.Name }

func (s Set) first() Key { return s.Leaves()[0] }

// stands tells whether the set's first key is there.
func (s Set) stands(m *Mapping) bool {
	first := s.first()
	n := m.value[first.Name]
	return n != nil && (!first.IsFlag() || n.Tag != "!!bool" || n.Value == "true")
}

func (k Key) choices() string {
	var list []string
	for _, s := range k.OneOf {
		list = append(list, fmt.Sprintf("`%s: %s`", s.first().Name, s.first().Example()))
	}
	return Either(list)
}

func both(sets []Set) string {
	var names []string
	for _, s := range sets {
		names = append(names, s.first().Name)
	}
	return strings.Join(names, " and ")
}

// mappingForm is a mapping within a mapping.
type mappingForm struct{ of Set }

// Read implements [Form].
func (f mappingForm) Read(m *Mapping, k Key, into any) {
	f.of.readAll(m.within(m.value[k.Name], k.Name), k.at(into))
}

func (s Set) readAll(m *Mapping, into any) {
	if m.node != nil && m.node.Kind == yaml.MappingNode {
		s.Read(m, into)
		m.Done()
	}
}

// Example implements [Form].
func (f mappingForm) Example() string { return f.of.example() }

func (s Set) example() string {
	var parts []string
	for _, k := range s.Leaves() {
		if k.Required || len(parts) == 0 {
			parts = append(parts, k.Name+": "+k.Example())
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// listForm is a list of mappings.
type listForm struct {
	title string
	of    Set
}

// Read implements [Form].
func (f listForm) Read(m *Mapping, k Key, into any) {
	seen := map[string]bool{}
	for _, n := range m.items(k.Name) {
		item := m.Mapping(n, f.title)
		f.of.readAll(item, k.at(into))
		if one := item.Text(k.once); one != "" && seen[one] {
			m.Bad(n, "the %s %s stands here twice: keep one", k.once, one)
		}
		seen[item.Text(k.once)] = true
	}
}

// Example implements [Form].
func (f listForm) Example() string { return "[" + f.of.example() + "]" }
