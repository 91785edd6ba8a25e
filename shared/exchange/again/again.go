// Package again makes a call once more where the upstream may answer differently: after a
// time-out, a 5xx, a request to slow down. What was refused is not asked again.
//
// All calls of one request share its tries ([OneBudget]), so that a long chain does not
// multiply the load on a cloud that is unwell, and no pause outlasts the request's time.
package again

import (
	"context"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// Tries is how often one call is made at the most. The calls of one request may
	// together be repeated Tries - 1 times.
	Tries = 3
	// longest is the longest pause. Where the upstream asks for a longer one there is no
	// further try.
	longest = 10 * time.Second
)

type budgetKey struct{}

// OneBudget lets all the calls that are made with the context share the tries of one. A
// chain of four edges in front of a cloud that is unwell would otherwise try each of them
// three times.
func OneBudget(ctx context.Context) context.Context {
	left := new(atomic.Int64)
	left.Store(Tries - 1)
	return context.WithValue(ctx, budgetKey{}, left)
}

// spend takes a further try out of the budget, if there is one.
func spend(ctx context.Context) bool {
	left, ok := ctx.Value(budgetKey{}).(*atomic.Int64)
	return !ok || left.Add(-1) >= 0
}

// Call makes a call up to three times within the context's time. The pauses between are
// random: from nothing to twice 100 ms, then to twice 300 ms. final says of an error whether
// it is final; if it is not, after is how long the upstream asked to be left alone. The
// random pause comes on top of that, since every caller was asked the same. A try whose pause
// would outlast the context is not made. The error is the last call's own.
func Call(ctx context.Context, call func() error, final func(error) (no bool, after time.Duration)) error {
	if err := call(); err != nil {
		return retry(ctx, err, call, final)
	}
	return nil
}

// retry goes on after a first call that failed. It is a function of its own because calls
// hardly ever fail, and a call that succeeds should not pay for what is set up here.
func retry(ctx context.Context, last error, call func() error, final func(error) (bool, time.Duration)) error {
	var after time.Duration
	jitter := &backoff.ExponentialBackOff{
		InitialInterval: 100 * time.Millisecond, MaxInterval: 2 * time.Second,
		Multiplier: 3, RandomizationFactor: 1,
	}
	jitter.Reset()
	pause := pauses(func() time.Duration { return within(ctx, after+jitter.NextBackOff()) })
	first := true
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if !first {
			last = call()
		}
		first = false
		if last == nil {
			return struct{}{}, nil
		}
		var no bool
		if no, after = final(last); no {
			return struct{}{}, backoff.Permanent(last)
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(Tries))
	if err != nil && last != nil {
		return last
	}
	return err
}

// pauses is a [backoff.BackOff] that has nothing to reset.
type pauses func() time.Duration

func (p pauses) NextBackOff() time.Duration { return p() }
func (p pauses) Reset()                     {}

// within gives the pause if there is time and budget for a try after it.
func within(ctx context.Context, pause time.Duration) time.Duration {
	end, ends := ctx.Deadline()
	if pause > longest || ends && time.Until(end) <= pause || !spend(ctx) {
		return backoff.Stop
	}
	return pause
}

// After reads Retry-After: seconds, or a date by the upstream's clock.
// https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
func After(h http.Header) time.Duration {
	const day = 24 * 60 * 60
	text := h.Get("Retry-After")
	if n, err := strconv.Atoi(text); err == nil {
		return time.Duration(min(max(n, 0), day)) * time.Second
	}
	until, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(until.Sub(now), 0), day*time.Second)
}
