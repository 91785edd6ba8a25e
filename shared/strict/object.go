// Package strict reads a JSON object that somebody else wrote so that no two readers of it
// can disagree.
//
// encoding/json fills a field from a key in any case ("SUB", and "ſub" with Unicode's long
// s), lets the last of two keys win, and puts U+FFFD for what is no UTF-8. Each of these
// has let a stranger name a subject somewhere. Here a key is what it is letter by letter,
// stands there once in whatever case, and nothing follows the object.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxMembers bounds the comparing of keys; what is read here has about thirty at the most.
const maxMembers = 100

// An Object is a JSON object's members, in their order.
type Object []Member

// A Member is a key and the JSON text of its value. Both are only ever valid.
type Member struct {
	Key   string
	Value json.RawMessage
}

// Parse reads text as one object. Its values are parts of text. The error may quote a key.
func Parse(text []byte) (Object, error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return nil, errors.New("it is no JSON, or more than one")
	}
	text = bytes.TrimSpace(text)
	rest, isObject := bytes.CutPrefix(text, []byte("{"))
	if !isObject {
		return nil, errors.New("it is no JSON object")
	}
	o, all := make(Object, 0, 8), string(text) // plain keys are parts of it
	for raw, rest := cut(rest); raw[0] == '"'; raw, rest = cut(rest) {
		end := len(text) - len(rest)
		key, err := all[end-len(raw)+1:end-1], error(nil)
		if strings.Contains(key, `\`) {
			key, err = String(raw)
		}
		if err == nil {
			err = o.check(key)
		}
		if err != nil {
			return nil, err
		}
		raw, rest = cut(rest)
		o = append(o, Member{key, raw})
	}
	return o, nil
}

// cut takes the next value, or the bracket after the last, off the inside of an object that is
// known to be valid. The decoder's tokens would say the same, with ten allocations for each key.
func cut(text []byte) (value, rest []byte) {
	const between = " \t\r\n,:"
	text = bytes.TrimLeft(text, between)
	depth, quoted := 0, false
	for i := 0; ; i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
		if depth <= 0 && !quoted && (i+1 == len(text) || strings.IndexByte(between+"}]", text[i+1]) >= 0) {
			return text[:i+1], text[i+1:]
		}
	}
}

// Check fails where Parse does, for whoever decodes text into a struct.
func Check(text []byte) error {
	_, err := Parse(text)
	return err
}

func (o Object) check(key string) error {
	if len(o) == maxMembers {
		return fmt.Errorf("it has more than %d keys", maxMembers)
	}
	for _, m := range o {
		if strings.EqualFold(m.Key, key) {
			return fmt.Errorf("the key %q is there twice", key)
		}
	}
	return nil
}

// Get finds the value of a key, spelled exactly so.
func (o Object) Get(key string) (value json.RawMessage, ok bool) {
	for _, m := range o {
		if m.Key == key {
			return m.Value, true
		}
	}
	return nil, false
}

// String reads the JSON text of a string; no other value counts as one, null included.
func String(value []byte) (string, error) {
	var s *string
	switch {
	case len(value) > 1 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0:
		return string(value[1 : len(value)-1]), nil
	case json.Unmarshal(value, &s) != nil || s == nil:
		return "", errors.New("it is no string")
	}
	return *s, nil
}
