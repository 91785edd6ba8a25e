package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

type addOptions struct {
	catalog, kind             string
	tenantRole, tenantAccount string
	callers                   []string
	ask, asJSON               bool
}

// added is what came of it.
type added struct {
	File        string `json:"file"`
	Tenant      string `json:"tenant"`
	NewTenant   bool   `json:"new_tenant"`
	Destination string `json:"destination,omitempty"`
	ExternalID  string `json:"external_id,omitempty"`
}

func addCommand() *cobra.Command {
	o := new(addOptions)
	cmd := &cobra.Command{
		Use:   "add TENANT[/DESTINATION]",
		Short: "Add a tenant, or a destination of one",
		Long: `Add writes tenants/TENANT.yaml, or adds a destination to it, and makes the ExternalIds. On
a terminal it asks for what no flag says. Nothing that stands is overwritten.

A new tenant's identities get the names that Terraform's modules give them, carnet-t-TENANT,
on each cloud where carnet.yaml has a runtime; --tenant-role and --tenant-account say other
ones, or none.`,
		Example: `  carnet catalog add acme/lake --kind s3 --role arn:aws:iam::999988887777:role/acme-share \
    --region eu-west-1 --bucket acme-lake --prefix from-operator/ --access write \
    --caller aws:arn:aws:iam::111122223333:role/sync-worker
  carnet catalog add acme/drop            # asks
  carnet catalog add globex --tenant-role none`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeTenants,
		RunE:              o.run,
	}
	o.flags(cmd)
	return cmd
}

func (o *addOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	catalogFlag(cmd, &o.catalog)
	known := kinds.All().Catalog()
	f.StringVar(&o.kind, "kind", "", keys.Either(known.Names))
	complete(cmd, "kind", known.Names...)
	keyFlags(cmd, known)
	f.StringVar(&o.tenantRole, "tenant-role", "", "new tenant: ARN of its role, or none")
	f.StringVar(&o.tenantAccount, "tenant-account", "", "new tenant: email of its service account, or none")
	f.StringArrayVar(&o.callers, "caller", nil, "new tenant: who may ask: aws:ARN, google:EMAIL or ISSUER#SUBJECT (again for more)")
	f.BoolVar(&o.ask, "ask", false, "ask for what is missing though standard input is no terminal")
	jsonFlag(cmd, &o.asJSON)
}

func (o *addOptions) run(cmd *cobra.Command, args []string) error {
	tenant, dest, err := tenantArg(args[0])
	if err != nil {
		return err
	}
	c, err := openCatalog(o.catalog)
	if err != nil {
		return err
	}
	p := o.prompter(cmd)
	_, _, err = c.Read(cmd.Context(), tenantFile(tenant))
	isNew := errors.Is(err, fs.ErrNotExist)
	switch {
	case err != nil && !isNew:
		return err
	case !isNew && dest == "":
		return fmt.Errorf("%s is there already and is not overwritten: write TENANT/DESTINATION to add a destination", tenantFile(tenant))
	case !isNew && (o.tenantRole != "" || o.tenantAccount != "" || len(o.callers) > 0):
		return fmt.Errorf("%s is there already: --tenant-role, --tenant-account and --caller are for a new tenant, so change them in the file", tenantFile(tenant))
	}
	done := added{File: tenantFile(tenant), Tenant: tenant, NewTenant: isNew, Destination: dest}
	lines, err := o.destination(cmd, c, p, dest, &done)
	if err != nil {
		return err
	}
	if isNew {
		err = o.create(cmd, c, tenant, dest, lines)
	} else {
		err = extend(cmd, c, tenant, dest, lines)
	}
	if err != nil {
		return err
	}
	return o.tell(cmd, done)
}

func extend(cmd *cobra.Command, c catalogFiles, tenant, dest string, lines []string) error {
	draft, err := c.draft(cmd, tenant)
	if err == nil {
		err = draft.AddDestination(dest, lines)
	}
	if err != nil {
		return err
	}
	return c.write(draft)
}

// create writes a tenant's first file.
func (o *addOptions) create(cmd *cobra.Command, c catalogFiles, tenant, dest string, lines []string) error {
	op, err := c.operator(cmd.Context())
	if err != nil {
		return err
	}
	text := []string{"tenant: " + keys.Scalar(tenant)}
	role, account := o.identities(op, tenant)
	if role != "" || account != "" {
		text = append(text, "identities:")
	}
	if role != "" {
		text = append(text, "  aws:", "    role: "+keys.Scalar(role), "    external_id: "+keys.Scalar(newExternalID()))
	}
	if account != "" {
		text = append(text, "  gcp:", "    service_account: "+keys.Scalar(account))
	}
	if len(o.callers) > 0 {
		text = append(text, "callers:")
	}
	for _, given := range o.callers {
		caller, err := callerLines(given)
		if err != nil {
			return err
		}
		text = append(text, caller...)
	}
	if dest != "" {
		text = append(text, "destinations:", "  "+keys.Scalar(dest)+":")
		for _, l := range lines {
			text = append(text, "    "+l)
		}
	}
	return c.kinds.Create(c.dir(), tenantFile(tenant), []byte(strings.Join(text, "\n")+"\n"))
}

// identities follow the rule of Terraform's module catalog, which no two tenants' names
// collide under.
func (o *addOptions) identities(op *catalog.Operator, tenant string) (role, account string) {
	if own := op.Runtime.AWS.Role; own != "" {
		parts := strings.SplitN(own, ":", 6)
		role = strings.Join(parts[:5], ":") + ":role/carnet-t-" + tenant
	}
	if _, domain, ok := strings.Cut(op.Runtime.GCP.ServiceAccount, "@"); ok {
		account = "carnet-t-" + accountName(tenant) + "@" + domain
	}
	return chosen(o.tenantRole, role), chosen(o.tenantAccount, account)
}

// accountName: a service account's name has 30 characters, 21 of them for the tenant.
func accountName(tenant string) string {
	if len(tenant) <= 20 && !strings.HasSuffix(tenant, "-") {
		return tenant
	}
	sum := sha256.Sum256([]byte(tenant))
	return tenant[:min(8, len(tenant))] + "-" + hex.EncodeToString(sum[:])[:12]
}

func chosen(given, otherwise string) string {
	switch given {
	case "":
		return otherwise
	case "none":
		return ""
	}
	return given
}

func callerLines(given string) ([]string, error) {
	if arn, ok := strings.CutPrefix(given, "aws:"); ok {
		return []string{"  - aws: " + keys.Scalar(arn)}, nil
	}
	if email, ok := strings.CutPrefix(given, "google:"); ok {
		return []string{"  - google: " + keys.Scalar(email)}, nil
	}
	if issuer, subject, ok := strings.Cut(given, "#"); ok {
		return []string{"  - issuer: " + keys.Scalar(issuer), "    subject: " + keys.Scalar(subject)}, nil
	}
	return nil, fmt.Errorf("--caller %s: write aws:ARN, google:EMAIL or ISSUER#SUBJECT", given)
}

// destination makes the lines of a destination out of flags and answers.
func (o *addOptions) destination(cmd *cobra.Command, c catalogFiles, p *prompter, name string, done *added) ([]string, error) {
	if name == "" {
		return nil, refuseFlags(cmd.Flags(), "", "a tenant without a destination")
	}
	known := func(kind string) error {
		if _, ok := c.kinds.Keys(kind); !ok {
			return fmt.Errorf("is %q: write %s", kind, keys.Either(c.kinds.Names))
		}
		return nil
	}
	if o.kind == "" {
		var err error
		if o.kind, err = p.text("kind "+keys.Either(c.kinds.Names), "kind ("+keys.Either(c.kinds.Names)+")", known); err != nil || o.kind == "" {
			return nil, cmp.Or(err, p.done())
		}
	}
	if err := known(o.kind); err != nil {
		return nil, fmt.Errorf("--kind %w", err)
	}
	if err := refuseFlags(cmd.Flags(), o.kind, "kind "+o.kind); err != nil {
		return nil, err
	}
	all, _ := c.kinds.Keys(o.kind)
	a := &answers{flags: cmd.Flags(), prompter: p, all: all, given: map[string]string{}, lines: []string{"kind: " + keys.Scalar(o.kind)}}
	if err := a.set(all); err != nil {
		return nil, err
	}
	id, _ := all.Named(keys.Binding)
	done.ExternalID = a.given[id]
	return a.lines, p.done()
}

func (o *addOptions) tell(cmd *cobra.Command, done added) error {
	if o.asJSON {
		return printJSON(cmd.OutOrStdout(), done)
	}
	w := cmd.OutOrStdout()
	if done.NewTenant {
		fmt.Fprintf(w, "%s: written.\n", done.File)
	}
	if done.Destination == "" {
		_, err := fmt.Fprintf(w, "Next: carnet catalog add %s/DESTINATION\n", done.Tenant)
		return err
	}
	name := done.Tenant + "/" + done.Destination
	fmt.Fprintf(w, "%s: destination %s added.\n", done.File, done.Destination)
	if done.ExternalID != "" {
		fmt.Fprintf(w, "Its ExternalId is %s.\n", done.ExternalID)
	}
	if done.NewTenant && len(o.callers) == 0 {
		fmt.Fprintln(w, "Nobody may ask for it yet: name the jobs under callers: in the file.")
	}
	_, err := fmt.Fprintf(w, `Next: carnet catalog lint, then what each owner applies, and when they have:
  carnet trust %[1]s --for operator
  carnet trust %[1]s --for third-party
  carnet check %[1]s --probe --record
`, name)
	return err
}
