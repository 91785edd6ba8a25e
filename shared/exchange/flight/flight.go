// Package flight makes one call for all who want the same thing at the same time.
//
// The call belongs to nobody who waits for it: whoever came first may walk away while the
// others stay, so it is detached from every caller's cancel and has a time of its own. It
// runs in nobody's request either, where no handler could recover it: a panic is its error.
package flight

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"golang.org/x/sync/singleflight"
)

// A Group has at most one flight of each key at a time. The zero Group is ready. It is safe
// for concurrent use.
type Group[T any] struct{ flights singleflight.Group }

// Do joins the key's flight, or begins one that takes no longer than most. It returns what
// came of it, or the error of ctx where that ends first: the flight goes on.
func (g *Group[T]) Do(ctx context.Context, key string, most time.Duration, do func(context.Context) (T, error)) (value T, err error) {
	landed := g.flights.DoChan(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), most)
		defer cancel()
		return guarded(ctx, do)
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

func guarded[T any](ctx context.Context, do func(context.Context) (T, error)) (value T, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("panic: %s", debug.Stack()) // what was thrown may hold anything
		}
	}()
	return do(ctx)
}
