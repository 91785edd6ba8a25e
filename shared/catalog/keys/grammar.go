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
	if g.Most > 0 && len(s) > g.Most || !pattern(g.Pattern).MatchString(s) {
		return fmt.Errorf("%q is not %s: write it like %s", s, g.Name, g.Example)
	}
	return nil
}

// compiled has expressions by their text. Compiling one costs 10 to 80 µs, so it waits until a
// file has such a key.
var compiled sync.Map

func pattern(text string) *regexp.Regexp {
	if p, ok := compiled.Load(text); ok {
		return p.(*regexp.Regexp)
	}
	p, _ := compiled.LoadOrStore(text, regexp.MustCompile(text))
	return p.(*regexp.Regexp)
}

// A leaf is how one scalar is written.
type leaf struct {
	tags    []string // what YAML may take it for
	want    string   // completes "write"
	example string
	empty   string                         // completes "KEY …"
	value   func(text string) (any, error) // the error completes "KEY …"
	schema  object
}

func (g Grammar) leaf() *leaf {
	schema := object{"type": "string", "examples": []string{g.Example}}
	if g.Pattern != "" {
		schema["pattern"] = g.Pattern
	} else {
		schema["minLength"] = 1
	}
	if g.Most > 0 {
		schema["maxLength"] = g.Most
	}
	return &leaf{tags: []string{"!!str"}, want: "a string", example: g.Example, empty: g.Empty, schema: schema, value: func(text string) (any, error) {
		if err := g.Check(text); err != nil {
			return nil, err
		}
		if g.Clean != nil {
			text = g.Clean(text)
		}
		return text, nil
	}}
}

func oneOf(words []string) *leaf {
	return &leaf{tags: []string{"!!str"}, want: "a string", example: words[0], schema: object{"enum": words}, value: func(text string) (any, error) {
		if !slices.Contains(words, text) {
			return nil, fmt.Errorf("is %q: write %s", text, Either(words))
		}
		return text, nil
	}}
}

// flag takes true or false, in these letters: YAML has True and TRUE as well, and a tenant
// must not be served because of how somebody wrote that it is disabled.
func flag() *leaf {
	const want = "true or false"
	return &leaf{tags: []string{"!!bool"}, want: want, example: "true", schema: object{"type": "boolean"}, value: func(text string) (any, error) {
		if text != "true" && text != "false" {
			return nil, fmt.Errorf("is %s: write %s", text, want)
		}
		return text == "true", nil
	}}
}

func number(least, most int) *leaf {
	want := fmt.Sprintf("a number from %d to %d", least, most)
	schema := object{"type": "integer", "minimum": least, "maximum": most}
	return &leaf{tags: []string{"!!int"}, want: want, example: strconv.Itoa(least), schema: schema, value: func(text string) (any, error) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return nil, fmt.Errorf("is %q: write %s", text, want)
		}
		return n, nil
	}}
}

const durations = `^([0-9]+h)?([0-9]+m)?([0-9]+s)?$`

func duration(least, most time.Duration) *leaf {
	want := fmt.Sprintf("a duration from %s to %s, such as 45m", least, most)
	schema := object{"type": "string", "pattern": durations, "minLength": 2, "examples": []string{"45m"}}
	return &leaf{tags: []string{"!!str"}, want: want, example: "45m", schema: schema, value: func(text string) (any, error) {
		d, err := time.ParseDuration(text)
		if err != nil || !pattern(durations).MatchString(text) || d < least || d > most {
			return nil, fmt.Errorf("is %q: write %s", text, want)
		}
		return d, nil
	}}
}

func date() *leaf {
	const want = "a day, such as 2026-11-20"
	schema := object{"type": "string", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`}
	return &leaf{tags: []string{"!!str", "!!timestamp"}, want: want, example: "2026-11-20", schema: schema, value: func(text string) (any, error) {
		day, err := time.Parse(time.DateOnly, text)
		if err != nil {
			return nil, fmt.Errorf("is %q: write %s", text, want)
		}
		return day, nil
	}}
}

// Either lists words as a sentence does: read, write or read_write.
func Either(words []string) string {
	last := len(words) - 1
	if last <= 0 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
