// Package check goes along a chain and says where it breaks, in which of the ways that the
// clouds have, and who can mend it.
//
// A chain that works is proven by walking it: one fresh mint, with nothing kept from before,
// crosses every edge with the calls that a vend takes and no more, and what was minted is
// thrown away. So a chain passes whose grants let us through and nothing else. Where it
// breaks, the error has its edge; only a run of accounts that one call passes through says
// less, and is asked about account by account.
//
// What a cloud says of a refusal is often true of several causes. A [Finding] names all that
// it can mean, the likeliest first, each with its owner. What that owner should type is in
// package mend, which knows the catalog and stays out of the functions.
//
// A probe tries the opposite: what a destination must refuse.
package check

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A Checker checks chains from where this process runs. It is safe for concurrent use.
type Checker struct {
	// Tenant reads a tenant's file: exchange.ErrNoTenant where there is none.
	Tenant func(ctx context.Context, name string) (*catalog.Tenant, error)
	Linker *destination.Linker // of which fresh ones are made
	Kinds  destination.Kinds   // whose answers are known, beside the clouds'
	Audit  func(context.Context, exchange.Record) error
}

// A State says what is known of an edge.
type State string

// The states.
const (
	Held      State = "held"
	Broken    State = "broken"
	Suspect   State = "suspect"     // this one, or another suspect
	Unknown   State = "unknown"     // no useful answer came
	Unreached State = "not_reached" // an edge before it did not hold
)

// An Edge is one arrow of a chain as it was found.
type Edge struct {
	From  string         `json:"from,omitempty"` // the ends, for the operator alone
	To    string         `json:"to,omitempty"`
	Ops   []string       `json:"ops,omitempty"` // the calls that crossed it, or that failed on it
	State State          `json:"state"`
	Owner exchange.Owner `json:"owner"` // who can mend it from the far side
}

// An Outcome is what a check came to.
type Outcome string

// The outcomes.
const (
	Sound        Outcome = "sound"
	BrokenChain  Outcome = "broken"
	NoAnswer     Outcome = "no_answer" // a cloud is away, or asks for fewer requests
	Unlinked     Outcome = "unlinked"  // the file asks for what cannot be, from this runtime
	UnsafeChain  Outcome = "unsafe"    // a probe was let in
	NotInService Outcome = "disabled"  // nothing is vended
)

// A Report is what was found of one destination.
type Report struct {
	Tenant      string    `json:"tenant"`
	Destination string    `json:"destination"`
	Kind        string    `json:"kind,omitempty"`
	Runtime     string    `json:"runtime,omitempty"` // aws or gcp: where the chain begins
	Outcome     Outcome   `json:"outcome"`
	Edges       []Edge    `json:"edges,omitempty"`
	Finding     *Finding  `json:"finding,omitempty"`
	Expires     time.Time `json:"expires_at,omitzero"` // of what was minted and thrown away
	Verified    string    `json:"verified,omitempty"`  // as the file says
	Probes      []Probed  `json:"probes,omitempty"`
	NextProbe   time.Time `json:"next_probe_at,omitzero"` // where probes were asked for and not tried
	Millis      int64     `json:"ms"`
	RequestID   string    `json:"request_id,omitempty"`

	err error
}

// Err is what the mint failed with, in the cloud's own words: an *exchange.EdgeError, or
// why the chain cannot be linked. It is for the operator alone.
func (r Report) Err() error { return r.err }

// Broke is the edge's error; nil where no edge broke.
func (r Report) Broke() *exchange.EdgeError {
	var e *exchange.EdgeError
	if errors.As(r.err, &e) {
		return e
	}
	return nil
}

// A Finding is what is wrong.
type Finding struct {
	Position int             `json:"position"` // of the edge; 1 leaves the runtime, 0 is the runtime's own
	Op       string          `json:"op,omitempty"`
	Reason   exchange.Reason `json:"reason,omitempty"`
	Code     string          `json:"code,omitempty"` // the cloud's own
	Causes   []Cause         `json:"causes"`         // the likeliest first
}

// A Probed is a probe with its result.
type Probed struct {
	Name    string              `json:"name"`
	Verdict destination.Verdict `json:"verdict"`
	Code    string              `json:"code,omitempty"`
}

// Check mints for the destination that the request names, with nothing kept, and reports.
// With probe it also tries what must be refused, if the chain holds. Errors are those of
// [exchange.Broker.Vend] that say nothing of the chain: ErrDenied, ErrNotRecorded, or
// whatever kept the tenant's file from being read.
func (c *Checker) Check(ctx context.Context, req exchange.Request, probe bool) (Report, error) {
	began := time.Now()
	tenant, err := c.Tenant(ctx, req.Tenant)
	if err != nil && !errors.Is(err, exchange.ErrNoTenant) {
		return Report{}, err
	}
	l := c.Linker.Fresh()
	one := only{err: err}
	if tenant != nil {
		one.tenant = l.Link(tenant)
	}
	req.Fresh = true
	cred, err := (&exchange.Broker{Tenants: one, Audit: c.record}).Vend(ctx, req)
	if errors.Is(err, exchange.ErrDenied) || errors.Is(err, exchange.ErrNotRecorded) {
		return Report{}, err
	}
	runtime := l.Runtime.Principal()
	w := walk{
		diagnosis: diagnosisOf(c.Kinds),

		report:  Report{Tenant: req.Tenant, Destination: req.Destination, RequestID: req.ID, Runtime: cloudOf(runtime)},
		runtime: runtime,
		to:      one.tenant.Destinations[req.Destination],
		file:    tenant.Destinations[req.Destination],
	}
	if err == nil {
		err = w.tryIt(ctx, cred)
	}
	w.read(ctx, cred, err)
	var unprobed error
	if probe && w.report.Outcome == Sound {
		unprobed = w.probe(ctx, l, tenant)
	}
	w.report.Millis = time.Since(began).Milliseconds()
	return w.report, unprobed
}

// record says of what was minted that nobody got it.
func (c *Checker) record(ctx context.Context, r exchange.Record) error {
	if r.Outcome == "vended" {
		r.Outcome = "checked"
	}
	return c.Audit(ctx, r)
}

// only is a catalog of one tenant, or of none.
type only struct {
	tenant *exchange.Tenant
	err    error
}

func (o only) Tenant(context.Context, string) (*exchange.Tenant, error) { return o.tenant, o.err }

// A walk is a check under way.
type walk struct {
	diagnosis
	report  Report
	runtime string
	to      exchange.Destination
	file    *catalog.Destination
	chain   []string // the runtime, those that are entered, and the place
}

// tryIt logs in where a place lets one log in and do nothing.
func (w *walk) tryIt(ctx context.Context, cred *exchange.Credential) error {
	t, ok := w.to.(interface {
		Try(context.Context, *exchange.Credential) error
	})
	if !ok {
		return nil
	}
	return t.Try(ctx, cred)
}

// read turns what a mint gave into a report.
func (w *walk) read(ctx context.Context, cred *exchange.Credential, err error) {
	w.report.Kind = w.to.Kind()
	if !w.file.Verified.IsZero() {
		w.report.Verified = w.file.Verified.Format(time.DateOnly)
	}
	w.chain = append([]string{w.runtime}, w.to.Chain()...)
	w.chain = append(w.chain, w.file.Where)
	w.edges()
	var edge *exchange.EdgeError
	switch {
	case err == nil:
		w.report.Outcome, w.report.Expires = Sound, cred.Expires
		w.note(cred.Trail, Held)
	case errors.As(err, &edge):
		w.breaks(ctx, edge)
	default:
		w.report.Outcome, w.report.err = Unlinked, err
		w.report.Finding = &Finding{Causes: []Cause{{Code: file.Code, Owner: exchange.Operator, Says: file.Says}}}
	}
}

// cloudOf tells whose name a principal's is.
func cloudOf(principal string) string {
	if strings.HasPrefix(principal, "arn:") {
		return "aws"
	}
	return "gcp"
}

func (w *walk) edges() {
	if w.to.Chain() == nil {
		return
	}
	for i, to := range w.chain[1:] {
		w.report.Edges = append(w.report.Edges, Edge{From: w.chain[i], To: to, State: Unreached, Owner: w.to.OwnerOf(to)})
	}
}

// position finds the edge of the chain that a call belongs to; -1 for the runtime's own. A
// call that enters nobody, such as the exchange of a token, belongs to the edge for whose sake
// it is made; a call that the last identity makes for itself, to the edge into the place.
func (w *walk) position(e exchange.Edge) int {
	last := len(w.report.Edges) - 1
	switch to := slices.Index(w.chain, e.To); {
	case e.From == "platform":
		return -1
	case e.From == e.To:
		return last
	case to > 0:
		return to - 1
	}
	if from := slices.Index(w.chain, e.From); from >= 0 {
		return min(from, last)
	}
	return last
}

// note marks the edges of a trail. A run of delegates is as many edges as it has arrows.
func (w *walk) note(t exchange.Trail, s State) {
	for _, e := range t {
		to := w.position(e)
		for at := to; at >= 0; at-- {
			w.mark(at, s, e.Op)
			if at == to-len(e.Via) {
				break
			}
		}
	}
	if s == Held && len(t) > 0 {
		for i := range w.report.Edges {
			w.mark(i, Held, "")
		}
	}
}

func (w *walk) mark(at int, s State, op string) {
	if at < 0 || at >= len(w.report.Edges) {
		return
	}
	e := &w.report.Edges[at]
	e.State = s
	if op != "" && !slices.Contains(e.Ops, op) {
		e.Ops = append(e.Ops, op)
	}
}

// breaks reports the edge at which a chain broke.
func (w *walk) breaks(ctx context.Context, e *exchange.EdgeError) {
	found, sure := w.narrowed(ctx, e)
	w.report.err = found
	at := w.position(found.Edge)
	state := Broken
	w.report.Outcome = BrokenChain
	if found.Reason != exchange.Refused {
		state, w.report.Outcome = Unknown, NoAnswer
	}
	for i := range max(at, 0) {
		w.mark(i, Held, "")
	}
	w.ops(found.Crossed)
	w.mark(at, state, found.Edge.Op)
	if !sure {
		for i := at; i >= 0 && i >= at-len(found.Edge.Via); i-- {
			w.mark(i, Suspect, found.Edge.Op)
		}
	}
	w.report.Finding = &Finding{
		Position: at + 1, Op: found.Edge.Op, Reason: found.Reason, Code: found.Code,
		Causes: w.causes(found, w.to.OwnerOf),
	}
}

// ops names the calls that held, without a word on states.
func (w *walk) ops(t exchange.Trail) {
	for _, e := range t {
		if at := w.position(e); at >= 0 {
			w.mark(at, w.report.Edges[at].State, e.Op)
		}
	}
}

// narrowed finds the one arrow of a run of delegates, if it can be found: it asks whether
// the first account lets the caller through. sure is false where it cannot be told.
func (w *walk) narrowed(ctx context.Context, e *exchange.EdgeError) (_ *exchange.EdgeError, sure bool) {
	if len(e.Edge.Via) == 0 || e.Reason != exchange.Refused {
		return e, true
	}
	if mentions(e, "insufficient authentication scopes") { // the caller's own token is too narrow, whomever it asks
		one := *e
		one.Edge.To, one.Edge.Via = e.Edge.Via[0], nil
		return &one, true
	}
	if !permissionDenied(e) || w.ofAnyAccount(e) {
		return e, !w.ofAnyAccount(e) // a permission does not tell whether an account, or an API of its project, is off
	}
	one := *e
	passes, err := w.passes(ctx)
	if err != nil {
		passes = !mentions(e, passPermission)
	}
	switch {
	case !passes:
		one.Edge.To, one.Edge.Via = e.Edge.Via[0], nil
	case len(e.Edge.Via) == 1:
		one.Edge.From, one.Edge.Via = e.Edge.Via[0], nil
	default:
		return e, false // it broke after the first account, and only the accounts themselves could ask on
	}
	one.Owner = w.to.OwnerOf(one.Edge.To)
	return &one, err == nil
}

func (w *walk) passes(ctx context.Context) (bool, error) {
	if p, ok := w.to.(interface{ End() exchange.Identity }); ok {
		if end, ok := p.End().(*gcpid.Identity); ok {
			return end.Passes(ctx)
		}
	}
	return false, gcpid.ErrNoDelegates
}

// probe tries what must be refused. A destination is unsafe if one attempt is let in.
func (w *walk) probe(ctx context.Context, l *destination.Linker, t *catalog.Tenant) error {
	probes, err := l.Probes(t, w.file)
	if err != nil {
		return err
	}
	for _, p := range probes {
		verdict, err := p.Try(ctx)
		done := Probed{Name: p.Name, Verdict: verdict}
		var edge *exchange.EdgeError
		if errors.As(err, &edge) {
			done.Code = edge.Code
		}
		w.report.Probes = append(w.report.Probes, done)
		if verdict == destination.ProbeLetIn {
			w.report.Outcome = UnsafeChain
		}
	}
	return nil
}

// Proven tells whether probes were tried, none was let in, and the destination itself refused
// each that came without its binding or with another. Who may not even ask, such as the
// runtime past its tenant, shows nothing either way.
func (r Report) Proven() bool {
	refused := false
	for _, p := range r.Probes {
		asAnother := strings.HasPrefix(p.Name, "as ")
		if p.Verdict != destination.ProbeRefused && !asAnother {
			return false
		}
		refused = refused || p.Verdict == destination.ProbeRefused
	}
	return r.Outcome == Sound && refused
}
