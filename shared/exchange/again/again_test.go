package again_test

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/exchange/again"
)

var errAway = errors.New("away")

// An upstream says no so many times.
type upstream struct {
	nos   int
	after time.Duration
	final bool
	tries int
}

func (u *upstream) call() error {
	if u.tries++; u.tries <= u.nos {
		return errAway
	}
	return nil
}

func (u *upstream) verdict(error) (bool, time.Duration) { return u.final, u.after }

func TestThreeTriesWithFullJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var shortest, longest time.Duration = time.Hour, 0
		for range 200 {
			u := &upstream{nos: 5}
			began := time.Now()
			if err := again.Call(t.Context(), u.call, u.verdict); !errors.Is(err, errAway) || u.tries != again.Tries {
				t.Fatalf("%d tries, %v", u.tries, err)
			}
			took := time.Since(began)
			shortest, longest = min(shortest, took), max(longest, took)
		}
		if shortest > 150*time.Millisecond || longest < 500*time.Millisecond || longest > 800*time.Millisecond {
			t.Errorf("the pauses of 200 calls lasted %s to %s", shortest, longest)
		}
	})
}

func TestWhatIsFinalIsTriedOnce(t *testing.T) {
	u := &upstream{nos: 5, final: true}
	if err := again.Call(t.Context(), u.call, u.verdict); !errors.Is(err, errAway) || u.tries != 1 {
		t.Errorf("%d tries, %v", u.tries, err)
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		apart := map[time.Duration]bool{}
		for range 20 {
			u := &upstream{nos: 1, after: 2 * time.Second}
			began := time.Now()
			if err := again.Call(t.Context(), u.call, u.verdict); err != nil {
				t.Error(err)
			}
			took := time.Since(began)
			if took < 2*time.Second || took > 2200*time.Millisecond {
				t.Errorf("came back after %s", took)
			}
			apart[took.Round(time.Millisecond)] = true
		}
		if len(apart) < 5 {
			t.Error("all who were asked to wait come back at once")
		}
	})
}

// TestNoSleepBeyondTheCallersDeadline: where the pause would outlast the caller, the answer
// is given at once.
func TestNoSleepBeyondTheCallersDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{3 * time.Second, time.Hour} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			u := &upstream{nos: 5, after: after}
			began := time.Now()
			if err := again.Call(ctx, u.call, u.verdict); !errors.Is(err, errAway) || u.tries != 1 {
				t.Errorf("%d tries, %v", u.tries, err)
			}
			if took := time.Since(began); took != 0 {
				t.Errorf("slept for %s, and had no use of it", took)
			}
			cancel()
		}
		u := &upstream{nos: 5, after: time.Hour}
		if err := again.Call(t.Context(), u.call, u.verdict); !errors.Is(err, errAway) || u.tries != 1 {
			t.Errorf("an hour without a deadline: %d tries, %v", u.tries, err)
		}
	})
}

func TestOneRequestHasOneBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, tries := again.OneBudget(t.Context()), 0
		for range 4 {
			u := &upstream{nos: 5}
			again.Call(ctx, u.call, u.verdict)
			tries += u.tries
		}
		if tries != 4+again.Tries-1 {
			t.Errorf("four calls of one request made %d tries", tries)
		}
	})
}

func TestAfter(t *testing.T) {
	const date, later = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:51:37 GMT"
	for name, x := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"none":      {http.Header{}, 0},
		"seconds":   {http.Header{"Retry-After": {"7"}}, 7 * time.Second},
		"negative":  {http.Header{"Retry-After": {"-7"}}, 0},
		"absurd":    {http.Header{"Retry-After": {"9999999999"}}, 24 * time.Hour},
		"no number": {http.Header{"Retry-After": {"soon"}}, 0},
		"a date":    {http.Header{"Retry-After": {later}, "Date": {date}}, 2 * time.Minute},
		"past":      {http.Header{"Retry-After": {date}, "Date": {later}}, 0},
	} {
		if got := again.After(x.header); got != x.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
