package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/strict"
)

// maxBody is the most that a request may carry.
const maxBody = 64 << 10

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{exchange.ErrBadRequest}, args...)...)
}

// body reads a request's body of the one content type. What is asked for stands in it and
// nowhere else.
func (c *call) body(contentType string) ([]byte, error) {
	switch {
	case !c.is(contentType):
		return nil, bad("write Content-Type: %s", contentType)
	case len(c.r.Header["Content-Encoding"]) > 0:
		return nil, bad("send the body as it is, without a Content-Encoding")
	case c.r.URL.RawQuery != "" || c.r.URL.ForceQuery:
		return nil, bad("this path takes no query: write everything into the body")
	}
	text, err := io.ReadAll(io.LimitReader(c.r.Body, maxBody+1))
	switch {
	case len(text) > maxBody:
		return nil, bad("the body has more than %d bytes", maxBody)
	case err != nil:
		return nil, bad("the body broke off")
	}
	return text, nil
}

func (c *call) is(contentType string) bool {
	values := c.r.Header["Content-Type"]
	if len(values) != 1 || values[0] == contentType {
		return len(values) == 1
	}
	kind, _, err := mime.ParseMediaType(values[0]) // with a charset
	return err == nil && kind == contentType
}

// object reads a JSON object of which each key is one of those that are known.
func object(text []byte, known ...string) (strict.Object, error) {
	o, err := strict.Parse(text)
	if err != nil {
		return nil, bad("the body: %w", err)
	}
	for _, m := range o {
		if !slices.Contains(known, m.Key) {
			return nil, bad("the key %q is not known: write %s", m.Key, strings.Join(known, ", "))
		}
	}
	return o, nil
}

// fields reads values out of an object and remembers the first mistake.
type fields struct {
	strict.Object
	err error
}

func (f *fields) text(key string) string {
	raw, ok := f.Get(key)
	if !ok || f.err != nil {
		return ""
	}
	s, err := strict.String(raw)
	switch {
	case err != nil:
		f.err = bad("%s is no string", key)
	case strings.ContainsFunc(s, unicode.IsControl):
		f.err = bad("%s has a control character in it", key)
	}
	return s
}

func (f *fields) texts(key string) []string {
	raw, ok := f.Get(key)
	if !ok || f.err != nil {
		return nil
	}
	var raws []json.RawMessage
	if json.Unmarshal(raw, &raws) != nil || bytes.Equal(raw, []byte("null")) {
		f.err = bad("%s is no list of strings", key)
		return nil
	}
	if len(raws) == 0 {
		f.err = bad("%s is empty, which would be no grant at all: leave it out for all that the catalog grants", key)
	}
	list := make([]string, len(raws))
	for i, raw := range raws {
		s, err := strict.String(raw)
		switch {
		case err != nil:
			f.err = bad("%s is no list of strings", key)
		case strings.ContainsFunc(s, unicode.IsControl):
			f.err = bad("%s has a control character in it", key)
		}
		list[i] = s
	}
	return list
}

// duration reads "15m", or a number of seconds.
func (f *fields) duration(key string) time.Duration {
	raw, ok := f.Get(key)
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
	f := fields{Object: raw}
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
	if grant, ok := raw.Get("grant"); ok {
		req.Grant, err = parseGrant(grant)
	}
	return req, err
}

func parseGrant(text []byte) (exchange.Grant, error) {
	raw, err := object(text, "access", "prefixes")
	if err != nil {
		return exchange.Grant{}, fmt.Errorf("%w (in grant)", err)
	}
	f := fields{Object: raw}
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
