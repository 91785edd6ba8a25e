// Command carnet vends short-lived credentials along chains of identities, shows
// how on a lab of its own, and says what is wrong where a chain breaks.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "carnet:", err)
		os.Exit(exitCode(err))
	}
}

// exitCode is 1 unless the error says otherwise.
func exitCode(err error) int {
	var own interface{ ExitCode() int }
	if errors.As(err, &own) {
		return own.ExitCode()
	}
	return 1
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "carnet",
		Short: "Short-lived credentials for the places where customers keep their data",
		Long: `carnet walks a chain of identities, runtime → tenant → destination, across AWS and
Google Cloud, and hands out the short-lived credential that stands at its end.
Nobody on the way has a stored key.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.AddCommand(labCommand(), serveCommand(), vendCommand())
	cmd.AddCommand(trustCommand(), catalogCommand())
	return cmd
}
