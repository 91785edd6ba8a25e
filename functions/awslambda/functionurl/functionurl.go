// Package functionurl turns the events of a Lambda function URL into requests, and answers
// into what the URL wants.
//
// lambdaurl of aws-lambda-go does the same for streams alone, with a goroutine and a pipe
// for each; an answer here is one small document, and a URL may be buffered.
package functionurl

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
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
// calls as it is.
func (u URL) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	a, err := u.serve(ctx, event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(events.LambdaFunctionURLResponse{StatusCode: a.status, Headers: a.headers(), Body: a.body})
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
	var e events.LambdaFunctionURLRequest
	if strict.Check(event) != nil || json.Unmarshal(event, &e) != nil {
		return nil, ErrNotURL
	}
	domain, method := e.RequestContext.DomainName, e.RequestContext.HTTP.Method
	body, err := body(e)
	if err != nil || e.Version != "2.0" || method == "" || !isFunctionURL(domain) || !strings.HasPrefix(e.RawPath, "/") {
		return nil, ErrNotURL
	}
	if a := e.RequestContext.Authorizer; a != nil && a.IAM != nil {
		if who, err := caller.FromARN(a.IAM.UserARN); err == nil {
			ctx = api.WithPrincipal(ctx, who)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "https://"+domain+"/", strings.NewReader(body))
	if err != nil {
		return nil, ErrNotURL
	}
	r.URL = at(r.URL, e.RawPath)
	r.URL.RawQuery = e.RawQueryString
	for name, value := range e.Headers {
		r.Header.Add(name, value)
	}
	return r, nil
}

func body(e events.LambdaFunctionURLRequest) (string, error) {
	if !e.IsBase64Encoded {
		return e.Body, nil
	}
	text, err := base64.StdEncoding.DecodeString(e.Body)
	return string(text), err
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
