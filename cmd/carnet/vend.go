package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	googleplatform "carnet.dev/carnet/shared/exchange/gcpid/platform"
	"carnet.dev/carnet/shared/wire"
)

func vendCommand() *cobra.Command {
	o := new(vendOptions)
	cmd := &cobra.Command{
		Use:   "vend TENANT/DESTINATION",
		Short: "Vend one credential and print it",
		Long: `Vend walks the chain to one destination as the identity that this machine has, and
prints the credential. The audit record goes to standard error. With --url it asks a
deployment instead, and proves who asks.

On a terminal it says what was vended and hides the secret, unless --format asks for it; to a
pipe or a file it writes JSON. It exits with 4 if it was refused, and with 5 if asking again
later may help: carnet help exit-codes.`,
		Example: `  carnet vend acme/lake --catalog ./catalog
  carnet vend acme/lake --json | jq -r .expires_at
  eval "$(carnet vend acme/lake --format env)"
  aws s3 ls s3://acme-lake/from-operator/    # with credential_process = carnet vend acme/lake --format aws
  carnet vend acme/lake --url https://….lambda-url.eu-west-1.on.aws --format aws`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeDestinations,
		RunE:              o.run,
	}
	f := cmd.Flags()
	f.StringVar(&o.dir, "catalog", "", "a folder, s3://BUCKET/PREFIX or gs://BUCKET/PREFIX (default $CARNET_CATALOG)")
	f.StringVar(&o.runtime, "runtime", "", "whose identity this machine has: aws or gcp (default: told from the environment)")
	f.StringVar(&o.format, "format", "", "text (without the secret), json, env (for a shell) or aws (for credential_process) (default: text on a terminal, json elsewhere)")
	f.BoolVar(&o.asJSON, "json", false, "as --format json")
	f.DurationVar(&o.minTTL, "min-ttl", 0, "how long the credential must still be good, such as 15m (default 5m)")
	f.StringVar(&o.access, "access", "", "ask for less than the catalog grants: read or write")
	f.StringArrayVar(&o.prefixes, "prefix", nil, "ask for less than the catalog grants: a prefix within one that is granted (again for more)")
	o.remote.flags(f)
	complete(cmd, "format", "text", "json", "env", "aws")
	complete(cmd, "runtime", "aws", "gcp")
	complete(cmd, "access", "read", "write")
	cmd.MarkFlagsMutuallyExclusive("json", "format")
	return cmd
}

func (o *vendOptions) run(cmd *cobra.Command, args []string) error {
	tenant, destination, err := destinationArg(strings.Join(args, "/"))
	if err != nil {
		return err
	}
	write, ok := formats()[o.written(cmd.OutOrStdout())]
	if !ok {
		return fmt.Errorf("--format is %q: write text, json, env or aws", o.format)
	}
	cred, err := o.vend(cmd, tenant, destination)
	if err != nil {
		return explain(err)
	}
	return write(cmd.OutOrStdout(), cred)
}

// written is the format: what was asked for, else what the reader is likely to want.
func (o *vendOptions) written(w io.Writer) string {
	switch {
	case o.format != "":
		return o.format
	case !o.asJSON && isTerminal(w):
		return "text"
	}
	return "json"
}

type vendOptions struct {
	dir, runtime, format, access string
	prefixes                     []string
	minTTL                       time.Duration
	asJSON                       bool
	remote
}

func (o *vendOptions) vend(cmd *cobra.Command, tenant, destination string) (*exchange.Credential, error) {
	grant := exchange.Grant{Access: exchange.Access(o.access), Prefixes: o.prefixes}
	if o.url != "" && o.dir == "" {
		c, err := o.client()
		if err != nil {
			return nil, err
		}
		return c.Vend(cmd.Context(), client.Request{Tenant: tenant, Destination: destination, MinTTL: o.minTTL, Grant: grant})
	}
	config, err := deployment.FromEnv()
	if err != nil {
		return nil, err
	}
	config.Catalog, config.Runtime = cmp.Or(o.dir, config.Catalog), cmp.Or(o.runtime, config.Runtime)
	config.Audit, config.Platform, config.Google = cmd.ErrOrStderr(), platform.Credentials, googleplatform.Metadata{}
	d, err := deployment.New(cmd.Context(), config)
	if err != nil {
		return nil, err
	}
	return d.Broker.Vend(cmd.Context(), exchange.Request{
		Caller: exchange.Console, Tenant: tenant, Destination: destination, MinTTL: o.minTTL, Grant: grant,
	})
}

// explain adds whose job it is.
func explain(err error) error {
	var edge *exchange.EdgeError
	if errors.As(err, &edge) && edge.Reason == exchange.Refused {
		return fmt.Errorf("%w\n%s can mend this edge: `carnet check` prints the change", err, party(edge.Owner))
	}
	if errors.Is(err, exchange.ErrDenied) {
		return fmt.Errorf("%w: the catalog has no such tenant or destination, or it is disabled: `carnet catalog list` shows what there is", err)
	}
	return err
}

func formats() map[string]func(io.Writer, *exchange.Credential) error {
	return map[string]func(io.Writer, *exchange.Credential) error{
		"text": asText, "json": asJSON, "env": asEnv, "aws": asProcess,
	}
}

// asText says what was vended, and not the secret itself.
func asText(w io.Writer, c *exchange.Credential) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "kind\t%s\nprincipal\t%s\n", c.Kind, c.Principal)
	for _, key := range slices.Sorted(maps.Keys(c.Place)) {
		fmt.Fprintf(t, "%s\t%s\n", key, c.Place[key])
	}
	fmt.Fprintf(t, "expires\t%s, in %s\n", c.Expires.UTC().Format(time.RFC3339), time.Until(c.Expires).Round(time.Minute))
	fmt.Fprintf(t, "secret\tnot shown: --format json, env or aws prints it\n")
	return t.Flush()
}

func asJSON(w io.Writer, c *exchange.Credential) error {
	text, err := wire.Encode(c, "")
	if err != nil {
		return err
	}
	return printJSON(w, json.RawMessage(text))
}

// asEnv prints assignments that a shell can evaluate.
func asEnv(w io.Writer, c *exchange.Credential) error {
	lines := [][2]string{{"CARNET_EXPIRES_AT", c.Expires.UTC().Format(time.RFC3339)}}
	switch {
	case c.Session != nil:
		lines = append(lines,
			[2]string{"AWS_ACCESS_KEY_ID", c.Session.AccessKeyID},
			[2]string{"AWS_SECRET_ACCESS_KEY", c.Session.SecretAccessKey.Reveal()},
			[2]string{"AWS_SESSION_TOKEN", c.Session.SessionToken.Reveal()})
		if r := c.Place["region"]; r != "" {
			// The CLI and boto3 read the second name, the other SDKs the first.
			lines = append(lines, [2]string{"AWS_REGION", r}, [2]string{"AWS_DEFAULT_REGION", r})
		}
	case c.Token != nil:
		// Terraform's google provider and gcloud read these two.
		lines = append(lines,
			[2]string{"GOOGLE_OAUTH_ACCESS_TOKEN", c.Token.AccessToken.Reveal()},
			[2]string{"CLOUDSDK_AUTH_ACCESS_TOKEN", c.Token.AccessToken.Reveal()})
	default:
		if env := kinds.All().Named(c.Kind).Env; env != nil {
			lines = append(lines, env(c)...)
		}
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "export %s=%s\n", l[0], shellQuoted(l[1])); err != nil {
			return err
		}
	}
	return nil
}

// asProcess prints what credential_process reads.
func asProcess(w io.Writer, c *exchange.Credential) error {
	text, err := wire.AWSProcess(c)
	if err != nil {
		return fmt.Errorf("--format aws: %w: use json or env", err)
	}
	_, err = fmt.Fprintln(w, string(text))
	return err
}

// shellQuoted is one word to a shell, whatever is in it.
func shellQuoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
