package keys

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A Grammar says what a string may be.
type Grammar struct {
	Name    string // completes "is not", such as "an AWS Region"
	Example string
	Pattern string // read alike by Go and by JavaScript: it stands in the JSON Schema too
	Most    int    // characters; 0 where the pattern bounds them
	// Last is how many characters may follow the last slash, where the pattern ends in +$. To count
	// them in the expression would make it slow to compile.
	Last int

	// Refuses says why a string is refused that could be meant, and what to write: it is asked
	// before the pattern. Nil: the pattern says all.
	Refuses func(string) error
	// Empty says why an empty one is refused, and what to write: it completes "KEY …".
	Empty string
	// Clean writes a good string in its one form. Nil: it stays as it is.
	Clean func(string) string
}

// Check says what is wrong with s: it completes "KEY …".
func (g Grammar) Check(s string) error {
	if g.Refuses != nil {
		if err := g.Refuses(s); err != nil {
			return fmt.Errorf("%q %w", s, err)
		}
	}
	if g.Most > 0 && len(s) > g.Most || g.Last > 0 && len(s)-strings.LastIndex(s, "/")-1 > g.Last || !matches(g.Pattern, s) {
		return fmt.Errorf("%q is not %s: write it like %s", s, g.Name, g.Example)
	}
	return nil
}

// compiled has expressions by their text. Compiling one costs 10 to 80 µs, so it waits until a
// file has such a key; without its ^ it costs a third less, and what is found first is the same.
var compiled sync.Map

func matches(pattern, s string) bool {
	p, ok := compiled.Load(pattern)
	if !ok {
		p, _ = compiled.LoadOrStore(pattern, regexp.MustCompile(strings.TrimPrefix(pattern, "^")))
	}
	at := p.(*regexp.Regexp).FindStringIndex(s)
	return at != nil && at[0] == 0
}

// A leaf is how one scalar is written. What only an error or a schema says is made when it is
// asked for, since every start declares all keys.
type leaf struct {
	tag    string        // what YAML takes it for
	want   func() string // completes "write"
	value  func(text string) (any, error)
	schema func() object

	example string
	empty   string   // why an empty one is refused: completes "KEY …"
	words   []string // that it is one of
}

const aString = "a string"

// leaf is one function, and not a copy in each type's [Text]: that is a tenth of a Lambda's own code.
//
//go:noinline
func (g Grammar) leaf() *leaf {
	l := &leaf{tag: "!!str", want: func() string { return aString }, example: g.Example, empty: g.Empty}
	l.value = func(text string) (any, error) {
		if err := g.Check(text); err != nil {
			return nil, err
		}
		if g.Clean != nil {
			text = g.Clean(text)
		}
		return text, nil
	}
	l.schema = func() object {
		schema := object{"type": "string", "examples": []string{g.Example}}
		if g.Last > 0 {
			schema["pattern"] = fmt.Sprintf("%s{1,%d}$", strings.TrimSuffix(g.Pattern, "+$"), g.Last)
		} else if g.Pattern != "" {
			schema["pattern"] = g.Pattern
		} else {
			schema["minLength"] = 1
		}
		if g.Most > 0 {
			schema["maxLength"] = g.Most
		}
		return schema
	}
	return l
}

// parsed is a leaf of another form than text: parse says false of what is none.
func parsed(tag, example string, want func() string, schema object, parse func(string) (any, bool)) *leaf {
	return &leaf{tag: tag, example: example, want: want, schema: func() object { return schema }, value: func(text string) (any, error) {
		if v, ok := parse(text); ok {
			return v, nil
		}
		return nil, fmt.Errorf("is %q: write %s", text, want())
	}}
}

//go:noinline
func oneOf(words []string) *leaf {
	l := parsed("!!str", words[0], func() string { return Either(words) }, object{"enum": words}, func(text string) (any, bool) {
		return text, slices.Contains(words, text)
	})
	l.words = words
	return l
}

// flag takes true or false, in these letters: YAML has True and TRUE as well, and a tenant
// must not be served because of how somebody wrote that it is disabled.
func flag() *leaf {
	return parsed("!!bool", "true", func() string { return "true or false" }, object{"type": "boolean"}, func(text string) (any, bool) {
		return text == "true", text == "true" || text == "false"
	})
}

func number(least, most int) *leaf {
	want := func() string { return fmt.Sprintf("a number from %d to %d", least, most) }
	return parsed("!!int", "1", want, object{"type": "integer", "minimum": least, "maximum": most}, func(text string) (any, bool) {
		n, err := strconv.Atoi(text)
		return n, err == nil && strconv.Itoa(n) == text && n >= least && n <= most
	})
}

const durations = `^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`

func duration(least, most time.Duration) *leaf {
	want := func() string { return fmt.Sprintf("a duration from %s to %s, such as 45m", least, most) }
	schema := object{"type": "string", "pattern": durations, "minLength": 2, "examples": []string{"45m"}}
	return parsed("!!str", "45m", want, schema, func(text string) (any, bool) {
		d, err := time.ParseDuration(text)
		return d, err == nil && d >= least && d <= most && matches(durations, text)
	})
}

func date() *leaf {
	schema := object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}
	return parsed("!!timestamp", "2026-11-20", func() string { return "a day, such as 2026-11-20" }, schema, func(text string) (any, bool) {
		day, err := time.Parse(time.DateOnly, text)
		return day, err == nil
	})
}

// Either lists words as a sentence does: read, write or read_write.
func Either(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
