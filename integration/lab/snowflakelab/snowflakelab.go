// Package snowflakelab is the lab's Snowflake: accounts that let service users log in
// with proofs of who they are.
//
// It refuses what Snowflake refuses. A workload identity's token is verified against
// its issuer's own keys, for its subject and an audience that the user lists; a
// key-pair JWT against the user's public key, its fingerprint, and the account and
// user that it names. A signed GetCallerIdentity request is no proof here: carnet
// never vends one.
package snowflakelab

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// Options says what is around the accounts.
type Options struct {
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // reaches the issuers of workload identities
}

// A Cloud is Snowflake as a world describes it. It is safe for concurrent use.
type Cloud struct {
	now       func() time.Time
	transport http.RoundTripper
	accounts  map[string]*account // by host

	mu       sync.Mutex
	sessions map[string]session // by token
}

type account struct {
	name  string // upper case
	users map[string]*world.SnowflakeUser
	shut  bool // to every address, by a network policy
}

type session struct {
	account string
	user    string
	expires time.Time
}

const (
	sessionLife = time.Hour
	maxSessions = 100_000
	maxBody     = 1 << 20
)

// New builds the accounts.
func New(w *world.Snowflake, o Options) (*Cloud, error) {
	c := &Cloud{now: o.Now, transport: o.Transport, accounts: map[string]*account{}, sessions: map[string]session{}}
	if c.now == nil {
		c.now = time.Now
	}
	for name, a := range w.Accounts {
		if !strings.HasSuffix(a.Host, ".snowflakecomputing.com") {
			return nil, fmt.Errorf("account %s: host %q is not under snowflakecomputing.com", name, a.Host)
		}
		for user, u := range a.Users {
			if user != strings.ToUpper(user) {
				return nil, fmt.Errorf("account %s: user %s: write names in upper case", name, user)
			}
			if err := check(u); err != nil {
				return nil, fmt.Errorf("account %s: user %s: %w", name, user, err)
			}
		}
		c.accounts[a.Host] = &account{strings.ToUpper(name), a.Users, a.NetworkPolicy}
	}
	return c, nil
}

func check(u *world.SnowflakeUser) error {
	if u.PublicKey != "" {
		if _, err := publicKey(u.PublicKey); err != nil {
			return err
		}
	}
	for _, id := range u.WorkloadIdentity {
		switch id.Type {
		case "OIDC", "AWS", "GCP":
		default:
			return fmt.Errorf("workload identity of type %q", id.Type)
		}
		if id.Subject == "" || id.Issuer == "" && id.Type != "GCP" {
			return fmt.Errorf("a workload identity of type %s needs its subject, and an issuer unless it is GCP's", id.Type)
		}
	}
	return nil
}

// Owns tells whether a host is an account's.
func (c *Cloud) Owns(host string) bool { return c.accounts[hostOnly(host)] != nil }

// ServeHTTP answers under the accounts' host names.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := c.accounts[hostOnly(r.Host)]
	if a == nil {
		http.NotFound(w, r)
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/v1/login-request", func(w http.ResponseWriter, r *http.Request) { c.login(w, r, a) })
	mux.HandleFunc("POST /queries/v1/query-request", func(w http.ResponseWriter, r *http.Request) { c.query(w, r, a) })
	mux.HandleFunc("POST /session", c.endSession)
	mux.HandleFunc("POST /telemetry/send", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, success(nil)) })
	mux.HandleFunc("POST /api/v2/statements", func(w http.ResponseWriter, r *http.Request) { c.statement(w, r, a) })
	mux.ServeHTTP(w, r)
}

// A proof is the part of a login request that says who logs in.
type proof struct {
	Account       string `json:"ACCOUNT_NAME"`
	User          string `json:"LOGIN_NAME"`
	Authenticator string `json:"AUTHENTICATOR"`
	Provider      string `json:"PROVIDER"`
	Token         string `json:"TOKEN"`
}

// login answers with status 200 whatever it says, as Snowflake does.
func (c *Cloud) login(w http.ResponseWriter, r *http.Request, a *account) {
	w.Header().Set("Lab-Operation", "snowflake:login-request")
	var ask struct {
		Data proof `json:"data"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&ask) != nil {
		answer(w, http.StatusBadRequest, refusal("390400", "Bad request."))
		return
	}
	user, refused := c.prove(r, a, ask.Data)
	if refused != nil {
		answer(w, http.StatusOK, refusal(refused.code, refused.message))
		return
	}
	token := c.open(session{a.name, user, c.now().Add(sessionLife)})
	answer(w, http.StatusOK, success(map[string]any{
		"token": token, "validityInSeconds": int(sessionLife.Seconds()), "masterToken": rand.Text(), "masterValidityInSeconds": 14400,
		"displayUserName": user, "serverVersion": "10.0.0", "sessionId": 1,
		"parameters":  []any{map[string]any{"name": "GO_QUERY_RESULT_FORMAT", "value": "JSON"}},
		"sessionInfo": map[string]any{"databaseName": nil, "schemaName": nil, "warehouseName": nil, "roleName": "PUBLIC"},
	}))
}

func (c *Cloud) open(s session) string {
	token := "ver:1-hint:1-" + rand.Text() + rand.Text()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		clear(c.sessions)
	}
	c.sessions[token] = s
	return token
}

func (c *Cloud) query(w http.ResponseWriter, r *http.Request, a *account) {
	w.Header().Set("Lab-Operation", "snowflake:query-request")
	token := strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Authorization"), `Snowflake Token="`), `"`)
	c.mu.Lock()
	s, ok := c.sessions[token]
	c.mu.Unlock()
	if !ok || s.account != a.name || c.now().After(s.expires) {
		answer(w, http.StatusOK, refusal("390104", "Session no longer exists. New login required to access the service."))
		return
	}
	var ask struct {
		Text string `json:"sqlText"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&ask) != nil {
		answer(w, http.StatusBadRequest, refusal("390400", "Bad request."))
		return
	}
	columns, row := run(ask.Text, s)
	if columns == nil {
		answer(w, http.StatusOK, refusal("001003", "SQL compilation error: the lab's Snowflake knows SELECT 1 and SELECT CURRENT_USER()."))
		return
	}
	answer(w, http.StatusOK, success(map[string]any{
		"rowtype": columns, "rowset": [][]string{row}, "total": 1, "returned": 1,
		"queryId": rand.Text(), "queryResultFormat": "json", "statementTypeId": 4096, "finalRoleName": "PUBLIC",
	}))
}

// run knows the two statements with which a login is tried.
func run(statement string, s session) (columns []map[string]any, row []string) {
	column := func(name, kind string) []map[string]any {
		return []map[string]any{{"name": name, "type": kind, "nullable": false, "length": 16777216, "scale": 0, "precision": 1}}
	}
	switch strings.ToLower(strings.TrimRight(strings.TrimSpace(statement), "; ")) {
	case "select 1":
		return column("1", "fixed"), []string{"1"}
	case "select current_user()":
		return column("CURRENT_USER()", "text"), []string{s.user}
	}
	return nil, nil
}

func (c *Cloud) endSession(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Authorization"), `Snowflake Token="`), `"`)
	c.mu.Lock()
	delete(c.sessions, token)
	c.mu.Unlock()
	answer(w, http.StatusOK, success(nil))
}

// statement is the SQL API, which takes a key-pair JWT with each request.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
func (c *Cloud) statement(w http.ResponseWriter, r *http.Request, a *account) {
	w.Header().Set("Lab-Operation", "snowflake:statements")
	token, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	user, refused := c.keyPair(a, token)
	if !bearer || refused != nil || r.Header.Get("X-Snowflake-Authorization-Token-Type") != "KEYPAIR_JWT" {
		answer(w, http.StatusUnauthorized, map[string]any{"code": "390144", "message": "JWT token is invalid."})
		return
	}
	var ask struct {
		Text string `json:"statement"`
	}
	if json.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&ask) != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": "391902", "message": "Unable to read the request."})
		return
	}
	columns, row := run(ask.Text, session{account: a.name, user: user})
	if columns == nil {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"code": "001003", "message": "SQL compilation error."})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"code": "090001", "message": "Statement executed successfully.", "data": [][]string{row},
		"resultSetMetaData": map[string]any{"numRows": 1, "format": "jsonv2", "rowType": columns},
	})
}

func success(data any) map[string]any {
	return map[string]any{"data": data, "message": nil, "code": nil, "success": true}
}

func refusal(code, message string) map[string]any {
	return map[string]any{"data": map[string]any{}, "message": message, "code": code, "success": false}
}

func answer(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}
