package googlelab

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"time"
)

// A job of BigQuery, which is done as soon as it is there.
type job struct {
	project, id, owner string
	configuration      map[string]any
	kind               string // of statement
	result             *table // of a query that worked
	fault              *fault
	made               time.Time
}

const maxJobs = 10_000

// jobConfiguration is what a request says of a job, as far as the lab goes by it.
type jobConfiguration struct {
	DryRun bool `json:"dryRun"`
	Query  *struct {
		Query          string `json:"query"`
		UseLegacySQL   *bool  `json:"useLegacySql"`
		DefaultDataset struct {
			ProjectID string `json:"projectId"`
			DatasetID string `json:"datasetId"`
		} `json:"defaultDataset"`
		Destination *tableReference `json:"destinationTable"`
		disposition
	} `json:"query"`
	Load *load `json:"load"`
}

// mayRun asks for the right to run jobs, which a project gives and no dataset.
// https://cloud.google.com/bigquery/docs/access-control#bq-permissions
func (c *Cloud) mayRun(w http.ResponseWriter, r *http.Request, op string) (*token, *fault) {
	t, f := c.called(w, r, op)
	if f != nil {
		return nil, f
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	project := r.PathValue("project")
	if p := c.world.Projects[project]; p != nil && c.holds(t.who(), "bigquery.jobs.create", p.Bindings) {
		return t, nil
	}
	return nil, &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Access Denied: Project " + project + ": User does not have bigquery.jobs.create permission in project " + project + "."}
}

// insertJob: https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/insert
func (c *Cloud) insertJob(w http.ResponseWriter, r *http.Request) {
	t, f := c.mayRun(w, r, "jobs.insert")
	if f != nil {
		fail(w, f)
		return
	}
	text, err := body(r)
	if err != nil {
		fail(w, unreadable(err))
		return
	}
	answer, f := c.runJob(t, r.PathValue("project"), text, nil)
	if f != nil {
		fail(w, f)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// runJob runs what a job's JSON describes, over data where some came with it. What goes
// wrong in it is in the job, and not in the answer's status.
func (c *Cloud) runJob(t *token, project string, text, data []byte) (any, *fault) {
	var ask struct {
		Reference     struct{ JobID string } `json:"jobReference"`
		Configuration json.RawMessage        `json:"configuration"`
	}
	var what jobConfiguration
	j := &job{project: project, owner: t.name(), made: c.now()}
	if json.Unmarshal(text, &ask) != nil || json.Unmarshal(ask.Configuration, &what) != nil || json.Unmarshal(ask.Configuration, &j.configuration) != nil {
		return nil, invalid("Invalid job.")
	}
	j.id = cmp.Or(ask.Reference.JobID, "job_"+rand.Text())
	switch {
	case what.Query != nil:
		j.result, j.fault = c.answerTo(t, project, what)
		j.kind, j.configuration["jobType"] = "SELECT", "QUERY"
	case what.Load != nil:
		j.fault = c.load(t, *what.Load, data)
		j.configuration["jobType"] = "LOAD"
	default:
		return nil, invalid("Required parameter is missing: the lab runs query and load jobs.")
	}
	if what.DryRun {
		if j.fault != nil {
			return nil, j.fault
		}
		return j.resource(), nil
	}
	return c.keepJob(j)
}

// answerTo runs a query, and writes its result where it is to go.
func (c *Cloud) answerTo(t *token, project string, what jobConfiguration) (*table, *fault) {
	q := what.Query
	if q.UseLegacySQL == nil || *q.UseLegacySQL {
		return nil, badQuery("the lab's BigQuery does not know legacy SQL, which useLegacySql asks for unless it is false")
	}
	s, f := parseStatement(q.Query, cmp.Or(q.DefaultDataset.ProjectID, project), q.DefaultDataset.DatasetID)
	if f != nil {
		return nil, f
	}
	result, f := c.run(t, s)
	if f == nil && q.Destination != nil && !what.DryRun {
		f = c.put(t, *q.Destination, result.Schema, result.rows, q.disposition)
	}
	return result, f
}

// keepJob makes a job known, and its result a table of its owner's.
func (c *Cloud) keepJob(j *job) (any, *fault) {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := j.project + "/" + j.id
	if c.jobs[key] != nil {
		return nil, duplicate("Job " + j.project + ":EU." + j.id)
	}
	if len(c.jobs) >= maxJobs {
		clear(c.jobs)
		maps.DeleteFunc(c.tables, func(_ string, t *table) bool { return t.owner != "" })
	}
	c.jobs[key] = j
	if query, ok := j.configuration["query"].(map[string]any); ok && j.result != nil && query["destinationTable"] == nil {
		j.result.owner, j.result.Reference = j.owner, tableReference{j.project, "_lab", "anon" + rand.Text()}
		query["destinationTable"] = j.result.Reference
		c.tables[j.result.Reference.key()] = j.result
	}
	return j.resource(), nil
}

func (j *job) reference() map[string]string {
	return map[string]string{"projectId": j.project, "jobId": j.id, "location": "EU"}
}

// resource: https://cloud.google.com/bigquery/docs/reference/rest/v2/Job
func (j *job) resource() map[string]any {
	state := map[string]any{"state": "DONE"}
	if j.fault != nil {
		e := map[string]string{"reason": cmp.Or(j.fault.listed, bigQueryReasons[j.fault.code]), "message": j.fault.message}
		state["errorResult"], state["errors"] = e, []any{e}
	}
	statistics := map[string]any{"creationTime": millis(j.made), "startTime": millis(j.made), "endTime": millis(j.made), "totalBytesProcessed": "0"}
	if j.kind != "" {
		statistics["query"] = map[string]any{"statementType": j.kind, "totalBytesProcessed": "0", "cacheHit": false}
	}
	return map[string]any{
		"kind": "bigquery#job", "etag": "lab", "id": j.project + ":EU." + j.id, "jobReference": j.reference(), "user_email": j.owner,
		"selfLink":      "https://bigquery.googleapis.com/bigquery/v2/projects/" + j.project + "/jobs/" + j.id + "?location=EU",
		"configuration": j.configuration, "status": state, "statistics": statistics,
	}
}

// ownJob finds a job of the caller's: another's takes a permission that no role of the lab has.
func (c *Cloud) ownJob(w http.ResponseWriter, r *http.Request, op string) *job {
	t, f := c.called(w, r, op)
	if f != nil {
		fail(w, f)
		return nil
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	id := r.PathValue("project") + ":EU." + r.PathValue("job")
	j := c.jobs[r.PathValue("project")+"/"+r.PathValue("job")]
	switch {
	case j == nil:
		fail(w, missing("Not found: Job "+id))
	case j.owner != t.name():
		fail(w, &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Access Denied: Job " + id + ": User does not have bigquery.jobs.get permissions for job " + id + "."})
		return nil
	}
	return j
}

func (c *Cloud) getJob(w http.ResponseWriter, r *http.Request) {
	if j := c.ownJob(w, r, "jobs.get"); j != nil {
		writeJSON(w, http.StatusOK, j.resource())
	}
}

func (c *Cloud) cancelJob(w http.ResponseWriter, r *http.Request) {
	if j := c.ownJob(w, r, "jobs.cancel"); j != nil {
		writeJSON(w, http.StatusOK, map[string]any{"kind": "bigquery#jobCancelResponse", "job": j.resource()})
	}
}

func (c *Cloud) getQueryResults(w http.ResponseWriter, r *http.Request) {
	j := c.ownJob(w, r, "jobs.getQueryResults")
	switch {
	case j == nil:
	case j.fault != nil:
		fail(w, j.fault)
	case j.result == nil:
		fail(w, invalid("Cannot return the rows of a job that is no query."))
	default:
		writeJSON(w, http.StatusOK, j.rows(r, "bigquery#getQueryResultsResponse"))
	}
}

func (j *job) rows(r *http.Request, kind string) map[string]any {
	answer := j.result.page(r.URL.Query())
	answer["kind"], answer["jobComplete"], answer["jobReference"] = kind, true, j.reference()
	answer["schema"], answer["cacheHit"], answer["totalBytesProcessed"] = j.result.Schema, false, "0"
	return answer
}

// query is jobs.query: a job, and its rows in the same answer.
// https://cloud.google.com/bigquery/docs/reference/rest/v2/jobs/query
func (c *Cloud) query(w http.ResponseWriter, r *http.Request) {
	t, f := c.mayRun(w, r, "jobs.query")
	if f != nil {
		fail(w, f)
		return
	}
	text, err := body(r)
	var ask struct {
		MaxResults *json.Number `json:"maxResults"`
		DryRun     bool         `json:"dryRun"`
	}
	var what jobConfiguration
	if err != nil || json.Unmarshal(text, &ask) != nil || json.Unmarshal(text, &what.Query) != nil || what.Query == nil {
		fail(w, invalid("Invalid query."))
		return
	}
	what.DryRun = ask.DryRun
	j, f := c.queried(t, r.PathValue("project"), what)
	if f != nil {
		fail(w, f)
		return
	}
	if q := r.URL.Query(); ask.MaxResults != nil {
		q.Set("maxResults", ask.MaxResults.String())
		r.URL.RawQuery = q.Encode()
	}
	answer := j.rows(r, "bigquery#queryResponse")
	answer["queryId"] = j.id
	delete(answer, "etag")
	if what.DryRun {
		delete(answer, "rows")
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c *Cloud) queried(t *token, project string, what jobConfiguration) (*job, *fault) {
	j := &job{project: project, id: "job_" + rand.Text(), owner: t.name(), kind: "SELECT", made: c.now()}
	j.configuration = map[string]any{"jobType": "QUERY", "query": map[string]any{"query": what.Query.Query, "useLegacySql": false}}
	var f *fault
	if j.result, f = c.answerTo(t, project, what); f == nil && !what.DryRun {
		_, f = c.keepJob(j)
	}
	return j, f
}
