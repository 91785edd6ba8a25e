package keep_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/keep"
)

// A cloud mints numbers.
type cloud struct {
	minted atomic.Int64
	takes  time.Duration
	life   time.Duration
	err    error
}

func (c *cloud) mint(ctx context.Context) (int64, time.Time, error) {
	n := c.minted.Add(1)
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
		return 0, time.Time{}, ctx.Err()
	}
	return n, time.Now().Add(c.life), c.err
}

func TestOneFlightServesAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{takes: 50 * time.Millisecond, life: time.Hour}
		var v keep.Value[int64]
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				if n, _, err := v.Get(t.Context(), time.Minute, c.mint); n != 1 || err != nil {
					t.Errorf("got %d, %v", n, err)
				}
			})
		}
		wg.Wait()
		if n := c.minted.Load(); n != 1 {
			t.Errorf("64 callers made %d calls", n)
		}
	})
}

func TestLeaderMayWalkAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{takes: time.Second, life: time.Hour}
		var v keep.Value[int64]
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, _, err := v.Get(ctx, 0, c.mint); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("the leader got %v", err)
			}
		})
		synctest.Wait()
		if n, _, err := v.Get(t.Context(), 0, c.mint); n != 1 || err != nil {
			t.Errorf("the follower got %d, %v", n, err)
		}
		wg.Wait()
	})
}

func TestRefusalIsRepeatedForSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour, err: &exchange.EdgeError{Reason: exchange.Refused}}
		var v keep.Value[int64]
		for range 10 {
			if _, _, err := v.Get(t.Context(), 0, c.mint); err == nil {
				t.Error("a refusal was served as a value")
			}
		}
		if n := c.minted.Load(); n != 1 {
			t.Errorf("a refusal was asked for %d times", n)
		}
		time.Sleep(keep.RefusedFor + time.Second)
		c.err = nil
		if n, _, err := v.Get(t.Context(), 0, c.mint); n != 2 || err != nil {
			t.Errorf("after the refusal: %d, %v", n, err)
		}
	})
}

func TestUnavailableIsNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour, err: &exchange.EdgeError{Reason: exchange.Unavailable}}
		var v keep.Value[int64]
		v.Get(t.Context(), 0, c.mint)
		c.err = nil
		if n, _, err := v.Get(t.Context(), 0, c.mint); n != 2 || err != nil {
			t.Errorf("got %d, %v", n, err)
		}
	})
}

func TestFailedRefreshServesTheOldUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour}
		var v keep.Value[int64]
		v.Get(t.Context(), 0, c.mint)
		c.err = errors.New("the cloud is away")
		time.Sleep(55 * time.Minute) // past 90 % of its life
		if n, fresh, err := v.Get(t.Context(), time.Minute, c.mint); n != 1 || fresh || err != nil {
			t.Errorf("while it lives: %d, %v", n, err)
		}
		if _, _, err := v.Get(t.Context(), 10*time.Minute, c.mint); err == nil {
			t.Error("with less life than was asked for: no error")
		}
		time.Sleep(6 * time.Minute)
		if n, _, err := v.Get(t.Context(), 0, c.mint); err == nil {
			t.Errorf("past its expiry %d was served", n)
		}
	})
}

func TestRefreshesBeforeItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour}
		var v keep.Value[int64]
		v.Get(t.Context(), 0, c.mint)
		time.Sleep(44 * time.Minute) // before 75 %
		if n, fresh, _ := v.Get(t.Context(), 0, c.mint); n != 1 || fresh {
			t.Errorf("before 75 %% of its life: %d", n)
		}
		time.Sleep(11 * time.Minute) // past 90 %
		if n, fresh, _ := v.Get(t.Context(), 0, c.mint); n != 2 || !fresh {
			t.Errorf("after 90 %% of its life: %d", n)
		}
	})
}

func TestAbsurdExpiryIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, life := range []time.Duration{-time.Second, 48 * time.Hour} {
			c := &cloud{life: life}
			var v keep.Value[int64]
			if n, _, err := v.Get(t.Context(), 0, c.mint); err == nil {
				t.Errorf("a life of %s was taken: %d", life, n)
			}
		}
	})
}

func TestInTheBackgroundNobodyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{takes: time.Second, life: time.Hour}
		var v keep.Value[int64]
		ctx := keep.InBackground(t.Context())
		if n, _, err := v.Get(ctx, time.Minute, c.mint); n != 1 || err != nil {
			t.Fatalf("the first waits like any other: %d, %v", n, err)
		}
		time.Sleep(55 * time.Minute) // past 90 % of its life
		began := time.Now()
		for range 64 {
			if n, _, err := v.Get(ctx, time.Minute, c.mint); n != 1 || err != nil {
				t.Errorf("while it is renewed: %d, %v", n, err)
			}
		}
		if waited := time.Since(began); waited != 0 {
			t.Errorf("waited %s", waited)
		}
		time.Sleep(2 * time.Second)
		if n, _, err := v.Get(ctx, time.Minute, c.mint); n != 2 || err != nil {
			t.Errorf("afterwards: %d, %v", n, err)
		}
		if n := c.minted.Load(); n != 2 {
			t.Errorf("minted %d times", n)
		}
	})
}

func TestAPanicIsTheFlightsError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var v keep.Value[int64]
		_, _, err := v.Get(t.Context(), 0, func(context.Context) (int64, time.Time, error) { panic("secret") })
		if err == nil || strings.Contains(err.Error(), "secret\n\n") {
			t.Errorf("%v", err)
		}
		c := &cloud{life: time.Hour}
		if n, _, err := v.Get(t.Context(), 0, c.mint); n != 1 || err != nil {
			t.Errorf("the next one: %d, %v", n, err)
		}
	})
}

// TestAHangingRefreshHoldsNobody: who could have the old value waits a second for the new
// one, and the next do not wait at all for a while.
func TestAHangingRefreshHoldsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour}
		var v keep.Value[int64]
		v.Get(t.Context(), 0, c.mint)
		time.Sleep(55 * time.Minute) // past 90 % of its life
		c.takes = time.Hour
		began := time.Now()
		if n, fresh, err := v.Get(t.Context(), time.Minute, c.mint); n != 1 || fresh || err != nil {
			t.Errorf("while the cloud hangs: %d, %v", n, err)
		}
		if waited := time.Since(began); waited != keep.Patience {
			t.Errorf("the first waited %s", waited)
		}
		for range 64 {
			v.Get(t.Context(), time.Minute, c.mint)
		}
		if waited := time.Since(began); waited != keep.Patience {
			t.Errorf("and the next %s more", waited-keep.Patience)
		}
		time.Sleep(30 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if n, _, err := v.Get(ctx, time.Minute, c.mint); n != 1 || err != nil || ctx.Err() != nil {
			t.Errorf("within a deadline: %d, %v, %v", n, err, ctx.Err())
		}
		time.Sleep(keep.FlightTimeout)
	})
}

// TestAPleaForPeaceIsHeard: an upstream that said when to come again is not asked before.
func TestAPleaForPeaceIsHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour, err: &exchange.EdgeError{Reason: exchange.Throttled, RetryAfter: 30 * time.Second}}
		var v keep.Value[int64]
		for range 29 {
			if _, _, err := v.Get(t.Context(), 0, c.mint); err == nil {
				t.Error("served")
			}
			time.Sleep(time.Second)
		}
		if n := c.minted.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(2 * time.Second)
		c.err = nil
		if n, _, err := v.Get(t.Context(), 0, c.mint); n != 2 || err != nil {
			t.Errorf("afterwards: %d, %v", n, err)
		}
	})
}

// TestAFleetComesBackApart: a thousand values that were minted together are not renewed
// together.
func TestAFleetComesBackApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const fleet = 1000
		c := &cloud{life: time.Hour}
		values := make([]keep.Value[int64], fleet)
		ask := func() (minted int64) {
			before := c.minted.Load()
			for i := range values {
				values[i].Get(t.Context(), time.Minute, c.mint)
			}
			return c.minted.Load() - before
		}
		ask()
		renewed := int64(0)
		for range 28 {
			time.Sleep(2 * time.Minute)
			n := ask()
			if n > fleet/3 {
				t.Errorf("%d of %d in two minutes", n, fleet)
			}
			renewed += n
		}
		if renewed != fleet {
			t.Errorf("%d renewals of %d in 56 minutes", renewed, fleet)
		}
	})
}

// TestADroppedValueIsMintedAnew, and one that took its place meanwhile stays.
func TestADroppedValueIsMintedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &cloud{life: time.Hour}
		var v keep.Value[int64]
		drop := func(n int64) { v.Drop(func(kept int64) bool { return kept == n }) }
		v.Get(t.Context(), 0, c.mint)
		drop(1)
		if n, fresh, err := v.Get(t.Context(), 0, c.mint); n != 2 || !fresh || err != nil {
			t.Errorf("after it was dropped: %d, %v", n, err)
		}
		drop(1)
		if n, fresh, err := v.Get(t.Context(), 0, c.mint); n != 2 || fresh || err != nil {
			t.Errorf("another was dropped: %d, %v", n, err)
		}
	})
}
