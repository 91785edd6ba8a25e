// Package keys declares the keys of a file's mappings, once for all who need them.
//
// A [Set] is declared as package flag declares flags: each [Key] has a name, a form, a
// sentence, and the field that it fills. From the declaration come the strict reader with its
// problems by line ([Set.Read]), the JSON Schema ([Set.Schema]), the tables of the
// documentation ([Set.Table]), and the flags and questions of `carnet catalog add`
// ([Set.Leaves], [Key.Check]).
//
// A Set is declared for a type and is safe for concurrent use. It is made once, not once a
// file: its expressions are compiled when a file first needs them.
package keys

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// A Set is the keys of one mapping, in the order in which they are asked for and written.
type Set []Key

// A Key is one key of a mapping, or a group of keys that belong together.
type Key struct {
	Name     string
	Sentence string // what it is, for schemas, tables and questions
	Use      Use
	Required bool
	Default  string // as the file would have it; empty: none
	Flag     string // of `catalog add`, where that is not the name
	Inlined  Set    // a group: another set's keys, in this mapping
	OneOf    []Set  // a group: exactly one of the sets stands, told by its first key

	when   when
	byHand bool
	once   string
	leaf   *leaf // of a scalar, or of each item of a list
	list   bool
	form   Form
	rule   *rule
	put    func(into, value any)
	at     func(into any) any // where an inline set's keys go
}

// A Use says what a key is for: to lint, to rotate, and to whoever adds a destination.
type Use string

// The uses. Most keys say where a place is, and have none.
const (
	Identity    Use = "identity" // who is at the end of the chain
	Binding     Use = "binding"  // what ties the customer's trust to this destination
	NextBinding Use = "next"     // the binding that takes over while one is rotated
	Grant       Use = "grant"    // what a credential reaches
)

// when makes a key required where another has a value.
type when struct{ key, value string }

// A Form is how a value is written that is no scalar and no list of them.
type Form interface {
	// Read reads the value into what the key's set fills, and tells m what is wrong with it.
	Read(m *Mapping, k Key, into any)
	// Schema is its JSON Schema.
	Schema() map[string]any
	// Example is how it may be written, in one line.
	Example() string
}

func of[P any](name string, l *leaf, put func(*P, any)) Key {
	return Key{Name: name, Required: true, leaf: l, put: func(into, v any) { put(into.(*P), v) }}
}

// Text is a string that follows a grammar.
func Text[P any](name string, at func(*P) *string, g Grammar) Key {
	return of(name, g.leaf(), func(p *P, v any) { *at(p) = v.(string) })
}

// TextTo is Text for what does more with the string than store it.
func TextTo[P any](name string, take func(*P, string), g Grammar) Key {
	return of(name, g.leaf(), func(p *P, v any) { take(p, v.(string)) })
}

// Word is one of a few words.
func Word[P any, S ~string](name string, at func(*P) *S, words ...S) Key {
	var list []string
	for _, w := range words {
		list = append(list, string(w))
	}
	return of(name, oneOf(list), func(p *P, v any) { *at(p) = S(v.(string)) })
}

// Flag is true or false, and false where it does not stand.
func Flag[P any](name string, at func(*P) *bool) Key {
	return of(name, flag(), func(p *P, v any) { *at(p) = v.(bool) }).Optional()
}

// FlagTo is Flag for what does something where it is true.
func FlagTo[P any](name string, take func(*P)) Key {
	return of(name, flag(), func(p *P, v any) {
		if v == true {
			take(p)
		}
	}).Optional()
}

// Number is a whole number.
func Number[P any](name string, at func(*P) *int, least, most int) Key {
	return of(name, number(least, most), func(p *P, v any) { *at(p) = v.(int) })
}

// Duration is 45m, or 1h30m.
func Duration[P any](name string, at func(*P) *time.Duration, least, most time.Duration) Key {
	return of(name, duration(least, most), func(p *P, v any) { *at(p) = v.(time.Duration) }).Optional()
}

// Day is a date.
func Day[P any](name string, at func(*P) *time.Time) Key {
	return of(name, date(), func(p *P, v any) { *at(p) = v.(time.Time) }).Optional()
}

// List is a list of strings that follow a grammar. An empty one is refused.
func List[P any](name string, at func(*P) *[]string, g Grammar) Key {
	k := of(name, g.leaf(), func(p *P, v any) { *at(p) = append(*at(p), v.(string)) })
	k.list = true
	return k
}

// Within is a mapping of its own, whose keys fill what at gives.
func Within[P, Q any](name string, at func(*P) *Q, of Set) Key {
	return Key{Name: name, Required: true, form: mappingForm{of}, at: func(into any) any { return at(into.(*P)) }}
}

// New makes room where at points, for Within.
func New[Q any](at **Q) *Q {
	*at = new(Q)
	return *at
}

// Each is a list of mappings; title names one, such as "a caller".
func Each[P, Q any](name, title string, at func(*P) *[]Q, of Set) Key {
	return Key{Name: name, Required: true, form: listForm{title, of}, at: func(into any) any {
		list := at(into.(*P))
		*list = append(*list, *new(Q))
		return &(*list)[len(*list)-1]
	}}
}

// Custom is a key whose value a form of its own reads.
func Custom(name string, f Form) Key { return Key{Name: name, Required: true, form: f} }

// Inline puts the keys of another set into this mapping; they fill what at gives.
func Inline[P, Q any](at func(*P) *Q, of Set) Key {
	return Into(func(p *P) any { return at(p) }, of)
}

// Into is Inline for a set whose type is known to whoever declared it alone.
func Into[P any](at func(*P) any, of Set) Key {
	return Key{Inlined: of, at: func(into any) any { return at(into.(*P)) }}
}

// OneOf is a choice: exactly one of the sets stands, told by its first key. A flag stands where
// it is true.
func OneOf(sets ...Set) Key { return Key{OneOf: sets} }

// Rule is what keys must be to each other. It runs if blames and all of reads were read well; its
// error is told at the key that it blames.
func Rule[P any](holds func(*P) error, blames string, reads ...string) Key {
	return Key{rule: &rule{func(into any) error { return holds(into.(*P)) }, append(reads, blames)}, Name: blames}
}

type rule struct {
	holds func(into any) error
	reads []string
}

// Says gives the key its sentence.
func (k Key) Says(sentence string) Key { k.Sentence = sentence; return k }

// Optional lets the key be left out.
func (k Key) Optional() Key { k.Required = false; return k }

// Or is the value where the key is left out, as the file would have it.
func (k Key) Or(value string) Key { k.Required, k.Default = false, value; return k }

// When makes the key required where another key of the set has a value, and optional elsewhere.
func (k Key) When(key, value string) Key { k.Required, k.when = false, when{key, value}; return k }

// For says what the key is used for.
func (k Key) For(u Use) Key { k.Use = u; return k }

// Once refuses two items of a list of mappings that have one value of a key.
func (k Key) Once(key string) Key { k.once = key; return k }

// Flagged names the key's flag of `catalog add`: a list's is in the singular.
func (k Key) Flagged(name string) Key { k.Flag = name; return k }

// ByHand keeps the key out of `catalog add`: somebody writes it later, or a command does.
func (k Key) ByHand() Key { k.byHand = true; return k }

// FlagName is that of the flag which takes the key.
func (k Key) FlagName() string {
	if k.Flag != "" {
		return k.Flag
	}
	return strings.ReplaceAll(k.Name, "_", "-")
}

// Example is how the value may be written.
func (k Key) Example() string {
	switch {
	case k.form != nil:
		return k.form.Example()
	case k.list:
		return "[" + k.leaf.example + "]"
	}
	return k.leaf.example
}

// IsList tells whether the value is a list of scalars.
func (k Key) IsList() bool { return k.list }

// IsFlag tells whether the value is true or false.
func (k Key) IsFlag() bool { return k.leaf != nil && k.leaf.tag == "!!bool" }

// Words are those that a key of a few words takes.
func (k Key) Words() []string { return k.leaf.words }

// Check says what is wrong with an answer that somebody typed: it completes "KEY …".
func (k Key) Check(answer string) error {
	_, err := k.leaf.value(answer)
	return err
}

// YAML writes values of the key as a file has them.
func (k Key) YAML(values ...string) string {
	var list []string
	for _, v := range values {
		if k.leaf.tag == "!!str" {
			v = Scalar(v)
		}
		list = append(list, v)
	}
	if k.list {
		return "[" + strings.Join(list, ", ") + "]"
	}
	return strings.Join(list, "")
}

// Scalar writes a string so that every reader of YAML reads that string.
func Scalar(value string) string {
	if otherwise(&yaml.Node{Tag: "!!str", Value: value}) || strings.ContainsAny(value, ",[]{}") { // in a list too
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return `""`
	}
	return strings.TrimSpace(string(text))
}

// Needs tells whether the key must stand, where value gives the others' values.
func (k Key) Needs(value func(key string) string) bool {
	return k.Required || k.when.key != "" && value(k.when.key) == k.when.value
}

// Asked tells whether `catalog add` knows the key: it is a scalar or a list of them.
func (k Key) Asked() bool { return k.leaf != nil && !k.byHand }

// Leaves are all keys with a name, those of inlined sets and of choices among them.
func (s Set) Leaves() Set {
	var all Set
	for _, k := range s {
		switch {
		case k.rule != nil:
		case k.Inlined != nil:
			all = append(all, k.Inlined.Leaves()...)
		case k.OneOf != nil:
			for _, alternative := range k.OneOf {
				all = append(all, alternative.Leaves()...)
			}
		default:
			all = append(all, k)
		}
	}
	return all
}

// Named finds the key that has a use.
func (s Set) Named(u Use) (string, bool) {
	for _, k := range s.Leaves() {
		if k.Use == u {
			return k.Name, true
		}
	}
	return "", false
}

// Key finds a key by its name; the zero Key where there is none.
func (s Set) Key(name string) Key {
	for _, k := range s.Leaves() {
		if k.Name == name {
			return k
		}
	}
	return Key{}
}
