package clock_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/exchange/clock"
)

func TestSkew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for there, want := range map[time.Duration]time.Duration{
			0: 0, 3 * time.Second: 0, -19 * time.Second: 0, 10 * time.Minute: 10 * time.Minute, -20 * time.Minute: -20 * time.Minute,
			21 * time.Minute: 0, -48 * time.Hour: 0,
		} {
			var s clock.Skew
			now := time.Now()
			s.Learn(http.Header{"Date": {now.Add(there).UTC().Format(http.TimeFormat)}})
			if got := s.Now().Sub(now); got != want || s.Ahead() != want || s.Moved(0) != (want != 0) || s.Moved(want) {
				t.Errorf("an upstream ahead by %s: %s", there, got)
			}
			if got := s.Ours(now.Add(time.Hour)); !got.Equal(now.Add(time.Hour - want)) {
				t.Errorf("an upstream ahead by %s: an hour there is %s here", there, got.Sub(now))
			}
		}
		var s clock.Skew
		s.Learn(http.Header{"Date": {"yesterday"}})
		s.Learn(http.Header{})
		if s.Ahead() != 0 {
			t.Error("an answer without a date teaches something")
		}
	})
}
