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
	"iter"
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
	s, err := begin(text)
	if err != nil {
		return nil, err
	}
	o := make(Object, 0, 8)
	for raw, value, more := s.next(); more; raw, value, more = s.next() {
		key, err := String(raw)
		if err == nil {
			err = o.check(key)
		}
		if err != nil {
			return nil, err
		}
		o = append(o, Member{key, value})
	}
	return o, nil
}

// Check fails where Parse does, for whoever decodes text into a struct. It builds nothing
// where the keys are few and plain.
func Check(text []byte) error {
	s, err := begin(text)
	if err != nil {
		return err
	}
	var seen [16][]byte
	n := 0
	for raw, _, more := s.next(); more; raw, _, more = s.next() {
		if n == len(seen) || bytes.IndexByte(raw, '\\') >= 0 {
			_, err := Parse(text)
			return err
		}
		for _, other := range seen[:n] {
			if bytes.EqualFold(other, raw) {
				return fmt.Errorf("the key %s is there twice", raw)
			}
		}
		seen[n] = raw
		n++
	}
	return nil
}

// begin steps into the one object that text is.
func begin(text []byte) (s scanner, err error) {
	if !utf8.Valid(text) || !json.Valid(text) {
		return s, errors.New("it is no JSON, or more than one")
	}
	s.text = text
	if s.blanks(); s.text[s.at] != '{' {
		return s, errors.New("it is no JSON object")
	}
	s.at++
	return s, nil
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

// Members walks over a value that is an object, in text that Check or Parse has taken, and
// gives each key as it is written, in its quotes. Of another value there is nothing.
func Members(object json.RawMessage) iter.Seq2[json.RawMessage, json.RawMessage] {
	return func(yield func(key, value json.RawMessage) bool) {
		if len(object) == 0 || object[0] != '{' {
			return
		}
		s := scanner{object, 1}
		for key, value, more := s.next(); more && yield(key, value); {
			key, value, more = s.next()
		}
	}
}

// At finds a value in objects within objects, in text that Check or Parse has taken; nil
// where it is not. Unlike Get it finds no key that is written with a backslash.
func At(object json.RawMessage, path ...string) json.RawMessage {
	for _, name := range path {
		at := object
		object = nil
		for key, value := range Members(at) {
			if string(key[1:len(key)-1]) == name {
				object = value
				break
			}
		}
	}
	return object
}

// A scanner walks over text that is known to be valid, and so looks at brackets and quotes
// alone.
type scanner struct {
	text []byte
	at   int
}

func (s *scanner) blanks() {
	for s.at < len(s.text) && (blank(s.text[s.at]) || s.text[s.at] == ':') {
		s.at++
	}
}

// blank is what ends a number or a word, but for a bracket.
func blank(c byte) bool { return c == ' ' || c == ',' || c == '\n' || c == '\t' || c == '\r' }

// next gives the next member's key, in its quotes, and value; more is false after the last.
func (s *scanner) next() (key, value []byte, more bool) {
	if s.blanks(); s.text[s.at] == '}' {
		return nil, nil, false
	}
	from := s.at
	s.quoted()
	key = s.text[from:s.at]
	s.blanks()
	from = s.at
	s.value()
	return key, s.text[from:s.at], true
}

// quoted steps over a string.
func (s *scanner) quoted() {
	s.at++
	for quote := 0; ; {
		if quote < s.at {
			quote = s.at + bytes.IndexByte(s.text[s.at:], '"')
		}
		escape := bytes.IndexByte(s.text[s.at:quote], '\\')
		if escape < 0 {
			s.at = quote + 1
			return
		}
		s.at += escape + 2
	}
}

// value steps over a value, whatever is inside it.
func (s *scanner) value() {
	for depth := 0; s.at < len(s.text); {
		switch c := s.text[s.at]; {
		case c == '"':
			if s.quoted(); depth == 0 {
				return
			}
			continue
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			if depth--; depth < 0 {
				return // the object around a number or a word
			}
			if depth == 0 {
				s.at++
				return
			}
		case depth == 0 && blank(c):
			return
		}
		s.at++
	}
}

// String reads the JSON text of a string; no other value counts as one, null included.
func String(value []byte) (string, error) {
	if len(value) < 2 || value[0] != '"' {
		return "", errors.New("it is no string")
	}
	if plain := value[1 : len(value)-1]; bytes.IndexByte(plain, '\\') < 0 {
		return string(plain), nil
	}
	var s string
	if err := json.Unmarshal(value, &s); err != nil {
		return "", errors.New("it is no string")
	}
	return s, nil
}
