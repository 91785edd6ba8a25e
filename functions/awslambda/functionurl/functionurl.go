// Package functionurl turns the events of a Lambda function URL into requests, and answers
// into what the URL wants.
//
// lambdaurl of aws-lambda-go does the same for streams alone, with a goroutine and a pipe
// for each; an answer here is one small document, and a URL may be buffered.
package functionurl

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/strict"
)

// A URL serves an http.Handler behind a function URL.
type URL struct{ API http.Handler }

// spare is kept from Lambda's deadline, so that an answer still gets out.
const spare = 500 * time.Millisecond

// InTime is a context that ends before Lambda's deadline does.
func InTime(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-spare))
}

// ErrNotURL refuses events of any other kind. It is for IAM to see to it that nobody else can
// send one of the right kind: lambda:InvokeFunction is granted with InvokedViaFunctionUrl alone.
var ErrNotURL = errors.New("this function answers the requests of its function URL and no other event: the schedule is a function of its own")

// Stream answers a URL of invoke mode RESPONSE_STREAM.
func (u URL) Stream(ctx context.Context, event json.RawMessage) (*events.LambdaFunctionURLStreamingResponse, error) {
	a, err := u.serve(ctx, event)
	if err != nil {
		return nil, err
	}
	return &events.LambdaFunctionURLStreamingResponse{StatusCode: a.status, Headers: a.headers(), Body: strings.NewReader(a.body)}, nil
}

// Invoke answers a URL of invoke mode BUFFERED. It makes the URL a handler that aws-lambda-go
// calls as it is: one of any other kind costs a reading of the event and a reflection more.
func (u URL) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	a, err := u.serve(ctx, event)
	if err != nil {
		return nil, err
	}
	return a.frame(), nil
}

func (u URL) serve(ctx context.Context, event []byte) (*answer, error) {
	ctx, cancel := InTime(ctx)
	defer cancel()
	r, err := request(ctx, event)
	if err != nil {
		return nil, err
	}
	a := &answer{status: http.StatusOK, header: http.Header{}}
	u.API.ServeHTTP(a, r)
	return a, nil
}

// isFunctionURL tells a function URL's name, and not that of an API Gateway, whose events look alike.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
func isFunctionURL(domain string) bool {
	id, rest, ok := strings.Cut(domain, ".lambda-url.")
	region, ours := strings.CutSuffix(rest, ".on.aws")
	return ok && ours && id != "" && region != "" && !strings.ContainsAny(id+region, "./:@")
}

// request makes an HTTP request of an event. The caller that IAM has verified is in the
// event's authorizer; a header cannot name one.
func request(ctx context.Context, event []byte) (*http.Request, error) {
	event = bytes.TrimSpace(event)
	if strict.Check(event) != nil {
		return nil, ErrNotURL
	}
	e := read(event)
	domain, path, method := e.string(strict.At(e.context, "domainName")), e.string(e.path), e.string(strict.At(e.context, "http", "method"))
	if string(e.version) != `"2.0"` || method == "" || !isFunctionURL(domain) || !strings.HasPrefix(path, "/") {
		return nil, ErrNotURL
	}
	if who, err := caller.FromARN(e.string(strict.At(e.context, "authorizer", "iam", "userArn"))); err == nil {
		ctx = api.WithPrincipal(ctx, who)
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://"+domain+"/", nil)
	if err != nil {
		return nil, ErrNotURL
	}
	r.URL = at(r.URL, path)
	r.URL.RawQuery = e.string(e.query)
	r.Body = e.reader()
	e.setHeaders(r.Header)
	if e.broken {
		return nil, ErrNotURL
	}
	return r, nil
}

// A urlEvent is what is wanted of an event, in its JSON, and whether what was read of it was
// what it must be.
type urlEvent struct {
	version, path, query, context, headers, body, base64 json.RawMessage
	broken                                               bool
}

// read picks out what is wanted, in one walk: to decode all of an event would be most of what
// a warm request costs.
func read(event []byte) (e urlEvent) {
	for key, value := range strict.Members(event) {
		switch string(key) {
		case `"version"`:
			e.version = value
		case `"rawPath"`:
			e.path = value
		case `"rawQueryString"`:
			e.query = value
		case `"requestContext"`:
			e.context = value
		case `"headers"`:
			e.headers = value
		case `"body"`:
			e.body = value
		case `"isBase64Encoded"`:
			e.base64 = value
		}
	}
	return e
}

// at is the event's place on a host. A path that is none, such as /%zz, stays as it is and
// leads nowhere: whoever sends one is told so, and the function has not failed.
func at(host *url.URL, path string) *url.URL {
	u, err := url.Parse("https://" + host.Host + path)
	if err != nil {
		return &url.URL{Scheme: host.Scheme, Host: host.Host, Path: path}
	}
	return u
}

func (e *urlEvent) reader() io.ReadCloser {
	text := e.string(e.body)
	if string(e.base64) == "true" {
		plain, err := base64.StdEncoding.DecodeString(text)
		e.broken = e.broken || err != nil
		text = string(plain)
	}
	b := new(body)
	b.Reset(text)
	return b
}

// A body is a text to read, in one piece of memory.
type body struct{ strings.Reader }

func (*body) Close() error { return nil }

func (e *urlEvent) setHeaders(to http.Header) {
	values := make([]string, 0, 16) // one array for all, as net/http has
	for key, value := range strict.Members(e.headers) {
		name := http.CanonicalHeaderKey(e.text(key))
		values = append(values, e.text(value))
		if n := len(values); to[name] == nil {
			to[name] = values[n-1 : n : n]
		} else {
			to[name] = append(to[name], values[n-1])
		}
	}
}

// string is empty where there is none.
func (e *urlEvent) string(value json.RawMessage) string {
	if value == nil || string(value) == "null" {
		return ""
	}
	return e.text(value)
}

func (e *urlEvent) text(value json.RawMessage) string {
	s, err := strict.String(value)
	e.broken = e.broken || err != nil
	return s
}

// An answer is an http.ResponseWriter that keeps what is written, which is one document and
// written at once.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a *answer) Header() http.Header    { return a.header }
func (a *answer) WriteHeader(status int) { a.status = status }

func (a *answer) Write(p []byte) (int, error) {
	a.body += string(p)
	return len(p), nil
}

func (a *answer) headers() map[string]string {
	all := make(map[string]string, len(a.header))
	for name, values := range a.header {
		all[name] = strings.Join(values, ",")
	}
	return all
}

// frame is what a buffered URL wants, as LambdaFunctionURLResponse of aws-lambda-go has it. It
// is put together here, since the encoder's way with a map costs more than all the rest.
func (a *answer) frame() []byte {
	out := make([]byte, 0, len(a.body)*5/4+512)
	out = append(out, `{"statusCode":`...)
	out = strconv.AppendInt(out, int64(a.status), 10)
	out = append(out, `,"headers":{`...)
	for name, values := range a.header {
		if out[len(out)-1] != '{' {
			out = append(out, ',')
		}
		out = append(quoted(out, name), ':')
		out = quoted(out, strings.Join(values, ","))
	}
	out = quoted(append(out, `},"body":`...), a.body)
	return append(out, '}')
}

// quoted appends a string in JSON.
func quoted(to []byte, s string) []byte {
	s = strings.ToValidUTF8(s, "\ufffd")
	to = append(to, '"')
	from := 0
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			to = append(append(to, s[from:i]...), '\\', c)
			from = i + 1
		case c < ' ':
			to = fmt.Appendf(append(to, s[from:i]...), `\u%04x`, c)
			from = i + 1
		}
	}
	return append(append(to, s[from:]...), '"')
}
