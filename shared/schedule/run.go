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
	report := Report{ID: rand.Text(), Action: in.Action}
	names, err := r.names(ctx, in)
	if err != nil {
		return report, err
	}
	t := &tally{report: &report}
	err = r.spread(ctx, in, names, t)
	slices.SortFunc(report.Failures, func(a, b Failure) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Destination, b.Destination))
	})
	report.Took = time.Since(began).Seconds()
	return report, err
}

func (r *Runner) names(ctx context.Context, in Input) ([]string, error) {
	names := in.Tenants
	if names == nil {
		var err error
		if names, err = r.List(ctx); err != nil {
			return nil, fmt.Errorf("listing the tenants: %w", err)
		}
	}
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !in.Shard.Has(n) }), nil
}

// spread reads tenants and does their destinations, both side by side. When the time is
// over it begins nothing more, and waits for what it has begun.
func (r *Runner) spread(ctx context.Context, in Input, names []string, t *tally) error {
	begin, stop := context.WithCancel(ctx)
	defer stop()
	t.stop = stop
	next, jobs := make(chan string), make(chan job)
	var reading, working sync.WaitGroup
	for range readers {
		reading.Go(func() {
			for name := range next {
				r.read(begin, job{tally: t, action: in.Action, refusals: in.Refusals, run: t.report.ID, tenant: name}, jobs)
			}
		})
	}
	pace := r.pace(in)
	for range cmp.Or(r.SideBySide, sideBySide) {
		working.Go(func() {
			for j := range jobs {
				r.inTurn(ctx, begin, pace, j)
			}
		})
	}
	for _, name := range names {
		next <- name
	}
	close(next)
	reading.Wait()
	close(jobs)
	working.Wait()
	return t.late
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

// read finds what is to be done for a tenant.
func (r *Runner) read(ctx context.Context, j job, jobs chan<- job) {
	if ctx.Err() != nil {
		j.outOfTime(j, ctx.Err())
		return
	}
	tenant, err := r.Tenants.Tenant(ctx, j.tenant)
	switch {
	case err != nil && ctx.Err() != nil:
		j.outOfTime(j, ctx.Err())
		return
	case err != nil:
		j.fail(Failure{Tenant: j.tenant, Code: "catalog", Owner: string(exchange.Operator), Error: err.Error()})
		return
	}
	for destination := range tenant.Destinations {
		wanted := true
		if j.action == Deliver {
			j.delivery, wanted = tenant.Deliveries[destination]
		}
		if j.destination = destination; wanted {
			jobs <- j
		}
	}
}

// inTurn does one destination when its turn has come, if there is time for it.
func (r *Runner) inTurn(ctx, begin context.Context, pace *rate.Limiter, j job) {
	if err := pace.Wait(begin); err != nil {
		j.outOfTime(j, err)
		return
	}
	r.one(ctx, j)
}

// A job is one destination of a run.
type job struct {
	*tally
	action              Action
	refusals            bool
	run                 string
	tenant, destination string
	delivery            exchange.Delivery
}

func (r *Runner) one(ctx context.Context, j job) {
	ctx, cancel := context.WithTimeout(ctx, oneTime)
	defer cancel()
	id := rand.Text()
	failed := func(err error) {
		j.fail(Failure{Tenant: j.tenant, Destination: j.destination, RequestID: id, Code: code(err), Owner: owner(err), Error: err.Error()})
	}
	defer func() {
		if recover() != nil { // the value may hold anything
			slog.Error("panic", "request_id", id, "stack", string(debug.Stack()))
			failed(errors.New("panic"))
		}
	}()
	j.count(&j.report.Destinations)
	kept, err := r.do(ctx, j, id)
	switch {
	case errors.Is(err, exchange.ErrUnverified):
		j.count(&j.report.Unverified)
	case errors.Is(err, ErrUnproven):
		j.count(&j.report.Unproven)
	case err != nil:
		failed(err)
	case kept:
		j.count(&j.report.Kept)
	}
}

func (r *Runner) do(ctx context.Context, j job, id string) (kept bool, err error) {
	switch {
	case j.action == Deliver:
		return r.deliver(ctx, j, id)
	case j.refusals:
		return false, r.Refuse(ctx, j.request(id))
	}
	_, err = r.Vend(ctx, j.request(id))
	return false, err
}

func (j job) request(id string) exchange.Request {
	return exchange.Request{
		ID: id, Caller: exchange.Schedule, Tenant: j.tenant, Destination: j.destination, Job: string(j.action) + " " + j.run, Fresh: true,
	}
}

// deliver mints before it writes, so that a broken chain leaves the old secret in place.
func (r *Runner) deliver(ctx context.Context, j job, id string) (kept bool, err error) {
	ids, since := slots(j.delivery, j.tenant+"/"+j.destination, time.Now())
	if kept, err = r.Store.Delivered(ctx, j.delivery.Secret, ids, since); err != nil || kept {
		return kept, err
	}
	cred, err := r.Vend(ctx, j.request(id))
	if err != nil {
		return false, err
	}
	if left := time.Until(cred.Expires); left < j.delivery.Every {
		return false, fmt.Errorf("the credential lives for %s, and the next delivery is %s away", left.Round(time.Second), j.delivery.Every)
	}
	text, err := written(cred, j.delivery.Format, id)
	if err != nil {
		return false, err
	}
	return false, r.Store.Deliver(ctx, j.delivery.Secret, ids[0], text)
}

func written(cred *exchange.Credential, format, id string) ([]byte, error) {
	if format == "aws" {
		return wire.AWSProcess(cred)
	}
	return wire.Encode(cred, id)
}

func code(err error) string {
	var edge *exchange.EdgeError
	switch {
	case errors.As(err, &edge):
		return cmp.Or(edge.Code, string(edge.Reason))
	case errors.Is(err, exchange.ErrDenied):
		return "denied"
	case errors.Is(err, ErrLetIn):
		return "let_in"
	case errors.Is(err, context.DeadlineExceeded):
		return "deadline_exceeded"
	}
	return "failed"
}

func owner(err error) string {
	var edge *exchange.EdgeError
	switch {
	case errors.As(err, &edge):
		return string(edge.Owner)
	case errors.Is(err, ErrLetIn):
		return string(exchange.ThirdParty)
	}
	return string(exchange.Operator)
}

// A tally counts while a run goes on.
type tally struct {
	mu     sync.Mutex
	report *Report
	late   error              // what was not begun any more; nil: all was
	stop   context.CancelFunc // begins nothing more
}

func (t *tally) outOfTime(j job, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.late == nil {
		t.late = fmt.Errorf("out of time before %s/%s: run it in shards: %w", j.tenant, j.destination, err)
	}
	t.stop()
}

func (t *tally) count(what *int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*what++
}

func (t *tally) fail(f Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Failed++
	if len(t.report.Failures) < maxFailures {
		t.report.Failures = append(t.report.Failures, f)
	}
}
