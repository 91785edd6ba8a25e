package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/trust"
)

func catalogCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "catalog",
		Short: "Add, check and change the tenants' files",
		Long: `Catalog writes and checks the files that say who the tenants are and where their data goes.
It works on the files on your disk. The functions may read a copy of them in a bucket, which
you upload.

A change keeps comments and layout. It is written as a whole or not at all, and refused if
the file does not parse before or after it.`,
		Example: `  carnet catalog add acme/lake --kind s3 --role arn:aws:iam::999988887777:role/acme-share \
    --region eu-west-1 --bucket acme-lake --prefix from-operator/ --access write
  carnet catalog lint
  carnet catalog list`,
	})
	cmd.AddCommand(addCommand(), lintCommand(), schemaCommand(), listCommand(), rotateCommand(), switchCommand("disable"), switchCommand("enable"))
	return cmd
}

func jsonFlag(cmd *cobra.Command, to *bool) {
	cmd.Flags().BoolVar(to, "json", false, "print JSON")
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

func lintCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "lint",
		Short: "Check all files, one by one and together",
		Long: `Lint reads carnet.yaml and every tenant's file and prints all problems at once, with file
and line: what a file alone shows, what only all files together show, such as one identity
in two tenants' files or one ExternalId for two roles, and grants that a cloud would not take.

It exits with 2 where it found something.`,
		Example: "  carnet catalog lint --catalog ./catalog\n  carnet catalog lint --json | jq -r '.problems[].message'",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := openCatalog(dir)
			if err != nil {
				return err
			}
			problems, err := c.kinds.Lint(cmd.Context(), c.Folder)
			if err != nil {
				return err
			}
			return report(cmd, problems, asJSON)
		},
	}
	catalogFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	return cmd
}

type jsonProblem struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

func report(cmd *cobra.Command, problems catalog.Problems, asJSON bool) error {
	if asJSON {
		list := []jsonProblem{}
		for _, p := range problems {
			list = append(list, jsonProblem(p))
		}
		if err := printJSON(cmd.OutOrStdout(), map[string]any{"problems": list}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Fprintln(cmd.OutOrStdout(), p)
		}
	}
	return found(len(problems), "problem")
}

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "schema tenant|operator",
		Short:     "Print the JSON Schema of a file, for editors",
		Long:      "Schema prints what an editor that speaks YAML's language server checks a file with while it\nis written. Lint checks more.",
		Example:   "  carnet catalog schema tenant > tenant.schema.json",
		Args:      cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"tenant", "operator"},
		RunE: func(cmd *cobra.Command, args []string) error {
			make := kinds.All().Catalog().TenantSchema
			if args[0] == "operator" {
				make = catalog.OperatorSchema
			}
			text, err := make()
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", text)
			return err
		},
	}
}

// A listed destination is a row of the list.
type listed struct {
	Tenant      string      `json:"tenant"`
	Destination string      `json:"destination"`
	Kind        string      `json:"kind"`
	Place       string      `json:"place"`
	Ways        []trust.Way `json:"ways"`
	Verified    string      `json:"verified,omitempty"`
	Rotating    bool        `json:"rotating,omitempty"`
	Disabled    bool        `json:"disabled"`
}

func listCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [TENANT]",
		Short: "List tenants, their destinations and the chains to them",
		Long: `List says for each destination where it is, from which clouds and along which chain it is
reached, when it was last seen to refuse us without its binding, and whether it is vended for.`,
		Example: `  carnet catalog list
  carnet catalog list acme --json | jq '.[] | select(.verified == null) | .destination'`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeTenants,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openCatalog(dir)
			if err != nil {
				return err
			}
			rows, err := c.list(cmd, args)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), rows)
			}
			return tabled(cmd.OutOrStdout(), rows)
		},
	}
	catalogFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (c catalogFiles) list(cmd *cobra.Command, names []string) ([]listed, error) {
	op, err := c.operator(cmd.Context())
	if err == nil && len(names) == 0 {
		names, err = c.Tenants(cmd.Context())
	}
	if err != nil {
		return nil, err
	}
	rows := []listed{}
	for _, name := range names {
		t, err := c.tenant(cmd.Context(), name)
		if err != nil {
			return nil, err
		}
		ways, err := trust.Ways(op, t)
		if err != nil {
			return nil, err
		}
		for _, d := range slices.Sorted(maps.Keys(t.Destinations)) {
			rows = append(rows, row(t, d, ways[d]))
		}
	}
	return rows, nil
}

func row(t *catalog.Tenant, name string, ways []trust.Way) listed {
	d := t.Destinations[name]
	r := listed{Tenant: t.Name, Destination: name, Kind: d.Kind, Place: d.Shown, Ways: ways, Disabled: t.Disabled || d.Disabled,
		Rotating: d.End.Bound().NextExternalID != ""}
	if !d.Verified.IsZero() {
		r.Verified = d.Verified.Format(time.DateOnly)
	}
	return r
}

func tabled(out io.Writer, rows []listed) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TENANT\tDESTINATION\tKIND\tPLACE\tCHAIN\tVERIFIED\tSTATE")
	for _, r := range rows {
		state := "on"
		switch {
		case r.Disabled:
			state = "disabled"
		case r.Rotating:
			state = "rotating"
		}
		chains := []string{"from nowhere"}
		if len(r.Ways) > 0 {
			chains = nil
		}
		for _, way := range r.Ways {
			chains = append(chains, way.Runtime+": "+shortChain(way.Chain))
		}
		for i, c := range chains {
			if i == 0 {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Tenant, r.Destination, r.Kind, r.Place, c, cmp.Or(r.Verified, "never"), state)
			} else {
				fmt.Fprintf(w, "\t\t\t\t%s\t\t\n", c)
			}
		}
	}
	return w.Flush()
}

func shortChain(principals []string) string {
	var parts []string
	for _, p := range principals {
		cloud := "gcp:"
		if strings.HasPrefix(p, "arn:") {
			cloud = "aws:"
		}
		parts = append(parts, cloud+shortName(p))
	}
	return strings.Join(parts, " → ")
}
