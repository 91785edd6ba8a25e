package check

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"carnet.dev/carnet/shared/exchange"
)

// ProbeEvery is how often callers can have a destination's refusals tried. Each attempt is a
// refused call in the third party's audit log, and alarms count those.
const ProbeEvery = 10 * time.Minute

// remembered is how many destinations' turns are known at a time.
const remembered = 4096

// Sparing is [Checker.Check] for whoever asks over the network: the refusals of a destination
// are tried once in ProbeEvery by this process. A report without them says when they can be
// tried again.
func (c *Checker) Sparing() func(context.Context, exchange.Request, bool) (Report, error) {
	turns := newTurns()
	return func(ctx context.Context, req exchange.Request, probe bool) (Report, error) {
		if !probe {
			return c.Check(ctx, req, false)
		}
		name := req.Tenant + "/" + req.Destination
		next, mine := turns.take(name)
		report, err := c.Check(ctx, req, mine)
		if mine && len(report.Probes) == 0 {
			turns.giveBack(name) // denied, or broken before anything was tried
		}
		if err == nil && !mine {
			report.NextProbe = next
		}
		return report, err
	}
}

// turns knows until when a destination is left alone.
type turns struct {
	mu    sync.Mutex
	until *lru.Cache[string, time.Time]
}

func newTurns() *turns {
	until, err := lru.New[string, time.Time](remembered)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &turns{until: until}
}

// take gives the turn, or says when there is one again.
func (t *turns) take(name string) (next time.Time, mine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if next, ok := t.until.Get(name); ok && now.Before(next) {
		return next, false
	}
	t.until.Add(name, now.Add(ProbeEvery))
	return time.Time{}, true
}

func (t *turns) giveBack(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.until.Remove(name)
}
