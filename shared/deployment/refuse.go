package deployment

import (
	"context"
	"errors"
	"fmt"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/schedule"
)

// refuse has a check tell the schedule what it needs to know.
func refuse(c *check.Checker) func(context.Context, exchange.Request) error {
	return func(ctx context.Context, req exchange.Request) error {
		report, err := c.Check(ctx, req, true)
		if err != nil {
			return err
		}
		return verdict(report)
	}
}

// verdict is what a report comes to: an edge that broke, or who was let in.
func verdict(r check.Report) error {
	if broke := r.Broke(); broke != nil {
		return broke
	}
	for _, p := range r.Probes {
		if p.Verdict == destination.ProbeLetIn {
			return fmt.Errorf("%w: it lets us in %s", schedule.ErrLetIn, p.Name)
		}
	}
	switch {
	case r.Proven():
		return nil
	case r.Finding != nil && len(r.Finding.Causes) > 0:
		return errors.New(r.Finding.Causes[0].Says)
	case r.Outcome != check.Sound:
		return fmt.Errorf("the check came to %s", r.Outcome)
	}
	return fmt.Errorf("%w: %d attempts", schedule.ErrUnproven, len(r.Probes))
}
