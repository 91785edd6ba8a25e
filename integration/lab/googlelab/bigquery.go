package googlelab

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A table of BigQuery.
type table struct {
	Reference tableReference `json:"tableReference"`
	Schema    schema         `json:"schema"`
	rows      []map[string]any
}

type tableReference struct {
	ProjectID string `json:"projectId"`
	DatasetID string `json:"datasetId"`
	TableID   string `json:"tableId"`
}

type schema struct {
	Fields []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"fields"`
}

// BigQuery is the REST API, as far as jobs need it to write, read and list rows.
// https://cloud.google.com/bigquery/docs/reference/rest
func (c *Cloud) BigQuery() http.Handler {
	const dataset = "/bigquery/v2/projects/{project}/datasets/{dataset}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+dataset, c.getDataset)
	mux.HandleFunc("POST "+dataset+"/tables", c.createTable)
	mux.HandleFunc("GET "+dataset+"/tables", c.listTables)
	mux.HandleFunc("POST "+dataset+"/tables/{table}/insertAll", c.insertAll)
	mux.HandleFunc("GET "+dataset+"/tables/{table}", c.getTable)
	mux.HandleFunc("GET "+dataset+"/tables/{table}/data", c.listRows)
	mux.HandleFunc("POST /bigquery/v2/projects/{project}/queries", c.query)
	return mux
}

// mayQuery asks scopes and the dataset's and project's bindings.
// https://developers.google.com/identity/protocols/oauth2/scopes#bigquery
func (c *Cloud) mayQuery(w http.ResponseWriter, r *http.Request, op, permission string) bool {
	w.Header().Set("Lab-Operation", "bigquery."+op)
	t, f := c.bearer(r)
	switch {
	case f != nil:
	case !scoped(t, op):
		f = &fault{http.StatusForbidden, "PERMISSION_DENIED", "Request had insufficient authentication scopes.", "ACCESS_TOKEN_SCOPE_INSUFFICIENT", ""}
	case !c.queryable(t, r, permission):
		f = &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Access Denied: Dataset " + r.PathValue("project") + ":" + r.PathValue("dataset") + ": Permission " + permission + " denied on dataset (or it may not exist)."}
	}
	if f != nil {
		f.write(w)
	}
	return f == nil
}

// scoped: insertdata streams rows in and nothing else; readonly writes nothing.
func scoped(t *token, op string) bool {
	switch {
	case t.has("cloud-platform", "bigquery"):
		return true
	case op == "tabledata.insertAll":
		return t.has("bigquery.insertdata")
	case op == "tables.insert":
		return false
	}
	return t.has("bigquery.readonly", "cloud-platform.read-only")
}

func (c *Cloud) queryable(t *token, r *http.Request, permission string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p := c.world.Projects[r.PathValue("project")]
	if p != nil && permission == "bigquery.jobs.create" { // a project's own, no dataset's
		return c.holds(t.who(), permission, p.Bindings)
	}
	if p == nil || p.Datasets[r.PathValue("dataset")] == nil {
		return false
	}
	return c.holds(t.who(), permission, p.Datasets[r.PathValue("dataset")].Bindings, p.Bindings)
}

func tableKey(r *http.Request, id string) string {
	return r.PathValue("project") + "." + r.PathValue("dataset") + "." + id
}

func (c *Cloud) getDataset(w http.ResponseWriter, r *http.Request) {
	if c.mayQuery(w, r, "datasets.get", "bigquery.datasets.get") {
		writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#dataset", "id": r.PathValue("project") + ":" + r.PathValue("dataset")})
	}
}

func (c *Cloud) createTable(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.insert", "bigquery.tables.create") {
		return
	}
	t := new(table)
	text, err := body(r)
	if err != nil || json.Unmarshal(text, t) != nil || t.Reference.TableID == "" {
		invalid("Invalid table.").write(w)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := tableKey(r, t.Reference.TableID)
	if c.tables[key] != nil {
		(&fault{code: http.StatusConflict, status: "ALREADY_EXISTS", message: "Already Exists: Table " + key}).write(w)
		return
	}
	c.tables[key] = t
	writeJSON(w, http.StatusOK, t)
}

func (c *Cloud) listTables(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.list", "bigquery.tables.list") {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var keys []string
	for key := range c.tables {
		if strings.HasPrefix(key, tableKey(r, "")) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	tables := []map[string]any{}
	for _, key := range keys {
		tables = append(tables, map[string]any{"tableReference": c.tables[key].Reference})
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#tableList", "tables": tables, "totalItems": len(tables)})
}

func (c *Cloud) insertAll(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tabledata.insertAll", "bigquery.tables.updateData") {
		return
	}
	var ask struct {
		Rows []struct {
			JSON map[string]any `json:"json"`
		} `json:"rows"`
	}
	text, err := body(r)
	if err != nil || json.Unmarshal(text, &ask) != nil {
		invalid("Invalid rows.").write(w)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[tableKey(r, r.PathValue("table"))]
	if t == nil {
		notFound(r).write(w)
		return
	}
	for _, row := range ask.Rows {
		t.rows = append(t.rows, row.JSON)
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#tableDataInsertAllResponse"})
}

func notFound(r *http.Request) *fault {
	return &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Not found: Table " + tableKey(r, r.PathValue("table"))}
}

func (c *Cloud) listRows(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tabledata.list", "bigquery.tables.getData") {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[tableKey(r, r.PathValue("table"))]
	if t == nil {
		notFound(r).write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#tableDataList", "rows": t.list(), "totalRows": strconv.Itoa(len(t.rows))})
}

// list gives the rows as the API writes them: values by position, in f and v.
func (t *table) list() []map[string]any {
	rows := []map[string]any{}
	for _, row := range t.rows {
		fields := []map[string]any{}
		for _, f := range t.Schema.Fields {
			fields = append(fields, map[string]any{"v": row[f.Name]})
		}
		rows = append(rows, map[string]any{"f": fields})
	}
	return rows
}

func (c *Cloud) getTable(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.get", "bigquery.tables.get") {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[tableKey(r, r.PathValue("table"))]
	if t == nil {
		notFound(r).write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"kind": "bigquery#table", "tableReference": t.Reference, "schema": t.Schema, "type": "TABLE", "numRows": strconv.Itoa(len(t.rows)),
	})
}

// query runs one form of statement: all of a table.
// https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query
func (c *Cloud) query(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Query string `json:"query"`
	}
	text, err := body(r)
	if err != nil || json.Unmarshal(text, &ask) != nil {
		invalid("Invalid query.").write(w)
		return
	}
	m := regexp.MustCompile("(?i)^select \\* from `?([\\w-]+)\\.([\\w-]+)\\.([\\w-]+)`?$").FindStringSubmatch(strings.TrimSpace(ask.Query))
	if m == nil {
		invalid("Syntax error: the lab's BigQuery knows SELECT * FROM `project.dataset.table`.").write(w)
		return
	}
	if !c.mayQuery(w, r, "jobs.query", "bigquery.jobs.create") {
		return
	}
	job := r.PathValue("project")
	r.SetPathValue("project", m[1])
	r.SetPathValue("dataset", m[2])
	r.SetPathValue("table", m[3])
	if !c.mayQuery(w, r, "jobs.query", "bigquery.tables.getData") {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[tableKey(r, m[3])]
	if t == nil {
		notFound(r).write(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"kind": "bigquery#queryResponse", "jobComplete": true, "schema": t.Schema, "rows": t.list(), "totalRows": strconv.Itoa(len(t.rows)),
		"jobReference": map[string]string{"projectId": job, "jobId": "job_" + rand.Text(), "location": "EU"}, "queryId": rand.Text(),
	})
}
