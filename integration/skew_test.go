package integration

import (
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// TestClocksThatDiffer: our clock is wrong by up to 20 minutes, and every chain works all
// the same: AWS's first refusal tells the time. What is kept ends with the cloud's clock.
func TestClocksThatDiffer(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ours is behind": 19 * time.Minute, "ours is ahead": -19 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			l, dir := startSample(t)
			l.Skew(ahead)
			for _, runtime := range []string{"aws", "gcp"} {
				d := deploy(t, l, runtime, dir)
				for _, destination := range []string{"lake", "marts", "warehouse"} {
					cred, err := vend(t.Context(), d, "acme", destination)
					if err != nil {
						t.Errorf("%s from %s: %v", destination, runtime, err)
						continue
					}
					if left := time.Until(cred.Expires); left < 59*time.Minute || left > 61*time.Minute {
						t.Errorf("%s from %s: an hour there is %s here", destination, runtime, left)
					}
				}
			}
		})
	}
}

// TestAClockThatIsAbsurdlyWrongIsTold: a day is no skew to adjust to.
func TestAClockThatIsAbsurdlyWrongIsTold(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	l.Skew(3 * time.Hour)
	_, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "lake"})
	if err == nil {
		t.Fatal("vended, three hours off")
	}
}
