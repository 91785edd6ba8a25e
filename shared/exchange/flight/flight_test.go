package flight_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/exchange/flight"
)

func TestOneFlightForEachKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[string]
		var flown atomic.Int64
		var all sync.WaitGroup
		for i := range 64 {
			key := []string{"a", "b"}[i%2]
			all.Go(func() {
				got, err := g.Do(t.Context(), key, time.Minute, func(context.Context) (string, error) {
					flown.Add(1)
					time.Sleep(time.Second)
					return key, nil
				})
				if got != key || err != nil {
					t.Errorf("%s got %q, %v", key, got, err)
				}
			})
		}
		all.Wait()
		if n := flown.Load(); n != 2 {
			t.Errorf("two keys took %d flights", n)
		}
	})
}

func TestAFlightOutlivesItsLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[int]
		var all sync.WaitGroup
		slow := func(ctx context.Context) (int, error) {
			select {
			case <-time.After(time.Second):
				return 1, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if _, err := g.Do(ctx, "", time.Minute, slow); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader: %v", err)
			}
		})
		synctest.Wait()
		if n, err := g.Do(t.Context(), "", time.Minute, slow); n != 1 || err != nil {
			t.Errorf("whoever stayed: %d, %v", n, err)
		}
		all.Wait()
	})
}

func TestAFlightEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g flight.Group[int]
		began := time.Now()
		_, err := g.Do(t.Context(), "", time.Minute, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		if took := time.Since(began); took != time.Minute || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after %s: %v", took, err)
		}
	})
}

func TestAPanicIsAnError(t *testing.T) {
	var g flight.Group[int]
	_, err := g.Do(t.Context(), "", time.Minute, func(context.Context) (int, error) { panic("hunter2") })
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
	if n, err := g.Do(t.Context(), "", time.Minute, func(context.Context) (int, error) { return 1, nil }); n != 1 || err != nil {
		t.Errorf("the next one: %d, %v", n, err)
	}
}
