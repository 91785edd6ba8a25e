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
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
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
	return &events.LambdaFunctionURLStreamingResponse{StatusCode: a.status, Headers: a.headers(), Body: &a.body}, nil
}

// Buffer answers a URL of invoke mode BUFFERED.
func (u URL) Buffer(ctx context.Context, event json.RawMessage) (events.LambdaFunctionURLResponse, error) {
	a, err := u.serve(ctx, event)
	if err != nil {
		return events.LambdaFunctionURLResponse{}, err
	}
	return events.LambdaFunctionURLResponse{StatusCode: a.status, Headers: a.headers(), Body: a.body.String()}, nil
}

func (u URL) serve(ctx context.Context, event json.RawMessage) (*answer, error) {
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

// A urlEvent has what is read of an event. A real one has four times as much, which would
// be most of what a warm request costs.
type urlEvent struct {
	Version         string            `json:"version"`
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		DomainName string `json:"domainName"`
		HTTP       struct {
			Method string `json:"method"`
		} `json:"http"`
		Authorizer struct {
			IAM struct {
				UserARN string `json:"userArn"`
			} `json:"iam"`
		} `json:"authorizer"`
	} `json:"requestContext"`
}

// request makes an HTTP request of an event. The caller that IAM has verified is in the
// event's authorizer; a header cannot name one.
func request(ctx context.Context, event json.RawMessage) (*http.Request, error) {
	var e urlEvent
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, ErrNotURL
	}
	at := &e.RequestContext
	if e.Version != "2.0" || at.HTTP.Method == "" || !isFunctionURL(at.DomainName) || !strings.HasPrefix(e.RawPath, "/") {
		return nil, ErrNotURL
	}
	body, err := e.body()
	if err != nil {
		return nil, ErrNotURL
	}
	if who, err := caller.FromARN(at.Authorizer.IAM.UserARN); err == nil {
		ctx = api.WithPrincipal(ctx, who)
	}
	r, err := http.NewRequestWithContext(ctx, at.HTTP.Method, "https://"+at.DomainName+"/", body)
	if err != nil {
		return nil, ErrNotURL
	}
	r.URL = e.at(r.URL)
	for name, value := range e.Headers {
		r.Header.Add(name, value)
	}
	return r, nil
}

// at is the event's place on a host. A path that is none, such as /%zz, stays as it is and
// leads nowhere: whoever sends one is told so, and the function has not failed.
func (e *urlEvent) at(host *url.URL) *url.URL {
	u, err := url.Parse("https://" + host.Host + e.RawPath)
	if err != nil {
		u = &url.URL{Scheme: host.Scheme, Host: host.Host, Path: e.RawPath}
	}
	u.RawQuery = e.RawQueryString
	return u
}

func (e *urlEvent) body() (io.Reader, error) {
	if !e.IsBase64Encoded {
		return strings.NewReader(e.Body), nil
	}
	body, err := base64.StdEncoding.DecodeString(e.Body)
	return bytes.NewReader(body), err
}

// An answer is an http.ResponseWriter that keeps what is written.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

func (a *answer) headers() map[string]string {
	all := make(map[string]string, len(a.header))
	for name, values := range a.header {
		all[name] = strings.Join(values, ",")
	}
	return all
}
