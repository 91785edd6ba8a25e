package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"carnet.dev/carnet/shared/catalog"
)

// A field is a key of a destination, the flag that takes it, and what is asked for it.
type field struct {
	key, flag, ask string
	kinds          string // that need it, with blanks between
	may            string // that may have it
	usage          string
}

// fields are in the order in which they are asked for and written.
func fields() []field {
	const all = "s3 redshift gcs bigquery snowflake"
	return []field{
		{key: "role", flag: "role", ask: "ARN of the role at the destination", kinds: "s3 redshift", usage: "s3, redshift: ARN of the third party's role"},
		{key: "external_id", flag: "external-id", may: "s3 redshift snowflake", usage: "an ExternalId that exists already (default: a new one is made)"},
		{key: "service_account", flag: "service-account", ask: "email of the service account at the destination", kinds: "gcs bigquery", usage: "gcs, bigquery: email of the third party's service account"},
		{key: "entry", flag: "entry", may: "gcs bigquery", usage: "gcs, bigquery: delegate or user"},
		{key: "provider", flag: "provider", may: "gcs bigquery", usage: "gcs, bigquery: the third party's own pool provider"},
		{key: "region", flag: "region", ask: "AWS Region", kinds: "s3 redshift", usage: "s3, redshift: the AWS Region"},
		{key: "bucket", flag: "bucket", ask: "bucket", kinds: "s3 gcs", usage: "s3, gcs: the bucket"},
		{key: "prefixes", flag: "prefix", ask: "prefixes, with commas between", kinds: "s3 gcs", usage: "s3, gcs: a folder that jobs may reach (again for more)"},
		{key: "project", flag: "project", ask: "project of the dataset", kinds: "bigquery", usage: "bigquery: the project"},
		{key: "dataset", flag: "dataset", ask: "dataset", kinds: "bigquery", usage: "bigquery: the dataset"},
		{key: "cluster", flag: "cluster", may: "redshift", usage: "redshift: a provisioned cluster"},
		{key: "workgroup", flag: "workgroup", may: "redshift", usage: "redshift: a serverless workgroup"},
		{key: "host", flag: "host", may: "redshift snowflake", usage: "redshift, snowflake: where to connect"},
		{key: "database", flag: "database", ask: "database", kinds: "redshift", usage: "redshift: the database"},
		{key: "account", flag: "account", ask: "Snowflake account identifier", kinds: "snowflake", usage: "snowflake: the account's identifier"},
		{key: "user", flag: "user", ask: "user", kinds: "snowflake", may: "redshift", usage: "snowflake: the service user; redshift: a user of the database"},
		{key: "groups", flag: "group", may: "redshift", usage: "redshift: a group to join (again for more)"},
		{key: "login", flag: "login", may: "redshift snowflake", usage: "redshift: password or data_api; snowflake: oidc, workload_identity or key_pair"},
		{key: "secret", flag: "secret", may: "snowflake", usage: "snowflake: where the private key is, for login key_pair"},
		{key: "access", flag: "access", ask: "access (read, write or read_write)", kinds: "s3 gcs", may: "bigquery", usage: "s3, gcs, bigquery: read, write or read_write"},
		{key: "kms_key", flag: "kms-key", may: "s3", usage: "s3: ARN of the bucket's KMS key"},
		{key: "lifetime", flag: "lifetime", may: all, usage: "how long a credential lives, such as 2h"},
		{key: "min_ttl", flag: "min-ttl", may: all, usage: "how long a credential must still be good when it is vended, such as 10m"},
	}
}

func (f field) isList() bool { return f.key == "prefixes" || f.key == "groups" }

func (f field) needs(kind string) bool { return slices.Contains(strings.Fields(f.kinds), kind) }

func (f field) takes(kind string) bool {
	return f.needs(kind) || slices.Contains(strings.Fields(f.may), kind)
}

type addOptions struct {
	catalog, kind             string
	tenantRole, tenantAccount string
	callers                   []string
	whole, createUser         bool
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
	f.StringVar(&o.kind, "kind", "", "s3, redshift, gcs, bigquery or snowflake")
	complete(cmd, "kind", "s3", "redshift", "gcs", "bigquery", "snowflake")
	for _, field := range fields() {
		if field.isList() {
			f.StringSlice(field.flag, nil, field.usage)
		} else {
			f.String(field.flag, "", field.usage)
		}
	}
	complete(cmd, "access", "read", "write", "read_write")
	f.BoolVar(&o.whole, "whole-bucket", false, "s3, gcs: all of the bucket, in place of prefixes")
	f.BoolVar(&o.createUser, "create-user", false, "redshift: make the user where there is none")
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
	lines, err := o.destination(cmd, p, dest, &done)
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
	text := []string{"tenant: " + catalog.Scalar(tenant)}
	role, account := o.identities(op, tenant)
	if role != "" || account != "" {
		text = append(text, "identities:")
	}
	if role != "" {
		text = append(text, "  aws:", "    role: "+catalog.Scalar(role), "    external_id: "+newExternalID())
	}
	if account != "" {
		text = append(text, "  gcp:", "    service_account: "+catalog.Scalar(account))
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
		text = append(text, "destinations:", "  "+dest+":")
		for _, l := range lines {
			text = append(text, "    "+l)
		}
	}
	return catalog.Create(c.dir(), tenantFile(tenant), []byte(strings.Join(text, "\n")+"\n"))
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
		return []string{"  - aws: " + catalog.Scalar(arn)}, nil
	}
	if email, ok := strings.CutPrefix(given, "google:"); ok {
		return []string{"  - google: " + catalog.Scalar(email)}, nil
	}
	if issuer, subject, ok := strings.Cut(given, "#"); ok {
		return []string{"  - issuer: " + catalog.Scalar(issuer), "    subject: " + catalog.Scalar(subject)}, nil
	}
	return nil, fmt.Errorf("--caller %s: write aws:ARN, google:EMAIL or ISSUER#SUBJECT", given)
}

// destination makes the lines of a destination out of flags and answers.
func (o *addOptions) destination(cmd *cobra.Command, p *prompter, name string, done *added) ([]string, error) {
	if name == "" {
		return nil, refuseFlags(cmd.Flags(), "", "a tenant without a destination")
	}
	kind, err := p.text(o.kind, "kind", "kind (s3, redshift, gcs, bigquery or snowflake)")
	if err != nil {
		return nil, err
	}
	if kind == "" {
		return nil, errors.New("missing: write --kind s3, redshift, gcs, bigquery or snowflake, or run it on a terminal, where it asks")
	}
	if err := refuseFlags(cmd.Flags(), kind, "kind "+kind); err != nil {
		return nil, err
	}
	if err := o.refuseSwitches(cmd.Flags(), kind); err != nil {
		return nil, err
	}
	lines := []string{"kind: " + catalog.Scalar(kind)}
	for _, f := range fields() {
		more, err := o.field(cmd.Flags(), p, f, kind, done)
		if err != nil {
			return nil, err
		}
		lines = append(lines, more...)
	}
	if o.createUser {
		lines = append(lines, "create_user: true")
	}
	return lines, p.done()
}

func (o *addOptions) field(flags *pflag.FlagSet, p *prompter, f field, kind string, done *added) ([]string, error) {
	given, err := value(flags, f)
	switch {
	case err != nil || !f.takes(kind):
		return nil, err
	case f.key == "external_id" && given == "" && bound(flags, kind):
		given = newExternalID()
	case f.key == "prefixes" && o.whole:
		return []string{"whole_bucket: true"}, nil
	case f.needs(kind):
		if given, err = p.text(given, f.flag, f.ask); err != nil {
			return nil, err
		}
	}
	if f.key == "external_id" {
		done.ExternalID = given
	}
	switch {
	case given == "":
		return nil, nil
	case f.isList():
		return []string{f.key + ": [" + strings.Join(scalars(given), ", ") + "]"}, nil
	}
	return []string{f.key + ": " + catalog.Scalar(given)}, nil
}

// bound tells whether a destination has an ExternalId: an AWS role, or a Snowflake account
// that is shown a token made for it.
func bound(flags *pflag.FlagSet, kind string) bool {
	login, err := flags.GetString("login")
	return err == nil && (kind != "snowflake" || login == "" || login == "oidc")
}

func value(flags *pflag.FlagSet, f field) (string, error) {
	if !f.isList() {
		return flags.GetString(f.flag)
	}
	list, err := flags.GetStringSlice(f.flag)
	return strings.Join(list, ","), err
}

func scalars(list string) []string {
	var all []string
	for _, s := range strings.Split(list, ",") {
		if s = strings.TrimSpace(s); s != "" {
			all = append(all, catalog.Scalar(s))
		}
	}
	return all
}

// refuseFlags refuses what does not belong to the kind: it would be lost in silence.
func refuseFlags(flags *pflag.FlagSet, kind, what string) error {
	for _, f := range fields() {
		if flags.Changed(f.flag) && !f.takes(kind) {
			return fmt.Errorf("--%s is not for %s: take it out", f.flag, what)
		}
	}
	return nil
}

// refuseSwitches: all of a bucket and a part of it are not both meant.
func (o *addOptions) refuseSwitches(flags *pflag.FlagSet, kind string) error {
	buckets := kind == string(catalog.S3) || kind == string(catalog.GCS)
	switch {
	case o.whole && flags.Changed("prefix"):
		return errors.New("--whole-bucket and --prefix exclude each other: take one out")
	case o.whole && !buckets:
		return fmt.Errorf("--whole-bucket is not for kind %s: take it out", kind)
	case o.createUser && kind != string(catalog.Redshift):
		return fmt.Errorf("--create-user is not for kind %s: take it out", kind)
	}
	return nil
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

// A prompter asks on a terminal for what no flag said; elsewhere it collects what is
// missing, to say it all at once.
type prompter struct {
	cmd     *cobra.Command
	in      *bufio.Reader
	asks    bool
	missing []string
}

func (o *addOptions) prompter(cmd *cobra.Command) *prompter {
	in := cmd.InOrStdin()
	file, ok := in.(*os.File)
	return &prompter{cmd: cmd, in: bufio.NewReader(in), asks: o.ask || ok && term.IsTerminal(int(file.Fd()))}
}

func (p *prompter) text(given, flag, question string) (string, error) {
	if given != "" {
		return given, nil
	}
	if !p.asks {
		p.missing = append(p.missing, "--"+flag)
		return "", nil
	}
	for {
		fmt.Fprintf(p.cmd.ErrOrStderr(), "%s: ", question)
		line, err := p.in.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" {
			return line, nil
		}
		if err != nil {
			return "", fmt.Errorf("no answer to %q, and no --%s: nothing was written", question, flag)
		}
	}
}

func (p *prompter) done() error {
	if len(p.missing) == 0 {
		return nil
	}
	return fmt.Errorf("missing: write %s, or run it on a terminal, where it asks", strings.Join(p.missing, ", "))
}
