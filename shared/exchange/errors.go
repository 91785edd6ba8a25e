package exchange

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The errors that a Broker gives besides an [EdgeError].
var (
	// ErrDenied means that the caller may not have what it asked for. It is also
	// the answer for a tenant or a destination that does not exist.
	ErrDenied = errors.New("denied")
	// ErrBadRequest wraps what is wrong with a request and what to write instead.
	ErrBadRequest = errors.New("bad request")
	// ErrUnverified means that the destination has not been seen to refuse us without its
	// binding, so that it is not served.
	ErrUnverified = errors.New("the destination is not verified")
	// ErrNotRecorded means that the audit record could not be written, so that
	// the credential was thrown away.
	ErrNotRecorded = errors.New("the audit record could not be written")
)

// A Reason says in which way an edge failed, whatever the cloud called it.
type Reason string

const (
	// Refused means that the cloud understood and said no: trying again is useless
	// until somebody changes something.
	Refused Reason = "refused"
	// Throttled means that the cloud asked us to slow down.
	Throttled Reason = "throttled"
	// Unavailable means that no useful answer came: a time-out, a broken
	// connection, a 5xx, an answer that makes no sense.
	Unavailable Reason = "unavailable"
)

// An Owner is the party that can mend an edge.
type Owner string

const (
	Operator   Owner = "operator"    // who runs carnet
	TenantSide Owner = "tenant"      // where the tenant's identities are in an account of its own
	ThirdParty Owner = "third-party" // whose place the credential is for
)

// An EdgeError reports the edge at which a chain broke.
type EdgeError struct {
	Edge    Edge
	Crossed Trail // the edges before it, which held
	Reason  Reason
	Code    string // the upstream's own code, such as AccessDenied or invalid_grant
	Status  int    // the upstream's HTTP status, 0 without an answer
	Owner   Owner  // set by the Broker

	// RetryAfter is how long the upstream asked us to wait; 0 where it did not.
	RetryAfter time.Duration
	// Err has the upstream's own words. They are for the operator's log and for a
	// diagnosis, never for a caller.
	Err error
}

func (e *EdgeError) Error() string {
	code := e.Code
	if code == "" {
		code = string(e.Reason)
	}
	msg := fmt.Sprintf("%s → %s: %s: %s", e.Edge.From, e.Edge.To, e.Edge.Op, code)
	if e.Err != nil {
		msg += ": " + e.Err.Error()
	}
	return msg
}

func (e *EdgeError) Unwrap() error { return e.Err }

// AtEdge makes err an EdgeError of the given edge, unless it is one already: the
// innermost edge is where the chain broke, however far out that comes to light.
// An error that says nothing of an upstream counts as Unavailable.
func AtEdge(err error, edge Edge, crossed Trail) error {
	var inner *EdgeError
	if err == nil || errors.As(err, &inner) {
		return err
	}
	return &EdgeError{Edge: edge, Crossed: crossed, Reason: Unavailable, Code: code(err), Err: err}
}

func code(err error) string {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return ""
}
