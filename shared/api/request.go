package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"slices"
	"strconv"
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
	kind, _, err := mime.ParseMediaType(strings.Join(c.r.Header["Content-Type"], ",")) // it may have a charset
	switch {
	case err != nil || kind != contentType:
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

// fields reads values out of an object and remembers the first mistake.
type fields struct {
	strict.Object
	err error
}

// object reads a JSON object of which each key is one of those that are known.
func object(text []byte, known ...string) (fields, error) {
	o, err := strict.Parse(text)
	if err != nil {
		return fields{}, bad("the body: %w", err)
	}
	for _, m := range o {
		if !slices.Contains(known, m.Key) {
			return fields{}, bad("the key %.64q is not known: write %s", m.Key, strings.Join(known, ", "))
		}
	}
	return fields{Object: o}, nil
}

func (f *fields) bad(format string, args ...any) { f.err = cmp.Or(f.err, bad(format, args...)) }

func (f *fields) text(key string) string {
	raw, ok := f.Get(key)
	if !ok {
		return ""
	}
	return f.plain(key, "no string", raw)
}

// plain is a string without control characters.
func (f *fields) plain(key, otherwise string, raw []byte) string {
	s, err := strict.String(raw)
	switch {
	case err != nil:
		f.bad("%s is %s", key, otherwise)
	case strings.ContainsFunc(s, unicode.IsControl):
		f.bad("%s has a control character in it", key)
	}
	return s
}

func (f *fields) texts(key string) (list []string) {
	raw, ok := f.Get(key)
	if !ok {
		return nil
	}
	const otherwise = "no list of strings"
	var raws []json.RawMessage
	switch err := json.Unmarshal(raw, &raws); {
	case err != nil || raws == nil:
		f.bad("%s is %s", key, otherwise)
	case len(raws) == 0:
		f.bad("%s is empty, which would be no grant at all: leave it out for all that the catalog grants", key)
	}
	for _, raw := range raws {
		list = append(list, f.plain(key, otherwise, raw))
	}
	return list
}

// duration reads "15m", or a number of seconds.
func (f *fields) duration(key string) time.Duration {
	raw, ok := f.Get(key)
	if !ok {
		return 0
	}
	text, _ := strict.String(raw)
	if _, err := strconv.Atoi(string(raw)); err == nil {
		text = string(raw) + "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 || d > 24*time.Hour {
		f.bad(`%s is no duration: write "15m", or a number of seconds`, key)
	}
	return d
}

func (f *fields) flag(key string) bool {
	raw, ok := f.Get(key)
	is := string(raw) == "true"
	if ok && !is && string(raw) != "false" {
		f.bad("%s is neither true nor false", key)
	}
	return is
}

const maxJob = 256

// parse reads one request, of which each key is one of those that are known.
func parse(text []byte, known ...string) (req exchange.Request, probe bool, err error) {
	f, err := object(text, known...)
	if err != nil {
		return req, false, err
	}
	req = exchange.Request{
		Tenant: f.text("tenant"), Destination: f.text("destination"), MinTTL: f.duration("min_ttl"), Job: f.text("job"),
	}
	probe = f.flag("probe")
	switch {
	case f.err != nil:
		return req, false, f.err
	case req.Tenant == "" || req.Destination == "":
		return req, false, bad("name the tenant and the destination")
	case len(req.Job) > maxJob:
		return req, false, bad("job has more than %d bytes", maxJob)
	}
	if grant, ok := f.Get("grant"); ok {
		req.Grant, err = parseGrant(grant)
	}
	return req, probe, err
}

func parseGrant(text []byte) (exchange.Grant, error) {
	f, err := object(text, "access", "prefixes")
	if err != nil {
		return exchange.Grant{}, fmt.Errorf("%w (in grant)", err)
	}
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
	return g, bad("access is %.64q: write read, write or read_write", g.Access)
}
