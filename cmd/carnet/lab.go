package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/integration/lab/environ"
	"carnet.dev/carnet/integration/lab/tour"
)

type labOptions struct {
	asJSON, serve bool
	runtime       string
}

func labCommand() *cobra.Command {
	o := new(labOptions)
	cmd := &cobra.Command{
		Use:   "lab [-- COMMAND]",
		Short: "Run both clouds on loopback, vend along every chain, and try what must be refused",
		Long: `Lab starts AWS and Google Cloud on loopback with an operator and two customers in
them, vends every destination from both runtimes through every chain that can end in
it, writes and reads with each credential, and then tries what must be refused. It
exits with 0 only if every vend worked and every refusal was refused.

A command after -- runs instead of this tour, as the operator's function: carnet, the AWS
command line, curl and psql find the lab by their environment. There is an AWS profile for
each destination that gives an AWS session, such as acme-lake.`,
		Example: `  carnet lab
  carnet lab --json | jq '.rows[] | select(.outcome == "refused") | .code'
  carnet lab -- bash                                   # try things; exit ends the lab
  carnet lab -- aws sts get-caller-identity --profile acme-lake
  carnet lab --serve                                   # for shells that are open already`,
		Args: behindDashes,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.runtime != "aws" && o.runtime != "gcp":
				return fmt.Errorf("--runtime is %q: write aws or gcp", o.runtime)
			case o.serve && len(args) > 0:
				return errors.New("--serve and a command exclude each other: take one out")
			case o.serve:
				return inLab(func(g *environ.Environment) error { return o.keepUp(cmd, g) })
			case len(args) > 0:
				return inLab(func(g *environ.Environment) error { return o.run(cmd, args, g) })
			}
			return runLab(cmd, o.asJSON)
		},
	}
	cmd.Flags().BoolVar(&o.asJSON, "json", false, "print one JSON document")
	cmd.Flags().BoolVar(&o.serve, "serve", false, "keep the clouds up and print how to point clients at them")
	cmd.Flags().StringVar(&o.runtime, "runtime", "aws", "with a command: whose function it is, aws or gcp")
	complete(cmd, "runtime", "aws", "gcp")
	return cmd
}

// behindDashes keeps `carnet lab bash` from being read as a command to run: its flags
// would have been taken for the lab's.
func behindDashes(cmd *cobra.Command, args []string) error {
	if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
		return fmt.Errorf("%q: write carnet lab -- %s to run that in the lab", args[0], strings.Join(args, " "))
	}
	return nil
}

func runLab(cmd *cobra.Command, asJSON bool) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	var rows []tour.Row
	p := newProgress(cmd.ErrOrStderr(), tour.Rows)
	err = t.Walk(cmd.Context(), func(r tour.Row) {
		rows = append(rows, r)
		p.step(r.Tenant + "/" + r.Destination + " from " + r.Runtime)
	})
	p.end()
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if asJSON {
		err = printJSON(out, map[string]any{"rows": rows})
	} else {
		err = tour.Print(out, rows, colour(out))
	}
	if err != nil {
		return err
	}
	return verdict(rows)
}

func verdict(rows []tour.Row) error {
	bad := 0
	for _, r := range rows {
		if !r.OK() {
			bad++
		}
	}
	return found(bad, "wrong row")
}

func shortName(principal string) string {
	if i := strings.LastIndex(principal, "/"); i >= 0 {
		return principal[i+1:]
	}
	name, _, _ := strings.Cut(principal, "@")
	return name
}
