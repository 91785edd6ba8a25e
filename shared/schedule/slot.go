package schedule

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

const (
	// pause is what Secrets Manager asks for between two versions of a secret: it
	// removes none that is younger than a day, and takes about 100.
	// https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
	pause = 10 * time.Minute
	// jitter is how late a scheduler comes.
	// https://docs.aws.amazon.com/scheduler/latest/UserGuide/what-is-scheduler.html
	jitter = time.Minute
	// slotsOfWindow is into how many slots a window is cut: see slots.
	slotsOfWindow = 4
)

// window is the age below which a version is kept: a scheduler that comes twice finds it,
// the next one in its turn does not. It is never so long that a version that is kept now
// could end before the next run has replaced it.
func window(d exchange.Delivery) time.Duration {
	w := max(d.Every/2, pause-jitter)
	if d.Lifetime > 0 {
		w = min(w, d.Lifetime-d.Every-jitter)
	}
	return max(w, jitter)
}

// slots cuts the window into stretches of time, the present one first, and gives each an id
// that is the same in every run. A version has the id of the slot in which it was made, so
// that a run which asks for all these ids finds every version that is young enough. The
// oldest slot begins within the window: what is as old as the window is in none of them.
// since is when that slot began.
func slots(d exchange.Delivery, destination string, now time.Time) (ids []string, since time.Time) {
	length := window(d) / slotsOfWindow
	since = now.Truncate(length).Add(length)
	for range slotsOfWindow {
		since = since.Add(-length)
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%s\x00%s", d.Secret, destination, length, since.UTC().Format(time.RFC3339Nano)))
		ids = append(ids, hex.EncodeToString(sum[:]))
	}
	return ids, since
}
