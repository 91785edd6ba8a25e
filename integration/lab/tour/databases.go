package tour

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/jackc/pgx/v5/pgconn"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// useRedshift writes a row into a table and reads it back, over PostgreSQL's protocol
// with a login, or over the Data API with a session.
func useRedshift(ctx context.Context, machine *lab.Machine, cred *exchange.Credential, table string) error {
	run := func(sql string) ([]string, error) { return throughDataAPI(ctx, machine.Client(), cred, sql) }
	if cred.Login != nil {
		conn, err := connect(ctx, machine, cred)
		if err != nil {
			return err
		}
		defer conn.Close(ctx)
		run = func(sql string) ([]string, error) { return query(ctx, conn, sql) }
	}
	if _, err := run("insert into " + table + " values ('" + hello + "')"); err != nil {
		return err
	}
	rows, err := run("select greeting from " + table)
	if err == nil && !slices.Contains(rows, hello) {
		err = errors.New("the row that was written is not among those that were read")
	}
	return err
}

// connect logs in with the connection string as it was vended.
func connect(ctx context.Context, machine *lab.Machine, cred *exchange.Credential) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(cred.Login.DSN.Reveal())
	if err != nil {
		return nil, errors.New("the connection string cannot be read") // the parser's error may quote it
	}
	config.DialFunc = machine.Dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.TLSConfig = &tls.Config{RootCAs: machine.Roots(), ServerName: cred.Place["host"], MinVersion: tls.VersionTLS12}
	return pgconn.ConnectConfig(ctx, config)
}

func query(ctx context.Context, conn *pgconn.PgConn, sql string) ([]string, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, err
	}
	var values []string
	for _, r := range results {
		for _, row := range r.Rows {
			values = append(values, string(row[0]))
		}
	}
	return values, nil
}

// throughDataAPI runs a statement and reads the first column of what it gave.
func throughDataAPI(ctx context.Context, client *http.Client, cred *exchange.Credential, sql string) ([]string, error) {
	s, at := cred.Session, cred.Place
	data := redshiftdata.New(redshiftdata.Options{
		Region: at["region"], HTTPClient: client, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal()),
	})
	in := &redshiftdata.ExecuteStatementInput{Sql: &sql, Database: aws.String(at["database"])}
	if at["workgroup"] != "" {
		in.WorkgroupName = aws.String(at["workgroup"])
	} else {
		in.ClusterIdentifier = aws.String(at["cluster"])
	}
	run, err := data.ExecuteStatement(ctx, in)
	if err != nil {
		return nil, err
	}
	state, err := data.DescribeStatement(ctx, &redshiftdata.DescribeStatementInput{Id: run.Id})
	switch {
	case err != nil:
		return nil, err
	case state.Status != "FINISHED":
		return nil, errors.New(aws.ToString(state.Error))
	case !aws.ToBool(state.HasResultSet):
		return nil, nil
	}
	got, err := data.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: run.Id})
	if err != nil {
		return nil, err
	}
	return firstColumn(got)
}

// firstColumn goes by way of JSON: the SDK has a type for each type of a value.
func firstColumn(got *redshiftdata.GetStatementResultOutput) ([]string, error) {
	var values []string
	for _, row := range got.Records {
		text, err := json.Marshal(row[0])
		if err != nil {
			return nil, err
		}
		var v struct{ Value string }
		if err := json.Unmarshal(text, &v); err != nil {
			return nil, err
		}
		values = append(values, v.Value)
	}
	return values, nil
}

// A snowflakeError is a login that Snowflake refused.
type snowflakeError struct{ code, message string }

func (e *snowflakeError) Error() string { return e.code + ": " + e.message }

// useSnowflake logs in as the drivers do, and asks who it is.
func useSnowflake(ctx context.Context, client *http.Client, cred *exchange.Credential) error {
	return useSnowflakeAt(ctx, client, cred, cred.Place["account"], cred.Place["host"])
}

func useSnowflakeAt(ctx context.Context, client *http.Client, cred *exchange.Credential, account, host string) error {
	login := map[string]string{
		"ACCOUNT_NAME": account, "AUTHENTICATOR": cred.Login.Authenticator,
		"PROVIDER": cred.Login.Provider, "TOKEN": cred.Login.Token.Reveal(),
	}
	var session struct{ Token string }
	if err := say(ctx, client, "https://"+host+"/session/v1/login-request", "", map[string]any{"data": login}, &session); err != nil {
		return err
	}
	var rows struct{ Rowset [][]string }
	ask := map[string]string{"sqlText": "select current_user()"}
	if err := say(ctx, client, "https://"+host+"/queries/v1/query-request", session.Token, ask, &rows); err != nil {
		return err
	}
	if len(rows.Rowset) != 1 || rows.Rowset[0][0] != cred.Login.User {
		return fmt.Errorf("logged in as %v, not as %s", rows.Rowset, cred.Login.User)
	}
	return nil
}

func say(ctx context.Context, client *http.Client, to, session string, ask, data any) error {
	text, err := json.Marshal(ask)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if session != "" {
		req.Header.Set("Authorization", `Snowflake Token="`+session+`"`)
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Data          json.RawMessage
		Code, Message string
		Success       bool
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&answer); err != nil {
		return err
	}
	if !answer.Success {
		return &snowflakeError{answer.Code, answer.Message}
	}
	return json.Unmarshal(answer.Data, data)
}
