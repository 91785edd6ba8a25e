// Package keep holds on to one short-lived value for as long as it is good.
//
// A [Value] belongs to the thing that it serves (an identity's session, a
// provider's token, a destination's credential), so it needs no key, and it is
// gone when its owner is. It knows four things that a map of expiries does not:
// that many may ask at once and one call is enough, that whoever asked first may
// walk away while the others still wait, that a refusal need not be fetched again
// in the same second, and that a refresh which fails is no error while the old
// value lives.
package keep

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"carnet.dev/carnet/shared/exchange"
)

const (
	// FlightTimeout bounds a mint, whose context outlives the one that asked.
	FlightTimeout = 20 * time.Second
	// RefusedFor is how long a refusal is repeated without asking again: long
	// enough to spare the upstream a storm, short enough that whoever has just
	// mended a trust policy hardly notices.
	RefusedFor = 5 * time.Second
	// retryRefresh is the pause after a refresh that failed, while the old value
	// is still good.
	retryRefresh = 15 * time.Second
	// longest is more life than any cloud gives: 12 h for a session or a token,
	// and a margin for clocks. An answer beyond it makes no sense.
	longest = 12*time.Hour + 5*time.Minute
)

// A Mint makes a fresh value and tells until when it is good.
type Mint[T any] func(context.Context) (T, time.Time, error)

// A Value keeps the newest value that was minted. The zero Value is empty and
// ready. It is safe for concurrent use; what it holds must be immutable.
type Value[T any] struct {
	flight singleflight.Group

	mu        sync.Mutex
	value     T
	expires   time.Time
	refreshAt time.Time
	refused   error
	until     time.Time // refused is repeated until then
}

// Get returns the kept value if it has minTTL left, and otherwise what mint gives.
// fresh tells whether this was minted for the callers now waiting. Past 75 to 90 %
// of its life a value is minted anew, and served on if that fails.
//
// The mint runs detached from ctx: a caller that gives up takes only itself away.
func (v *Value[T]) Get(ctx context.Context, minTTL time.Duration, mint Mint[T]) (value T, fresh bool, err error) {
	held, good, due, refused := v.look(minTTL)
	if good && !due {
		return held, false, nil
	}
	if refused != nil {
		return value, false, refused
	}
	if good && background(ctx) {
		v.refresh(ctx, minTTL, mint)
		return held, false, nil
	}
	value, err = v.fly(ctx, minTTL, mint)
	switch {
	case err == nil:
		return value, true, nil
	case good:
		v.putOff()
		return held, false, nil
	}
	return value, false, err
}

type backgroundKey struct{}

// InBackground lets values be renewed behind the back of whoever asks with the context, who
// gets the one that is still good. It is for processes that run between requests: a function
// is frozen there, and renews within one.
func InBackground(ctx context.Context) context.Context {
	return context.WithValue(ctx, backgroundKey{}, true)
}

func background(ctx context.Context) bool { return ctx.Value(backgroundKey{}) != nil }

// refresh starts a flight, unless one is under way, and waits for nobody.
func (v *Value[T]) refresh(ctx context.Context, minTTL time.Duration, mint Mint[T]) {
	go func() {
		if _, err := v.fly(context.WithoutCancel(ctx), minTTL, mint); err != nil {
			v.putOff()
		}
	}()
}

func (v *Value[T]) look(minTTL time.Duration) (held T, good, due bool, refused error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := time.Now()
	good = now.Add(minTTL).Before(v.expires)
	due = now.After(v.refreshAt)
	if !good && now.Before(v.until) {
		refused = v.refused
	}
	return v.value, good, due, refused
}

// fly joins the flight that is under way, or starts one.
func (v *Value[T]) fly(ctx context.Context, minTTL time.Duration, mint Mint[T]) (value T, err error) {
	landed := v.flight.DoChan("", func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), FlightTimeout)
		defer cancel()
		// A flight may have landed since the caller looked.
		if held, good, due, refused := v.look(minTTL); refused != nil || good && !due {
			return held, refused
		}
		return v.take(guarded(ctx, mint))
	})
	select {
	case r := <-landed:
		if r.Err != nil {
			return value, r.Err
		}
		return r.Val.(T), nil
	case <-ctx.Done():
		return value, ctx.Err()
	}
}

// guarded makes a panic the flight's error: it runs in nobody's request, and nobody else
// could recover it.
func guarded[T any](ctx context.Context, mint Mint[T]) (value T, expires time.Time, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("panic: %s", debug.Stack()) // the value may hold anything
		}
	}()
	return mint(ctx)
}

// take stores what a mint gave.
func (v *Value[T]) take(value T, expires time.Time, err error) (T, error) {
	now := time.Now()
	if err == nil && (expires.Before(now) || expires.After(now.Add(longest))) {
		err = fmt.Errorf("the answer expires at %s, which is not within the next %s", expires.UTC().Format(time.RFC3339), longest)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.remember(err, now)
		return value, err
	}
	life := expires.Sub(now)
	v.value, v.expires, v.refused = value, expires, nil
	v.refreshAt = now.Add(time.Duration(float64(life) * (0.75 + 0.15*rand.Float64())))
	return value, nil
}

// remember keeps a refusal. Nothing else is worth keeping: the next try may find
// the cloud awake again.
func (v *Value[T]) remember(err error, now time.Time) {
	var edge *exchange.EdgeError
	if errors.As(err, &edge) && edge.Reason == exchange.Refused {
		v.refused, v.until = err, now.Add(RefusedFor)
	}
}

func (v *Value[T]) putOff() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.refreshAt = time.Now().Add(retryRefresh)
}
