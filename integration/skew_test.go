package integration

import (
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// TestClocksThatDiffer: our clock is wrong by up to 20 minutes, and every chain works all
// the same, whichever cloud is met first: the first refusal tells the time. What is kept
// ends with the cloud's clock.
func TestClocksThatDiffer(t *testing.T) {
	for name, ahead := range offsets() {
		t.Run(name, func(t *testing.T) {
			l, dir := startSample(t)
			l.Skew(ahead)
			for _, runtime := range []string{"aws", "gcp"} {
				for _, asked := range [][2]string{{"globex", "warehouse"}, {"globex", "lake"}, {"acme", "lake"}, {"acme", "marts"}, {"acme", "warehouse"}, {"acme", "ledger"}} {
					if asked[1] == "ledger" && runtime == "gcp" {
						continue // its key is on AWS
					}
					d := deploy(t, l, runtime, dir)
					cred, err := vend(t.Context(), d, asked[0], asked[1])
					if err != nil {
						t.Errorf("%s from %s: %v", asked, runtime, err)
						continue
					}
					if left := time.Until(cred.Expires); left < 59*time.Minute || left > 61*time.Minute {
						t.Errorf("%s from %s: an hour there is %s here", asked, runtime, left)
					}
				}
			}
		})
	}
}

func offsets() map[string]time.Duration {
	return map[string]time.Duration{"ours is behind": 19 * time.Minute, "ours is ahead": -19 * time.Minute}
}

// TestTheCatalogsBucketTellsTheTimeToo: the first thing that a process signs is the request
// for its own carnet.yaml.
func TestTheCatalogsBucketTellsTheTimeToo(t *testing.T) {
	l := startBuckets(t)
	for name, ahead := range offsets() {
		l.Skew(ahead)
		d, err := deployFrom(t, l, "aws", "s3://carnet-catalog/live?region=eu-west-1")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := vend(t.Context(), d, "acme", "lake"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAClockThatStepsInTheMiddleOfALife: by as much as is forgiven, there and back, and
// each chain is walked anew after each step.
func TestAClockThatStepsInTheMiddleOfALife(t *testing.T) {
	l, dir := startSample(t)
	for _, runtime := range []string{"aws", "gcp"} {
		d := deploy(t, l, runtime, dir)
		for _, ahead := range []time.Duration{0, 19 * time.Minute, 0, -19 * time.Minute, 0} {
			l.Skew(ahead)
			for _, destination := range []string{"lake", "warehouse", "marts"} {
				if _, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: destination, Fresh: true}); err != nil {
					t.Errorf("%s from %s, %s ahead: %v", destination, runtime, ahead, err)
				}
			}
		}
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
