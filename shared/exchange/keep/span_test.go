package keep

import (
	"testing"
	"time"
	"unsafe"
)

// This file looks inside: no test can set the machine's clock, so it sets that of a
// [time.Time], of which the two readings stand side by side.

// set moves the wall clock's reading of now and leaves the other as it is.
func set(now time.Time, by time.Duration) time.Time {
	const seconds = 30 // bits below them: https://pkg.go.dev/time#Time has the layout
	*(*uint64)(unsafe.Pointer(&now)) += uint64(by/time.Second) << seconds
	return now
}

// frozen moves the wall clock on, as it is after a freeze, while the other stood still.
func frozen(now time.Time, by time.Duration) time.Time { return set(now, by) }

func TestSetDoesWhatItSays(t *testing.T) {
	now := time.Now()
	for _, by := range []time.Duration{20 * time.Minute, -20 * time.Minute} {
		then := set(now, by)
		if wall := then.Round(0).Sub(now.Round(0)); wall != by || then.Sub(now) != 0 {
			t.Fatalf("set by %s: %s on the wall, %s on the other", by, wall, then.Sub(now))
		}
	}
}

// TestAClockThatIsSet: by up to 20 minutes either way, in the middle of a life, and nothing
// is served past its expiry.
func TestAClockThatIsSet(t *testing.T) {
	now := time.Now()
	s := until(now.Add(time.Hour), now)
	at := func(minutes int) time.Time { return now.Add(time.Duration(minutes) * time.Minute) }
	for name, x := range map[string]struct {
		now  time.Time
		want time.Duration
	}{
		"untouched":                        {at(30), 30 * time.Minute},
		"set back, half an hour on":        {set(at(30), -20*time.Minute), 30 * time.Minute},
		"set back, an hour on":             {set(at(61), -20*time.Minute), -time.Minute},
		"set forward, half an hour on":     {set(at(30), 20*time.Minute), 10 * time.Minute},
		"frozen for an hour, a minute on":  {frozen(at(1), time.Hour), -time.Minute},
		"frozen for half an hour, and on":  {frozen(at(10), 30*time.Minute), 20 * time.Minute},
		"set back by more than it is good": {set(at(61), -24*time.Hour), -time.Minute},
	} {
		if got := s.left(x.now); got != x.want {
			t.Errorf("%s: %s left, not %s", name, got, x.want)
		}
	}
}
