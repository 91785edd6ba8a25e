// Command carnet vends short-lived credentials along chains of identities, shows
// how on a lab of its own, and says what is wrong where a chain breaks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := root().ExecuteContext(ctx); err != nil {
		if err.Error() != "" {
			fmt.Fprintln(os.Stderr, "carnet:", err)
		}
		os.Exit(exitCode(err))
	}
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "carnet",
		Short: "Short-lived credentials for the places where customers keep their data",
		Long: `carnet walks a chain of identities, runtime → tenant → destination, across AWS and
Google Cloud, and hands out the short-lived credential that stands at its end.
Nobody on the way has a stored key.`,
		Example: `  carnet lab                                 # both clouds on loopback: see it work
  carnet catalog add acme/lake --kind s3     # write down a customer's place
  carnet trust acme/lake                     # what its owner applies
  carnet vend acme/lake                      # a credential for it`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s --help lists the flags", err, c.CommandPath())
	})
	cmd.AddCommand(labCommand(), serveCommand(), vendCommand(), checkCommand())
	cmd.AddCommand(trustCommand(), catalogCommand())
	cmd.AddCommand(exitCodesTopic())
	return cmd
}

// version is what the Go tool wrote into the program: the tag or the commit that it was
// built from, and the toolchain.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version + " " + info.GoVersion
}
