package googlelab

import (
	"fmt"
	"net/url"
	"strconv"
)

// page gives rows as the API writes them, from where the query says and as many as it says.
// https://cloud.google.com/bigquery/docs/paging-results
func (t *table) page(q url.Values) map[string]any {
	from := 0
	for _, key := range []string{"startIndex", "pageToken"} {
		if n, err := strconv.Atoi(q.Get(key)); err == nil && n > 0 {
			from = n
		}
	}
	from = min(from, len(t.rows))
	to := len(t.rows)
	if n, err := strconv.Atoi(q.Get("maxResults")); err == nil && n >= 0 {
		to = min(to, from+n)
	}
	answer := map[string]any{"totalRows": strconv.Itoa(len(t.rows)), "etag": "lab"}
	if from < to {
		answer["rows"] = t.list(from, to)
	}
	if to < len(t.rows) {
		answer["pageToken"] = strconv.Itoa(to)
	}
	return answer
}

// list has values by position, in f and v.
func (t *table) list(from, to int) []map[string]any {
	rows := []map[string]any{}
	for _, row := range t.rows[from:to] {
		fields := []map[string]any{}
		for _, f := range t.Schema.Fields {
			fields = append(fields, map[string]any{"v": cell(row[f.Name])})
		}
		rows = append(rows, map[string]any{"f": fields})
	}
	return rows
}

// cell is a value: whatever its type, the API writes a string.
func cell(v any) any {
	switch v.(type) {
	case nil, map[string]any, []any:
		return v
	}
	return fmt.Sprint(v)
}
