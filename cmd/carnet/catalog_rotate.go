package main

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/bucket"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/trust"
)

// newExternalID is a UUID of version 4, RFC 9562.
func newExternalID() string {
	var b [16]byte
	rand.Read(b[:]) // it never fails: crypto/rand
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// draft begins a change of a tenant's file.
func (c catalogFiles) draft(cmd *cobra.Command, tenant string) (*catalog.Draft, error) {
	if _, err := c.tenant(cmd.Context(), tenant); err != nil {
		return nil, err
	}
	text, _, err := c.Read(cmd.Context(), tenantFile(tenant))
	if err != nil {
		return nil, err
	}
	return c.kinds.Draft(tenantFile(tenant), text)
}

// dir is where changes are written.
func (c catalogFiles) dir() string { return cmp.Or(c.Dir, ".") }

func (c catalogFiles) write(d *catalog.Draft) error { return d.Write(c.dir()) }

type rotateOptions struct {
	trustOptions
	finish, asJSON bool
}

func rotateCommand() *cobra.Command {
	o := new(rotateOptions)
	cmd := &cobra.Command{
		Use:   "rotate TENANT/DESTINATION",
		Short: "Replace an ExternalId, with both accepted during the change",
		Long: `Rotate takes two steps, and the chain works at every moment.

First it makes a new ExternalId and writes it as next_external_id. Now carnet shows a role
the new one first, and the old one where the role refuses it. A place that has no role is
shown the old one. What is printed lets both in: the owner of the place applies it, whenever.

Then, with --finish, the new one becomes the only one. What is printed then lets only that
one in: the owner applies it, and the old one is worth nothing.

It exits with 3 where what was printed has a placeholder in it.`,
		Example: `  carnet catalog rotate acme/lake --as json
  carnet check acme/lake
  carnet catalog rotate acme/lake --finish`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeDestinations,
		RunE:              o.run,
	}
	o.flags(cmd)
	for _, hidden := range []string{"for", "document"} {
		if err := cmd.Flags().MarkHidden(hidden); err != nil {
			panic(err) // the flag is not there
		}
	}
	cmd.Flags().BoolVar(&o.finish, "finish", false, "make the next ExternalId the only one")
	jsonFlag(cmd, &o.asJSON)
	return cmd
}

func (o *rotateOptions) run(cmd *cobra.Command, args []string) error {
	tenant, dest, err := destinationArg(args[0])
	if err != nil {
		return err
	}
	c, err := openCatalog(o.catalog)
	if err != nil {
		return err
	}
	draft, err := c.draft(cmd, tenant)
	if err != nil {
		return err
	}
	old, next, err := o.step(draft, tenant, dest)
	if err != nil {
		return err
	}
	// What cannot be printed must not be begun: the owner would not learn of it.
	if sheet, err := o.sheet(cmd, args[0]); err != nil {
		return err
	} else if err := o.print(io.Discard, sheet); err != nil {
		return err
	}
	if err := c.write(draft); err != nil {
		return err
	}
	return o.tell(cmd, args[0], old, next)
}

// step changes the draft, and tells the old ExternalId and the one that takes over.
func (o *rotateOptions) step(draft *catalog.Draft, tenant, dest string) (old, next string, err error) {
	t, err := draft.Tenant()
	if err != nil {
		return "", "", err
	}
	d := t.Destinations[dest]
	if d == nil {
		return "", "", fmt.Errorf("tenant %s has no destination %q", tenant, dest)
	}
	old, next = d.End.Bound().ExternalID, d.End.Bound().NextExternalID
	all, _ := kinds.All().Catalog().Keys(d.Kind)
	id, _ := all.Named(keys.Binding)
	nextID, _ := all.Named(keys.NextBinding)
	at := []string{"destinations", dest}
	switch {
	case old == "":
		return old, next, fmt.Errorf("%s/%s has no external_id: between Google's accounts, and with a key pair, there is none to replace", tenant, dest)
	case o.finish && next == "":
		return old, next, fmt.Errorf("%s/%s has no next_external_id: begin with `carnet catalog rotate %s/%s`", tenant, dest, tenant, dest)
	case o.finish:
		return old, next, errors.Join(draft.Set(at, "kind", id, keys.Scalar(next)), draft.Remove(at, nextID))
	case next != "":
		return old, next, fmt.Errorf("%s/%s is being rotated already: `carnet trust %s/%s` prints again what its owner applies; when that is done, --finish", tenant, dest, tenant, dest)
	}
	next = newExternalID()
	return old, next, draft.Set(at, id, nextID, keys.Scalar(next))
}

// tell prints what the owner applies now.
func (o *rotateOptions) tell(cmd *cobra.Command, name, old, next string) error {
	step, words := "begun", fmt.Sprintf(`%[1]s: next_external_id is %[2]s; external_id stays %[3]s.
The owner of the place applies this, which lets both in, whenever it likes. Then:
  carnet check %[1]s
  carnet catalog rotate %[1]s --finish
`, name, next, old)
	if o.finish {
		o.ask.Retired = old
		step, words = "finished", fmt.Sprintf(`%s: external_id is %s now, and nothing else is shown.
The owner of the place applies this, and the old one lets nobody in:
`, name, next)
	}
	sheet, err := o.sheet(cmd, name)
	if err != nil {
		return fmt.Errorf("the file is written; what the owner applies could not be printed: %w", err)
	}
	var text strings.Builder
	if err := o.print(&text, sheet); err != nil {
		return err
	}
	if o.asJSON {
		err = printJSON(cmd.OutOrStdout(), map[string]string{
			"destination": name, "step": step, "old_external_id": old, "external_id": next, "apply": text.String(),
		})
	} else {
		fmt.Fprintln(cmd.ErrOrStderr(), words)
		_, err = io.WriteString(cmd.OutOrStdout(), text.String())
	}
	if err != nil {
		return err
	}
	return missing(sheet)
}

func switchCommand(verb string) *cobra.Command {
	var dir string
	var asJSON bool
	off := verb == "disable"
	cmd := &cobra.Command{
		Use:               verb + " TENANT[/DESTINATION]",
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeTenants,
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := openCatalog(dir)
			if err != nil {
				return err
			}
			s, err := c.turn(cmd, args[0], off)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), s)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), s)
			return err
		},
	}
	cmd.Short, cmd.Long, cmd.Example = "Vend for it again", "Enable takes `disabled: true` out of the file.", "  carnet catalog enable acme/lake"
	if off {
		cmd.Short = "Stop vending for a tenant or a destination"
		cmd.Long = `Disable writes ` + "`disabled: true`" + ` into the tenant's file. A function reads a file again within
60 seconds of its change (within 15 minutes where it cannot reach the catalog's bucket), so
nothing new is vended a minute after the file is where the functions read it. What is out
already lives to its end: the time by which that is certain is printed. docs/emergency.md
says how to end it before.`
		cmd.Example = "  carnet catalog disable acme/lake\n  carnet catalog disable acme --json"
	}
	catalogFlag(cmd, &dir)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// A switched tenant or destination, and what is still out.
type switched struct {
	Name     string    `json:"name"`
	Disabled bool      `json:"disabled"`
	Changed  bool      `json:"changed"`
	Stops    time.Time `json:"stops_by,omitzero"`   // new vends, if the file is in place now
	Ends     time.Time `json:"expires_by,omitzero"` // the last credential that is out
	Longest  string    `json:"longest_lifetime,omitempty"`
	Notes    []string  `json:"notes,omitempty"`
}

func (c catalogFiles) turn(cmd *cobra.Command, name string, off bool) (switched, error) {
	s := switched{Name: name, Disabled: off}
	tenant, dest, err := tenantArg(name)
	if err != nil {
		return s, err
	}
	draft, err := c.draft(cmd, tenant)
	if err != nil {
		return s, err
	}
	t, err := draft.Tenant()
	if err != nil {
		return s, err
	}
	at, after, is := []string(nil), "tenant", t.Disabled
	if dest != "" {
		d := t.Destinations[dest]
		if d == nil {
			return s, fmt.Errorf("tenant %s has no destination %q", tenant, dest)
		}
		at, after, is = []string{"destinations", dest}, "kind", d.Disabled
	}
	s.Changed = is != off
	switch {
	case s.Changed && off:
		err = draft.Set(at, after, "disabled", "true")
	case s.Changed:
		err = draft.Remove(at, "disabled")
	}
	if err == nil && s.Changed {
		err = c.write(draft)
	}
	if err == nil && off {
		err = c.outstanding(cmd, &s, t, dest)
	}
	return s, err
}

// outstanding says until when what was vended can live.
func (c catalogFiles) outstanding(cmd *cobra.Command, s *switched, t *catalog.Tenant, dest string) error {
	op, err := c.operator(cmd.Context())
	if err != nil {
		return err
	}
	ways, err := trust.Ways(op, t)
	if err != nil {
		return err
	}
	var longest time.Duration
	for name, list := range ways {
		if dest != "" && name != dest {
			continue
		}
		if note := kinds.All().Named(t.Destinations[name].Kind).Outlives; note != "" && !slices.Contains(s.Notes, note) {
			s.Notes = append(s.Notes, note)
		}
		for _, w := range list {
			longest = max(longest, w.Longest)
		}
	}
	s.Stops = time.Now().UTC().Add(bucket.FreshFor).Truncate(time.Second)
	s.Ends, s.Longest = s.Stops.Add(longest), longest.String()
	return nil
}

// String says it to a person.
func (s switched) String() string {
	state := "enabled"
	if s.Disabled {
		state = "disabled"
	}
	if !s.Changed {
		state += " already"
	}
	if !s.Disabled {
		return fmt.Sprintf("%s is %s.\nCredentials are vended again within a minute after the file is where the functions read it.", s.Name, state)
	}
	return strings.Join(append([]string{fmt.Sprintf(`%s is %s.
New vends stop within a minute after the file is where the functions read it: by %s if that is now.
The last credential that was vended before expires by %s (each lives for %s at the most).`,
		s.Name, state, s.Stops.Format(time.RFC3339), s.Ends.Format(time.RFC3339), s.Longest)}, s.Notes...), "\n")
}
