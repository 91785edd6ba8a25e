// Package keep holds on to one short-lived value for as long as it is good.
//
// A [Value] belongs to the thing that it serves (an identity's session, a
// provider's token, a destination's credential), so it needs no key, and it is
// gone when its owner is. It knows four things that a map of expiries does not:
// that many may ask at once and one call is enough, that whoever asked first may
// walk away while the others still wait, that a refusal need not be fetched again
// in the same second, and that while the old value lives a refresh may fail or hang
// without anybody noticing.
package keep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/flight"
)

const (
	// FlightTimeout bounds a mint, whose context outlives the one that asked.
	FlightTimeout = 20 * time.Second
	// RefusedFor is how long a refusal is repeated without asking again: long
	// enough to spare the upstream a storm, short enough that whoever has just
	// mended a trust policy hardly notices.
	RefusedFor = 5 * time.Second
	// throttledAtMost bounds how long an upstream that asked to be left alone is.
	throttledAtMost = time.Minute
	// retryRefresh is the pause after a refresh that failed, while the old value
	// is still good.
	retryRefresh = 15 * time.Second
	// Patience is how long whoever could have the old value waits for the new one.
	// botocore gives a container endpoint two seconds.
	Patience = time.Second
	// longest is more life than any cloud gives: 12 h for a session or a token,
	// and a margin for clocks. An answer beyond it makes no sense.
	longest = 12*time.Hour + 5*time.Minute
)

// A Mint makes a fresh value and tells until when it is good.
type Mint[T any] func(context.Context) (T, time.Time, error)

// A Value keeps the newest value that was minted. The zero Value is empty and
// ready. It is safe for concurrent use; what it holds must be immutable.
type Value[T any] struct {
	flight flight.Group[T]

	mu      sync.Mutex
	value   T
	life    span
	renewAt time.Duration // with so much life left
	waits   time.Time     // no renewal before, after one that failed
	refused error
	until   time.Time // refused is repeated until then
}

// Get returns the kept value if it has minTTL left, and otherwise what mint gives.
// fresh tells whether this was minted for the callers now waiting. Past 75 to 90 %
// of its life a value is minted anew, and served on if that fails or takes long.
//
// The mint runs detached from ctx: a caller that gives up takes only itself away.
func (v *Value[T]) Get(ctx context.Context, minTTL time.Duration, mint Mint[T]) (value T, fresh bool, err error) {
	held, good, due, refused := v.look(minTTL)
	switch {
	case good && !due:
		return held, false, nil
	case good && background(ctx):
		go v.renew(context.WithoutCancel(ctx), minTTL, mint)
		return held, false, nil
	case good:
		patient, cancel := context.WithTimeout(ctx, patience(ctx))
		defer cancel()
		if value, err := v.renew(patient, minTTL, mint); err == nil {
			return value, true, nil
		}
		return held, false, nil
	case refused != nil:
		return value, false, refused
	}
	value, err = v.fly(ctx, minTTL, mint)
	return value, err == nil, err
}

// Drop ends the life of what is kept, if it is what the caller means: a value that was found
// to be good no longer, before its time. One that was minted meanwhile stays.
func (v *Value[T]) Drop(meant func(T) bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if meant(v.value) {
		var none T
		v.value, v.life = none, span{}
	}
}

// patience leaves the caller half of its time to do something with the old value.
func patience(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(Patience, time.Until(end)/2)
	}
	return Patience
}

type backgroundKey struct{}

// InBackground lets values be renewed behind the back of whoever asks with the context, who
// gets the one that is still good. It is for processes that run between requests: a function
// is frozen there, and renews within one.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func background(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// renew mints while the old value is still good: if that fails, the next renewal waits.
func (v *Value[T]) renew(ctx context.Context, minTTL time.Duration, mint Mint[T]) (T, error) {
	value, err := v.fly(ctx, minTTL, mint)
	if err != nil {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.waits = time.Now().Add(retryRefresh)
	}
	return value, err
}

func (v *Value[T]) look(minTTL time.Duration) (held T, good, due bool, refused error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	left := v.life.left(now)
	good = left > minTTL
	due = left <= v.renewAt && now.After(v.waits)
	if !good && now.Before(v.until) {
		refused = v.refused
	}
	return v.value, good, due, refused
}

// fly joins the flight that is under way, or starts one.
func (v *Value[T]) fly(ctx context.Context, minTTL time.Duration, mint Mint[T]) (T, error) {
	return v.flight.Do(ctx, "", FlightTimeout, func(ctx context.Context) (T, error) {
		// A flight may have landed since the caller looked.
		if held, good, due, refused := v.look(minTTL); refused != nil || good && !due {
			return held, refused
		}
		return v.take(mint(ctx))
	})
}

// take stores what a mint gave.
func (v *Value[T]) take(value T, expires time.Time, err error) (T, error) {
	now := time.Now()
	life := until(expires, now)
	if left := life.left(now); err == nil && (left <= 0 || left > longest) {
		err = fmt.Errorf("the answer expires at %s, which is not within the next %s", expires.UTC().Format(time.RFC3339), longest)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.remember(err, now)
		return value, err
	}
	v.value, v.life, v.refused, v.waits = value, life, nil, time.Time{}
	v.renewAt = time.Duration(float64(life.left(now)) * (0.1 + 0.15*rand.Float64()))
	return value, nil
}

// remember keeps a refusal, and a request to slow down for as long as it says. No other
// error is kept: the next try may find the cloud well again.
func (v *Value[T]) remember(err error, now time.Time) {
	var edge *exchange.EdgeError
	switch {
	case !errors.As(err, &edge):
	case edge.Reason == exchange.Refused:
		v.refused, v.until = err, now.Add(RefusedFor)
	case edge.Reason == exchange.Throttled && edge.RetryAfter > 0:
		v.refused, v.until = err, now.Add(min(edge.RetryAfter, throttledAtMost))
	}
}
