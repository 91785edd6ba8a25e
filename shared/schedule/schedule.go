// Package schedule is what runs before the sync jobs do: check proves that every chain
// still works, deliver fills secrets for jobs that can read nothing else.
//
// A scheduler promises to come at least once, so it may come twice: what was delivered a
// short while ago is kept, as long as that leaves no gap. What fails, fails alone, and is
// counted.
package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/strict"
)

// An Action is what a run does.
type Action string

const (
	// Check mints for every destination and throws away what it gets. Once a day it also
	// tries what must be refused.
	Check Action = "check"
	// Deliver mints for the destinations whose file says deliver:, and puts it there.
	Deliver Action = "deliver"
)

// An Input is what the scheduler sends:
//
//	{"action": "check" | "deliver", "tenants": ["acme"] | "all", "shard": "1/4", "refusals": true}
type Input struct {
	Action  Action
	Tenants []string // nil: all
	Shard   Shard
	// Refusals has a check also try what each destination must refuse. It is for one
	// schedule a day: a third party sees each attempt, and alarms may stand on them.
	Refusals bool
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
func Parse(text []byte) (in Input, err error) {
	if len(text) > maxInput {
		return in, bad("it has more than %d bytes", maxInput)
	}
	o, err := strict.Parse(text)
	if err != nil {
		return in, bad("%w", err)
	}
	for _, m := range o {
		if !slices.Contains([]string{"action", "tenants", "shard", "refusals"}, m.Key) {
			return in, bad("the key %q is not known: write action, tenants and, if need be, shard and refusals", m.Key)
		}
	}
	action, _ := o.Get("action")
	word, _ := strict.String(action)
	if in.Action = Action(word); in.Action != Check && in.Action != Deliver {
		return in, bad(`write "action": "check" or "deliver"`)
	}
	if in.Tenants, err = tenants(o); err != nil {
		return in, err
	}
	if in.Shard, err = shard(o); err != nil {
		return in, err
	}
	in.Refusals, err = refusals(o, in.Action)
	return in, err
}

// tenants gives no list for all of them.
func tenants(o strict.Object) ([]string, error) {
	value, _ := o.Get("tenants")
	if word, _ := strict.String(value); word == "all" {
		return nil, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(value, &list) != nil || len(list) == 0 {
		return nil, bad(`write "tenants": "all", or a list of names`)
	}
	var names []string
	for _, item := range list {
		name, _ := strict.String(item)
		if !catalog.ValidName(name) {
			return nil, bad("%s is no tenant's name: write 1 to 32 of a-z, 0-9 and -", item)
		}
		names = append(names, name)
	}
	if slices.Sort(names); len(slices.Compact(slices.Clone(names))) < len(names) {
		return nil, bad("a tenant is there twice")
	}
	return names, nil
}

func shard(o strict.Object) (Shard, error) {
	value, there := o.Get("shard")
	if !there {
		return Shard{}, nil
	}
	word, _ := strict.String(value)
	if !regexp.MustCompile(`^[1-9][0-9]{0,3}/[1-9][0-9]{0,3}$`).MatchString(word) {
		return Shard{}, bad(`write "shard": "1/4" for the first of four`)
	}
	n, of, _ := strings.Cut(word, "/")
	var s Shard
	s.N, _ = strconv.Atoi(n) // both are numbers, as was seen
	s.Of, _ = strconv.Atoi(of)
	if s.N > s.Of {
		return Shard{}, bad("shard %s: there is no %d of %d", word, s.N, s.Of)
	}
	return s, nil
}

func refusals(o strict.Object, a Action) (bool, error) {
	value, there := o.Get("refusals")
	switch {
	case !there || string(value) == "false":
		return false, nil
	case string(value) != "true":
		return false, bad(`write "refusals": true, or leave it out`)
	case a != Check:
		return false, bad("refusals are a check's: leave it out of a delivery")
	}
	return true, nil
}

// A Store keeps secrets. Both clouds' identities are one, for their own cloud's secrets.
type Store interface {
	// Delivered tells whether a version is there that is young enough to be kept: one
	// that has one of the ids, where the cloud lets us name versions, or one that was
	// made since. The ids have 64 characters.
	Delivered(ctx context.Context, secret string, ids []string, since time.Time) (bool, error)
	// Deliver makes text the current version, under the id where the cloud takes one,
	// and then gets rid of those that nobody needs. If it fails, what was current
	// before still is. A version of that id that is there already stays as it is.
	Deliver(ctx context.Context, secret, id string, text []byte) error
	// Pace is how many deliveries a second the cloud's quota takes.
	Pace() float64
}
