// Command carnet vends short-lived credentials along chains of identities, shows
// how on a lab of its own, and says what is wrong where a chain breaks.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second Ctrl-C ends the process, whatever waits
	if err := root().ExecuteContext(ctx); err != nil {
		if err.Error() != "" {
			fmt.Fprintln(os.Stderr, "carnet:", err)
		}
		os.Exit(exitCode(err))
	}
}

func root() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "carnet",
		Short: "Short-lived credentials for the places where customers keep their data",
		Long: `carnet walks a chain of identities, runtime → tenant → destination, across AWS and
Google Cloud, and hands out the short-lived credential that stands at its end.
No key is stored on the way, except for Snowflake accounts that take nothing else.`,
		Example: `  carnet lab                                 # both clouds on loopback: see it work
  carnet catalog add acme/lake --kind s3     # write down a customer's place
  carnet trust acme/lake                     # what its owner applies
  carnet vend acme/lake                      # a credential for it`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	cmd.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return fmt.Errorf("%w: %s --help lists the flags", err, c.CommandPath())
	})
	cmd.AddCommand(labCommand(), serveCommand(), vendCommand(), checkCommand())
	cmd.AddCommand(trustCommand(), catalogCommand())
	cmd.AddCommand(exitCodesTopic())
	sayArguments(cmd)
	return cmd
}

// group makes a command that only has others below it refuse what is none of them: a script
// with a typing error in it would otherwise be shown the help, and go on.
func group(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return fmt.Errorf("there is no command %q: %s --help lists them", args[0], c.CommandPath())
	}
	cmd.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	return cmd
}

// sayArguments has every command say what it takes where it was given too little or too
// much.
func sayArguments(cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		sayArguments(c)
		if given := c.Args; given != nil && !c.HasSubCommands() {
			c.Args = func(c *cobra.Command, args []string) error {
				err := given(c, args)
				if err != nil && !strings.Contains(err.Error(), "write ") {
					return fmt.Errorf("%w: write %s", err, c.UseLine())
				}
				return err
			}
		}
	}
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
