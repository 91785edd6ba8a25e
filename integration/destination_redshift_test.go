package integration

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/jackc/pgx/v5"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// openPG logs in with pgx and the connection string as it was vended.
func openPG(ctx context.Context, m *lab.Machine, dsn string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the connection string cannot be read")
	}
	config.DialFunc = m.Dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.TLSConfig.RootCAs = m.Roots()
	return pgx.ConnectConfig(ctx, config)
}

// redshifts are destinations in one file, over one world.
const redshifts = `
tenant: acme
identities:
  aws: {role: arn:aws:iam::111122223333:role/carnet-t-acme, external_id: 5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21}
callers: [{aws: arn:aws:iam::111122223333:role/sync-worker}]
destinations:
  iam: &at
    kind: redshift
    role: arn:aws:iam::999988887777:role/acme-marts
    external_id: 9d2c7b1e-4a55-4f0e-8d13-1c6f2e9a7b34
    region: eu-west-1
    cluster: acme-dw
    database: analytics
    verified: 2026-11-20
`

// redshiftCase is a destination's keys beside those that all of them have, and what
// must hold of it.
type redshiftCase struct {
	keys     string
	policy   string // of the role, beside the sample's
	user     string // as returned
	host     string
	refused  string // the code with which the vend is refused; empty if it is not
	at       string // the call that was refused, where it matters
	badLogin bool   // vended, and no good in the database
	table    string // may be read and written; greetings where empty
}

func TestRedshiftLoginsThroughPgx(t *testing.T) {
	const dw = "acme-dw.c1x2y3z4.eu-west-1.redshift.amazonaws.com"
	const arn = `arn:aws:redshift:eu-west-1:999988887777:`
	asLoader := `{"Effect":"Allow","Action":"redshift:GetClusterCredentials","Resource":["` + arn + `dbuser:acme-dw/loader","` + arn + `dbname:acme-dw/analytics"]}`
	for name, c := range map[string]redshiftCase{
		"as the role, the host in the file": {keys: "host: " + dw, user: "IAMR:acme-marts", host: dw},
		"as the role, the host looked up":   {policy: `{"Effect":"Allow","Action":"redshift:DescribeClusters","Resource":"` + arn + `cluster:acme-dw"}`, user: "IAMR:acme-marts", host: dw},
		"the host may not be looked up":     {refused: "AccessDenied", at: "redshift:DescribeClusters"},
		"by the cluster's own domain":       {keys: "custom_domain: dw.acme.example", user: "IAMR:acme-marts", host: "dw.acme.example"},
		"as a user of the database":         {keys: "host: " + dw + "\n    user: loader", policy: asLoader, user: "IAM:loader", host: dw, table: "loads"},
		"as a user, who may not":            {keys: "host: " + dw + "\n    user: loader", refused: "AccessDenied"},
		"as a user who does not exist":      {keys: "host: " + dw + "\n    user: nobody", policy: strings.ReplaceAll(asLoader, "loader", "nobody"), user: "IAM:nobody", host: dw, badLogin: true},
		"as a user who is made then":        {keys: "host: " + dw + "\n    user: fresh\n    create_user: true\n    groups: [writers]", policy: strings.ReplaceAll(asLoader, "loader", "fresh") + `,{"Effect":"Allow","Action":["redshift:CreateClusterUser"],"Resource":"` + arn + `dbuser:acme-dw/fresh"},{"Effect":"Allow","Action":"redshift:JoinGroup","Resource":"` + arn + `dbgroup:acme-dw/writers"}`, user: "IAMA:fresh", host: dw, table: "shared"},
		"in a group that it may not join":   {keys: "host: " + dw + "\n    user: loader\n    groups: [writers]", policy: asLoader, refused: "AccessDenied"},
		"made, though it may make no one":   {keys: "host: " + dw + "\n    user: loader\n    create_user: true", policy: asLoader, refused: "AccessDenied"},
		"at a workgroup":                    {keys: "workgroup: acme-wg", policy: `{"Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"arn:aws:redshift-serverless:eu-west-1:999988887777:workgroup/11111111-2222-4333-8444-555555555555"}`, user: "IAMR:acme-marts", host: "acme-wg.999988887777.eu-west-1.redshift-serverless.amazonaws.com"},
		"at a workgroup's own domain":       {keys: "workgroup: acme-wg\n    custom_domain: wg.acme.example", policy: `{"Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"arn:aws:redshift-serverless:eu-west-1:999988887777:workgroup/11111111-2222-4333-8444-555555555555"}`, user: "IAMR:acme-marts", host: "wg.acme.example"},
		"at a workgroup nobody granted":     {keys: "workgroup: acme-wg", refused: "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) { tryRedshift(t, c) })
	}
}

func tryRedshift(t *testing.T, c redshiftCase) {
	l, dir := startRedshift(t, c)
	cred, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "iam")
	if c.refused != "" {
		var edge *exchange.EdgeError
		if !errors.As(err, &edge) || edge.Code != c.refused || edge.Owner != exchange.ThirdParty {
			t.Fatalf("%v, and not refused with %s by the third party", err, c.refused)
		}
		if c.at != "" && edge.Edge.Op != c.at {
			t.Errorf("refused at %s, not %s", edge.Edge.Op, c.at)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if cred.Login.User != c.user || cred.Place["host"] != c.host || cred.Place["port"] != "5439" {
		t.Fatalf("%s at %s:%s, not %s at %s", cred.Login.User, cred.Place["host"], cred.Place["port"], c.user, c.host)
	}
	conn, err := openPG(t.Context(), machine(t, l), cred.Login.DSN.Reveal())
	if c.badLogin {
		if err == nil {
			t.Fatal("a user that does not exist is logged in")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	table := c.table
	if table == "" {
		table = "greetings"
	}
	tryAll(t, []operation{
		{"write", func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "insert into "+table+" values ('it''s me')")
			return err
		}, true},
		{"read", func(ctx context.Context) error {
			var got string
			return conn.QueryRow(ctx, "select greeting from "+table).Scan(&got)
		}, true},
		{"read what nobody granted", func(ctx context.Context) error {
			var got string
			return conn.QueryRow(ctx, "select greeting from salaries").Scan(&got)
		}, false},
		{"log in to another database", func(ctx context.Context) error {
			other, err := openPG(ctx, machine(t, l), strings.Replace(cred.Login.DSN.Reveal(), "/analytics", "/private", 1))
			if err == nil {
				other.Close(ctx)
			}
			return err
		}, false},
		{"log in without the prefix of the name", func(ctx context.Context) error {
			_, plain, _ := strings.Cut(cred.Login.User, ":")
			dsn := strings.Replace(cred.Login.DSN.Reveal(), strings.ReplaceAll(cred.Login.User, ":", "%3A"), plain, 1)
			other, err := openPG(ctx, machine(t, l), dsn)
			if err == nil {
				other.Close(ctx)
			}
			return err
		}, false},
	})
}

// TestRedshiftDataAPI: the session runs statements as the file's user, in its database, and
// looks at its own alone, though the role may do anything.
func TestRedshiftDataAPI(t *testing.T) {
	l, dir := startRedshift(t, redshiftCase{keys: "user: loader\n    login: data_api", policy: `{"Effect":"Allow","Action":"*","Resource":"*"}`})
	vended := func() *exchange.Credential {
		cred, err := deploy(t, l, "aws", dir).Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "iam"})
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	cred := vended()
	if cred.Login != nil || cred.Place["db_user"] != "loader" || cred.Place["cluster"] != "acme-dw" || cred.Place["host"] != "" {
		t.Fatalf("%v at %v", cred.Login, cred.Place)
	}
	data, other := openDataAPI(t, l, cred), openDataAPI(t, l, vended())
	run := func(client *redshiftdata.Client, database string, user *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{ClusterIdentifier: aws.String("acme-dw"), Database: &database, DbUser: user, Sql: aws.String("select greeting from loads")})
			return err
		}
	}
	ran, err := data.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{
		ClusterIdentifier: aws.String(cred.Place["cluster"]), Database: aws.String(cred.Place["database"]), DbUser: aws.String(cred.Place["db_user"]), Sql: aws.String("select greeting from loads"),
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func(client *redshiftdata.Client) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: ran.Id})
			return err
		}
	}
	tryAll(t, []operation{
		{"as the file's user", run(data, "analytics", aws.String("loader")), true},
		{"as another", run(data, "analytics", aws.String("admin")), false},
		{"as the role itself", run(data, "analytics", nil), false},
		{"in another database", run(data, "private", aws.String("loader")), false},
		{"its own result", look(data), true},
		{"another session's result", look(other), false},
	})
}

func openDataAPI(t *testing.T, l *lab.Lab, cred *exchange.Credential) *redshiftdata.Client {
	t.Helper()
	s := cred.Session
	return redshiftdata.New(redshiftdata.Options{
		Region: cred.Place["region"], HTTPClient: machine(t, l).Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal()),
	})
}

func startRedshift(t *testing.T, c redshiftCase) (*lab.Lab, string) {
	t.Helper()
	change := `
aws:
  accounts:
    "999988887777":
      clusters:
        acme-dw:
          custom_domain: dw.acme.example
          users: [loader]
          groups: [writers]
          databases:
            private: {}
            analytics:
              tables:
                loads: {select: [loader], insert: [loader]}
                shared: {select: ["group:writers"], insert: ["group:writers"]}
      workgroups:
        acme-wg:
          region: eu-west-1
          id: 11111111-2222-4333-8444-555555555555
          custom_domain: wg.acme.example
          databases:
            private: {}
            analytics:
              tables:
                greetings: {select: ["IAMR:acme-marts"], insert: ["IAMR:acme-marts"]}
                salaries: {}
`
	if c.policy != "" {
		change += `
      roles:
        acme-marts:
          policies:
            more: '{"Version":"2012-10-17","Statement":[` + c.policy + `]}'
`
	}
	l := startWith(t, change)
	_, dir := startSample(t)
	keys := "    " + c.keys + "\n"
	text := strings.Replace(redshifts, "&at", "", 1) + keys
	if strings.Contains(c.keys, "workgroup") {
		text = strings.Replace(text, "    cluster: acme-dw\n", "", 1)
	}
	if err := os.WriteFile(filepath.Join(dir, "tenants", "acme.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l, dir
}
