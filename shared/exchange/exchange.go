// Package exchange turns the identity that a process already has into a
// credential at the end of a chain of identities, none of which keeps a key.
//
// The story is told with five nouns. An [Identity] is somebody this process can
// act as; the first is the runtime's own role or service account. A [Principal]
// is the name of an identity that can be entered from another. A [Chain] is a
// list of principals: linking it enters each from the one before, and makes no
// call. A [Destination] owns a linked chain and asks the identity at its end for
// the one [Credential] that its kind of place takes. A [Broker] finds the
// destination for a caller, has it vend, and writes down what happened.
//
// How an edge is crossed is nobody's business here: package awsid knows how a
// role is entered, package gcpid how a service account is, and they meet only in
// Identity. Never wrap an Identity to decorate it. A principal recognises its own
// cloud's identities by their type, and a wrapped one would be treated as foreign.
//
// This package imports the standard library and nothing else.
package exchange

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"
)

// An Identity is a workload identity that this process can act as.
// Implementations are safe for concurrent use.
type Identity interface {
	// Principal names the identity: a role's ARN, or a service account's email.
	Principal() string
	// SubjectToken proves the identity to one relying party and to no other.
	// An identity that has none of the forms which the party accepts says so
	// with an error, without a call.
	SubjectToken(ctx context.Context, to RelyingParty) (SubjectToken, error)
}

// A Form is a way of proving an identity to a relying party.
type Form string

const (
	// RS256 is a JSON Web Token signed with RSA and SHA-256.
	RS256 Form = "jwt-rs256"
	// ES384 is a JSON Web Token signed with ECDSA on P-384.
	ES384 Form = "jwt-es384"
	// SignedCallerIdentity is an AWS GetCallerIdentity request, signed and not
	// sent, in the percent-encoded JSON that Google's STS calls aws4_request.
	SignedCallerIdentity Form = "aws4-request"
)

// A RelyingParty is who must be convinced, and by which forms of proof.
type RelyingParty struct {
	Audience string
	Accepts  []Form // in order of preference
	// Lifetime is how long the token should live, where the caller gets it: it is then a
	// fresh one. 0: the token is only shown to a cloud on the way, and may be one that was
	// kept. Google's ID tokens live for an hour whatever is asked.
	Lifetime time.Duration
	// Ahead is how far the party's clock is ahead of ours, learnt from its answers. A proof
	// with a date in it is dated by that clock.
	Ahead time.Duration
}

// A SubjectToken is a proof of identity, in the sense of RFC 8693.
type SubjectToken struct {
	Form    Form
	Value   Secret
	Expires time.Time
	Trail   Trail // the edges crossed to mint it
}

// A Principal is an identity that can be entered from another.
type Principal interface {
	String() string
	// Enter links the principal to the identity it is entered from. It makes no
	// call; it fails only if no call could ever succeed.
	Enter(from Identity) (Identity, error)
}

// A Chain lists principals from the first that is entered to the last.
type Chain []Principal

// Link enters each principal from the one before, the first from the runtime's
// identity, and returns the identity at the end. It makes no call.
//
// A chain that names an identity twice, the runtime's own included, is refused:
// at best it wastes calls, at worst it hands out the runtime itself. So is an
// empty chain, for the same reason.
func (c Chain) Link(runtime Identity) (Identity, error) {
	if len(c) == 0 {
		return nil, fmt.Errorf("an empty chain ends at the runtime's own identity, which is never handed out")
	}
	seen := map[string]bool{runtime.Principal(): true}
	at := runtime
	for _, p := range c {
		if seen[p.String()] {
			return nil, fmt.Errorf("the chain enters %s twice: every identity may stand in it once, and the runtime's own not at all", p)
		}
		seen[p.String()] = true
		next, err := p.Enter(at)
		if err != nil {
			return nil, fmt.Errorf("cannot enter %s from %s: %w", p, at.Principal(), err)
		}
		at = next
	}
	return at, nil
}

// An Edge is one arrow of a chain, as it was crossed or as it failed.
type Edge struct {
	From string   `json:"from"`
	Via  []string `json:"via,omitempty"` // delegates: accounts that one call passed through
	To   string   `json:"to"`
	Op   string   `json:"op"` // the call that crossed it, such as sts:AssumeRole

	// Mint is the id that carnet gave to this crossing. On AWS it is the role
	// session name, so the other side's CloudTrail joins to it.
	Mint string `json:"mint,omitempty"`
	// RequestID is the upstream's own id of the call, where it sent one.
	RequestID string `json:"request_id,omitempty"`
	// Cached tells that an earlier crossing was used again.
	Cached bool `json:"cached,omitempty"`
}

// A Trail is the list of edges that were crossed, in order.
type Trail []Edge

// NewMint returns a fresh id for one crossing: 20 characters of base 32. AWS allows
// 64 in a role session name; 20 keep "arn:aws:sts::ACCOUNT:assumed-role/ROLE/MINT"
// within the 127 bytes of google.subject, even for a role name of 64.
func NewMint() string { return rand.Text()[:20] }

// Then returns the trail with further edges behind it; t itself is not changed.
func (t Trail) Then(more ...Edge) Trail {
	return append(t[:len(t):len(t)], more...)
}

// Again returns the trail of a value that is used once more: the same edges,
// marked as cached.
func (t Trail) Again() Trail {
	again := make(Trail, len(t))
	for i, e := range t {
		e.Cached = true
		again[i] = e
	}
	return again
}
