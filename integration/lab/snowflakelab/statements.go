package snowflakelab

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

const badStatement = "SQL compilation error: the lab's Snowflake knows SELECT of literals and of the session's own functions, BEGIN, COMMIT, ROLLBACK, USE and ALTER SESSION."

// The kinds of statements, by the numbers that drivers go by.
// https://github.com/snowflakedb/snowflake-jdbc/blob/master/src/main/java/net/snowflake/client/core/SFStatementType.java
const (
	kindSelect       = 0x1000
	kindAlterSession = 0x4100
	kindUse          = 0x4300
	kindTransaction  = 0x5000
)

// A result is one row.
type result struct {
	columns []map[string]any
	row     []string
	kind    int
}

var (
	transaction = regexp.MustCompile(`(?i)^(?:begin(?:\s+(?:work|transaction))?(?:\s+name\s+\w+)?|start\s+transaction|commit(?:\s+work)?|rollback(?:\s+work)?)$`)
	use         = regexp.MustCompile(`(?i)^use\s+(?:role|warehouse|database|schema|secondary\s+roles)\s+[\w."$]+$`)
	alter       = regexp.MustCompile(`(?is)^alter\s+session\s+(?:set\s+(.+)|unset\s+([\w,\s]+))$`)
	assignment  = regexp.MustCompile(`(?i)([a-z_]\w*)\s*=\s*(?:'([^']*)'|(-?[\w.]+))`)
	selection   = regexp.MustCompile(`(?is)^select\s+(.+)$`)
	expression  = regexp.MustCompile(`(?is)^(?:'([^']*)'|(-?\d+)|([a-z_]+)\s*\(\s*\))(?:\s+(?:as\s+)?("?)([a-z_]\w*)"?)?$`)
	remark      = regexp.MustCompile(`(?s)'[^']*'|/\*.*?\*/|--[^\n]*`)
)

// run runs a statement in a session; nil where the lab does not know it.
func (s *session) run(text string) *result {
	text = strings.TrimRight(strings.TrimSpace(remark.ReplaceAllStringFunc(text, keepStrings)), "; \n\t")
	switch {
	case transaction.MatchString(text):
		return done(kindTransaction)
	case use.MatchString(text):
		return done(kindUse)
	case alter.MatchString(text):
		s.alter(alter.FindStringSubmatch(text))
		return done(kindAlterSession)
	}
	if m := selection.FindStringSubmatch(text); m != nil {
		return s.selected(m[1])
	}
	return nil
}

// keepStrings takes remarks out, which drivers put anywhere, but not out of strings.
func keepStrings(found string) string {
	if strings.HasPrefix(found, "'") {
		return found
	}
	return " "
}

func done(kind int) *result {
	return &result{[]map[string]any{textColumn("status")}, []string{"Statement executed successfully."}, kind}
}

// alter sets and unsets session parameters, which drivers read back.
func (s *session) alter(m []string) {
	for _, a := range assignment.FindAllStringSubmatch(m[1], -1) {
		s.parameters[strings.ToUpper(a[1])] = valueOf(a[2], a[3])
	}
	for _, name := range strings.Split(m[2], ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		delete(s.parameters, name)
		if value, known := defaults()[name]; known {
			s.parameters[name] = value
		}
	}
}

func valueOf(quoted, bare string) any {
	if bare == "" {
		return quoted
	}
	if b, err := strconv.ParseBool(strings.ToLower(bare)); err == nil && len(bare) > 1 {
		return b
	}
	if n, err := strconv.Atoi(bare); err == nil {
		return n
	}
	return bare
}

func (s *session) selected(list string) *result {
	quoted := false
	items := strings.FieldsFunc(list, func(r rune) bool {
		if r == '\'' {
			quoted = !quoted
		}
		return r == ',' && !quoted
	})
	got := &result{kind: kindSelect}
	for _, item := range items {
		m := expression.FindStringSubmatch(strings.TrimSpace(item))
		if m == nil {
			return nil
		}
		column, value := textColumn(nameOf(m, item)), m[1]
		switch {
		case m[2] != "":
			column, value = numberColumn(nameOf(m, item), len(strings.TrimPrefix(m[2], "-"))), m[2]
		case m[3] != "":
			var known bool
			if value, known = s.function(m[3]); !known {
				return nil
			}
		}
		got.columns, got.row = append(got.columns, column), append(got.row, value)
	}
	return got
}

// nameOf: names are in upper case unless they are quoted.
func nameOf(m []string, item string) string {
	switch {
	case m[4] != "":
		return m[5]
	case m[5] != "":
		return strings.ToUpper(m[5])
	}
	return strings.ToUpper(strings.TrimSpace(item))
}

func (s *session) function(name string) (string, bool) {
	switch strings.ToLower(name) {
	case "current_user":
		return s.user, true
	case "current_account":
		return s.account, true
	case "current_role":
		return "PUBLIC", true
	case "current_version", "version":
		return serverVersion, true
	case "current_session":
		return strconv.FormatInt(s.id, 10), true
	}
	return "", false
}

func textColumn(name string) map[string]any {
	return columnOf(name, "text", map[string]any{"length": 16777216, "byteLength": 16777216, "scale": nil, "precision": nil})
}

func numberColumn(name string, digits int) map[string]any {
	return columnOf(name, "fixed", map[string]any{"length": nil, "byteLength": nil, "scale": 0, "precision": digits})
}

func columnOf(name, kind string, more map[string]any) map[string]any {
	column := map[string]any{"name": name, "type": kind, "nullable": false, "database": "", "schema": "", "table": "", "collation": nil}
	for k, v := range more {
		column[k] = v
	}
	return column
}

// queryID has the form of a UUID, which drivers parse.
func queryID() string {
	b := make([]byte, 16)
	rand.Read(b)
	h := hex.EncodeToString(b)
	return fmt.Sprintf("%s-%s-%s-%s-%s", h[:8], h[8:12], h[12:16], h[16:20], h[20:])
}
