package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
)

// What stands around a function: Lambda's Runtime API and the events of a function URL, the
// functions framework.

// A runtimeAPI is Lambda's side of a function: it hands out events and takes answers.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
type runtimeAPI struct {
	*httptest.Server
	events  chan string
	answers chan lambdaAnswer
	log     journal
}

// A journal is a process's output, read while it goes on.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

type lambdaAnswer struct {
	kind    string // response, error, init
	text    string
	content string
}

func startLambda(t *testing.T, env ...string) *runtimeAPI {
	t.Helper()
	return startRuntime(t, built(t, "./functions/awslambda"), env)
}

// startRuntime starts a program as Lambda does.
func startRuntime(t *testing.T, program string, env []string) *runtimeAPI {
	t.Helper()
	api := &runtimeAPI{events: make(chan string), answers: make(chan lambdaAnswer, 1)}
	const at = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+at+"invocation/next", func(w http.ResponseWriter, r *http.Request) {
		select {
		case e := <-api.events:
			w.Header().Set("Lambda-Runtime-Aws-Request-Id", "8476a536-e9f4-11e8-9739-2dfe598c3fcd")
			w.Header().Set("Lambda-Runtime-Deadline-Ms", fmt.Sprint(time.Now().Add(10*time.Second).UnixMilli()))
			w.Header().Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-west-1:111122223333:function:carnet-vend")
			io.WriteString(w, e)
		case <-r.Context().Done():
		}
	})
	take := func(kind string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			text, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			api.answers <- lambdaAnswer{kind, string(text), r.Header.Get("Content-Type")}
			w.WriteHeader(http.StatusAccepted)
		}
	}
	mux.HandleFunc("POST "+at+"invocation/{id}/response", take("response"))
	mux.HandleFunc("POST "+at+"invocation/{id}/error", take("error"))
	mux.HandleFunc("POST "+at+"init/error", take("init"))
	api.Server = httptest.NewServer(mux)
	cmd := exec.Command(program)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(api.URL, "http://"))
	cmd.Stdout, cmd.Stderr = &api.log, &api.log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		api.CloseClientConnections()
		api.Close()
		if t.Failed() {
			t.Log(api.log.String())
		}
	})
	return api
}

func (a *runtimeAPI) invoke(t *testing.T, event string) lambdaAnswer {
	t.Helper()
	select {
	case a.events <- event:
	case <-time.After(20 * time.Second):
		t.Fatal("the function asks for no event")
	}
	select {
	case got := <-a.answers:
		return got
	case <-time.After(20 * time.Second):
		t.Fatal("the function does not answer")
	}
	return lambdaAnswer{}
}

// urlEvent is the documented sample of a function URL's event, with what a test changes.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
func urlEvent(method, path, body string, change func(event map[string]any)) string {
	event := map[string]any{
		"version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
		"headers": map[string]any{"content-type": "application/json", "x-forwarded-proto": "https", "host": "abcdef.lambda-url.eu-west-1.on.aws"},
		"requestContext": map[string]any{
			"accountId": "111122223333", "apiId": "abcdef", "authentication": nil,
			"authorizer": map[string]any{"iam": map[string]any{
				"accessKey": "ASIAEXAMPLE", "accountId": "111122223333", "callerId": "AROAEXAMPLE:job-1", "cognitoIdentity": nil, "principalOrgId": nil,
				"userArn": "arn:aws:sts::111122223333:assumed-role/sync-worker/job-1", "userId": "AROAEXAMPLE:job-1",
			}},
			"domainName": "abcdef.lambda-url.eu-west-1.on.aws", "domainPrefix": "abcdef",
			"http":      map[string]any{"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.7", "userAgent": "agent"},
			"requestId": "id", "routeKey": "$default", "stage": "$default", "time": "24/Nov/2026:12:00:00 +0000", "timeEpoch": 1795521600000,
		},
		"body": body, "isBase64Encoded": false,
	}
	if change != nil {
		change(event)
	}
	text, err := json.Marshal(event)
	if err != nil {
		panic(err) // maps of strings can be written
	}
	return string(text)
}

// streamed takes a streamed answer apart: a prelude of JSON, eight zeros, the body.
func streamed(t *testing.T, a lambdaAnswer) (status int, body string) {
	t.Helper()
	prelude, body, ok := strings.Cut(a.text, "\x00\x00\x00\x00\x00\x00\x00\x00")
	var head struct{ StatusCode int }
	if err := json.Unmarshal([]byte(prelude), &head); err != nil || !ok || a.kind != "response" || a.content != "application/vnd.awslambda.http-integration-response" {
		t.Fatalf("not a streamed answer: %+v", a)
	}
	return head.StatusCode, body
}

// buffered takes a buffered answer apart.
func buffered(t *testing.T, a lambdaAnswer) (status int, header map[string]string, body string) {
	t.Helper()
	var answer struct {
		StatusCode int
		Headers    map[string]string
		Body       string
	}
	if err := json.Unmarshal([]byte(a.text), &answer); err != nil || a.kind != "response" || answer.StatusCode == 0 {
		t.Fatalf("not a buffered answer: %+v", a)
	}
	return answer.StatusCode, answer.Headers, answer.Body
}

// answered takes an answer apart as the URL of that mode does.
func answered(t *testing.T, mode string, a lambdaAnswer) (status int, body string) {
	t.Helper()
	if mode == "RESPONSE_STREAM" {
		return streamed(t, a)
	}
	status, _, body = buffered(t, a)
	return status, body
}

// startFunction starts one of the two functions as it is deployed, with the token door, and
// returns where it is found: what stands in front of it here is plain HTTP.
func startFunction(t *testing.T, l *lab.Lab, runtime, dir string) string {
	t.Helper()
	if runtime == "gcp" {
		return startCloudFunction(t, l, dir, "Vend", "CARNET_DOORS=token")
	}
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend", "CARNET_DOORS=token")...)
	var turn sync.Mutex // a function has one request at a time
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn.Lock()
		defer turn.Unlock()
		status, header, body := buffered(t, f.invoke(t, openEvent(t, r)))
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// openEvent is what a function URL without IAM makes of a request: a header that came twice
// is one with a comma, and the body is in base64.
func openEvent(t *testing.T, r *http.Request) string {
	t.Helper()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return urlEvent(r.Method, r.URL.EscapedPath(), base64.StdEncoding.EncodeToString(body), func(e map[string]any) {
		delete(e["requestContext"].(map[string]any), "authorizer")
		headers := map[string]any{}
		for name, values := range r.Header {
			headers[strings.ToLower(name)] = strings.Join(values, ",")
		}
		e["headers"], e["isBase64Encoded"], e["rawQueryString"] = headers, true, r.URL.RawQuery
	})
}

// startCloudFunction starts the framework's own server with one of the two entry points.
func startCloudFunction(t testing.TB, l *lab.Lab, dir, target string, more ...string) string {
	t.Helper()
	return startFrameworks(t, l, dir, built(t, "./functions/gcpfunc/cmd"), target, more...)
}

// startFrameworks starts a program that the framework serves, as Cloud Run does.
func startFrameworks(t testing.TB, l *lab.Lab, dir, program, target string, more ...string) string {
	t.Helper()
	m, err := l.Machine("carnet-f-vend@operator-prod.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(environment(t, l, dir, more...), "FUNCTION_TARGET="+target, "PORT="+port, "K_SERVICE=carnet", "CARNET_RUNTIME=gcp", "GCE_METADATA_HOST="+m.Metadata)
	var log journal
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	listening(t, address)
	return "http://" + address
}

// listening waits until somebody answers at an address.
func listening(t testing.TB, address string) {
	t.Helper()
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("nobody listens at ", address)
}

func call(t testing.TB, method, to, body string, header ...string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
