// Package clock knows how far an upstream's clock is from ours.
//
// A signature's date must be within minutes of the upstream's, and an expiry is told by the
// upstream's clock. Each answer says in its Date what time it is there, so that a machine
// whose own clock is wrong can still sign, and keeps nothing for longer than it is good. Of
// our own clocks there are two ([Since]).
package clock

import (
	"net/http"
	"sync/atomic"
	"time"
)

const (
	// little is a difference that comes from latency and from whole seconds: no skew.
	little = 20 * time.Second
	// most is the largest skew that is believed. Beyond it the Date is taken to be wrong.
	// https://www.rfc-editor.org/rfc/rfc9110#section-6.6.1
	most = 20 * time.Minute
)

// A Skew is the difference to one upstream's clock. The zero Skew is none. It is safe for
// concurrent use.
type Skew struct{ ahead atomic.Int64 }

// Learn reads the Date of an answer that has just come.
func (s *Skew) Learn(h http.Header) {
	there, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return
	}
	switch ahead := time.Until(there); {
	case ahead.Abs() <= little:
		s.ahead.Store(0)
	case ahead.Abs() <= most:
		s.ahead.Store(int64(ahead))
	}
}

// Moved tells whether the skew has changed from what it was, so that a call which was signed
// with the old one is worth another try.
func (s *Skew) Moved(was time.Duration) bool { return (s.Ahead() - was).Abs() > little }

// Ahead is by how much the upstream's clock is ahead of ours; 0 where only latency is between them.
func (s *Skew) Ahead() time.Duration { return time.Duration(s.ahead.Load()) }

// Now is the upstream's time.
func (s *Skew) Now() time.Time { return time.Now().Add(s.Ahead()) }

// Ours is when, by our clock, the upstream's clock shows t.
func (s *Skew) Ours(t time.Time) time.Time { return t.Add(-time.Duration(s.ahead.Load())) }

// Since is how long ago t was, by the one of our own two clocks that went further: the one on
// the wall may be set back, and the one that only runs forward stands still while a machine
// is frozen.
func Since(t time.Time) time.Duration {
	now := time.Now()
	return max(now.Sub(t), now.Round(0).Sub(t.Round(0)))
}
