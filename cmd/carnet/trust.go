package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/exchange/gcpid"
	googleplatform "carnet.dev/carnet/shared/exchange/gcpid/platform"
	"carnet.dev/carnet/shared/trust"
)

// trustOptions are what its flags say.
type trustOptions struct {
	catalog, owner, format, document string
	runtime, modules                 string
	subjects                         []string
	ask                              trust.Ask
	told                             map[string]*string // facts, by flag
}

func trustCommand() *cobra.Command {
	o := new(trustOptions)
	cmd := &cobra.Command{
		Use:   "trust TENANT/DESTINATION",
		Short: "Print exactly what one owner of a chain must apply",
		Long: `Trust prints what one owner must apply so that a destination can be reached: the roles and
their policies, the accounts and their bindings, the SQL. It is the least that lets the
chain through, with the reason for each condition in a comment (in JSON, beside it).

It calls no cloud and changes nothing, with one exception: what the catalog does not know,
such as the numeric id of a Google service account, comes from a flag, or from the cloud where
this process is the runtime (CARNET_RUNTIME is set). Otherwise the output has a placeholder,
with the command that prints the value, and the exit code is 3.`,
		Example: `  carnet trust acme/lake --for third-party --as cloudformation > role.yaml
  carnet trust acme/lake --document trust > trust.json
  carnet trust acme/drop --for third-party --as gcloud
  carnet trust acme/lake --for operator --as terraform
  carnet trust acme/frost --as sql --database SALES --schema SHARED --warehouse LOADING
  carnet trust globex/lake --google-subject 100000000000000000003`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeDestinations,
		RunE:              o.run,
	}
	o.flags(cmd)
	return cmd
}

func (o *trustOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	catalogFlag(cmd, &o.catalog)
	f.StringVar(&o.owner, "for", string(exchange.ThirdParty), "whose part: third-party, tenant or operator")
	f.StringVar(&o.format, "as", "", "json, terraform, cloudformation, aws, gcloud or sql (default: what fits the kind)")
	f.StringVar(&o.runtime, "runtime", "both", "from where the destination is reached: aws, gcp or both")
	f.StringVar(&o.document, "document", "", "print one policy document alone: trust or permissions, of the destination's role")
	f.StringVar(&o.modules, "modules", "./terraform/modules", "where Terraform finds the modules")
	f.StringSliceVar(&o.subjects, "google-subject", nil, "numeric id of the tenant's Google service account, or EMAIL=ID of any that is named")
	f.StringVar(&o.ask.Issuer, "aws-issuer", "", "issuer of the operator's outbound tokens (default: the one in carnet.yaml)")
	o.facts(cmd)
	complete(cmd, "for", "third-party", "tenant", "operator")
	complete(cmd, "as", "json", "terraform", "cloudformation", "aws", "gcloud", "sql")
	complete(cmd, "runtime", "aws", "gcp", "both")
	complete(cmd, "document", "trust", "permissions")
}

// facts are the flags of what the kinds ask for besides.
func (o *trustOptions) facts(cmd *cobra.Command) {
	f, all := cmd.Flags(), apply.All()
	o.told = map[string]*string{}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		for _, fact := range all[kind].Facts {
			if o.told[fact.Flag] == nil {
				o.told[fact.Flag] = f.String(fact.Flag, "", "")
				complete(cmd, fact.Flag, fact.Words...)
			}
			saidOf(f.Lookup(fact.Flag), kind, fact.Says)
		}
	}
}

func (o *trustOptions) run(cmd *cobra.Command, args []string) error {
	sheet, err := o.sheet(cmd, args[0])
	if err != nil {
		return err
	}
	if err := o.print(cmd.OutOrStdout(), sheet); err != nil {
		return err
	}
	return missing(sheet)
}

func (o *trustOptions) sheet(cmd *cobra.Command, name string) (*trust.Sheet, error) {
	c, err := openCatalog(o.catalog)
	if err != nil {
		return nil, err
	}
	tenant, dest, err := destinationArg(name)
	if err != nil {
		return nil, err
	}
	op, err := c.operator(cmd.Context())
	if err != nil {
		return nil, err
	}
	if o.ask.Tenant, err = c.tenant(cmd.Context(), tenant); err != nil {
		return nil, err
	}
	o.ask.Destination, o.ask.For, o.ask.Facts = dest, exchange.Owner(o.owner), map[string]string{}
	for flag, told := range o.told {
		o.ask.Facts[flag] = *told
	}
	if err := o.valid(); err != nil {
		return nil, err
	}
	return o.filled(cmd, op)
}

func (o *trustOptions) valid() error {
	if !slices.Contains([]exchange.Owner{exchange.ThirdParty, exchange.TenantSide, exchange.Operator}, o.ask.For) {
		return fmt.Errorf("--for is %q: write third-party, tenant or operator", o.owner)
	}
	if d := o.ask.Tenant.Destinations[o.ask.Destination]; d != nil {
		for _, f := range apply.All()[d.Kind].Facts {
			if told := o.ask.Facts[f.Flag]; told != "" && f.Words != nil && !slices.Contains(f.Words, told) {
				return fmt.Errorf("--%s is %q: write %s", f.Flag, told, keys.Either(f.Words))
			}
		}
	}
	switch o.runtime {
	case "aws", "gcp":
		o.ask.Runtimes = []string{o.runtime}
	case "both", "":
	default:
		return fmt.Errorf("--runtime is %q: write aws, gcp or both", o.runtime)
	}
	return o.readSubjects()
}

// readSubjects takes ID, which is the tenant's own account's, and EMAIL=ID.
func (o *trustOptions) readSubjects() error {
	o.ask.Subjects = map[string]string{}
	for _, given := range o.subjects {
		email, id, ok := strings.Cut(given, "=")
		if !ok && o.ask.Tenant.Identities.GCP == nil {
			return fmt.Errorf("--google-subject %s: tenant %s has no account in its identities, so write EMAIL=ID", given, o.ask.Tenant.Name)
		}
		if !ok {
			email, id = o.ask.Tenant.Identities.GCP.Email, given
		}
		if strings.Trim(id, "0123456789") != "" || len(id) < 15 || len(id) > 25 {
			return fmt.Errorf("--google-subject %s: the numeric id of a service account has about 21 digits: gcloud iam service-accounts describe %s --format='value(uniqueId)'", given, email)
		}
		o.ask.Subjects[email] = id
	}
	return nil
}

// filled writes the sheet, and once more with the ids that the runtime could tell.
func (o *trustOptions) filled(cmd *cobra.Command, op *catalog.Operator) (*trust.Sheet, error) {
	s, err := apply.All().Trust().For(op, o.ask)
	if err != nil || len(s.Missing) == 0 || os.Getenv("CARNET_RUNTIME") == "" {
		return s, err
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), 10*time.Second)
	defer cancel()
	found, err := lookUp(ctx, o.catalog, o.ask.Tenant)
	if err != nil {
		fmt.Fprintf(cmd.ErrOrStderr(), "the runtime could not be asked for the accounts' ids: %v\n", err)
	}
	for email, id := range found {
		if o.ask.Subjects[email] == "" {
			o.ask.Subjects[email] = id
		}
	}
	return apply.All().Trust().For(op, o.ask)
}

// lookUp asks for an ID token of the tenant's account, and of the runtime's own where it
// is on Google Cloud: the subject of each is the account's numeric id.
func lookUp(ctx context.Context, dir string, t *catalog.Tenant) (map[string]string, error) {
	config, err := deployment.FromEnv()
	if err != nil {
		return nil, err
	}
	config.Catalog = cmp.Or(dir, config.Catalog)
	config.Audit, config.Platform, config.Google = io.Discard, platform.Credentials, googleplatform.Metadata{}
	d, err := deployment.New(ctx, config)
	if err != nil {
		return nil, err
	}
	ids, wrong := map[string]string{}, []error(nil)
	ask := func(email string, as exchange.Identity, err error) {
		if err == nil {
			ids[email], err = subjectOf(ctx, as)
		}
		wrong = append(wrong, err)
	}
	if t.Identities.GCP != nil {
		as, err := d.Linker.Account(*t.Identities.GCP, 0).Enter(d.Runtime)
		ask(t.Identities.GCP.Email, as, err)
	}
	if own, ok := d.Runtime.(*gcpid.Identity); ok {
		ask(own.Principal(), own, nil)
	}
	return ids, errors.Join(wrong...)
}

// subjectOf reads the subject of a token that Google has just given us. Its audience is
// nobody's.
func subjectOf(ctx context.Context, as exchange.Identity) (string, error) {
	given, err := as.SubjectToken(ctx, exchange.RelyingParty{Audience: "https://carnet.invalid/trust", Accepts: []exchange.Form{exchange.RS256}})
	if err != nil {
		return "", err
	}
	var claims jwt.Claims
	token, err := jwt.ParseSigned(given.Value.Reveal(), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil || token.UnsafeClaimsWithoutVerification(&claims) != nil || claims.Subject == "" {
		return "", errors.New("the answer has no subject") // the parser's error may quote it
	}
	return claims.Subject, nil
}

func (o *trustOptions) print(w io.Writer, s *trust.Sheet) error {
	if o.document != "" {
		return o.printDocument(w, s)
	}
	format := trust.Format(o.format)
	if format == "" {
		format = s.Usual()
	}
	return s.Write(w, format, trust.Options{Modules: o.modules})
}

// printDocument prints what the AWS CLI takes as file://.
func (o *trustOptions) printDocument(w io.Writer, s *trust.Sheet) error {
	if s.Dest.End.Role == nil || s.For != exchange.ThirdParty {
		return fmt.Errorf("--document is for the role of a destination that has one, with --for third-party: write --as %s", s.Usual())
	}
	text, err := []byte(nil), error(nil)
	switch o.document {
	case "trust":
		text, err = s.Roles[0].TrustPolicy()
	case "permissions":
		text, err = s.Roles[0].PermissionsPolicy()
	default:
		err = fmt.Errorf("--document is %q: write trust or permissions", o.document)
	}
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

func missing(s *trust.Sheet) error {
	if len(s.Missing) == 0 {
		return nil
	}
	var lines []string
	for _, m := range s.Missing {
		lines = append(lines, fmt.Sprintf("%s stands for %s: %s\n  or %s", m.Placeholder, m.What, m.Command, m.Flag))
	}
	return exitError{exitPlaceholder, errors.New("printed with a placeholder in it\n" + strings.Join(lines, "\n"))}
}
