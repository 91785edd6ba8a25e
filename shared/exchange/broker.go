package exchange

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// DefaultMinTTL is how much life is left in a credential at the least, where neither the
// request nor the tenant's file says, and where the chain gives as much.
const DefaultMinTTL = 5 * time.Minute

// A Caller is who asks. Issuer is "aws" (an IAM principal that the platform
// verified), "google" (a verified Google account), or the URL of an OIDC issuer;
// Subject is the role's ARN, the email, or the issuer's subject. The zero Caller
// is nobody and is always refused.
type Caller struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
}

// Console is the person at the machine whose identity the runtime already is:
// the carnet command run by hand. It may ask for every tenant, since whoever runs
// the command could walk the chain without it.
var Console = Caller{Issuer: "console", Subject: "console"}

// Schedule is the operator's own scheduler, which whoever may change the catalog sets up.
// It checks and delivers for every tenant, and nothing that it mints is answered to anybody.
var Schedule = Caller{Issuer: "schedule", Subject: "schedule"}

// A Rule lets a caller ask for a tenant's destinations.
type Rule struct {
	Caller       Caller
	Destinations []string // nil: all of the tenant's
}

// A Destination vends one kind of credential at the end of one chain.
type Destination interface {
	Kind() string
	// Chain names the identities from the first that is entered to the last.
	Chain() []string
	// OwnerOf says who can mend the edge into the named principal.
	OwnerOf(principal string) Owner
	// Vend mints a credential, or gives one that has MinTTL left, DefaultMinTTL where that
	// is 0. It fails with an *EdgeError, or with an error that wraps ErrBadRequest where
	// the request asks for more than the catalog grants or than the chain can give.
	Vend(ctx context.Context, req Request) (*Credential, error)
}

// A Tenant is a tenant's file with its chains linked. It is immutable but for the
// caches inside its identities, which live and die with it.
type Tenant struct {
	Name         string
	Rules        []Rule
	Destinations map[string]Destination
	Deliveries   map[string]Delivery // by destination
}

// A Delivery is a secret that a schedule keeps filled with a destination's credential, for
// jobs that can read nothing else.
type Delivery struct {
	Secret string        // the ARN of a secret, or projects/P/secrets/S
	Every  time.Duration // how often the schedule comes
	Format string        // json or aws
	// Lifetime is how long the credential lives when it is new. 0: not known.
	Lifetime time.Duration
}

// Allows tells whether the caller may ask for the destination.
func (t *Tenant) Allows(c Caller, destination string) bool {
	if c == Console || c == Schedule {
		return true
	}
	if c.Issuer == "" || c.Subject == "" {
		return false
	}
	return slices.ContainsFunc(t.Rules, func(r Rule) bool {
		return r.Caller == c && (r.Destinations == nil || slices.Contains(r.Destinations, destination))
	})
}

// ErrNoTenant is what Tenants gives for a tenant that has no file.
var ErrNoTenant = errors.New("no such tenant")

// Tenants finds tenants by name.
type Tenants interface {
	// Tenant returns the linked tenant of that name. It fails with ErrNoTenant if
	// there is none; another error means that this cannot be known now, or that
	// the tenant's file is not in order.
	Tenant(ctx context.Context, name string) (*Tenant, error)
}

// A Request asks for one credential.
type Request struct {
	ID          string // names the request in the audit record; made where empty
	Caller      Caller
	Tenant      string
	Destination string
	MinTTL      time.Duration // at least this much life is left in the answer; 0: DefaultMinTTL
	Grant       Grant         // may only narrow what the catalog grants
	Job         string        // goes into the audit record and nowhere else
	Fresh       bool          // mint anew, whatever is kept: a kept credential does not show that the chain still holds
}

// A Record is one line of the audit log: one request, granted or not.
type Record struct {
	Time        time.Time `json:"time"`
	RequestID   string    `json:"request_id"`
	Caller      Caller    `json:"caller"`
	Tenant      string    `json:"tenant"`
	Destination string    `json:"destination"`
	Job         string    `json:"job,omitempty"`
	Kind        string    `json:"kind,omitempty"`
	Grant       *Grant    `json:"grant,omitempty"` // as asked, where it was narrower than the catalog's
	Outcome     string    `json:"outcome"`         // vended, checked (and thrown away), denied, unverified, refused, throttled, unavailable, bad_request, failed
	Principal   string    `json:"principal,omitempty"`
	Expires     time.Time `json:"expires_at,omitzero"`
	Digest      string    `json:"credential_sha256,omitempty"`
	Cached      bool      `json:"cached,omitempty"` // no edge was crossed for this request
	Edges       Trail     `json:"edges,omitempty"`
	Failed      *Edge     `json:"failed_edge,omitempty"`
	Code        string    `json:"code,omitempty"`
	Owner       Owner     `json:"owner,omitempty"`
	Error       string    `json:"error,omitempty"`
}

// A Broker answers requests for credentials. It is safe for concurrent use.
type Broker struct {
	Tenants Tenants
	// Audit writes one record and returns when it is kept. What it cannot keep is
	// not vended.
	Audit func(context.Context, Record) error
}

// Vend authorizes the caller, has the destination vend, records what happened,
// and only then gives the credential out. Errors: ErrDenied, ErrUnverified, ErrNotRecorded, one
// that wraps ErrBadRequest, an *EdgeError with its owner, or whatever kept the
// tenant's file from being read.
func (b *Broker) Vend(ctx context.Context, req Request) (*Credential, error) {
	if req.ID == "" {
		req.ID = rand.Text()
	}
	dest, err := b.authorize(ctx, req)
	var cred *Credential
	if err == nil {
		cred, err = vend(ctx, dest, req)
	}
	if failed := b.Audit(ctx, record(req, dest, cred, err)); failed != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotRecorded, failed)
	}
	return cred, err
}

// authorize finds the destination that the request names, if its caller may have
// it. Nothing here calls a cloud but the look-up of the tenant's file.
func (b *Broker) authorize(ctx context.Context, req Request) (Destination, error) {
	tenant, err := b.Tenants.Tenant(ctx, req.Tenant)
	if errors.Is(err, ErrNoTenant) {
		return nil, ErrDenied
	}
	if err != nil {
		return nil, err
	}
	dest, ok := tenant.Destinations[req.Destination]
	if !tenant.Allows(req.Caller, req.Destination) || !ok {
		return nil, ErrDenied
	}
	return dest, nil
}

func vend(ctx context.Context, dest Destination, req Request) (*Credential, error) {
	cred, err := dest.Vend(ctx, req)
	if err != nil {
		return nil, owned(err, dest)
	}
	if left := time.Until(cred.Expires); left < req.MinTTL {
		return nil, fmt.Errorf("%s gave a credential with %s left where %s were asked for", cred.Principal, left.Round(time.Second), req.MinTTL)
	}
	return cred, nil
}

// owned adds to an edge that broke who can mend it.
func owned(err error, dest Destination) error {
	var edge *EdgeError
	if !errors.As(err, &edge) {
		return err
	}
	known := *edge
	known.Owner = dest.OwnerOf(edge.Edge.To)
	return &known
}

func record(req Request, dest Destination, cred *Credential, err error) Record {
	r := Record{
		Time: time.Now().UTC(), RequestID: req.ID, Caller: req.Caller,
		Tenant: req.Tenant, Destination: req.Destination, Job: req.Job,
		Outcome: outcome(err),
	}
	if dest != nil {
		r.Kind = dest.Kind()
	}
	if !req.Grant.IsZero() {
		grant := req.Grant
		r.Grant = &grant
	}
	if err != nil {
		r.Error = err.Error()
		var edge *EdgeError
		if errors.As(err, &edge) {
			r.Edges, r.Failed, r.Code, r.Owner = edge.Crossed, &edge.Edge, edge.Code, edge.Owner
		}
		return r
	}
	r.Principal, r.Digest, r.Edges = cred.Principal, cred.Digest(), cred.Trail
	r.Expires = cred.Expires.UTC()
	r.Cached = len(r.Edges) > 0 && !slices.ContainsFunc(r.Edges, func(e Edge) bool { return !e.Cached })
	return r
}

func outcome(err error) string {
	if err == nil {
		return "vended"
	}
	var edge *EdgeError
	switch {
	case errors.As(err, &edge):
		return string(edge.Reason)
	case errors.Is(err, ErrDenied):
		return "denied"
	case errors.Is(err, ErrUnverified):
		return "unverified"
	case errors.Is(err, ErrBadRequest):
		return "bad_request"
	}
	return "failed"
}
