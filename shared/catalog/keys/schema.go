package keys

import (
	"fmt"
	"maps"
	"strings"
)

type object = map[string]any

// Schema is the JSON Schema of a mapping with these keys and no others, draft 2020-12. It is for
// editors: what one key cannot know of another (a rule, a chain that loops) only the reader finds.
func (s Set) Schema() map[string]any {
	properties, required, all := object{}, []string{}, []object{}
	for _, k := range s.Leaves() {
		properties[k.Name] = k.schema()
		if k.when.key != "" {
			all = append(all, s.required(k))
		}
	}
	for _, k := range s.flat() {
		switch {
		case k.OneOf != nil:
			all = append(all, k.choice())
		case k.Required:
			required = append(required, k.Name)
		}
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		out["required"] = required
	}
	if len(all) > 0 {
		out["allOf"] = all
	}
	return out
}

// flat is the set with what is inlined in its place, choices whole.
func (s Set) flat() Set {
	var all Set
	for _, k := range s {
		switch {
		case k.rule != nil:
		case k.Inlined != nil:
			all = append(all, k.Inlined.flat()...)
		default:
			all = append(all, k)
		}
	}
	return all
}

func (k Key) schema() object {
	var s object
	switch {
	case k.form != nil:
		s = maps.Clone(k.form.Schema())
	case k.list:
		s = object{"type": "array", "items": k.leaf.schema(), "minItems": 1}
	default:
		s = maps.Clone(k.leaf.schema())
	}
	if k.Sentence != "" {
		s["description"] = k.Sentence
	}
	if k.Default != "" {
		s["default"] = k.Default
		if v, err := k.leaf.value(k.Default); err == nil && k.leaf.tag == "!!int" {
			s["default"] = v
		}
	}
	return s
}

// required makes a key required where another has its value, or leaves that to its default.
func (s Set) required(k Key) object {
	there := object{"properties": object{k.when.key: object{"const": k.when.value}}}
	if s.Key(k.when.key).Default != k.when.value {
		there["required"] = []string{k.when.key}
	}
	return object{"if": there, "then": object{"required": []string{k.Name}}}
}

// choice takes exactly one alternative.
func (k Key) choice() object {
	var list []object
	for i, s := range k.OneOf {
		properties, none := object{}, []object{}
		for j, other := range k.OneOf {
			first := other.first()
			switch {
			case first.IsFlag():
				properties[first.Name] = object{"const": i == j}
			case i != j:
				none = append(none, object{"required": []string{first.Name}})
			}
		}
		one := object{"required": s.Schema()["required"]}
		if s.first().IsFlag() {
			one["required"] = []string{s.first().Name}
		}
		if len(properties) > 0 {
			one["properties"] = properties
		}
		if len(none) > 0 {
			one["not"] = object{"anyOf": none}
		}
		list = append(list, one)
	}
	return object{"oneOf": list}
}

// Schema implements [Form].
func (f mappingForm) Schema() map[string]any { return f.of.Schema() }

// Schema implements [Form].
func (f listForm) Schema() map[string]any {
	return object{"type": "array", "items": f.of.Schema(), "minItems": 1}
}

// Table is the keys as a table in Markdown, with those of mappings within behind theirs.
func (s Set) Table() string {
	return "| key | | |\n|---|---|---|\n" + s.rows("")
}

func (s Set) rows(prefix string) string {
	var b strings.Builder
	for _, k := range s.flat() {
		if k.OneOf == nil {
			b.WriteString(k.row(prefix, k.needed()))
			continue
		}
		for i, alternative := range k.OneOf {
			for j, of := range alternative.Leaves() {
				needed := of.needed()
				if j == 0 {
					needed = []string{"one of these", "or this"}[min(i, 1)]
				}
				b.WriteString(of.row(prefix, needed))
			}
		}
	}
	return b.String()
}

func (k Key) row(prefix, needed string) string {
	row := fmt.Sprintf("| `%s%s` | %s | %s |\n", prefix, k.Name, needed, k.Sentence)
	switch f := k.form.(type) {
	case mappingForm:
		return row + f.of.rows(prefix+k.Name+".")
	case listForm:
		return row + f.of.rows(prefix+k.Name+"[].")
	}
	return row
}

func (k Key) needed() string {
	switch {
	case k.Required:
		return "required"
	case k.when.key != "":
		return fmt.Sprintf("required if `%s: %s`", k.when.key, k.when.value)
	case k.Default != "":
		return "default `" + k.Default + "`"
	}
	return ""
}
