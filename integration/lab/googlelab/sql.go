package googlelab

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A statement is the one form of SQL that the lab runs: literals, or columns of one table.
type statement struct {
	columns []column // none: all of the table's
	from    *tableReference
	limit   int // -1: none
}

type column struct {
	name    string // in the result
	source  string // in the table; empty for a literal
	literal any
	kind    string
}

var (
	selection = regexp.MustCompile("(?is)^select\\s+(.+?)(?:\\s+from\\s+([`\\w.-]+))?(?:\\s+limit\\s+(\\d{1,9}))?$")
	item      = regexp.MustCompile("(?is)^(?:'([^']*)'|(-?\\d{1,18})|`?([a-z_]\\w*)`?)(?:\\s+(?:as\\s+)?`?([a-z_]\\w*)`?)?$")
	comment   = regexp.MustCompile("(?s)'[^']*'|/\\*.*?\\*/|--[^\n]*|#[^\n]*")
)

// parseStatement reads a statement. Names without a project or a dataset are of the ones given.
func parseStatement(text, project, dataset string) (*statement, *fault) {
	text = strings.TrimSpace(comment.ReplaceAllStringFunc(text, func(found string) string { // dbt puts its own before
		if strings.HasPrefix(found, "'") {
			return found
		}
		return " "
	}))
	m := selection.FindStringSubmatch(strings.TrimRight(text, "; \n\t"))
	if m == nil {
		return nil, badQuery("the lab's BigQuery knows SELECT of literals, or of columns FROM `project.dataset.table` [LIMIT n]")
	}
	s := &statement{limit: -1}
	if m[2] != "" {
		at, ok := tableNamed(m[2], project, dataset)
		if !ok {
			return nil, badQuery("Table \"" + m[2] + "\" must be qualified with a dataset (e.g. dataset.table).")
		}
		s.from = &at
	}
	if m[3] != "" {
		s.limit, _ = strconv.Atoi(m[3])
	}
	if strings.TrimSpace(m[1]) == "*" && s.from != nil {
		return s, nil
	}
	for i, text := range commas(m[1]) {
		c, ok := columnOf(strings.TrimSpace(text), i)
		if !ok || s.from == nil && c.source != "" {
			return nil, badQuery("Syntax error: Unexpected " + strings.TrimSpace(text))
		}
		s.columns = append(s.columns, c)
	}
	return s, nil
}

func badQuery(message string) *fault {
	f := invalid(message)
	f.listed = "invalidQuery"
	return f
}

// commas splits a list at the commas outside of strings.
func commas(list string) []string {
	quoted := false
	return strings.FieldsFunc(list, func(r rune) bool {
		if r == '\'' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
}

func columnOf(text string, i int) (column, bool) {
	m := item.FindStringSubmatch(text)
	if m == nil {
		return column{}, false
	}
	c := column{name: m[4], source: m[3]}
	switch {
	case m[3] != "" && c.name == "":
		c.name = m[3]
	case m[2] != "":
		c.literal, c.kind = m[2], "INTEGER"
	case m[3] == "":
		c.literal, c.kind = m[1], "STRING"
	}
	if c.name == "" {
		c.name = fmt.Sprintf("f%d_", i)
	}
	return c, true
}

func tableNamed(text, project, dataset string) (tableReference, bool) {
	parts := strings.Split(strings.ReplaceAll(text, "`", ""), ".")
	switch {
	case len(parts) == 3:
		return tableReference{parts[0], parts[1], parts[2]}, true
	case len(parts) == 2:
		return tableReference{project, parts[0], parts[1]}, true
	case len(parts) == 1 && dataset != "":
		return tableReference{project, dataset, parts[0]}, true
	}
	return tableReference{}, false
}

// run gives a statement's result, as whoever asks may see it.
func (c *Cloud) run(t *token, s *statement) (*table, *fault) {
	source := &table{rows: []map[string]any{{}}}
	if s.from != nil {
		if f := c.queryable(t, *s.from, "bigquery.tables.getData"); f != nil {
			return nil, f
		}
		c.mu.RLock()
		found := c.tables[s.from.key()]
		if found != nil {
			source.rows, source.Schema = found.rows, found.Schema
		}
		c.mu.RUnlock()
		if found == nil {
			return nil, noTable(*s.from)
		}
	}
	if s.limit >= 0 && s.limit < len(source.rows) {
		source.rows = source.rows[:s.limit]
	}
	if len(s.columns) == 0 {
		return &table{Schema: source.Schema, rows: source.rows, made: c.now()}, nil
	}
	return c.projected(s, source)
}

// projected picks the columns.
func (c *Cloud) projected(s *statement, source *table) (*table, *fault) {
	result := &table{made: c.now()}
	for _, col := range s.columns {
		kind := col.kind
		for _, f := range source.Schema.Fields {
			if strings.EqualFold(f.Name, col.source) {
				kind = f.Type
			}
		}
		if kind == "" {
			return nil, badQuery("Unrecognized name: " + col.source)
		}
		result.Schema.Fields = append(result.Schema.Fields, field{col.name, kind, "NULLABLE"})
	}
	for _, row := range source.rows {
		made := map[string]any{}
		for _, col := range s.columns {
			made[col.name] = col.literal
			if col.source != "" {
				made[col.name] = row[col.source]
			}
		}
		result.rows = append(result.rows, made)
	}
	return result, nil
}
