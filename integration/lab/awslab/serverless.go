package awslab

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

// RedshiftServerless is the API of workgroups.
// https://docs.aws.amazon.com/redshift-serverless/latest/APIReference/API_GetCredentials.html
func (c *Cloud) RedshiftServerless() http.Handler {
	return c.jsonService("redshift-serverless", "RedshiftServerless", operations{"GetCredentials": c.workgroupCredentials})
}

func (c *Cloud) workgroupCredentials(s *session, region string, body []byte) (any, *fault) {
	ask, f := read[struct {
		WorkgroupName    string `json:"workgroupName"`
		CustomDomainName string `json:"customDomainName"`
		DBName           string `json:"dbName"`
		DurationSeconds  int    `json:"durationSeconds"`
	}](body)
	if f != nil {
		return nil, f
	}
	w := c.warehouse(s.role.account, region, ask.WorkgroupName, ask.CustomDomainName, true)
	if w == nil { // no policy can name what has no id: only a wildcard lets one know
		if f := s.may("redshift-serverless:GetCredentials", "arn:aws:redshift-serverless:"+region+":"+s.role.account+":workgroup/none"); f != nil {
			return nil, f
		}
		return nil, &fault{http.StatusBadRequest, "ResourceNotFoundException", "Workgroup not found."}
	}
	if f := s.may("redshift-serverless:GetCredentials", w.arn); f != nil {
		return nil, f
	}
	seconds := ""
	if ask.DurationSeconds != 0 {
		seconds = strconv.Itoa(ask.DurationSeconds)
	}
	life, f := loginTime(seconds)
	if f != nil {
		return nil, &fault{f.status, "ValidationException", f.message}
	}
	given := c.give(login{at: w, database: ask.DBName, user: "IAMR:" + s.role.name}, life)
	return map[string]any{"dbUser": given.user, "dbPassword": given.password, "expiration": given.expires.Unix()}, nil
}

// statements are those that the Data API has run, by id.
type statements struct {
	mu  sync.Mutex
	ran map[string]*ran
}

type ran struct {
	id    string
	at    time.Time
	owner string // the user id of the session that asked
	got   rowset
	err   *sqlError
}

// maxStatements bounds what is remembered.
const maxStatements = 10_000

// RedshiftData runs statements for a role, without a password.
// https://docs.aws.amazon.com/redshift/latest/mgmt/data-api-iam.html
func (c *Cloud) RedshiftData() http.Handler {
	return c.jsonService("redshift-data", "RedshiftData", operations{
		"ExecuteStatement": c.execute, "DescribeStatement": c.describe, "GetStatementResult": c.statementResult,
	})
}

// execute logs in as the database user that the session stands for, which takes the
// permission to do so beside that for the statement.
func (c *Cloud) execute(s *session, region string, body []byte) (any, *fault) {
	ask, f := read[struct{ ClusterIdentifier, WorkgroupName, Database, DbUser, Sql string }](body)
	if f != nil {
		return nil, f
	}
	w := c.warehouse(s.role.account, region, ask.ClusterIdentifier+ask.WorkgroupName, "", ask.WorkgroupName != "")
	if w == nil {
		return nil, accessDenied("User: %s is not authorized to perform: redshift-data:ExecuteStatement", s.arn())
	}
	if f := s.may("redshift-data:ExecuteStatement", w.arn); f != nil {
		return nil, f
	}
	user := "IAMR:" + s.role.name
	switch {
	case w.serverless:
		f = s.may("redshift-serverless:GetCredentials", w.arn)
	case ask.DbUser != "":
		user = ask.DbUser
		f = s.may("redshift:GetClusterCredentials", w.in("dbuser", user), w.in("dbname", ask.Database))
	default:
		f = s.may("redshift:GetClusterCredentialsWithIAM", w.in("dbname", ask.Database))
	}
	if f != nil {
		return nil, f
	}
	db := w.databases[ask.Database]
	if db == nil {
		return nil, &fault{http.StatusBadRequest, "ValidationException", "database " + ask.Database + " does not exist"}
	}
	got, failed := (&dbSession{user: user, database: db, name: ask.Database}).query(ask.Sql)
	r := &ran{requestID(), c.now(), s.role.id + ":" + s.name, got, failed}
	c.remember(r)
	return map[string]any{"Id": r.id, "CreatedAt": r.at.Unix(), "Database": ask.Database, "DbUser": user}, nil
}

func (c *Cloud) remember(r *ran) {
	c.data.mu.Lock()
	defer c.data.mu.Unlock()
	if c.data.ran == nil || len(c.data.ran) >= maxStatements {
		c.data.ran = map[string]*ran{}
	}
	c.data.ran[r.id] = r
}

// statement finds one that was run, if the session may ask for it.
func (c *Cloud) statement(s *session, action string, body []byte) (*ran, *fault) {
	ask, f := read[struct{ Id string }](body)
	if f != nil {
		return nil, f
	}
	c.data.mu.Lock()
	r := c.data.ran[ask.Id]
	c.data.mu.Unlock()
	context := s.context()
	if r != nil {
		context["redshift-data:statement-owner-iam-userid"] = []string{r.owner}
	}
	if !s.permits(request{action: action, resource: "*", context: context}).allows() {
		return nil, accessDenied("User: %s is not authorized to perform: %s on resource: *", s.arn(), action)
	}
	if r == nil {
		return nil, &fault{http.StatusBadRequest, "ResourceNotFoundException", "Query does not exist."}
	}
	return r, nil
}

func (c *Cloud) describe(s *session, _ string, body []byte) (any, *fault) {
	r, f := c.statement(s, "redshift-data:DescribeStatement", body)
	if f != nil {
		return nil, f
	}
	// The Id is the one member that the service model requires.
	answer := map[string]any{"Id": r.id, "Status": "FINISHED", "CreatedAt": r.at.Unix(), "UpdatedAt": r.at.Unix(), "HasResultSet": r.got.columns != nil, "ResultRows": len(r.got.rows)}
	if r.err != nil {
		answer["Status"], answer["Error"] = "FAILED", "ERROR: "+r.err.message
	}
	return answer, nil
}

func (c *Cloud) statementResult(s *session, _ string, body []byte) (any, *fault) {
	r, f := c.statement(s, "redshift-data:GetStatementResult", body)
	if f != nil {
		return nil, f
	}
	records := [][]map[string]any{}
	for _, row := range r.got.rows {
		var values []map[string]any
		for _, v := range row {
			values = append(values, r.got.field(v))
		}
		records = append(records, values)
	}
	return map[string]any{"Records": records, "TotalNumRows": len(records)}, nil
}

// field is a value as the Data API has it.
func (g rowset) field(text string) map[string]any {
	if n, err := strconv.Atoi(text); err == nil && g.numbers {
		return map[string]any{"longValue": n}
	}
	return map[string]any{"stringValue": text}
}
