package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"carnet.dev/carnet/shared/check"
)

type checkOptions struct {
	catalog, runtime, page       string
	asJSON, probe, record, quiet bool
	wait                         time.Duration
	limit                        int
	remote
}

func checkCommand() *cobra.Command {
	o := new(checkOptions)
	cmd := &cobra.Command{
		Use:   "check [TENANT | TENANT/DESTINATION]...",
		Short: "Check chains: where one breaks, who owns that edge, and what to change",
		Long: `Check mints one credential for each destination, without using anything cached, and throws
it away. It says that the chain holds, or at which edge it breaks, why, who owns that edge,
and the exact change, ready to paste. Where the cloud's answer fits several causes, it gives
them all and says how to tell. Without an argument it checks every chain of the catalog.

It must run with the identity of the function: on its machine, in a pod, or in the lab. With
--url the deployed function does it; the names and the change then come from the catalog
here, if there is one.

With --probe it also tries what a destination must refuse: without the ExternalId, with
another one, as nobody. One that lets an attempt in is unsafe. --record writes the result into
the tenant's file: it sets verified: to today's date, or removes it.

Exit codes: 0 every chain holds (and, with --probe, was seen to refuse), 1 not checked,
2 broken, 5 a cloud gave no useful answer, 6 unsafe, 7 holds, but the probes did not show whether it refuses.`,
		Example: `  carnet check acme/lake
  carnet check acme/lake --wait 7m
  carnet check acme --probe --record
  carnet check --url https://….lambda-url.eu-west-1.on.aws
  carnet check --html report.html
  carnet check --json | jq -r '.reports[] | select(.outcome != "sound") | .changes[].text'`,
		ValidArgsFunction: completeTenants,
		RunE:              o.run,
	}
	o.flags(cmd)
	return cmd
}

func (o *checkOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	catalogFlag(cmd, &o.catalog)
	jsonFlag(cmd, &o.asJSON)
	f.StringVar(&o.runtime, "runtime", "", "the cloud that this machine is on: aws or gcp (default $CARNET_RUNTIME)")
	f.StringVar(&o.page, "html", "", "write one page with all that was found to this file")
	f.BoolVar(&o.probe, "probe", false, "also try what must be refused; the third party sees the attempts")
	f.BoolVar(&o.record, "record", false, "write what the probes have shown into the tenants' files")
	f.BoolVarP(&o.quiet, "quiet", "q", false, "leave out what is sound")
	f.DurationVar(&o.wait, "wait", 0, "look again until the chain holds, for so long at the most: a change takes minutes to count")
	f.IntVar(&o.limit, "limit", 8, "how many destinations are looked at side by side")
	o.remote.flags(f)
	complete(cmd, "runtime", "aws", "gcp")
}

func (o *checkOptions) valid() error {
	switch {
	case o.record && !o.probe:
		return errors.New("--record writes what probes have shown: write --probe beside it")
	case o.limit < 1 || o.limit > 100:
		return fmt.Errorf("--limit is %d: write 1 to 100", o.limit)
	case o.runtime != "" && o.runtime != "aws" && o.runtime != "gcp":
		return fmt.Errorf("--runtime is %q: write aws or gcp", o.runtime)
	}
	return nil
}

func (o *checkOptions) run(cmd *cobra.Command, args []string) error {
	if err := o.valid(); err != nil {
		return err
	}
	from, err := o.looker(cmd)
	if err != nil {
		return err
	}
	list, err := picked(cmd.Context(), from, args)
	if err != nil {
		return err
	}
	found := o.all(cmd, from, list)
	if o.record {
		if err := o.recorded(cmd, found); err != nil {
			return err
		}
	}
	if err := o.print(cmd, found); err != nil {
		return err
	}
	return o.verdict(found)
}

// all looks at destinations side by side, and keeps their order.
func (o *checkOptions) all(cmd *cobra.Command, from looker, list []named) []*looked {
	found := make([]*looked, len(list))
	p := newProgress(cmd.ErrOrStderr(), len(list))
	var looking errgroup.Group
	looking.SetLimit(o.limit)
	for i, n := range list {
		looking.Go(func() error {
			found[i] = o.patiently(cmd.Context(), from, n, p.say)
			p.step(n.String() + " " + outcomeWord(found[i]))
			return nil
		})
	}
	looking.Wait()
	p.end()
	return found
}

// again is the pause between two looks.
const again = 5 * time.Second

// patiently looks until the chain holds, or the patience is at its end.
func (o *checkOptions) patiently(ctx context.Context, from looker, n named, tell func(string, ...any)) *looked {
	until := time.Now().Add(o.wait)
	for {
		l := &looked{Report: check.Report{Tenant: n.tenant, Destination: n.destination}}
		if err := from.look(ctx, l, o.probe); err != nil {
			l.Problem = err.Error()
		}
		hopeless := l.Outcome == check.Sound || l.Outcome == check.NotInService || l.Outcome == check.UnsafeChain || l.Problem != ""
		if hopeless || !time.Now().Add(again).Before(until) {
			return l
		}
		tell("%s: %s; looking again for %s more", n, outcomeWord(l), time.Until(until).Round(time.Second))
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return l
		}
	}
}

func (o *checkOptions) print(cmd *cobra.Command, found []*looked) error {
	if o.page != "" {
		f, err := os.Create(o.page)
		if err != nil {
			return err
		}
		if err := errors.Join(page(f, cmp.Or(o.url, "this machine"), time.Now(), found), f.Close()); err != nil {
			return err
		}
		fmt.Fprintln(cmd.ErrOrStderr(), "written:", o.page)
	}
	out := cmd.OutOrStdout()
	if o.asJSON {
		return printJSON(out, map[string]any{"reports": found})
	}
	return screen{out: out, colour: colour(out), quiet: o.quiet, told: map[string]named{}}.print(found)
}

// verdict is what the process ends with: the gravest of what was found.
func (o *checkOptions) verdict(found []*looked) error {
	count := map[int]int{}
	for _, l := range found {
		count[o.code(l)]++
	}
	for _, grave := range []struct {
		code int
		word string
	}{
		{exitUnsafe, "unsafe"}, {exitFound, "broken"}, {exitFailed, "not checked"},
		{exitUnavailable, "without a useful answer"}, {exitUnproven, "sound, and not proven to refuse"},
	} {
		if n := count[grave.code]; n > 0 {
			return exitError{grave.code, fmt.Errorf("%d of %d: %s", n, len(found), grave.word)}
		}
	}
	return nil
}

func (o *checkOptions) code(l *looked) int {
	switch l.Outcome {
	case check.UnsafeChain:
		return exitUnsafe
	case check.BrokenChain, check.Unlinked:
		return exitFound
	case check.NoAnswer:
		return exitUnavailable
	case check.Sound:
		if o.probe && !l.Proven() {
			return exitUnproven
		}
		return 0
	case check.NotInService:
		return 0
	}
	return exitFailed
}
