package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/integration/lab/environ"
	"carnet.dev/carnet/integration/lab/tour"
)

// inLab brings both clouds up for what is done with them, and points clients at this very program.
func inLab(do func(*environ.Environment) error) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	g, err := environ.New(t, self)
	if err != nil {
		return err
	}
	return do(g)
}

// run runs a command as the operator's function, and ends as it does.
func (o *labOptions) run(cmd *cobra.Command, args []string, g *environ.Environment) error {
	if isTerminal(cmd.ErrOrStderr()) {
		fmt.Fprintf(cmd.ErrOrStderr(), "Both clouds are up on loopback, and this is the operator's function on %s.\n", cmp.Or(map[string]string{"gcp": "Google Cloud"}[o.runtime], "AWS"))
	}
	// An interrupt on a terminal reaches the command as well, whose business it is, however
	// many come: main no longer takes those after the first.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	ctx, stop := signal.NotifyContext(context.WithoutCancel(cmd.Context()), syscall.SIGTERM)
	defer stop()
	child := exec.CommandContext(ctx, args[0], args[1:]...)
	child.Env = g.Of(o.runtime)
	child.Stdin, child.Stdout, child.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	err := child.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return exitError{max(ended.ExitCode(), exitFailed), errors.New("")} // it has said why itself
	}
	return err
}

// keepUp keeps the clouds up until the command is interrupted.
func (o *labOptions) keepUp(cmd *cobra.Command, g *environ.Environment) error {
	var err error
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), g.All())
	} else {
		err = g.Print(cmd.OutOrStdout())
	}
	if err != nil {
		return err
	}
	<-cmd.Context().Done()
	fmt.Fprintln(cmd.ErrOrStderr(), "\nThe lab is closed.")
	return nil
}
