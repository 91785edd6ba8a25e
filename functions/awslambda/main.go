// Awslambda is carnet on AWS Lambda: one artefact, deployed as two functions.
//
// CARNET_FUNCTION says which one a process is. "vend" answers the requests of its
// function URL, and refuses any other event; "schedule" does what EventBridge Scheduler
// asks, and answers nobody. So whoever may invoke the one has gained nothing of the
// other, however it writes its event.
//
// CARNET_INVOKE_MODE is the function URL's: RESPONSE_STREAM, the default, or BUFFERED.
// CARNET_WARM=off opens no connections before the first request.
// The rest of the environment is that of package deployment.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/aws/aws-lambda-go/lambda"

	"carnet.dev/carnet/functions/awslambda/functionurl"
	"carnet.dev/carnet/shared/deployment"
)

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	if err := run(context.Background()); err != nil {
		slog.Error("carnet cannot start", "error", err.Error())
		os.Exit(1)
	}
}

// run builds everything in Lambda's init, which has a whole CPU whatever the function's
// memory is.
func run(ctx context.Context) error {
	c, err := deployment.FromEnv()
	if err != nil {
		return err
	}
	d, err := deployment.New(ctx, c)
	if err != nil {
		return err
	}
	if os.Getenv("CARNET_WARM") != "off" {
		d.Warm(ctx)
	}
	switch f := os.Getenv("CARNET_FUNCTION"); f {
	case "vend":
		return vend(d)
	case "schedule":
		lambda.Start(scheduler{d}.handle)
		return nil
	default:
		return fmt.Errorf("CARNET_FUNCTION is %q: write vend, for the function with the URL, or schedule", f)
	}
}

func vend(d *deployment.Deployment) error {
	u := functionurl.URL{API: d.Handler}
	switch mode := os.Getenv("CARNET_INVOKE_MODE"); mode {
	case "", "RESPONSE_STREAM":
		lambda.Start(u.Stream)
	case "BUFFERED":
		lambda.Start(u.Buffer)
	default:
		return fmt.Errorf("CARNET_INVOKE_MODE is %q: write RESPONSE_STREAM or BUFFERED, as the function URL has it", mode)
	}
	return nil
}
