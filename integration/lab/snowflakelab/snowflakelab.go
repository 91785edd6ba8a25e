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
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
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
	sessions map[string]*session // by token, and by master token
	opened   int64
}

type account struct {
	name  string // upper case
	users map[string]*world.SnowflakeUser
	shut  bool // to every address, by a network policy
}

type session struct {
	id            int64
	account       string
	user          string
	token         string
	expires       time.Time
	master        string
	masterExpires time.Time
	parameters    map[string]any
}

const (
	sessionLife   = time.Hour
	masterLife    = 4 * time.Hour
	maxSessions   = 100_000
	maxBody       = 1 << 20
	serverVersion = "10.0.0"
)

// New builds the accounts.
func New(w *world.Snowflake, o Options) (*Cloud, error) {
	c := &Cloud{now: o.Now, transport: o.Transport, accounts: map[string]*account{}, sessions: map[string]*session{}}
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
	w.Header().Set("Lab-Operation", "snowflake:"+strings.TrimPrefix(r.URL.Path, "/"))
	of := func(h func(http.ResponseWriter, *http.Request, *account)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { h(w, r, a) }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /session/v1/login-request", of(c.login))
	mux.HandleFunc("POST /session/token-request", of(c.renew))
	mux.HandleFunc("POST /session/heartbeat", of(c.heartbeat))
	mux.HandleFunc("POST /session", c.endSession)
	mux.HandleFunc("POST /queries/v1/query-request", of(c.query))
	mux.HandleFunc("POST /queries/v1/abort-request", of(c.heartbeat)) // nothing runs on that could be stopped
	mux.HandleFunc("POST /telemetry/", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, success(nil)) })
	mux.HandleFunc("POST /api/v2/statements", of(c.statement))
	mux.ServeHTTP(w, r)
}

// readJSON reads what a request carries, which some drivers pack with gzip.
// https://github.com/snowflakedb/snowflake-connector-python/blob/main/src/snowflake/connector/network.py
func readJSON(r *http.Request, into any) error {
	body := io.Reader(io.LimitReader(r.Body, maxBody))
	switch r.Header.Get("Content-Encoding") {
	case "":
	case "gzip":
		plain, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = io.LimitReader(plain, maxBody)
	default:
		return errors.New("unknown Content-Encoding")
	}
	return json.NewDecoder(body).Decode(into)
}

// A proof is the part of a login request that says who logs in.
type proof struct {
	Account       string         `json:"ACCOUNT_NAME"`
	User          string         `json:"LOGIN_NAME"`
	Authenticator string         `json:"AUTHENTICATOR"`
	Provider      string         `json:"PROVIDER"`
	Token         string         `json:"TOKEN"`
	Parameters    map[string]any `json:"SESSION_PARAMETERS"`
}

// login answers with status 200 whatever it says, as Snowflake does.
func (c *Cloud) login(w http.ResponseWriter, r *http.Request, a *account) {
	w.Header().Set("Lab-Operation", "snowflake:login-request")
	var ask struct {
		Data proof `json:"data"`
	}
	if readJSON(r, &ask) != nil {
		answer(w, http.StatusBadRequest, refusal("390400", "Bad request."))
		return
	}
	user, refused := c.prove(r, a, ask.Data)
	if refused != nil {
		answer(w, http.StatusOK, refusal(refused.code, refused.message))
		return
	}
	s := &session{account: a.name, user: user, parameters: defaults()}
	for name, value := range ask.Data.Parameters {
		s.parameters[strings.ToUpper(name)] = value
	}
	data := c.open(s)
	maps.Copy(data, map[string]any{
		"displayUserName": user, "serverVersion": serverVersion, "firstLogin": false, "sessionId": s.id, "healthCheckInterval": 45,
		"newClientForUpgrade": "", "idToken": nil, "idTokenValidityInSeconds": 0, "mfaToken": nil, "mfaTokenValidityInSeconds": 0,
		"parameters": listed(s.parameters), "sessionInfo": map[string]any{"databaseName": nil, "schemaName": nil, "warehouseName": nil, "roleName": "PUBLIC"},
	})
	answer(w, http.StatusOK, success(data))
}

// open keeps a session under two tokens: one is good for an hour, the other makes new ones.
func (c *Cloud) open(s *session) map[string]any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		clear(c.sessions)
	}
	if s.id == 0 {
		c.opened++
		s.id, s.masterExpires, s.master = c.opened, c.now().Add(masterLife), "ver:1-hint:1-"+rand.Text()+rand.Text()
	}
	delete(c.sessions, s.token)
	s.token, s.expires = "ver:1-hint:1-"+rand.Text()+rand.Text(), c.now().Add(sessionLife)
	c.sessions[s.token], c.sessions[s.master] = s, s
	return map[string]any{
		"token": s.token, "validityInSeconds": int(sessionLife.Seconds()), "masterToken": s.master, "masterValidityInSeconds": int(masterLife.Seconds()),
	}
}

func shown(r *http.Request) string {
	return strings.TrimSuffix(strings.TrimPrefix(r.Header.Get("Authorization"), `Snowflake Token="`), `"`)
}

// session finds the one whose token a request shows. The codes tell drivers whether to renew
// the token or to log in again.
// https://github.com/snowflakedb/gosnowflake/blob/master/connection_util.go
func (c *Cloud) session(r *http.Request, a *account) (*session, *refused) {
	token := shown(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[token]
	switch {
	case s == nil || s.account != a.name || s.token != token:
		return nil, &refused{"390104", "Session no longer exists. New login required to access the service."}
	case c.now().After(s.expires):
		return nil, &refused{"390112", "Session token expired."}
	}
	return s, nil
}

// renew gives a new token for the master token.
func (c *Cloud) renew(w http.ResponseWriter, r *http.Request, a *account) {
	token := shown(r)
	c.mu.Lock()
	s := c.sessions[token]
	known := s != nil && s.account == a.name && s.master == token
	late := known && c.now().After(s.masterExpires)
	c.mu.Unlock()
	switch {
	case late:
		answer(w, http.StatusOK, refusal("390114", "Authentication token has expired. The user must authenticate again."))
	case !known:
		answer(w, http.StatusOK, refusal("390104", "Session no longer exists. New login required to access the service."))
	default:
		fresh := c.open(s)
		fresh["sessionToken"], fresh["validityInSecondsST"], fresh["validityInSecondsMT"], fresh["sessionId"] = fresh["token"], fresh["validityInSeconds"], fresh["masterValidityInSeconds"], s.id
		answer(w, http.StatusOK, success(fresh))
	}
}

func (c *Cloud) heartbeat(w http.ResponseWriter, r *http.Request, a *account) {
	if _, no := c.session(r, a); no != nil {
		answer(w, http.StatusOK, refusal(no.code, no.message))
		return
	}
	answer(w, http.StatusOK, success(nil))
}

func (c *Cloud) query(w http.ResponseWriter, r *http.Request, a *account) {
	w.Header().Set("Lab-Operation", "snowflake:query-request")
	s, no := c.session(r, a)
	if no != nil {
		answer(w, http.StatusOK, refusal(no.code, no.message))
		return
	}
	var ask struct {
		Text       string         `json:"sqlText"`
		Parameters map[string]any `json:"parameters"`
	}
	if readJSON(r, &ask) != nil {
		answer(w, http.StatusBadRequest, refusal("390400", "Bad request."))
		return
	}
	c.mu.Lock()
	got := s.run(ask.Text)
	parameters := listed(s.parameters)
	c.mu.Unlock()
	if got == nil {
		answer(w, http.StatusOK, map[string]any{"data": map[string]any{
			"internalError": false, "unredactedFromSecureObject": false, "errorCode": "001003", "age": 0, "sqlState": "42000", "queryId": queryID(), "line": -1, "pos": -1, "type": "COMPILATION",
		}, "code": "001003", "message": badStatement, "success": false, "headers": nil})
		return
	}
	answer(w, http.StatusOK, success(map[string]any{
		"parameters": parameters, "rowtype": got.columns, "rowset": [][]string{got.row}, "total": 1, "returned": 1,
		"queryId": queryID(), "databaseProvider": nil, "finalDatabaseName": nil, "finalSchemaName": nil, "finalWarehouseName": nil, "finalRoleName": "PUBLIC",
		"numberOfBinds": 0, "arrayBindSupported": false, "statementTypeId": got.kind, "version": 1, "sendResultTime": c.now().UnixMilli(), "queryResultFormat": "json",
	}))
}

func (c *Cloud) endSession(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	if s := c.sessions[shown(r)]; s != nil {
		delete(c.sessions, s.token)
		delete(c.sessions, s.master)
	}
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
	if readJSON(r, &ask) != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": "391902", "message": "Unable to read the request."})
		return
	}
	got := (&session{account: a.name, user: user, parameters: map[string]any{}}).run(ask.Text)
	if got == nil {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"code": "001003", "message": "SQL compilation error."})
		return
	}
	answer(w, http.StatusOK, map[string]any{
		"code": "090001", "message": "Statement executed successfully.", "data": [][]string{got.row},
		"resultSetMetaData": map[string]any{"numRows": 1, "format": "jsonv2", "rowType": got.columns},
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
