package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"

	"carnet.dev/carnet/functions/awslambda/functionurl"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/schedule"
)

// A scheduler's event is what the schedule was created with, as it is.
type scheduler struct{ d *deployment.Deployment }

// handle runs a schedule. It answers nothing, whoever asks: what came of it is in the
// log, the metrics and the audit records. A run that could not begin, or ran out of time,
// is an error, which the scheduler tries again; one in which something failed is not.
func (s scheduler) handle(ctx context.Context, event json.RawMessage) error {
	ctx, cancel := functionurl.InTime(ctx)
	defer cancel()
	in, err := schedule.Parse(event)
	if err != nil {
		return err
	}
	report, err := s.d.Schedule.Run(ctx, in)
	if failed := report.EMF(os.Stdout, os.Getenv("AWS_LAMBDA_FUNCTION_NAME")); failed != nil {
		slog.Error("the metrics could not be written", "error", failed.Error())
	}
	return err
}
