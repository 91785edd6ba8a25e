package awsid

import (
	"cmp"
	"errors"
	"sync/atomic"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// oldFor is how long a role that did not know the next ExternalId is shown the old one
// first: a change of trust takes people hours, and every try that is refused stands in
// the third party's CloudTrail.
const oldFor = 15 * time.Minute

// A rotation is the ExternalIds that a role may be entered with while one takes over
// from the other.
type rotation struct {
	role      string
	next, old string       // next is empty while nothing changes
	oldUntil  atomic.Int64 // Unix seconds until which old goes first
}

// cross enters with the id that goes first, and with the other where the role refused
// it, which is what a trust policy that does not know an id looks like. If both are
// refused the first refusal counts.
func (r *rotation) cross(enter func(id string) (Session, error)) (Session, error) {
	if r.next == "" || r.old == "" || r.next == r.old {
		return enter(cmp.Or(r.old, r.next))
	}
	first, second := r.next, r.old
	if time.Now().Unix() < r.oldUntil.Load() {
		first, second = second, first
	}
	s, err := enter(first)
	if !r.unknown(err) {
		return s, err
	}
	other, again := enter(second)
	if again != nil {
		return s, err
	}
	until := time.Time{}
	if second == r.old {
		until = time.Now().Add(oldFor)
	}
	r.oldUntil.Store(until.Unix())
	return other, nil
}

// unknown tells whether the role itself refused. STS says the same of a wrong ExternalId,
// a wrong audience and a principal that is not let in.
func (r *rotation) unknown(err error) bool {
	var edge *exchange.EdgeError
	return errors.As(err, &edge) && edge.Edge.To == r.role && edge.Code == "AccessDenied"
}
