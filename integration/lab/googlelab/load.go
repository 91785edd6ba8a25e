package googlelab

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// disposition says what becomes of a table that rows are written to.
type disposition struct {
	Create string `json:"createDisposition"` // CREATE_IF_NEEDED where empty
	Write  string `json:"writeDisposition"`  // WRITE_APPEND where empty
}

// A load is a load job's configuration.
// https://cloud.google.com/bigquery/docs/reference/rest/v2/Job#JobConfigurationLoad
type load struct {
	Destination     tableReference `json:"destinationTable"`
	SourceFormat    string         `json:"sourceFormat"` // CSV where empty
	SourceURIs      []string       `json:"sourceUris"`
	Schema          schema         `json:"schema"`
	Autodetect      bool           `json:"autodetect"`
	SkipLeadingRows json.Number    `json:"skipLeadingRows"`
	disposition
}

// uploadJob takes a load job with its data.
// https://cloud.google.com/bigquery/docs/reference/api-uploads
func (c *Cloud) uploadJob(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("upload_id") != "" {
		c.resume(w, r)
		return
	}
	t, f := c.mayRun(w, r, "jobs.insert")
	if f != nil {
		fail(w, f)
		return
	}
	project := r.PathValue("project")
	var text, data []byte
	var err error
	switch r.URL.Query().Get("uploadType") {
	case "resumable":
		if text, err = body(r); err == nil {
			c.openUpload(w, r, "", &session{reasons: bigQueryReasons, deliver: func(data []byte) (any, *fault) { return c.runJob(t, project, text, data) }})
			return
		}
	case "multipart":
		text, data, _, err = related(r)
	default:
		err = fmt.Errorf("no such upload")
	}
	if err != nil {
		fail(w, unreadable(err))
		return
	}
	answer, f := c.runJob(t, project, text, data)
	if f != nil {
		fail(w, f)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// load writes rows of JSON or CSV.
func (c *Cloud) load(t *token, l load, data []byte) *fault {
	if len(l.SourceURIs) > 0 {
		return invalid("The lab loads what comes with the job, and nothing from a bucket.")
	}
	c.mu.RLock()
	if old := c.tables[l.Destination.key()]; old != nil && len(l.Schema.Fields) == 0 {
		l.Schema = old.Schema
	}
	c.mu.RUnlock()
	var rows []map[string]any
	var err error
	switch l.SourceFormat {
	case "NEWLINE_DELIMITED_JSON":
		rows, err = jsonRows(data)
	case "CSV", "":
		rows, err = csvRows(data, l)
	default:
		err = fmt.Errorf("the lab loads JSON and CSV, and no %s", l.SourceFormat)
	}
	if err != nil {
		return invalid("Error while reading data: " + err.Error())
	}
	if len(l.Schema.Fields) == 0 && l.Autodetect {
		l.Schema = detected(rows)
	}
	if len(l.Schema.Fields) == 0 {
		return invalid("No schema specified on job or table.")
	}
	return c.put(t, l.Destination, l.Schema, rows, l.disposition)
}

func jsonRows(data []byte) ([]map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var rows []map[string]any
	for {
		var row map[string]any
		switch err := dec.Decode(&row); err {
		case nil:
			rows = append(rows, row)
		case io.EOF:
			return rows, nil
		default:
			return nil, err
		}
	}
}

func csvRows(data []byte, l load) ([]map[string]any, error) {
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, err
	}
	skip, _ := strconv.Atoi(l.SkipLeadingRows.String())
	var rows []map[string]any
	for _, line := range lines[min(max(skip, 0), len(lines)):] {
		if len(line) != len(l.Schema.Fields) {
			return nil, fmt.Errorf("a line has %d values, and the schema %d", len(line), len(l.Schema.Fields))
		}
		row := map[string]any{}
		for i, f := range l.Schema.Fields {
			row[f.Name] = line[i]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// detected guesses a schema by the values.
func detected(rows []map[string]any) schema {
	kinds := map[string]string{}
	for _, row := range rows {
		for name, v := range row {
			kind := "STRING"
			switch v := v.(type) {
			case nil:
				continue
			case bool:
				kind = "BOOLEAN"
			case json.Number:
				kind = "INTEGER"
				if strings.ContainsAny(v.String(), ".eE") {
					kind = "FLOAT"
				}
			}
			kinds[name] = kind
		}
	}
	var s schema
	for name, kind := range kinds {
		s.Fields = append(s.Fields, field{name, kind, "NULLABLE"})
	}
	slices.SortFunc(s.Fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// put writes rows to a table, which takes the right to write to it and, where it is not there
// yet, to make it. https://cloud.google.com/bigquery/docs/batch-loading-data#required_permissions
func (c *Cloud) put(t *token, at tableReference, s schema, rows []map[string]any, d disposition) *fault {
	if f := c.queryable(t, at, "bigquery.tables.updateData"); f != nil {
		return f
	}
	c.mu.RLock()
	_, exists := c.tables[at.key()]
	c.mu.RUnlock()
	if !exists {
		if d.Create == "CREATE_NEVER" {
			return noTable(at)
		}
		if f := c.queryable(t, at, "bigquery.tables.create"); f != nil {
			return f
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.tables[at.key()]
	switch {
	case old != nil && len(old.rows) > 0 && d.Write == "WRITE_EMPTY":
		return duplicate("Table " + at.String())
	case old != nil && d.Write != "WRITE_TRUNCATE":
		old.rows = append(old.rows, rows...)
		return nil
	}
	c.tables[at.key()] = &table{Reference: at, Schema: s, rows: slices.Clone(rows), made: c.now()}
	return nil
}
