package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
)

func vendCommand() *cobra.Command {
	var dir, runtime, format, access string
	var prefixes []string
	var minTTL time.Duration
	cmd := &cobra.Command{
		Use:   "vend TENANT DESTINATION",
		Short: "Vend one credential from a catalog and print it",
		Long: `Vend walks the chain to one destination as the identity that this machine has, and
prints the credential. The audit record goes to standard error.`,
		Example: `  carnet vend acme lake --catalog ./catalog
  eval "$(carnet vend acme lake --format env)"
  aws s3 ls s3://acme-lake/from-operator/    # with credential_process = carnet vend acme lake --format aws`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			config, err := deployment.FromEnv()
			if err != nil {
				return err
			}
			if dir != "" {
				config.Catalog = dir
			}
			if runtime != "" {
				config.Runtime = runtime
			}
			config.Audit, config.Platform = os.Stderr, platform.Credentials
			write, ok := formats()[format]
			if !ok {
				return fmt.Errorf("--format is %q: write json, env or aws", format)
			}
			d, err := deployment.New(cmd.Context(), config)
			if err != nil {
				return err
			}
			cred, err := d.Broker.Vend(cmd.Context(), exchange.Request{
				Caller: exchange.Console, Tenant: args[0], Destination: args[1], MinTTL: minTTL,
				Grant: exchange.Grant{Access: exchange.Access(access), Prefixes: prefixes},
			})
			if err != nil {
				return explain(err)
			}
			return write(cmd.OutOrStdout(), cred)
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "catalog", "", "folder with carnet.yaml and tenants/ (default $CARNET_CATALOG)")
	f.StringVar(&runtime, "runtime", "", "whose identity this machine has: aws or gcp (default: told from the environment)")
	f.StringVar(&format, "format", "json", "json, env (for a shell) or aws (for credential_process)")
	f.DurationVar(&minTTL, "min-ttl", 0, "how much life is left in it at the least (default 5m)")
	f.StringVar(&access, "access", "", "ask for less than the catalog grants: read or write")
	f.StringSliceVar(&prefixes, "prefix", nil, "ask for less than the catalog grants: a prefix below")
	return cmd
}

// explain adds whose job it is.
func explain(err error) error {
	var edge *exchange.EdgeError
	if errors.As(err, &edge) && edge.Reason == exchange.Refused {
		return fmt.Errorf("%w\nthe %s can mend this edge", err, edge.Owner)
	}
	if errors.Is(err, exchange.ErrDenied) {
		return fmt.Errorf("%w: the catalog has no such tenant or destination, or it is disabled", err)
	}
	return err
}

func formats() map[string]func(io.Writer, *exchange.Credential) error {
	return map[string]func(io.Writer, *exchange.Credential) error{
		"json": asJSON, "env": asEnv, "aws": asProcess,
	}
}

func asJSON(w io.Writer, c *exchange.Credential) error {
	doc := map[string]any{
		"kind": c.Kind, "principal": c.Principal, "expires_at": c.Expires.UTC().Format(time.RFC3339), "place": c.Place,
	}
	switch {
	case c.Session != nil:
		doc["session"] = map[string]string{
			"access_key_id": c.Session.AccessKeyID, "secret_access_key": c.Session.SecretAccessKey.Reveal(),
			"session_token": c.Session.SessionToken.Reveal(), "account_id": c.Session.AccountID,
		}
	case c.Token != nil:
		doc["token"] = map[string]any{"access_token": c.Token.AccessToken.Reveal(), "scopes": c.Token.Scopes}
	case c.Login != nil:
		doc["login"] = login(c.Login)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(doc)
}

func login(l *exchange.Login) map[string]string {
	all := map[string]string{
		"user": l.User, "password": l.Password.Reveal(), "token": l.Token.Reveal(),
		"authenticator": l.Authenticator, "provider": l.Provider, "dsn": l.DSN.Reveal(),
	}
	maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
	return all
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
	case c.Kind == "redshift":
		// libpq's names, which psql and most drivers read.
		lines = append(lines, [2]string{"PGHOST", c.Place["host"]}, [2]string{"PGPORT", c.Place["port"]},
			[2]string{"PGDATABASE", c.Place["database"]}, [2]string{"PGSSLMODE", "verify-full"},
			[2]string{"PGUSER", c.Login.User}, [2]string{"PGPASSWORD", c.Login.Password.Reveal()})
	case c.Kind == "snowflake":
		// The names that Snowflake's own command line reads.
		lines = append(lines, [2]string{"SNOWFLAKE_ACCOUNT", c.Place["account"]}, [2]string{"SNOWFLAKE_HOST", c.Place["host"]},
			[2]string{"SNOWFLAKE_USER", c.Login.User}, [2]string{"SNOWFLAKE_AUTHENTICATOR", c.Login.Authenticator},
			[2]string{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER", c.Login.Provider}, [2]string{"SNOWFLAKE_TOKEN", c.Login.Token.Reveal()})
	}
	for _, l := range lines {
		if _, err := fmt.Fprintf(w, "export %s='%s'\n", l[0], strings.ReplaceAll(l[1], "'", `'\''`)); err != nil {
			return err
		}
	}
	return nil
}

// asProcess prints what credential_process reads. The field is SessionToken here,
// and Token at a container endpoint.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func asProcess(w io.Writer, c *exchange.Credential) error {
	if c.Session == nil {
		return fmt.Errorf("--format aws is for AWS sessions, and a destination of kind %s gives another kind of credential: use json or env", c.Kind)
	}
	return json.NewEncoder(w).Encode(map[string]any{
		"Version": 1, "AccessKeyId": c.Session.AccessKeyID, "SecretAccessKey": c.Session.SecretAccessKey.Reveal(),
		"SessionToken": c.Session.SessionToken.Reveal(), "Expiration": c.Expires.UTC().Format(time.RFC3339),
		"AccountId": c.Session.AccountID,
	})
}
