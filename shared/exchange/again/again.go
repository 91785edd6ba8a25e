// Package again tries a call once more, where the upstream may change its mind.
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
	// Tries is how often a call is made at the most, and how often all calls of one
	// request are, beyond the once that each needs.
	Tries = 3
	// longest is the longest pause. Whoever is asked to wait for longer does not.
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

// Call makes a call up to three times within the context's time, with full jitter in
// between: anything from nothing to twice 100 ms, then 300 ms. final tells of an error
// whether it is worth no second try and, if it is, for how long the upstream asked to be
// left alone: the jitter comes on top, since it asked everybody. Where the pause would
// outlast the context there is none. The error is the last call's own.
func Call(ctx context.Context, call func() error, final func(error) (no bool, after time.Duration)) error {
	if err := call(); err != nil {
		return retry(ctx, err, call, final)
	}
	return nil
}

// retry goes on after a first call that failed. It stands apart since calls hardly ever do,
// and those that do not should cost nothing more.
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

// pauses is a [backoff.BackOff] that begins where it is.
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

// After reads Retry-After: seconds, or a date, which is the upstream's clock's.
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
