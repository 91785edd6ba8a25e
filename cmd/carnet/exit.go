package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/exchange"
)

// The exit codes besides 0. exitTable says what they mean, for people.
const (
	exitFailed      = 1
	exitFound       = 2
	exitPlaceholder = 3
	exitRefused     = 4
	exitUnavailable = 5
	exitUnsafe      = 6
	exitUnproven    = 7
)

// exitTable is what `carnet help exit-codes` prints.
const exitTable = `Every command ends with one of these, so that a script need not read what was printed:

  0  done
  1  not done: the error says what to write instead
  2  done, and something is wrong: catalog lint found problems, check a chain that
     breaks, lab a row that did not come out as it should
  3  done, and what was printed for an owner has a placeholder in it: trust, catalog rotate
  4  refused, by carnet or by a cloud: asking again is of no use until somebody changes
     something; the error names who
  5  a cloud or the deployment gave no answer, or throttles: ask again later
  6  check --probe: a destination let somebody in whom it must refuse
  7  check --probe: the chain holds, but the probes did not show whether the place refuses

lab -- COMMAND has the exit code of its command.`

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit codes mean", Long: exitTable}
}

// An exitError ends the command with a code of its own.
type exitError struct {
	code int
	error
}

// ExitCode is what the process ends with.
func (e exitError) ExitCode() int { return e.code }

func (e exitError) Unwrap() error { return e.error }

// found is the error of a command that did its work and found so many things wrong.
func found(n int, what string) error {
	if n == 0 {
		return nil
	}
	if n > 1 {
		what += "s"
	}
	return exitError{exitFound, fmt.Errorf("%d %s", n, what)}
}

// exitCode tells a refusal from an absence, wherever it comes from.
func exitCode(err error) int {
	var own interface{ ExitCode() int }
	var edge *exchange.EdgeError
	var no *client.Error
	switch {
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.As(err, &edge) && edge.Reason == exchange.Refused,
		errors.Is(err, exchange.ErrDenied), errors.Is(err, exchange.ErrUnverified):
		return exitRefused
	case edge != nil, errors.As(err, &no) && no.Temporary():
		return exitUnavailable
	case no != nil && (no.Status == 401 || no.Status == 403):
		return exitRefused
	}
	return exitFailed
}
