package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
	"unicode"

	"carnet.dev/carnet/shared/exchange"
)

// maxBody is the most that a request may carry.
const maxBody = 64 << 10

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{exchange.ErrBadRequest}, args...)...)
}

// body reads a request's body of the one content type.
func (c *call) body(contentType string) ([]byte, error) {
	kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != contentType || len(c.r.Header["Content-Type"]) != 1 {
		return nil, bad("write Content-Type: %s", contentType)
	}
	if len(c.r.Header["Content-Encoding"]) > 0 {
		return nil, bad("send the body as it is, without a Content-Encoding")
	}
	text, err := io.ReadAll(http.MaxBytesReader(nil, c.r.Body, maxBody))
	var long *http.MaxBytesError
	if errors.As(err, &long) {
		return nil, bad("the body has more than %d bytes", maxBody)
	}
	if err != nil {
		return nil, bad("the body broke off")
	}
	return text, nil
}

// object reads a JSON object strictly: one object and nothing behind it, no key twice,
// and each key written exactly as one of those that are known.
func object(text []byte, known ...string) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, bad("the body is no JSON object")
	}
	fields := make(map[string]json.RawMessage, len(known))
	for dec.More() {
		t, err := dec.Token()
		key, isKey := t.(string)
		if err != nil || !isKey {
			return nil, bad("the body is no JSON object")
		}
		if err := expected(key, known, fields); err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, bad("the value of %q is no JSON", key)
		}
		fields[key] = value
	}
	if _, err := dec.Token(); err != nil {
		return nil, bad("the body is no JSON object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, bad("there is something behind the JSON object")
	}
	return fields, nil
}

func expected(key string, known []string, got map[string]json.RawMessage) error {
	if _, twice := got[key]; twice {
		return bad("the key %q is there twice", key)
	}
	for _, k := range known {
		switch {
		case key == k:
			return nil
		case strings.EqualFold(key, k):
			return bad("the key %q is not known: write %q", key, k)
		}
	}
	return bad("the key %q is not known: write %s", key, strings.Join(known, ", "))
}

// fields reads values out of an object and remembers the first mistake.
type fields struct {
	raw map[string]json.RawMessage
	err error
}

func (f *fields) text(key string) string {
	var s string
	raw, ok := f.raw[key]
	if !ok || f.err != nil {
		return ""
	}
	if json.Unmarshal(raw, &s) != nil || bytes.Equal(raw, []byte("null")) {
		f.err = bad("%s is no string", key)
		return ""
	}
	if strings.ContainsFunc(s, unicode.IsControl) {
		f.err = bad("%s has a control character in it", key)
	}
	return s
}

func (f *fields) texts(key string) []string {
	raw, ok := f.raw[key]
	if !ok || f.err != nil {
		return nil
	}
	var list []string
	if json.Unmarshal(raw, &list) != nil || bytes.Equal(raw, []byte("null")) {
		f.err = bad("%s is no list of strings", key)
		return nil
	}
	if len(list) == 0 {
		f.err = bad("%s is empty, which would be no grant at all: leave it out for all that the catalog grants", key)
	}
	for _, s := range list {
		if strings.ContainsFunc(s, unicode.IsControl) {
			f.err = bad("%s has a control character in it", key)
		}
	}
	return list
}

// duration reads "15m", or a number of seconds.
func (f *fields) duration(key string) time.Duration {
	raw, ok := f.raw[key]
	if !ok || f.err != nil {
		return 0
	}
	var seconds int64
	if json.Unmarshal(raw, &seconds) == nil && !bytes.Equal(raw, []byte("null")) && seconds > 0 && seconds <= int64(24*time.Hour/time.Second) {
		return time.Duration(seconds) * time.Second
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		if d, err := time.ParseDuration(s); err == nil && d > 0 && d <= 24*time.Hour {
			return d
		}
	}
	f.err = bad(`%s is no duration: write "15m", or a number of seconds`, key)
	return 0
}

const maxJob = 256

// parse reads one request for a credential.
func parse(text []byte) (exchange.Request, error) {
	raw, err := object(text, "tenant", "destination", "min_ttl", "grant", "job")
	if err != nil {
		return exchange.Request{}, err
	}
	f := &fields{raw: raw}
	req := exchange.Request{
		Tenant: f.text("tenant"), Destination: f.text("destination"), MinTTL: f.duration("min_ttl"), Job: f.text("job"),
	}
	switch {
	case f.err != nil:
		return req, f.err
	case req.Tenant == "" || req.Destination == "":
		return req, bad("name the tenant and the destination")
	case len(req.Job) > maxJob:
		return req, bad("job has more than %d bytes", maxJob)
	}
	if grant, ok := raw["grant"]; ok {
		req.Grant, err = parseGrant(grant)
	}
	return req, err
}

func parseGrant(text []byte) (exchange.Grant, error) {
	raw, err := object(text, "access", "prefixes")
	if err != nil {
		return exchange.Grant{}, fmt.Errorf("%w (in grant)", err)
	}
	f := &fields{raw: raw}
	g := exchange.Grant{Access: exchange.Access(f.text("access")), Prefixes: f.texts("prefixes")}
	switch {
	case f.err != nil:
		return g, f.err
	case g.IsZero():
		return g, bad("grant is empty: leave it out for all that the catalog grants, or write access or prefixes")
	}
	switch g.Access {
	case "", exchange.Read, exchange.Write, exchange.ReadWrite:
		return g, nil
	}
	return g, bad("access is %q: write read, write or read_write", g.Access)
}
