package lab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-lambda-go/events"

	"carnet.dev/carnet/functions/awslambda/functionurl"
)

// A front is a platform's way in to a function: it checks the caller first.
type front struct {
	host  string
	serve http.Handler
}

// The hosts at which the lab's functions are called.
const (
	functionHost = "carnetvend.lambda-url.eu-west-1.on.aws"
	serviceHost  = "carnet-vend-lab.a.run.app"
	functionARN  = "arn:aws:lambda:eu-west-1:111122223333:function:carnet-vend"
)

// FunctionURL puts a handler behind a Lambda function URL with IAM, in the lab, and
// returns the URL. Each request becomes the event that Lambda would send, and goes through
// the function's own adapter.
func (l *Lab) FunctionURL(h http.Handler) string {
	u := functionurl.URL{API: h}
	l.open(front{functionHost, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Lab-Operation", "lambda:InvokeFunctionUrl")
		body, err := io.ReadAll(io.LimitReader(r.Body, 6<<20)) // a function's payload
		if err != nil {
			return
		}
		event, err := l.urlEvent(r, body)
		if err != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"Message":"Forbidden. For troubleshooting Function URL authorization issues, see: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"}`)
			return
		}
		var answer events.LambdaFunctionURLResponse
		text, err := u.Invoke(r.Context(), event)
		if err != nil || json.Unmarshal(text, &answer) != nil {
			http.Error(w, "Internal Server Error", http.StatusBadGateway)
			return
		}
		for name, value := range answer.Headers {
			w.Header().Set(name, value)
		}
		w.WriteHeader(answer.StatusCode)
		io.WriteString(w, answer.Body)
	})})
	return "https://" + functionHost
}

// urlEvent is what Lambda makes of a request, once IAM has let it in.
func (l *Lab) urlEvent(r *http.Request, body []byte) (json.RawMessage, error) {
	who, err := l.AWS.InvokeURL(r, body, functionARN)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{}
	for name := range r.Header {
		headers[string(bytes.ToLower([]byte(name)))] = r.Header.Get(name)
	}
	return json.Marshal(map[string]any{
		"version": "2.0", "rawPath": r.URL.EscapedPath(), "rawQueryString": r.URL.RawQuery, "headers": headers, "body": string(body),
		"requestContext": map[string]any{
			"accountId": "111122223333", "domainName": functionHost,
			"authorizer": map[string]any{"iam": map[string]string{"accessKey": who.AccessKey, "accountId": who.AccountID, "callerId": who.UserID, "userArn": who.UserARN, "userId": who.UserID}},
			"http":       map[string]string{"method": r.Method, "path": r.URL.Path, "protocol": r.Proto, "sourceIp": "127.0.0.1"},
		},
	})
}

// Service puts a handler behind Cloud Run's check of its invokers, in the lab, and returns
// the URL.
func (l *Lab) Service(h http.Handler, invokers ...string) string {
	const url = "https://" + serviceHost
	l.open(front{serviceHost, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Lab-Operation", "run.invoke")
		if err := l.Google.InvokeService(r, url, invokers); err != nil {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Bearer error=%q", "invalid_token"))
			http.Error(w, "<html><title>401 Unauthorized</title></html>", http.StatusUnauthorized)
			return
		}
		h.ServeHTTP(w, r)
	})})
	return url
}

func (l *Lab) open(f front) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fronts = append([]front{f}, l.fronts...) // the newest of a host counts
}

// front finds the function at a host.
func (l *Lab) front(host string) http.Handler {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, f := range l.fronts {
		if f.host == hostOnly(host) {
			return f.serve
		}
	}
	return nil
}
