package keep

import "time"

// A span is the time from now until an expiry, measured by two clocks; it ends as soon as one
// of them has reached the expiry. Neither is enough alone: the wall clock may be set back, and
// what has expired would be good again; the monotonic clock stands still while the machine is
// frozen, as a function is between two requests.
type span struct{ forward, wall time.Time }

func until(expires, now time.Time) span {
	wall := expires.Round(0) // without the reading of the other clock
	return span{forward: now.Add(wall.Sub(now.Round(0))), wall: wall}
}

func (s span) left(now time.Time) time.Duration {
	return min(s.forward.Sub(now), s.wall.Sub(now.Round(0)))
}
