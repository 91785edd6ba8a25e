package schedule

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// The pace of a run: side by side, and under the clouds' quotas. Google's STS takes 100
// exchanges a second of a project, AWS's some 600 calls a second of an account and Region.
// What a delivery may take is the store's to say.
// https://cloud.google.com/iam/quotas
const (
	sideBySide = 32
	perSecond  = 100
	// refusedPerSecond are checks with their refusals, each of which takes up to seven
	// calls of one cloud's token service.
	refusedPerSecond = 25
	// readers is how many tenants' files are read at a time: one by one, ten thousand
	// of them would take a bucket minutes.
	readers = 16
	// oneTime bounds one destination, so that a cloud that hangs does not eat the
	// function's time.
	oneTime = 60 * time.Second
)

// A Runner runs schedules.
type Runner struct {
	Vend    func(context.Context, exchange.Request) (*exchange.Credential, error) // a Broker's
	Tenants exchange.Tenants
	List    func(context.Context) ([]string, error) // the names of all tenants
	Store   Store
	// Refuse mints anew, with nothing kept, and tries what the destination must refuse.
	// Errors are those of Vend, ErrLetIn and ErrUnproven.
	Refuse func(context.Context, exchange.Request) error

	SideBySide int        // destinations at a time; 0: 32
	PerSecond  rate.Limit // destinations begun; 0: 100, 25 with refusals, or the store's pace where that is slower
}

// What Refuse finds of a chain that holds.
var (
	// ErrLetIn means that the destination lets in somebody whom it must refuse.
	ErrLetIn = errors.New("the destination is not safe")
	// ErrUnproven means that no attempt got as far as the destination. It is no failure:
	// where our own policies keep everybody from asking, nobody is let in either.
	ErrUnproven = errors.New("the destination was not seen to refuse anybody")
)

// A Report counts what a run did.
type Report struct {
	ID           string    `json:"run"`
	Action       Action    `json:"action"`
	Destinations int       `json:"destinations"`
	Failed       int       `json:"failed"`
	Kept         int       `json:"kept"`       // deliveries that were there already
	Unverified   int       `json:"unverified"` // not served yet, which is no failure
	Unproven     int       `json:"unproven"`   // whose refusals could not be tried: ErrUnproven
	Took         float64   `json:"seconds"`
	Failures     []Failure `json:"failures,omitempty"` // the first thousand
}

// A Failure is one destination that did not work. What the cloud said is in the audit
// record of the request.
type Failure struct {
	Tenant      string `json:"tenant"`
	Destination string `json:"destination,omitempty"` // empty: the tenant's file itself
	RequestID   string `json:"request_id,omitempty"`
	Code        string `json:"code"`
	Owner       string `json:"owner,omitempty"`
	Error       string `json:"error"`
}

const maxFailures = 1000

// Run does what the input asks. The error is for a run that could not begin or that ran
// out of time; what failed on the way is in the report.
func (r *Runner) Run(ctx context.Context, in Input) (Report, error) {
	began := time.Now()
	u := &run{Runner: r, in: in, pace: r.pace(in), report: Report{ID: rand.Text(), Action: in.Action}}
	names := in.Tenants
	if names == nil {
		var err error
		if names, err = r.List(ctx); err != nil {
			return u.report, fmt.Errorf("listing the tenants: %w", err)
		}
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !in.Shard.Has(n) })
	err := u.spread(ctx, names)
	slices.SortFunc(u.report.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Destination, b.Destination))
	})
	u.report.Took = time.Since(began).Seconds()
	return u.report, err
}

func (r *Runner) pace(in Input) *rate.Limiter {
	most := rate.Limit(perSecond)
	switch {
	case r.PerSecond != 0:
		most = r.PerSecond
	case in.Action == Deliver:
		most = min(most, rate.Limit(r.Store.Pace()))
	case in.Refusals:
		most = refusedPerSecond
	}
	return rate.NewLimiter(most, 1)
}

// A run is one while it goes on.
type run struct {
	*Runner
	in   Input
	pace *rate.Limiter

	mu     sync.Mutex
	report Report
}

// A job is one destination of a run.
type job struct {
	tenant, destination string
	delivery            exchange.Delivery
}

// spread reads tenants and does their destinations, both side by side. When the time is
// over it begins nothing more, and waits for what it has begun.
func (u *run) spread(ctx context.Context, names []string) error {
	working, begin := errgroup.WithContext(ctx)
	working.SetLimit(cmp.Or(u.SideBySide, sideBySide))
	var reading errgroup.Group
	reading.SetLimit(readers)
	for _, name := range names {
		reading.Go(func() error {
			return u.read(begin, job{tenant: name}, func(j job) {
				working.Go(func() error { return u.inTurn(ctx, begin, j) })
			})
		})
	}
	late := reading.Wait()
	// What stopped the work stopped the reading, too.
	if err := working.Wait(); err != nil {
		return err
	}
	return late
}

// read finds what is to be done for a tenant.
func (u *run) read(ctx context.Context, j job, do func(job)) error {
	if ctx.Err() != nil {
		return j.late(ctx.Err())
	}
	tenant, err := u.Tenants.Tenant(ctx, j.tenant)
	switch {
	case err != nil && ctx.Err() != nil:
		return j.late(ctx.Err())
	case err != nil:
		u.fail(Failure{Tenant: j.tenant, Code: "catalog", Owner: string(exchange.Operator), Error: err.Error()})
		return nil
	}
	for destination := range tenant.Destinations {
		wanted := true
		if u.in.Action == Deliver {
			j.delivery, wanted = tenant.Deliveries[destination]
		}
		if j.destination = destination; wanted {
			do(j)
		}
	}
	return nil
}

func (j job) late(err error) error {
	return fmt.Errorf("out of time before %s/%s: run it in shards: %w", j.tenant, j.destination, err)
}

// inTurn does one destination when its turn has come, if there is time for it.
func (u *run) inTurn(ctx, begin context.Context, j job) error {
	if err := u.pace.Wait(begin); err != nil {
		return j.late(err)
	}
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
	id := rand.Text()
	u.count(&u.report.Destinations)
	kept, err := u.guarded(ctx, j, id)
	switch {
	case errors.Is(err, exchange.ErrUnverified):
		u.count(&u.report.Unverified)
	case errors.Is(err, ErrUnproven):
		u.count(&u.report.Unproven)
	case err != nil:
		code, owner := blame(err)
		u.fail(Failure{Tenant: j.tenant, Destination: j.destination, RequestID: id, Code: code, Owner: string(owner), Error: err.Error()})
	case kept:
		u.count(&u.report.Kept)
	}
	return nil
}

// guarded makes a panic the error of its destination.
func (u *run) guarded(ctx context.Context, j job, id string) (kept bool, err error) {
	defer func() {
		if recover() != nil { // the value may hold anything
			slog.Error("panic", "request_id", id, "stack", string(debug.Stack()))
			err = errors.New("panic")
		}
	}()
	req := exchange.Request{
		ID: id, Caller: exchange.Schedule, Tenant: j.tenant, Destination: j.destination, Job: string(u.in.Action) + " " + u.report.ID, Fresh: true,
	}
	switch {
	case u.in.Action == Deliver:
		return u.deliver(ctx, j.delivery, req)
	case u.in.Refusals:
		return false, u.Refuse(ctx, req)
	}
	_, err = u.Vend(ctx, req)
	return false, err
}

// deliver mints before it writes, so that a broken chain leaves the old secret in place.
func (r *Runner) deliver(ctx context.Context, d exchange.Delivery, req exchange.Request) (kept bool, err error) {
	ids, since := slots(d, req.Tenant+"/"+req.Destination, time.Now())
	if kept, err = r.Store.Delivered(ctx, d.Secret, ids, since); err != nil || kept {
		return kept, err
	}
	cred, err := r.Vend(ctx, req)
	if err != nil {
		return false, err
	}
	if left := time.Until(cred.Expires); left < d.Every {
		return false, fmt.Errorf("the credential lives for %s, and the next delivery is %s away", left.Round(time.Second), d.Every)
	}
	text, err := wire.Encode(cred, req.ID)
	if d.Format == "aws" {
		text, err = wire.AWSProcess(cred)
	}
	if err != nil {
		return false, err
	}
	return false, r.Store.Deliver(ctx, d.Secret, ids[0], text)
}

// blame tells with which code a destination failed, and who can mend it.
func blame(err error) (code string, owner exchange.Owner) {
	var edge *exchange.EdgeError
	switch {
	case errors.As(err, &edge):
		return cmp.Or(edge.Code, string(edge.Reason)), edge.Owner
	case errors.Is(err, exchange.ErrDenied):
		return "denied", exchange.Operator
	case errors.Is(err, ErrLetIn):
		return "let_in", exchange.ThirdParty
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded", exchange.Operator
	}
	return "failed", exchange.Operator
}

func (u *run) count(what *int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	*what++
}

func (u *run) fail(f Failure) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.report.Failed++
	if len(u.report.Failures) < maxFailures {
		u.report.Failures = append(u.report.Failures, f)
	}
}
