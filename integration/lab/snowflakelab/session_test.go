package snowflakelab_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab/snowflakelab"
	"carnet.dev/carnet/integration/lab/world"
)

// A driver is one that has a key pair, and a clock.
type driver struct {
	t     *testing.T
	cloud *snowflakelab.Cloud
	now   time.Time
	key   signer
	print string
}

func newDriver(t *testing.T) *driver {
	t.Helper()
	d := &driver{t: t, now: time.Now(), key: newSigner(t)}
	public, print := d.key.public(t)
	d.print = print
	var err error
	d.cloud, err = snowflakelab.New(&world.Snowflake{Accounts: map[string]*world.SnowflakeAccount{
		"ACME":   {Host: "acme.snowflakecomputing.com", Users: map[string]*world.SnowflakeUser{"KEYS": {PublicKey: public}}},
		"GLOBEX": {Host: "globex.snowflakecomputing.com"},
	}}, snowflakelab.Options{Now: func() time.Time { return d.now }, Transport: d.key})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A reply is what Snowflake says, whatever the status.
type reply struct {
	Success bool
	Code    string
	Data    struct {
		Token, MasterToken, SessionToken string
		Parameters                       []struct {
			Name  string
			Value any
		}
		Rowset  [][]string
		Rowtype []struct{ Name, Type string }
		Kind    int    `json:"statementTypeId"`
		QueryID string `json:"queryId"`
	}
}

func (r reply) parameter(name string) any {
	for _, p := range r.Data.Parameters {
		if p.Name == name {
			return p.Value
		}
	}
	return nil
}

// ask posts JSON, packed where the driver packs it.
func (d *driver) ask(path, token string, body any, packed bool) reply {
	d.t.Helper()
	return d.askAt("acme", path, token, body, packed)
}

func (d *driver) askAt(account, path, token string, body any, packed bool) reply {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	if packed {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(text)
		w.Close()
		text = b.Bytes()
	}
	r := httptest.NewRequest(http.MethodPost, "https://"+account+".snowflakecomputing.com"+path, bytes.NewReader(text))
	if packed {
		r.Header.Set("Content-Encoding", "gzip")
	}
	if token != "" {
		r.Header.Set("Authorization", `Snowflake Token="`+token+`"`)
	}
	w := httptest.NewRecorder()
	d.cloud.ServeHTTP(w, r)
	var got reply
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		d.t.Fatalf("%s: %d: %s", path, w.Code, w.Body)
	}
	return got
}

func (d *driver) login(packed bool, parameters map[string]any) reply {
	d.t.Helper()
	token := d.key.sign(d.t, map[string]any{"iss": "ACME.KEYS." + d.print, "sub": "ACME.KEYS", "iat": d.now.Unix(), "exp": d.now.Add(time.Hour).Unix()})
	return d.ask("/session/v1/login-request?request_id=1", "", map[string]any{"data": map[string]any{
		"ACCOUNT_NAME": "ACME", "AUTHENTICATOR": "SNOWFLAKE_JWT", "TOKEN": token, "SESSION_PARAMETERS": parameters,
	}}, packed)
}

func (d *driver) run(token, statement string) reply {
	d.t.Helper()
	return d.ask("/queries/v1/query-request?requestId=1", token, map[string]any{"sqlText": statement}, false)
}

// TestPackedLogin is what the connector for Python 4.8 sends.
func TestPackedLogin(t *testing.T) {
	d := newDriver(t)
	in := d.login(true, nil)
	if !in.Success {
		t.Fatalf("packed: %+v", in)
	}
	if got := d.ask("/queries/v1/query-request", in.Data.Token, map[string]any{"sqlText": "select 1"}, true); !got.Success || got.Data.Rowset[0][0] != "1" {
		t.Errorf("a packed query: %+v", got)
	}
}

// TestSessionParameters: the driver for Java takes these for Booleans without a look, and reads
// what a statement changed from its answer.
func TestSessionParameters(t *testing.T) {
	d := newDriver(t)
	in := d.login(false, map[string]any{"query_tag": "job", "CLIENT_SESSION_KEEP_ALIVE": true})
	for name, want := range map[string]any{
		"AUTOCOMMIT": true, "CLIENT_SESSION_KEEP_ALIVE": true, "CLIENT_HONOR_CLIENT_TZ_FOR_TIMESTAMP_NTZ": true, "JDBC_TREAT_DECIMAL_AS_INT": true,
		"CLIENT_METADATA_REQUEST_USE_CONNECTION_CTX": false, "JDBC_RS_COLUMN_CASE_INSENSITIVE": false, "QUERY_TAG": "job", "CLIENT_PREFETCH_THREADS": 4.0,
	} {
		if got := in.parameter(name); got != want {
			t.Errorf("%s is %v (%T), not %v", name, got, got, want)
		}
	}
	for _, step := range []struct {
		statement, name string
		want            any
	}{
		{"alter session /* JDBC:SnowflakeConnectionImpl.setAutoCommit*/ set autocommit=false", "AUTOCOMMIT", false},
		{"ALTER SESSION SET timezone = 'UTC', MULTI_STATEMENT_COUNT = 0", "TIMEZONE", "UTC"},
		{"select 1", "MULTI_STATEMENT_COUNT", 0.0},
		{"alter session unset TIMEZONE", "TIMEZONE", "America/Los_Angeles"},
	} {
		if got := d.run(in.Data.Token, step.statement); !got.Success || got.parameter(step.name) != step.want {
			t.Errorf("after %s, %s is %v and not %v", step.statement, step.name, got.parameter(step.name), step.want)
		}
	}
	if other := d.login(false, nil); other.parameter("AUTOCOMMIT") != true || other.parameter("QUERY_TAG") != "" {
		t.Error("one session's parameters are in another")
	}
}

func TestStatements(t *testing.T) {
	d := newDriver(t)
	token := d.login(false, nil).Data.Token
	const ok = "Statement executed successfully."
	for statement, want := range map[string][2]string{
		"BEGIN": {"status", ok}, "begin transaction": {"status", ok}, "COMMIT": {"status", ok}, "rollback;": {"status", ok}, "START TRANSACTION": {"status", ok},
		"use role PUBLIC": {"status", ok}, "USE WAREHOUSE \"w\"": {"status", ok},
		"select 1": {"1", "1"}, "SELECT 1 AS id": {"ID", "1"}, `select 1 as "id"`: {"id", "1"}, "-- dbt\nselect 1 as id": {"ID", "1"},
		"/* app */ select current_user()": {"CURRENT_USER()", "KEYS"}, "select CURRENT_ACCOUNT() as a": {"A", "ACME"}, "select '/* no remark */, still'": {"'/* NO REMARK */, STILL'", "/* no remark */, still"},
		"select current_version()": {"CURRENT_VERSION()", "10.0.0"},
		"drop table t":             {}, "select": {}, "select none()": {}, "select * from t": {}, "begin; drop table t": {}, "use x": {}, "": {},
	} {
		got := d.run(token, statement)
		if want[0] == "" {
			if got.Success || got.Code != "001003" {
				t.Errorf("%q was taken: %+v", statement, got)
			}
			continue
		}
		if !got.Success || got.Data.Rowtype[0].Name != want[0] || got.Data.Rowset[0][0] != want[1] || len(got.Data.QueryID) != 36 {
			t.Errorf("%q: %+v", statement, got)
		}
	}
}

// TestSessionsAreRenewed: the master token makes new session tokens for four hours, and neither
// stands for the other.
func TestSessionsAreRenewed(t *testing.T) {
	d := newDriver(t)
	in := d.login(false, nil).Data
	renew := func(token string) reply {
		return d.ask("/session/token-request", token, map[string]any{"oldSessionToken": in.Token, "requestType": "RENEW"}, false)
	}
	d.now = d.now.Add(61 * time.Minute)
	if got := d.run(in.Token, "select 1"); got.Code != "390112" {
		t.Errorf("after an hour: %+v", got)
	}
	fresh := renew(in.MasterToken)
	if !fresh.Success || !d.run(fresh.Data.SessionToken, "select 1").Success {
		t.Errorf("renewed: %+v", fresh)
	}
	for name, got := range map[string]reply{
		"the old token":                     d.run(in.Token, "select 1"),
		"a query with the master token":     d.run(in.MasterToken, "select 1"),
		"renewed with the session token":    renew(fresh.Data.SessionToken),
		"renewed at another account":        d.askAt("globex", "/session/token-request", in.MasterToken, nil, false),
		"a heartbeat with no token at all":  d.ask("/session/heartbeat", "", nil, false),
		"a query at another account's host": d.askAt("globex", "/queries/v1/query-request", fresh.Data.SessionToken, map[string]any{"sqlText": "select 1"}, false),
	} {
		if got.Success || got.Code != "390104" {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := d.ask("/session/heartbeat", fresh.Data.SessionToken, nil, false); !got.Success {
		t.Errorf("a heartbeat: %+v", got)
	}
	d.now = d.now.Add(3 * time.Hour)
	if got := renew(in.MasterToken); got.Code != "390114" {
		t.Errorf("after the master token's time: %+v", got)
	}
}

func TestALoggedOutSessionIsGone(t *testing.T) {
	d := newDriver(t)
	in := d.login(false, nil).Data
	d.ask("/session?delete=true", in.Token, nil, false)
	if got := d.run(in.Token, "select 1"); got.Code != "390104" {
		t.Errorf("after the logout: %+v", got)
	}
	if got := d.ask("/session/token-request", in.MasterToken, nil, false); got.Code != "390104" {
		t.Errorf("renewed after the logout: %+v", got)
	}
}
