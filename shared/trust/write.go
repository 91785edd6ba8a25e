package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// A Format is what an owner applies things with.
type Format string

// The formats.
const (
	JSON           Format = "json"
	Terraform      Format = "terraform"
	CloudFormation Format = "cloudformation"
	Gcloud         Format = "gcloud"
	AWSCLI         Format = "aws"
	SQLText        Format = "sql"
)

// ErrFormat wraps why a sheet cannot be written in a format, and which to ask for.
var ErrFormat = errors.New("not in this format")

// Usual is the format that fits a sheet best.
func (s *Sheet) Usual() Format {
	switch {
	case len(s.Roles) > 0:
		return JSON
	case !s.Google.IsZero():
		return Gcloud
	}
	return SQLText
}

// Options say how a sheet is written.
type Options struct {
	Modules string // where Terraform's modules are; empty: ./terraform/modules
}

// Write writes the sheet. The error is ErrFormat where the format has nothing of it.
func (s *Sheet) Write(w io.Writer, f Format, o Options) error {
	in := map[Format]func() (string, error){
		JSON:           s.json,
		Terraform:      func() (string, error) { return s.terraform(o) },
		CloudFormation: s.cloudFormation,
		Gcloud:         s.gcloud,
		AWSCLI:         s.awsCLI,
		SQLText:        s.sqlText,
	}[f]
	if in == nil {
		return fmt.Errorf("%w: %q is not one of them: write json, terraform, cloudformation, aws, gcloud or sql", ErrFormat, f)
	}
	text, err := in()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// wrong says which format fits, where this one has nothing of the sheet.
func (s *Sheet) wrong(f Format, why string) error {
	return fmt.Errorf("%w: %s prints nothing here, since %s: write --as %s", ErrFormat, f, why, s.Usual())
}

// owner is who applies the sheet, in words.
func (s *Sheet) owner() string {
	return map[exchange.Owner]string{exchange.ThirdParty: "the third party", exchange.TenantSide: "the tenant", exchange.Operator: "the operator"}[s.For]
}

// title says what the text is and whose.
func (s *Sheet) title() []string {
	lines := []string{fmt.Sprintf("%s/%s, a destination of kind %s: what %s applies.", s.Tenant, s.Destination, s.Kind, s.owner())}
	if s.For != exchange.ThirdParty {
		lines = append(lines, "It holds what all destinations of "+s.Tenant+" need of the same identities.")
	}
	for _, m := range s.Missing {
		lines = append(lines, "", "FILL IN "+m.Placeholder+": "+m.What+".", "  "+m.Command, "  or print this again with "+m.Flag)
	}
	return lines
}

// commented puts lines behind a mark, broken at about 90 characters.
func commented(mark, indent string, lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		for _, part := range broken(line, 90-len(indent)-len(mark)) {
			b.WriteString(strings.TrimRight(indent+mark+" "+part, " ") + "\n")
		}
	}
	return b.String()
}

// broken breaks a sentence at spaces; what is indented is a command, and stays whole.
func broken(text string, width int) []string {
	if strings.HasPrefix(text, "  ") {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return append(lines, line)
}

// A document is a policy.
type document struct {
	Version   string
	Statement []Statement
}

func policy(list []Statement) document { return document{"2012-10-17", list} }

// TrustPolicy is who may enter, as one JSON document.
func (r *Role) TrustPolicy() ([]byte, error) { return encoded(policy(r.Trust), "  ") }

// PermissionsPolicy is what the role may do, as one JSON document.
func (r *Role) PermissionsPolicy() ([]byte, error) { return encoded(policy(r.Policy), "  ") }

// encoded is JSON that a person may read: < and & stay what they are.
func encoded(v any, indent string) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", indent)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

func (s *Sheet) json() (string, error) {
	text, err := encoded(s, "  ")
	return string(text), err
}

// MarshalJSON writes the role with the documents that IAM takes.
func (r *Role) MarshalJSON() ([]byte, error) {
	j := struct {
		ARN         string              `json:"role"`
		Name        string              `json:"name"`
		Path        string              `json:"path"`
		MaxSession  int                 `json:"max_session_duration"`
		TrustPolicy *document           `json:"trust_policy,omitempty"`
		Policies    map[string]document `json:"policies,omitempty"`
		Why         map[string]string   `json:"why"` // by Sid
	}{ARN: r.ARN, Name: r.Name(), Path: r.Path(), MaxSession: r.MaxSession, Why: map[string]string{}}
	if len(r.Trust) > 0 {
		d := policy(r.Trust)
		j.TrustPolicy = &d
	}
	if len(r.Policy) > 0 {
		j.Policies = map[string]document{r.PolicyName: policy(r.Policy)}
	}
	for _, st := range slices.Concat(r.Trust, r.Policy) {
		j.Why[st.Sid] = st.Why
	}
	return encoded(j, "")
}

// sqlText is what an administrator of the database runs.
func (s *Sheet) sqlText() (string, error) {
	if len(s.SQL) == 0 {
		return "", s.wrong(SQLText, fmt.Sprintf("a destination of kind %s has no SQL for %s", s.Kind, s.owner()))
	}
	var b strings.Builder
	b.WriteString(commented("--", "", s.title()...))
	if len(s.Roles) > 0 {
		b.WriteString(commented("--", "", "", "This is the database's part: the role is printed with --as json, cloudformation or terraform."))
	}
	b.WriteString("\n")
	for i, q := range s.SQL {
		if q.Why != "" && (i == 0 || s.SQL[i-1].Why != q.Why) {
			b.WriteString(commented("--", "", q.Why))
		}
		b.WriteString(q.Text + "\n")
	}
	return b.String(), nil
}
