package integration

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
)

// TestCallersProbesAreSpared: whatever a job asks for, the third party sees the attempts once.
// A stranger's request takes nobody's turn.
func TestCallersProbesAreSpared(t *testing.T) {
	l, dir := startSample(t)
	ask := deploy(t, l, "aws", dir).Check.Sparing()
	job := exchange.Request{Caller: exchange.Caller{Issuer: "aws", Subject: workerARN}, Tenant: "acme", Destination: "lake"}
	stranger := job
	stranger.Caller.Subject = "arn:aws:iam::111122223333:role/somebody"
	if _, err := ask(t.Context(), stranger, true); !errors.Is(err, exchange.ErrDenied) {
		t.Fatalf("a stranger: %v", err)
	}
	var probed, told atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			r, err := ask(t.Context(), job, true)
			if err != nil || r.Outcome != check.Sound {
				t.Errorf("%s: %v", r.Outcome, err)
			}
			if len(r.Probes) > 0 {
				probed.Add(1)
			}
			if time.Until(r.NextProbe) > check.ProbeEvery/2 {
				told.Add(1)
			}
		})
	}
	all.Wait()
	if probed.Load() != 1 || told.Load() != 7 {
		t.Errorf("of eight, %d tried the refusals and %d were told when they can", probed.Load(), told.Load())
	}
	if r, err := ask(t.Context(), job, false); err != nil || r.Outcome != check.Sound || !r.NextProbe.IsZero() {
		t.Errorf("without probes: %+v %v", r, err)
	}
	job.Destination = "marts"
	if r, err := ask(t.Context(), job, true); err != nil || len(r.Probes) == 0 {
		t.Errorf("another destination's turn: %+v %v", r, err)
	}
}
