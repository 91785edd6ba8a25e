// Package again tries a call once more, where the upstream may change its mind.
package again

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Tries is how often a call is made at the most.
const Tries = 3

// Call makes a call up to three times within the context's time, with full jitter in
// between: anything from nothing to twice 100 ms, then 300 ms. final tells of an error
// whether it is worth no second try and, if it is, for how long the upstream asked to be
// left alone. The error is the last call's own.
func Call(ctx context.Context, call func() error, final func(error) (no bool, after time.Duration)) error {
	if err := call(); err != nil {
		return retry(ctx, err, call, final)
	}
	return nil
}

// retry goes on after a first call that failed. It stands apart since calls hardly ever do,
// and those that do not should cost nothing more.
func retry(ctx context.Context, last error, call func() error, final func(error) (bool, time.Duration)) error {
	pause := &backoff.ExponentialBackOff{
		InitialInterval: 100 * time.Millisecond, MaxInterval: 2 * time.Second,
		Multiplier: 3, RandomizationFactor: 1,
	}
	first := true
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		if !first {
			last = call()
		}
		first = false
		if last == nil {
			return struct{}{}, nil
		}
		no, after := final(last)
		switch {
		case no:
			return struct{}{}, backoff.Permanent(last)
		case after > 0:
			return struct{}{}, backoff.RetryAfter(int(after / time.Second))
		}
		return struct{}{}, last
	}, backoff.WithBackOff(pause), backoff.WithMaxTries(Tries))
	if err != nil && last != nil {
		return last
	}
	return err
}
