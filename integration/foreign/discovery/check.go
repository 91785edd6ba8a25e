package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"mime/multipart"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab"
)

// exchange holds one request and its answer against the description of its method.
func (j *judge) exchange(e lab.Exchange) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d := j.documents[e.Host]
	u, err := url.ParseRequestURI(e.URI)
	if d == nil || err != nil || resumes(u) || xmlAPI(e.Host, u) || strings.HasPrefix(u.Path, "/batch/") || e.URI == "/" && e.Header.Get("Authorization") == "" {
		j.others++
		return
	}
	j.cases++
	m := d.find(e.Method, u)
	if m == nil {
		j.disagree(&method{ID: e.Method + " " + e.Host + u.Path}, "no method is described so")
		return
	}
	for key := range u.Query() {
		if d.Parameters[key] == nil && m.Parameters[key] == nil && !slices.Contains([]string{"uploadType", "name"}, key) {
			j.disagree(m, "there is no parameter %s", key)
		}
	}
	if text := described(e, u); len(text) > 0 && m.Request != nil {
		for _, fault := range d.check("request", m.Request, text, true) {
			j.disagree(m, "%s", fault)
		}
	}
	j.answered(e, d, m, u)
}

// xmlAPI tells whether Cloud Storage's other API is spoken, which has no such description.
func xmlAPI(host string, u *url.URL) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return host == "storage.googleapis.com" && !slices.Contains([]string{"storage", "upload", "download", "batch"}, first)
}

// described is the JSON in a request: all of it, the first part, or none where the body is an
// object's data. The token endpoint takes a form, whose fields have the names of the JSON's.
func described(e lab.Exchange, u *url.URL) []byte {
	kind, params, _ := mime.ParseMediaType(e.Header.Get("Content-Type"))
	switch {
	case e.Header.Get("Content-Encoding") != "", strings.HasPrefix(u.Path, "/upload/") && u.Query().Get("uploadType") == "media":
		return nil
	case kind == "multipart/related":
		part, err := multipart.NewReader(bytes.NewReader(e.Body), params["boundary"]).NextPart()
		if err != nil {
			return nil
		}
		var b bytes.Buffer
		b.ReadFrom(part)
		return b.Bytes()
	case kind == "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(e.Body))
		if err != nil {
			return nil
		}
		fields := map[string]string{}
		for key := range form {
			fields[camel(key)] = form.Get(key)
		}
		text, _ := json.Marshal(fields)
		return text
	}
	return e.Body
}

func camel(name string) string {
	return regexp.MustCompile(`_[a-z]`).ReplaceAllStringFunc(name, func(s string) string { return strings.ToUpper(s[1:]) })
}

// answered holds an answer against the method's response, or an error against the shape of one.
func (j *judge) answered(e lab.Exchange, d *document, m *method, u *url.URL) {
	media := u.Query().Get("alt") == "media" || strings.HasPrefix(u.Path, "/download/") || u.Query().Get("uploadType") == "resumable"
	switch {
	case e.Status >= 400:
		j.refused(e, d, m)
		return
	case e.Status >= 300, media, m.Response == nil && len(e.Answer) == 0:
	case m.Response == nil:
		j.disagree(m, "answers nothing, and was answered %.100s", e.Answer)
	default:
		for _, fault := range d.check("answer", m.Response, e.Answer, false) {
			j.disagree(m, "%s", fault)
		}
	}
	if _, known := j.seen[m.ID]; !known {
		j.seen[m.ID] = e
	}
}

// refused: the token endpoint answers as OAuth does, Cloud Storage and BigQuery with errors[],
// and the others with a status of google.rpc.
func (j *judge) refused(e lab.Exchange, d *document, m *method) {
	if len(e.Answer) == 0 {
		return // HEAD
	}
	var body struct {
		Error json.RawMessage `json:"error"`
		More  string          `json:"error_description"`
	}
	var one struct {
		Code    int
		Message string
		Status  string
		Errors  []struct{ Reason, Domain, Message string }
	}
	err := json.Unmarshal(e.Answer, &body)
	switch {
	case err != nil:
		j.disagree(m, "an error that is no JSON")
	case d.Name == "sts":
		if body.More == "" || len(body.Error) == 0 || body.Error[0] != '"' {
			j.disagree(m, "an error that is not OAuth's: %s", e.Answer)
		}
	case json.Unmarshal(body.Error, &one) != nil || one.Code != e.Status || one.Message == "":
		j.disagree(m, "an error without its code and message: %s", e.Answer)
	case (d.Name == "storage" || d.Name == "bigquery") && (len(one.Errors) == 0 || one.Errors[0].Reason == ""):
		j.disagree(m, "an error without errors[]: %s", e.Answer)
	case d.Name != "storage" && one.Status == "":
		j.disagree(m, "an error without its status: %s", e.Answer)
	}
}

// check returns what is wrong with a JSON text. A request may leave a type's narrower form:
// clients send numbers for int64, and null for nothing.
func (d *document) check(at string, s *schema, text []byte, request bool) []string {
	var v any
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return []string{at + " is no JSON: " + err.Error()}
	}
	c := checker{document: d, request: request}
	c.value(at, s, v)
	return c.faults
}

type checker struct {
	*document
	request bool
	faults  []string
}

func (c *checker) fault(at, format string, args ...any) {
	c.faults = append(c.faults, at+" "+fmt.Sprintf(format, args...))
}

func (c *checker) value(at string, s *schema, v any) {
	if s.Ref != "" {
		s = c.Schemas[s.Ref]
	}
	if v == nil {
		if !c.request {
			c.fault(at, "is null")
		}
		return
	}
	switch s.Type {
	case "object":
		c.object(at, s, v)
	case "array":
		list, ok := v.([]any)
		if !ok {
			c.fault(at, "is no array")
		}
		for i, inner := range list {
			c.value(fmt.Sprintf("%s[%d]", at, i), s.Items, inner)
		}
	case "string":
		c.text(at, s, v)
	case "boolean":
		if _, ok := v.(bool); !ok {
			c.fault(at, "is no boolean")
		}
	case "integer", "number":
		// Whoever reads JSON for protobuf takes a number in a string too.
		// https://protobuf.dev/programming-guides/json/
		text, _ := v.(string)
		if _, ok := v.(json.Number); !ok && !(c.request && regexp.MustCompile(`^-?[0-9.]+$`).MatchString(text)) {
			c.fault(at, "is no number")
		}
	}
}

func (c *checker) object(at string, s *schema, v any) {
	fields, ok := v.(map[string]any)
	if !ok {
		c.fault(at, "is no object")
	}
	for name, inner := range fields {
		switch {
		case s.Properties[name] != nil:
			c.value(at+"."+name, s.Properties[name], inner)
		case s.AdditionalProperties != nil:
			c.value(at+"."+name, s.AdditionalProperties, inner)
		case len(s.Properties) > 0:
			c.fault(at, "has no field %s", name)
		}
	}
}

func (c *checker) text(at string, s *schema, v any) {
	text, ok := v.(string)
	if n, number := v.(json.Number); number && c.request {
		text, ok = n.String(), true
	}
	if !ok {
		c.fault(at, "is no string: %v", v)
		return
	}
	switch s.Format {
	case "int64", "uint64":
		if !regexp.MustCompile(`^-?[0-9]+$`).MatchString(text) {
			c.fault(at, "is no whole number: %q", text)
		}
	case "byte":
		if _, err := base64.StdEncoding.DecodeString(text); err != nil {
			c.fault(at, "is no base64")
		}
	case "date-time", "google-datetime":
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			c.fault(at, "is no time: %q", text)
		}
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		c.fault(at, "is none of the values that are described: %q", text)
	}
}
