package keep

import "time"

// A span is the time from now until an expiry, told by two clocks, of which the first to
// arrive ends it. The one on the wall may be set back, and what has expired would be good
// again; the one that only runs forward stands still while a machine is frozen.
type span struct{ forward, wall time.Time }

func until(expires, now time.Time) span {
	wall := expires.Round(0) // without the reading of the other clock
	return span{forward: now.Add(wall.Sub(now.Round(0))), wall: wall}
}

func (s span) left(now time.Time) time.Duration {
	return min(s.forward.Sub(now), s.wall.Sub(now.Round(0)))
}
