// Package schedule is what runs before the sync jobs do: check proves that every chain
// still works, deliver fills secrets for jobs that can read nothing else.
//
// A scheduler promises to come at least once, so it may come twice: a delivery belongs to
// a slot of time and is made once in it. What fails, fails alone, and is counted.
package schedule

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// An Action is what a run does.
type Action string

const (
	// Check mints for every destination and throws away what it gets.
	Check Action = "check"
	// Deliver mints for the destinations whose file says deliver:, and puts it there.
	Deliver Action = "deliver"
)

// An Input is what the scheduler sends:
//
//	{"action": "check" | "deliver", "tenants": ["acme"] | "all", "shard": "1/4"}
type Input struct {
	Action  Action
	Tenants []string // nil: all
	Shard   Shard
}

// A Shard is a part of the tenants, told by a hash of their names: the Nth of Of. The zero
// Shard is all of them.
type Shard struct{ N, Of int }

// Has tells whether a tenant is in the shard.
func (s Shard) Has(tenant string) bool {
	if s.Of <= 1 {
		return true
	}
	h := fnv.New32a()
	h.Write([]byte(tenant))
	return int(h.Sum32()%uint32(s.Of)) == s.N-1
}

// maxInput is more than any list of tenants needs.
const maxInput = 256 << 10

// ErrInput wraps what is wrong with an input and what to write instead.
var ErrInput = errors.New("the schedule's input")

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInput}, args...)...)
}

// Parse reads an input strictly.
func Parse(text []byte) (Input, error) {
	var in Input
	if len(text) > maxInput {
		return in, bad("it has more than %d bytes", maxInput)
	}
	raw, err := object(text)
	if err != nil {
		return in, err
	}
	if json.Unmarshal(raw["action"], &in.Action) != nil || in.Action != Check && in.Action != Deliver {
		return in, bad(`write "action": "check" or "deliver"`)
	}
	if in.Tenants, err = tenants(raw["tenants"]); err != nil {
		return in, err
	}
	in.Shard, err = shard(raw["shard"])
	return in, err
}

// object reads one object with the three keys, each once and none else.
func object(text []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, bad("it is no JSON object")
	}
	raw := map[string]json.RawMessage{}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, bad("it is no JSON object")
		}
		if _, twice := raw[key]; twice {
			return nil, bad("the key %q is there twice", key)
		}
		switch key {
		case "action", "tenants", "shard":
		default:
			return nil, bad("the key %q is not known: write action, tenants and, if need be, shard", key)
		}
		var value json.RawMessage
		if dec.Decode(&value) != nil {
			return nil, bad("the value of %q is no JSON", key)
		}
		raw[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad("it is no JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("there is something behind the JSON object")
	}
	return raw, nil
}

func tenants(text json.RawMessage) ([]string, error) {
	var word string
	if json.Unmarshal(text, &word) == nil && word == "all" {
		return nil, nil
	}
	var names []string
	if json.Unmarshal(text, &names) != nil || len(names) == 0 {
		return nil, bad(`write "tenants": "all", or a list of names`)
	}
	return names, nil
}

func shard(text json.RawMessage) (Shard, error) {
	if text == nil {
		return Shard{}, nil
	}
	var word string
	if json.Unmarshal(text, &word) != nil || !regexp.MustCompile(`^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$`).MatchString(word) {
		return Shard{}, bad(`write "shard": "1/4" for the first of four`)
	}
	a, b, _ := strings.Cut(word, "/")
	n, errN := strconv.Atoi(a)
	of, errOf := strconv.Atoi(b)
	if errN != nil || errOf != nil || n > of {
		return Shard{}, bad("shard %s: there is no %s of %s", word, a, b)
	}
	return Shard{n, of}, nil
}

// A Store keeps secrets. Both clouds' identities are one, for their own cloud's secrets.
type Store interface {
	// Delivered tells whether the slot's version is there already, or one is so
	// young that the cloud asks for a pause. The id is the same in every run of a
	// slot and has 64 characters; since is when the slot began.
	Delivered(ctx context.Context, secret, id string, since time.Time) (bool, error)
	// Deliver makes text the current version, and then gets rid of those that nobody
	// needs. If it fails, what was current before still is.
	Deliver(ctx context.Context, secret, id string, text []byte) error
}
