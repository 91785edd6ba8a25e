package check_test

import (
	"testing"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange/destination"
)

// TestWhatProves: a probe of the binding that came to nothing leaves it open, whatever the
// others showed.
func TestWhatProves(t *testing.T) {
	const without, another, past = "without the ExternalId", "with another ExternalId", "as the runtime, past the tenant"
	probed := func(name string, v destination.Verdict) check.Probed { return check.Probed{Name: name, Verdict: v} }
	no, in, unclear := destination.ProbeRefused, destination.ProbeLetIn, destination.ProbeUnclear
	for name, c := range map[string]struct {
		outcome check.Outcome
		probes  []check.Probed
		want    bool
	}{
		"all refused":                     {check.Sound, []check.Probed{probed(without, no), probed(another, no), probed(past, no)}, true},
		"who may not ask shows nothing":   {check.Sound, []check.Probed{probed(without, no), probed(another, no), probed(past, unclear)}, true},
		"the binding was not asked":       {check.Sound, []check.Probed{probed(without, unclear), probed(another, no), probed(past, no)}, false},
		"an account has others to refuse": {check.Sound, []check.Probed{probed(past, no)}, true},
		"nobody was refused":              {check.Sound, []check.Probed{probed(past, unclear)}, false},
		"none were tried":                 {check.Sound, nil, false},
		"one was let in":                  {check.UnsafeChain, []check.Probed{probed(without, in), probed(another, no)}, false},
		"the chain is broken":             {check.BrokenChain, nil, false},
	} {
		if got := (check.Report{Outcome: c.outcome, Probes: c.probes}).Proven(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
