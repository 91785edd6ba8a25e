package awslab

import (
	"cmp"
	"crypto/subtle"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// A warehouse is a cluster or a workgroup of Redshift, with its databases.
type warehouse struct {
	arn          string
	account      string
	region       string
	name         string
	host         string
	customDomain string
	serverless   bool
	users        []string
	groups       []string
	databases    map[string]*database
}

type database struct {
	mu     sync.Mutex
	tables map[string]*world.Table
	rows   map[string][]string
}

// A login is a user and a password that were given out for a while.
type login struct {
	at       *warehouse
	database string // empty: any
	user     string // as it logs in: IAMR:role, IAM:user, IAMA:user
	password string
	groups   []string
	expires  time.Time
}

func (c *Cloud) warehouses(id string, a *world.Account) {
	for name, w := range a.Clusters {
		h := &warehouse{
			arn: "arn:aws:redshift:" + w.Region + ":" + id + ":cluster:" + name, account: id, region: w.Region, name: name,
			host: w.Host, customDomain: w.CustomDomain, users: w.Users, groups: w.Groups, databases: databases(w.Databases),
		}
		if h.host == "" {
			h.host = name + ".lab." + w.Region + ".redshift.amazonaws.com"
		}
		c.redshift = append(c.redshift, h)
	}
	for name, w := range a.Workgroups {
		c.redshift = append(c.redshift, &warehouse{
			arn: "arn:aws:redshift-serverless:" + w.Region + ":" + id + ":workgroup/" + w.ID, account: id, region: w.Region, name: name,
			host:         name + "." + id + "." + w.Region + ".redshift-serverless.amazonaws.com",
			customDomain: w.CustomDomain, serverless: true, databases: databases(w.Databases),
		})
	}
}

func databases(all map[string]*world.Database) map[string]*database {
	made := map[string]*database{}
	for name, d := range all {
		made[name] = &database{tables: d.Tables, rows: map[string][]string{}}
	}
	return made
}

// warehouse finds a cluster or workgroup of an account by its name, or by its own
// domain name.
func (c *Cloud) warehouse(account, region, name, domain string, serverless bool) *warehouse {
	for _, w := range c.redshift {
		named := name != "" && w.name == name && w.account == account || domain != "" && w.customDomain == domain
		if named && w.region == region && w.serverless == serverless && w.account == account {
			return w
		}
	}
	return nil
}

// OwnsDatabase tells whether a host is one of Redshift's databases.
func (c *Cloud) OwnsDatabase(host string) bool {
	return slices.ContainsFunc(c.redshift, func(w *warehouse) bool { return w.host == host || host != "" && w.customDomain == host })
}

// A Login is what the API gave out for a database.
type Login struct {
	Database, User, Password string
	Expires                  time.Time
}

// OnLogin has f told of every login as it is given out, before anybody can use it: a
// real database can stand behind the API that way.
func (c *Cloud) OnLogin(f func(Login)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onLogin = f
}

// give opens a login.
func (c *Cloud) give(l login, life time.Duration) *login {
	l.password, l.expires = random(32), c.now().Add(life).Truncate(time.Second)
	defer c.tell(Login{l.database, l.user, l.password, l.expires})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins = append(slices.DeleteFunc(c.logins, func(old *login) bool { return old.expires.Before(c.now()) }), &l)
	return &l
}

func (c *Cloud) tell(l Login) {
	c.mu.Lock()
	f := c.onLogin
	c.mu.Unlock()
	if f != nil {
		f(l)
	}
}

// A dbSession is somebody who is logged in. It outlives the password.
type dbSession struct {
	user     string // as the database knows it
	groups   []string
	database *database
	name     string // the database's
	begun    *transaction
}

// A sqlError is an error as PostgreSQL and Redshift give it.
type sqlError struct{ code, message string }

func (e *sqlError) Error() string { return e.code + ": " + e.message }

// logIn checks a user and a password. Redshift says the same for every mistake. A
// user that the API gave a password for need not exist: with AutoCreate off, that
// comes to light here.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func (c *Cloud) logIn(host, user, password, name string) (*dbSession, *sqlError) {
	failed := &sqlError{"28000", fmt.Sprintf("password authentication failed for user %q", user)}
	l := c.login(user, password)
	if l == nil || host != "" && host != l.at.host && host != l.at.customDomain || l.database != "" && l.database != name {
		return nil, failed
	}
	db := l.at.databases[name]
	if db == nil {
		return nil, &sqlError{"3D000", fmt.Sprintf("database %q does not exist", name)}
	}
	known := strings.HasPrefix(user, "IAMR:") || strings.HasPrefix(user, "IAMA:")
	plain := strings.TrimPrefix(strings.TrimPrefix(user, "IAM:"), "IAMA:")
	if !known && !slices.Contains(l.at.users, plain) {
		return nil, failed
	}
	return &dbSession{user: plain, groups: l.groups, database: db, name: name}, nil
}

func (c *Cloud) login(user, password string) *login {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.logins {
		if l.user == user && subtle.ConstantTimeCompare([]byte(l.password), []byte(password)) == 1 && c.now().Before(l.expires) {
			return l
		}
	}
	return nil
}

// A rowset is what a statement gives; columns is nil where it gives no rows.
type rowset struct {
	columns []string
	rows    [][]string
	tag     string
	numbers bool // its columns are integers
}

// query runs one of the few statements that a login is tried with, as long as the transaction
// that it is in has not failed.
func (s *dbSession) query(statement string) (rowset, *sqlError) {
	text := strings.TrimRight(strings.TrimSpace(withoutComments(statement)), "; \n\t")
	if got, ok := s.transact(strings.ToLower(text)); ok {
		return got, nil
	}
	if s.begun != nil && s.begun.failed && text != "" {
		return rowset{}, &sqlError{"25P02", "current transaction is aborted, commands ignored until end of transaction block"}
	}
	got, err := s.run(text)
	if err != nil && s.begun != nil {
		s.begun.failed = true
	}
	return got, err
}

// withoutComments: tools write who they are before a statement.
func withoutComments(statement string) string {
	return regexp.MustCompile(`^(?s:\s*(/\*.*?\*/|--[^\n]*\n))+`).ReplaceAllString(statement, "")
}

// version is in the form of Redshift's own, by which clients tell it from PostgreSQL.
// https://docs.aws.amazon.com/redshift/latest/dg/r_VERSION.html
const version = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.115342"

func (s *dbSession) run(text string) (rowset, *sqlError) {
	lower := strings.ToLower(text)
	switch {
	case text == "":
		return rowset{}, nil
	case strings.HasPrefix(lower, "set "):
		return rowset{tag: "SET"}, nil
	}
	if got, ok := s.facts(lower); ok {
		return got, nil
	}
	if m := regexp.MustCompile(`(?i)^select (\d{1,9})(?: as (\w+))?$`).FindStringSubmatch(text); m != nil {
		return rowset{columns: []string{cmp.Or(strings.ToLower(m[2]), "?column?")}, rows: [][]string{{m[1]}}, tag: "SELECT 1", numbers: true}, nil
	}
	if m := regexp.MustCompile(`(?is)^insert into (\w+) values \('((?:[^']|'')*)'\)$`).FindStringSubmatch(text); m != nil {
		return s.insert(m[1], strings.ReplaceAll(m[2], "''", "'"))
	}
	if m := regexp.MustCompile(`(?i)^select greeting from (\w+)$`).FindStringSubmatch(text); m != nil {
		return s.read(m[1])
	}
	return rowset{}, &sqlError{"42601", "syntax error: the lab's databases know begin, commit and rollback, select NUMBER as NAME, select version(), current_user, current_database(), insert into TABLE values ('…') and select greeting from TABLE"}
}

// facts answers who is logged in where.
func (s *dbSession) facts(lower string) (rowset, bool) {
	known := map[string]string{"version()": version, "current_user": s.user, "current_database()": s.name}
	list, ok := strings.CutPrefix(lower, "select ")
	got := rowset{rows: [][]string{nil}, tag: "SELECT 1"}
	for _, name := range strings.Split(list, ",") {
		name = strings.TrimSpace(name)
		ok = ok && known[name] != ""
		got.columns = append(got.columns, strings.TrimSuffix(name, "()"))
		got.rows[0] = append(got.rows[0], known[name])
	}
	return got, ok
}

func (s *dbSession) insert(table, text string) (rowset, *sqlError) {
	t, err := s.table(table, func(t *world.Table) []string { return t.Insert })
	if err != nil {
		return rowset{}, err
	}
	if s.begun != nil {
		s.begun.inserted = append(s.begun.inserted, [2]string{t, text})
		return rowset{tag: "INSERT 0 1"}, nil
	}
	s.database.mu.Lock()
	defer s.database.mu.Unlock()
	s.database.rows[t] = append(s.database.rows[t], text)
	return rowset{tag: "INSERT 0 1"}, nil
}

func (s *dbSession) read(table string) (rowset, *sqlError) {
	t, err := s.table(table, func(t *world.Table) []string { return t.Select })
	if err != nil {
		return rowset{}, err
	}
	s.database.mu.Lock()
	defer s.database.mu.Unlock()
	got := rowset{columns: []string{"greeting"}}
	for _, text := range s.database.rows[t] {
		got.rows = append(got.rows, []string{text})
	}
	for _, one := range s.pending() {
		if one[0] == t {
			got.rows = append(got.rows, []string{one[1]})
		}
	}
	got.tag = fmt.Sprintf("SELECT %d", len(got.rows))
	return got, nil
}

// table finds a table and asks whether the user, or one of the session's groups,
// was granted what the statement does.
func (s *dbSession) table(name string, granted func(*world.Table) []string) (string, *sqlError) {
	name = strings.ToLower(name)
	t := s.database.tables[name]
	if t == nil {
		return "", &sqlError{"42P01", fmt.Sprintf("relation %q does not exist", name)}
	}
	for _, to := range granted(t) {
		group, isGroup := strings.CutPrefix(to, "group:")
		if to == s.user || isGroup && slices.Contains(s.groups, group) {
			return name, nil
		}
	}
	return "", &sqlError{"42501", "permission denied for relation " + name}
}
