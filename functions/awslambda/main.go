// Awslambda is carnet on AWS Lambda: one artefact, deployed as two functions.
//
// CARNET_FUNCTION says which one a process is. "vend" answers the requests of its
// function URL, and refuses any other event; "schedule" does what EventBridge Scheduler
// asks, and answers nobody. So whoever may invoke the one has gained nothing of the
// other, however it writes its event.
//
// CARNET_INVOKE_MODE is the function URL's: BUFFERED, the default, since an answer is a few
// kilobytes and streaming it takes more work, or RESPONSE_STREAM. The rest of the environment is
// in docs/configuration.md.
package main

import (
	"context"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"carnet.dev/carnet/functions/awslambda/functionurl"
	"carnet.dev/carnet/shared/deployment"
)

func main() {
	slog.SetDefault(deployment.Log(os.Stderr, "aws"))
	if err := run(context.Background()); err != nil {
		slog.Error("carnet cannot start", "error", err.Error())
		os.Exit(1)
	}
}

// run builds everything in Lambda's init, which has a whole CPU whatever the function's
// memory is.
func run(ctx context.Context) error {
	function, errFunction := deployment.Choice("CARNET_FUNCTION", "vend, for the function with the URL, or schedule", "vend", "schedule")
	mode, errMode := deployment.Choice("CARNET_INVOKE_MODE", "BUFFERED or RESPONSE_STREAM, as the function URL has it", "", "BUFFERED", "RESPONSE_STREAM")
	c, err := deployment.FunctionFromEnv(errFunction, errMode)
	if err != nil {
		return err
	}
	d, err := deployment.New(ctx, c)
	if err != nil {
		return err
	}
	if c.Ahead {
		d.Warm(ctx)
	}
	u := functionurl.URL{API: d.Handler}
	switch {
	case function == "schedule":
		lambda.Start(scheduler{d}.handle)
	case mode == "RESPONSE_STREAM":
		lambda.Start(u.Stream)
	default:
		lambda.Start(u)
	}
	return nil
}
