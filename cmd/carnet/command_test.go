package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/exchange"
)

// commands are all that do something, by how they are called.
func commands(of *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{}
	for _, c := range of.Commands() {
		if c.Runnable() {
			all[c.CommandPath()] = c
		}
		for path, below := range commands(c) {
			all[path] = below
		}
	}
	return all
}

func TestEveryCommandShowsExamples(t *testing.T) {
	all := commands(root())
	if len(all) < 10 {
		t.Fatalf("there are %d commands", len(all))
	}
	for path, c := range all {
		if c.Long == "" || !strings.Contains(c.Example, path) {
			t.Errorf("%s has no text or no example of itself", path)
		}
	}
}

func TestExitCodes(t *testing.T) {
	edge := func(r exchange.Reason) error { return fmt.Errorf("vending: %w", &exchange.EdgeError{Reason: r}) }
	no := func(status int, code string) error { return &client.Error{Status: status, Code: code} }
	for _, c := range []struct {
		what string
		err  error
		code int
	}{
		{"a flag that is wrong", errors.New("--as is wrong"), exitFailed},
		{"problems", found(2, "problem"), exitFound},
		{"a cloud that says no", edge(exchange.Refused), exitRefused},
		{"a cloud that is away", edge(exchange.Unavailable), exitUnavailable},
		{"a cloud that asks for patience", edge(exchange.Throttled), exitUnavailable},
		{"nothing of the name", fmt.Errorf("%w: no such", exchange.ErrDenied), exitRefused},
		{"one that is not verified", exchange.ErrUnverified, exitRefused},
		{"a deployment that says no", no(403, "denied"), exitRefused},
		{"a deployment whose cloud says no", no(403, "trust_refused"), exitRefused},
		{"a deployment that knows nobody", no(401, "unauthenticated"), exitRefused},
		{"a deployment that is away", no(503, "upstream_unavailable"), exitUnavailable},
		{"a deployment that does not understand", no(400, "bad_request"), exitFailed},
	} {
		if got := exitCode(c.err); got != c.code {
			t.Errorf("%s ends with %d, not %d", c.what, got, c.code)
		}
	}
	help, page := carnet(t, "", "", "help", "exit-codes"), readFile(t, repository, "docs/command.md")
	for code := range exitUnproven + 1 {
		if !strings.Contains(help.out, fmt.Sprintf("\n  %d  ", code)) || !strings.Contains(page, fmt.Sprintf("\n| %d | ", code)) {
			t.Errorf("carnet help exit-codes, or docs/command.md, does not say what %d means", code)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		says string
		args []string
	}{
		{"carnet vend --help lists the flags", []string{"vend", "--colour"}},
		{"TENANT/DESTINATION", []string{"vend", "acme"}},
		{"write carnet catalog add TENANT[/DESTINATION]", []string{"catalog", "add"}},
		{"carnet catalog --help lists them", []string{"catalog", "lnt"}},
		{"carnet --help lists them", []string{"lbb"}},
		{"write text, json, env or aws", []string{"vend", "acme/lake", "--format", "yaml"}},
		{"write carnet lab -- bash -c ls", []string{"lab", "bash", "--", "-c", "ls"}},
		{"exclude each other", []string{"lab", "--serve", "--", "bash"}},
		{"write aws or gcp", []string{"lab", "--runtime", "azure", "--", "bash"}},
	} {
		if got := carnet(t, "", "", c.args...); got.err == nil || !strings.Contains(got.err.Error(), c.says) || got.code() != exitFailed {
			t.Errorf("%v: %v", c.args, got.err)
		}
	}
	if got := carnet(t, "", "", "--version"); !strings.HasPrefix(got.out, "carnet version ") || !strings.Contains(got.out, " go1.") {
		t.Errorf("--version says %q", got.out)
	}
}

// TestProgress: a bar is drawn over on a terminal and taken away; elsewhere nothing is
// written for work that is short.
func TestProgress(t *testing.T) {
	var drawn, lines strings.Builder
	bar, quiet := &progress{out: &drawn, bar: true, total: 2}, newProgress(&lines, 2)
	for _, p := range []*progress{bar, quiet} {
		p.step("acme/lake")
		p.step("acme/drop")
		p.end()
	}
	if got := drawn.String(); !strings.Contains(got, "████████████············] 1/2 acme/lake") || !strings.HasSuffix(got, clearLine) {
		t.Errorf("the bar is %q", got)
	}
	if lines.Len() > 0 {
		t.Errorf("off a terminal it wrote %q", lines.String())
	}
	quiet.told = quiet.told.Add(-lineEvery)
	quiet.step("acme/marts")
	if got := lines.String(); got != "3 of 2: acme/marts\n" {
		t.Errorf("of long work it says %q", got)
	}
	if isTerminal(io.Discard) || colour(io.Discard) {
		t.Error("what is thrown away is a terminal")
	}
}
