package googlelab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// A table of BigQuery. A query's result is one too, which its owner alone may read.
type table struct {
	Reference tableReference `json:"tableReference"`
	Schema    schema         `json:"schema"`
	rows      []map[string]any
	made      time.Time
	owner     string
}

type tableReference struct {
	ProjectID string `json:"projectId"`
	DatasetID string `json:"datasetId"`
	TableID   string `json:"tableId"`
}

func (t tableReference) key() string { return t.ProjectID + "." + t.DatasetID + "." + t.TableID }

// String is a table as messages name it.
func (t tableReference) String() string { return t.ProjectID + ":" + t.DatasetID + "." + t.TableID }

type schema struct {
	Fields []field `json:"fields,omitempty"`
}

type field struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Mode string `json:"mode,omitempty"`
}

// bigQueryReasons: https://cloud.google.com/bigquery/docs/error-messages
var bigQueryReasons = map[int]string{
	http.StatusBadRequest: "invalid", http.StatusUnauthorized: "authError", http.StatusForbidden: "accessDenied",
	http.StatusNotFound: "notFound", http.StatusConflict: "duplicate", http.StatusRequestEntityTooLarge: "uploadTooLarge",
}

// BigQuery is the REST API, as far as jobs need it to write, read, list and query rows.
// https://cloud.google.com/bigquery/docs/reference/rest
func (c *Cloud) BigQuery() http.Handler {
	const project = "/bigquery/v2/projects/{project}"
	const dataset = project + "/datasets/{dataset}"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+project+"/datasets", c.listDatasets)
	mux.HandleFunc("GET "+dataset, c.getDataset)
	mux.HandleFunc("POST "+dataset+"/tables", c.createTable)
	mux.HandleFunc("GET "+dataset+"/tables", c.listTables)
	mux.HandleFunc("POST "+dataset+"/tables/{table}/insertAll", c.insertAll)
	mux.HandleFunc("GET "+dataset+"/tables/{table}", c.getTable)
	mux.HandleFunc("DELETE "+dataset+"/tables/{table}", c.deleteTable)
	mux.HandleFunc("GET "+dataset+"/tables/{table}/data", c.listRows)
	mux.HandleFunc("POST "+project+"/queries", c.query)
	mux.HandleFunc("GET "+project+"/queries/{job}", c.getQueryResults)
	mux.HandleFunc("POST "+project+"/jobs", c.insertJob)
	mux.HandleFunc("GET "+project+"/jobs/{job}", c.getJob)
	mux.HandleFunc("POST "+project+"/jobs/{job}/cancel", c.cancelJob)
	mux.HandleFunc("POST /upload"+project+"/jobs", c.uploadJob)
	mux.HandleFunc("PUT /upload"+project+"/jobs", c.uploadJob)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { missing("Not Found").writeListed(w, bigQueryReasons) })
	return unpacked(mux)
}

func fail(w http.ResponseWriter, f *fault) { f.writeListed(w, bigQueryReasons) }

// called finds who calls a method, if a scope lets it.
func (c *Cloud) called(w http.ResponseWriter, r *http.Request, op string) (*token, *fault) {
	w.Header().Set("Lab-Operation", "bigquery."+op)
	t, f := c.bearer(r)
	if f == nil {
		f = scoped(t, "bigquery."+op)
	}
	return t, f
}

// mayQuery asks scopes and the dataset's and project's bindings.
func (c *Cloud) mayQuery(w http.ResponseWriter, r *http.Request, op, permission string) bool {
	t, f := c.called(w, r, op)
	if f == nil {
		f = c.queryable(t, tableOf(r), permission)
	}
	if f != nil {
		fail(w, f)
	}
	return f == nil
}

func tableOf(r *http.Request) tableReference {
	return tableReference{r.PathValue("project"), r.PathValue("dataset"), r.PathValue("table")}
}

// queryable is nil where a token's bindings have a permission on a table, or on its dataset.
func (c *Cloud) queryable(t *token, at tableReference, permission string) *fault {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if made := c.tables[at.key()]; made != nil && made.owner != "" && made.owner == t.name() {
		return nil
	}
	kind, name := "Dataset", at.ProjectID+":"+at.DatasetID
	if at.TableID != "" {
		kind, name = "Table", at.String()
	}
	p := c.world.Projects[at.ProjectID]
	var d *world.Dataset
	if p != nil {
		d = p.Datasets[at.DatasetID]
	}
	switch {
	case d != nil && c.holds(t.who(), permission, d.Bindings, p.Bindings):
		return nil
	case p != nil && d == nil && c.holds(t.who(), permission, p.Bindings):
		return missing("Not found: Dataset " + at.ProjectID + ":" + at.DatasetID)
	}
	return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: fmt.Sprintf("Access Denied: %s %s: Permission %s denied on %s %s (or it may not exist).", kind, name, permission, strings.ToLower(kind), name)}
}

func (c *Cloud) listDatasets(w http.ResponseWriter, r *http.Request) {
	t, f := c.called(w, r, "datasets.list")
	if f != nil {
		fail(w, f)
		return
	}
	project := r.PathValue("project")
	c.mu.RLock()
	var names []string
	if p := c.world.Projects[project]; p != nil {
		for name, d := range p.Datasets {
			if c.holds(t.who(), "bigquery.datasets.get", d.Bindings, p.Bindings) {
				names = append(names, name)
			}
		}
	}
	c.mu.RUnlock()
	slices.Sort(names)
	answer := map[string]any{"kind": "bigquery#datasetList", "etag": "lab"}
	var list []map[string]any
	for _, name := range names {
		list = append(list, datasetEntry(project, name))
	}
	if len(list) > 0 {
		answer["datasets"] = list
	}
	writeJSON(w, http.StatusOK, answer)
}

func datasetEntry(project, name string) map[string]any {
	return map[string]any{"kind": "bigquery#dataset", "id": project + ":" + name, "datasetReference": map[string]string{"projectId": project, "datasetId": name}, "location": "EU"}
}

func (c *Cloud) getDataset(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "datasets.get", "bigquery.datasets.get") {
		return
	}
	d := datasetEntry(r.PathValue("project"), r.PathValue("dataset"))
	d["etag"], d["type"], d["creationTime"], d["lastModifiedTime"] = "lab", "DEFAULT", millis(c.began), millis(c.began)
	d["selfLink"] = "https://bigquery.googleapis.com" + r.URL.Path
	writeJSON(w, http.StatusOK, d)
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

func (c *Cloud) createTable(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.insert", "bigquery.tables.create") {
		return
	}
	t := &table{made: c.now()}
	text, err := body(r)
	if err != nil || json.Unmarshal(text, t) != nil || t.Reference.TableID == "" {
		fail(w, invalid("Invalid table."))
		return
	}
	at := tableOf(r)
	at.TableID = t.Reference.TableID
	t.Reference = at
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tables[at.key()] != nil {
		fail(w, duplicate("Table "+at.String()))
		return
	}
	c.tables[at.key()] = t
	writeJSON(w, http.StatusOK, t.resource())
}

func duplicate(what string) *fault {
	return &fault{code: http.StatusConflict, status: "ALREADY_EXISTS", message: "Already Exists: " + what}
}

// entry is a table as a list of them has it, and resource all that is known of it.
// https://cloud.google.com/bigquery/docs/reference/rest/v2/tables#Table
func (t *table) entry() map[string]any {
	return map[string]any{"kind": "bigquery#table", "id": t.Reference.String(), "tableReference": t.Reference, "type": "TABLE", "creationTime": millis(t.made)}
}

func (t *table) resource() map[string]any {
	all := t.entry()
	all["schema"], all["numRows"], all["numBytes"], all["location"] = t.Schema, strconv.Itoa(len(t.rows)), "0", "EU"
	all["etag"], all["lastModifiedTime"] = "lab", millis(t.made)
	all["selfLink"] = fmt.Sprintf("https://bigquery.googleapis.com/bigquery/v2/projects/%s/datasets/%s/tables/%s", t.Reference.ProjectID, t.Reference.DatasetID, t.Reference.TableID)
	return all
}

func (c *Cloud) listTables(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.list", "bigquery.tables.list") {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var keys []string
	for key := range c.tables {
		if strings.HasPrefix(key, tableOf(r).key()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	var tables []map[string]any
	for _, key := range keys {
		tables = append(tables, c.tables[key].entry())
	}
	answer := map[string]any{"kind": "bigquery#tableList", "etag": "lab", "totalItems": len(tables)}
	if len(tables) > 0 {
		answer["tables"] = tables
	}
	writeJSON(w, http.StatusOK, answer)
}

// numbered reads JSON, with numbers as they are written.
func numbered(text []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return dec.Decode(into)
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
	if err != nil || numbered(text, &ask) != nil {
		fail(w, invalid("Invalid rows."))
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.tables[tableOf(r).key()]
	if t == nil {
		fail(w, noTable(tableOf(r)))
		return
	}
	for _, row := range ask.Rows {
		t.rows = append(t.rows, row.JSON)
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#tableDataInsertAllResponse"})
}

func noTable(at tableReference) *fault { return missing("Not found: Table " + at.String()) }

// known finds the table of a request, or writes that there is none.
func (c *Cloud) knownTable(w http.ResponseWriter, r *http.Request) *table {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tables[tableOf(r).key()]
	if t == nil {
		fail(w, noTable(tableOf(r)))
		return nil
	}
	seen := *t // its rows only ever grow
	return &seen
}

func (c *Cloud) listRows(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tabledata.list", "bigquery.tables.getData") {
		return
	}
	if t := c.knownTable(w, r); t != nil {
		answer := t.page(r.URL.Query())
		answer["kind"] = "bigquery#tableDataList"
		writeJSON(w, http.StatusOK, answer)
	}
}

func (c *Cloud) getTable(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.get", "bigquery.tables.get") {
		return
	}
	if t := c.knownTable(w, r); t != nil {
		writeJSON(w, http.StatusOK, t.resource())
	}
}

func (c *Cloud) deleteTable(w http.ResponseWriter, r *http.Request) {
	if !c.mayQuery(w, r, "tables.delete", "bigquery.tables.delete") {
		return
	}
	if c.knownTable(w, r) != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.tables, tableOf(r).key())
		w.WriteHeader(http.StatusNoContent)
	}
}
