package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

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
				return o.keepUp(cmd)
			case len(args) > 0:
				return o.run(cmd, args)
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
		err = table{out, colour(out)}.print(rows)
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

type table struct {
	out    io.Writer
	colour bool
}

func (t table) print(rows []tour.Row) error {
	var vends, refusals []tour.Row
	for _, r := range rows {
		if r.Expected == "vended" {
			vends = append(vends, r)
		} else {
			refusals = append(refusals, r)
		}
	}
	fmt.Fprintln(t.out, "Vended along every chain, then used")
	fmt.Fprintln(t.out, "(trips: calls to a cloud for the first credential / for the next one, which asks for less where it can)")
	fmt.Fprintln(t.out)
	w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, " \tdestination\tkind\tchain\ttrips\tms")
	for _, r := range vends {
		fmt.Fprintf(w, "%s\t%s/%s\t%s\t%s\t%d / %d\t%.1f\n", t.mark(r), r.Tenant, r.Destination, r.Kind, chain(r), r.Trips, r.TripsCached, r.Millis)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintln(t.out, "Tried, and refused")
	fmt.Fprintln(t.out)
	fmt.Fprintln(w, " \tattempt\tfrom\tdestination\trefused with\tat the edge")
	for _, r := range refusals {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s/%s\t%s\t%s\n", t.mark(r), r.Attempt, r.Runtime, r.Tenant, r.Destination, r.Code, short(r.Edge))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t.out)
	fmt.Fprintf(t.out, "%d credentials vended and used, %d attempts refused, no stored key handed out.\n", len(vends), len(refusals))
	return nil
}

func (t table) mark(r tour.Row) string {
	mark, code := "✓", "32"
	if !r.OK() {
		mark, code = "✗", "31"
	}
	if !t.colour {
		return mark
	}
	return "\x1b[" + code + "m" + mark + "\x1b[0m"
}

// chain names each identity by its cloud and the last part of its name.
func chain(r tour.Row) string {
	var parts []string
	for i, p := range r.Chain {
		parts = append(parts, r.Clouds[i]+":"+shortName(p))
	}
	return strings.Join(parts, " → ")
}

func shortName(principal string) string {
	if i := strings.LastIndex(principal, "/"); i >= 0 {
		return principal[i+1:]
	}
	name, _, _ := strings.Cut(principal, "@")
	return name
}

// short names both ends of an edge. What no cloud was asked for has none, and a role that may
// not ask for its own login broke at its own policies.
func short(edge string) string {
	from, to, ok := strings.Cut(edge, " → ")
	switch {
	case !ok:
		return "carnet itself"
	case from == to:
		return shortName(from) + ", by its policies"
	}
	return shortName(from) + " → " + shortName(to)
}
