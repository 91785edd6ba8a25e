package googlelab_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// greetings makes a table with so many rows.
func (d desk) greetings(rows int) {
	d.t.Helper()
	admin := d.token("admin")
	d.code("a table", d.ask(http.MethodPost, bq+"/datasets/d/tables", admin, `{"tableReference":{"projectId":"p","datasetId":"d","tableId":"t"},"schema":{"fields":[{"name":"greeting","type":"STRING"},{"name":"n","type":"INTEGER"}]}}`), 200)
	var list []string
	for i := range rows {
		list = append(list, fmt.Sprintf(`{"json":{"greeting":"hello","n":%d}}`, 12345670+i))
	}
	d.code("rows", d.ask(http.MethodPost, bq+"/datasets/d/tables/t/insertAll", admin, `{"rows":[`+strings.Join(list, ",")+`]}`), 200)
}

func aQuery(sql string) string {
	return `{"configuration":{"query":{"query":"` + sql + `","useLegacySql":false}}}`
}

const fast = `{"query":"SELECT * FROM d.t","useLegacySql":false}`

// TestBigQueryScopes: each method takes the scopes that the discovery document lists for it.
func TestBigQueryScopes(t *testing.T) {
	reading := []string{"bigquery", "cloud-platform", "cloud-platform.read-only"}
	for name, c := range map[string]struct {
		method, to, body string
		takes            []string
	}{
		"jobs.insert":         {"POST", bq + "/jobs", aQuery("SELECT 1"), []string{"bigquery", "cloud-platform", "devstorage.full_control", "devstorage.read_only", "devstorage.read_write"}},
		"jobs.query":          {"POST", bq + "/queries", fast, reading},
		"datasets.get":        {"GET", bq + "/datasets/d", "", reading},
		"datasets.list":       {"GET", bq + "/datasets", "", reading},
		"tables.list":         {"GET", bq + "/datasets/d/tables", "", reading},
		"tables.get":          {"GET", bq + "/datasets/d/tables/t", "", reading},
		"tabledata.list":      {"GET", bq + "/datasets/d/tables/t/data", "", reading},
		"tabledata.insertAll": {"POST", bq + "/datasets/d/tables/t/insertAll", `{"rows":[]}`, []string{"bigquery", "bigquery.insertdata", "cloud-platform"}},
	} {
		d := open(t)
		d.greetings(1)
		for _, scope := range []string{"bigquery", "bigquery.insertdata", "bigquery.readonly", "cloud-platform", "cloud-platform.read-only", "devstorage.full_control", "devstorage.read_only", "devstorage.read_write"} {
			a := d.ask(c.method, c.to, d.token("admin", scope), c.body)
			taken := strings.Contains(" "+strings.Join(c.takes, " ")+" ", " "+scope+" ")
			if taken != (a.Code == 200) || !taken && a.text("error", "details", 0, "reason") != "ACCESS_TOKEN_SCOPE_INSUFFICIENT" {
				t.Errorf("%s with %s: %d %s", name, scope, a.Code, a.Body)
			}
		}
	}
}

// TestBigQueryAsksForEachPermission has each call by whoever may, and by somebody who lacks it.
func TestBigQueryAsksForEachPermission(t *testing.T) {
	for name, c := range map[string]struct {
		method, to, body string
		can, cannot      string
	}{
		"datasets.get":        {"GET", bq + "/datasets/d", "", "viewer", "runner"},
		"tables.list":         {"GET", bq + "/datasets/d/tables", "", "viewer", "runner"},
		"tables.get":          {"GET", bq + "/datasets/d/tables/t", "", "viewer", "runner"},
		"tabledata.list":      {"GET", bq + "/datasets/d/tables/t/data", "", "viewer", "runner"},
		"tabledata.insertAll": {"POST", bq + "/datasets/d/tables/t/insertAll", `{"rows":[]}`, "admin", "viewer"},
		"tables.insert":       {"POST", bq + "/datasets/d/tables", `{"tableReference":{"tableId":"u"}}`, "admin", "viewer"},
		"jobs.insert":         {"POST", bq + "/jobs", aQuery("SELECT 1"), "runner", "nobody"},
		"jobs.query":          {"POST", bq + "/queries", fast, "viewer", "nobody"},
		"jobs.query of a table that only others may read": {"POST", bq + "/queries", fast, "viewer", "runner"},
		"another project's": {"POST", strings.TrimSuffix(bq, "p") + "q/queries", fast, "", "admin"},
		"tables.delete":     {"DELETE", bq + "/datasets/d/tables/t", "", "admin", "viewer"},
	} {
		d := open(t)
		d.greetings(1)
		a := d.ask(c.method, c.to, d.token(c.cannot), c.body)
		if a.Code != 403 || a.text("error", "errors", 0, "reason") != "accessDenied" || a.text("error", "status") != "PERMISSION_DENIED" {
			t.Errorf("%s by %s: %d %s", name, c.cannot, a.Code, a.Body)
		}
		if c.can == "" {
			continue
		}
		if a := d.ask(c.method, c.to, d.token(c.can), c.body); a.Code/100 != 2 {
			t.Errorf("%s by %s: %d %s", name, c.can, a.Code, a.Body)
		}
	}
}

// TestAQueryAsAJob is what google-cloud-bigquery's query() does: a job, then its results in
// pages.
func TestAQueryAsAJob(t *testing.T) {
	d := open(t)
	d.greetings(3)
	viewer := d.token("viewer", "bigquery")
	a := d.ask("POST", bq+"/jobs", viewer, `{"jobReference":{"projectId":"p","jobId":"mine"},"configuration":{"query":{"query":"/* {\"app\": \"dbt\"} */ select n, greeting as g from `+"`p.d.t`"+`","useLegacySql":false}}}`)
	if a.Code != 200 || a.text("jobReference", "jobId") != "mine" || a.text("status", "state") != "DONE" || a.text("statistics", "query", "statementType") != "SELECT" || a.text("configuration", "jobType") != "QUERY" {
		t.Fatalf("the job: %d %s", a.Code, a.Body)
	}
	first := d.ask("GET", bq+"/queries/mine?maxResults=2&location=EU", viewer, "")
	if first.text("rows", 1, "f", 0, "v") != "12345671" || first.text("rows", 0, "f", 1, "v") != "hello" || first.text("totalRows") != "3" || first.text("schema", "fields", 1, "name") != "g" || first.at("jobComplete") != true {
		t.Errorf("the first page: %s", first.Body)
	}
	last := d.ask("GET", bq+"/queries/mine?maxResults=2&pageToken="+first.text("pageToken"), viewer, "")
	if last.text("rows", 0, "f", 0, "v") != "12345672" || last.at("rows", 1) != nil || last.at("pageToken") != nil {
		t.Errorf("the last page: %s", last.Body)
	}
	if none := d.ask("GET", bq+"/queries/mine?maxResults=0", viewer, ""); none.Code != 200 || none.at("rows") != nil || none.text("totalRows") != "3" {
		t.Errorf("no rows: %s", none.Body)
	}
	at := func(key string) string { return a.text("configuration", "query", "destinationTable", key) }
	data := bq + "/datasets/" + at("datasetId") + "/tables/" + at("tableId") + "/data"
	if rows := d.ask("GET", data, viewer, ""); rows.text("rows", 2, "f", 0, "v") != "12345672" {
		t.Errorf("the result's own table: %s", rows.Body)
	}
	for name, to := range map[string]string{"its job": bq + "/jobs/mine", "its results": bq + "/queries/mine", "its table": data} {
		d.code("another's look at "+name, d.ask("GET", to, d.token("admin"), ""), 403)
	}
	d.code("the same job again", d.ask("POST", bq+"/jobs", viewer, `{"jobReference":{"jobId":"mine"},"configuration":{"query":{"query":"SELECT 1","useLegacySql":false}}}`), 409)
	d.code("a job that is not there", d.ask("GET", bq+"/jobs/none", viewer, ""), 404)
}

// TestAQueryThatFails: jobs.insert tells of it in the job, and getQueryResults and jobs.query by
// the status.
func TestAQueryThatFails(t *testing.T) {
	for sql, c := range map[string]struct {
		code   int
		reason string
	}{
		"DROP TABLE d.t":           {400, "invalidQuery"},
		"SELECT none FROM d.t":     {400, "invalidQuery"},
		"SELECT * FROM t":          {400, "invalidQuery"},
		"SELECT * FROM d.none":     {404, "notFound"},
		"SELECT * FROM q.secret.t": {403, "accessDenied"},
	} {
		d := open(t)
		d.greetings(1)
		viewer := d.token("viewer")
		a := d.ask("POST", bq+"/jobs", viewer, aQuery(sql))
		if a.Code != 200 || a.text("status", "errorResult", "reason") != c.reason {
			t.Errorf("%s as a job: %d %s", sql, a.Code, a.Body)
		}
		for name, a := range map[string]answer{
			"its results": d.ask("GET", bq+"/queries/"+a.text("jobReference", "jobId"), viewer, ""),
			"at once":     d.ask("POST", bq+"/queries", viewer, `{"query":"`+sql+`","useLegacySql":false}`),
		} {
			if a.Code != c.code || a.text("error", "errors", 0, "reason") != c.reason {
				t.Errorf("%s, %s: %d %s", sql, name, a.Code, a.Body)
			}
		}
	}
	d := open(t)
	d.code("legacy SQL", d.ask("POST", bq+"/queries", d.token("viewer"), `{"query":"SELECT 1"}`), 400)
}

func TestAQueryAtOnce(t *testing.T) {
	d := open(t)
	d.greetings(3)
	for sql, want := range map[string]string{
		"SELECT 1":                           `[{"f":[{"v":"1"}]}]`,
		"select 1 as id":                     `[{"f":[{"v":"1"}]}]`,
		"SELECT 'a, b' AS x, -2 y;":          `[{"f":[{"v":"a, b"},{"v":"-2"}]}]`,
		"SELECT * FROM `p`.`d`.`t` LIMIT 1":  `[{"f":[{"v":"hello"},{"v":"12345670"}]}]`,
		"SELECT greeting FROM d.t\\nLIMIT 2": `[{"f":[{"v":"hello"}]},{"f":[{"v":"hello"}]}]`,
	} {
		a := d.ask("POST", bq+"/queries", d.token("viewer"), `{"query":"`+sql+`","useLegacySql":false}`)
		if a.Code != 200 || !strings.Contains(a.Body.String(), `"rows":`+want) || a.text("jobReference", "jobId") == "" {
			t.Errorf("%s: %d %s", sql, a.Code, a.Body)
		}
	}
	dry := d.ask("POST", bq+"/queries", d.token("viewer"), `{"query":"SELECT * FROM d.t","useLegacySql":false,"dryRun":true}`)
	if dry.Code != 200 || dry.at("rows") != nil || dry.text("schema", "fields", 0, "name") != "greeting" {
		t.Errorf("a dry run: %s", dry.Body)
	}
}

// TestLoadJobs loads what comes with the job, in each of the two ways to send it.
func TestLoadJobs(t *testing.T) {
	const config = `{"jobReference":{"projectId":"p","jobId":"%s"},"configuration":{"load":{"destinationTable":{"projectId":"p","datasetId":"d","tableId":"loaded"},"sourceFormat":"%s","schema":{"fields":[{"name":"n","type":"INTEGER"}]}}}}`
	up := "https://bigquery.googleapis.com/upload/bigquery/v2/projects/p/jobs"
	d := open(t)
	admin := d.token("admin", "bigquery")
	parts := "--x\r\nContent-Type: application/json\r\n\r\n" + fmt.Sprintf(config, "one", "NEWLINE_DELIMITED_JSON") + "\r\n--x\r\nContent-Type: */*\r\n\r\n{\"n\":1}\n{\"n\":2}\r\n--x--\r\n"
	a := d.ask("POST", up+"?uploadType=multipart", admin, parts, "Content-Type", "multipart/related; boundary=x")
	if a.Code != 200 || a.text("status", "state") != "DONE" || a.at("status", "errorResult") != nil {
		t.Fatalf("in one body: %d %s", a.Code, a.Body)
	}
	at := d.ask("POST", up+"?uploadType=resumable", admin, fmt.Sprintf(config, "two", "CSV")).Header().Get("Location")
	if a := d.ask("PUT", at, "", "3\n4\n", "Content-Range", "bytes 0-3/4"); a.text("jobReference", "jobId") != "two" || a.at("status", "errorResult") != nil {
		t.Errorf("resumable: %d %s", a.Code, a.Body)
	}
	rows := d.ask("GET", bq+"/datasets/d/tables/loaded/data", d.token("viewer"), "")
	if rows.text("totalRows") != "4" || rows.text("rows", 3, "f", 0, "v") != "4" {
		t.Errorf("loaded is %s", rows.Body)
	}
	reader := d.ask("POST", up+"?uploadType=multipart", d.token("viewer"), strings.Replace(parts, `"one"`, `"three"`, 1), "Content-Type", "multipart/related; boundary=x")
	if reader.text("status", "errorResult", "reason") != "accessDenied" {
		t.Errorf("as a reader: %d %s", reader.Code, reader.Body)
	}
	newTable := strings.NewReplacer(`"one"`, `"four"`, `"loaded"`, `"new"`).Replace(parts)
	if made := d.ask("POST", up+"?uploadType=multipart", d.token("part"), newTable, "Content-Type", "multipart/related; boundary=x"); made.text("status", "errorResult", "reason") != "accessDenied" {
		t.Errorf("a new table without the right to make one: %d %s", made.Code, made.Body)
	}
	if old := d.ask("POST", up+"?uploadType=multipart", d.token("part"), strings.Replace(parts, `"one"`, `"five"`, 1), "Content-Type", "multipart/related; boundary=x"); old.at("status", "errorResult") != nil || old.Code != 200 {
		t.Errorf("a table that is there, with the right to write to it: %d %s", old.Code, old.Body)
	}
	d.code("with the right to stream alone", d.ask("POST", up+"?uploadType=multipart", d.token("admin", "bigquery.insertdata"), parts, "Content-Type", "multipart/related; boundary=x"), 403)
	d.code("without the right to run jobs", d.ask("POST", up+"?uploadType=resumable", d.token("nobody"), config), 403)
}

// TestWhatTablesSay: clients read a table's type, and stumble over null where a list is empty.
func TestWhatTablesSay(t *testing.T) {
	d := open(t)
	viewer := d.token("viewer")
	for _, to := range []string{bq + "/datasets/d/tables", bq + "/datasets/d", bq + "/datasets"} {
		if a := d.ask("GET", to, viewer, ""); a.Code != 200 || strings.Contains(a.Body.String(), "null") {
			t.Errorf("%s: %d %s", to, a.Code, a.Body)
		}
	}
	d.greetings(1)
	if a := d.ask("GET", bq+"/datasets/d/tables", viewer, ""); a.text("tables", 0, "type") != "TABLE" || a.text("tables", 0, "id") != "p:d.t" {
		t.Errorf("the list: %s", a.Body)
	}
	if a := d.ask("GET", bq+"/datasets/d", viewer, ""); a.text("datasetReference", "datasetId") != "d" || a.text("location") == "" {
		t.Errorf("the dataset: %s", a.Body)
	}
	if a := d.ask("POST", bq+"/datasets/d/tables", d.token("admin"), `{"tableReference":{"tableId":"bare"}}`); a.text("type") != "TABLE" || a.text("tableReference", "datasetId") != "d" || strings.Contains(a.Body.String(), "null") {
		t.Errorf("a new table: %s", a.Body)
	}
	for name, a := range map[string]answer{
		"an account":  d.ask("POST", "https://iam.googleapis.com/v1/projects/p/serviceAccounts/admin@p.iam.gserviceaccount.com:testIamPermissions", d.token("nobody"), `{"permissions":["iam.serviceAccounts.getAccessToken"]}`),
		"of a bucket": d.ask("GET", gcs+"/storage/v1/b/b/iam/testPermissions?permissions=storage.buckets.get", d.token("nobody"), ""),
	} {
		if a.Code != 200 || strings.Contains(a.Body.String(), `"permissions"`) {
			t.Errorf("no permission on %s: %d %s", name, a.Code, a.Body)
		}
	}
	held := d.ask("GET", gcs+"/storage/v1/b/b/iam/testPermissions?permissions=storage.buckets.get&permissions=storage.objects.get", d.token("bucket"), "")
	if held.text("permissions", 0) != "storage.buckets.get" || held.at("permissions", 1) != nil {
		t.Errorf("a bucket's: %s", held.Body)
	}
}
