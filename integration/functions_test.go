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
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// The functions of this file are the real ones: built, started as processes, and spoken
// to through the platforms' own adapters.

// program builds a command of the module, once for all tests.
var program = sync.OnceValues(func() (func(pkg string) (string, error), error) {
	dir, err := os.MkdirTemp("", "carnet-functions-")
	return func(pkg string) (string, error) {
		at := filepath.Join(dir, strings.ReplaceAll(strings.TrimPrefix(pkg, "./"), "/", "-"))
		if _, err := os.Stat(at); err == nil {
			return at, nil
		}
		out, err := exec.Command("go", "build", "-o", at, "carnet.dev/carnet/"+strings.TrimPrefix(pkg, "./")).CombinedOutput()
		if err != nil {
			return "", fmt.Errorf("go build %s: %w: %s", pkg, err, out)
		}
		return at, nil
	}, err
})

func built(t *testing.T, pkg string) string {
	t.Helper()
	build, err := program()
	if err != nil {
		t.Fatal(err)
	}
	at, err := build(pkg)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// environment is that of a process in the lab, and nothing of this machine's but PATH.
func environment(t *testing.T, l *lab.Lab, dir string, more ...string) []string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, l.CA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CARNET_CATALOG=" + dir, "CARNET_LAB=" + l.Addr(), "CARNET_LAB_CA=" + ca}, more...)
}

func asLambda(t *testing.T, l *lab.Lab) []string {
	t.Helper()
	s, err := l.AWS.RoleSession(function, "carnet-vend")
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		"CARNET_RUNTIME=aws", "AWS_REGION=" + region, "AWS_LAMBDA_FUNCTION_NAME=carnet-vend",
		"AWS_ACCESS_KEY_ID=" + s.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey, "AWS_SESSION_TOKEN=" + s.SessionToken,
	}
}

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
	cmd := exec.Command(built(t, "./functions/awslambda"))
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

const lakeRequest = `{"tenant":"acme","destination":"lake"}`

func iamOf(event map[string]any) map[string]any {
	return event["requestContext"].(map[string]any)["authorizer"].(map[string]any)["iam"].(map[string]any)
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

func TestTheLambdaBehindItsURL(t *testing.T) {
	l, dir := startSample(t)
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend")...)
	for name, x := range map[string]struct {
		event  string
		status int
		has    string
	}{
		"a credential": {urlEvent("POST", "/v1/credentials", lakeRequest, nil), 200, `"session":{`},
		"a body in base64": {urlEvent("POST", "/v1/credentials", base64.StdEncoding.EncodeToString([]byte(lakeRequest)), func(e map[string]any) {
			e["isBase64Encoded"] = true
		}), 200, `"session":{`},
		"what an SDK reads": {urlEvent("GET", "/v1/tenants/acme/destinations/lake/aws", "", nil), 200, `"Token":`},
		"another role": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			iamOf(e)["userArn"] = "arn:aws:sts::111122223333:assumed-role/somebody/job-1"
		}), 403, `"denied"`},
		"the role of another account": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			iamOf(e)["userArn"] = "arn:aws:sts::444455556666:assumed-role/sync-worker/job-1"
		}), 403, `"denied"`},
		"the account's root": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			iamOf(e)["userArn"] = "arn:aws:iam::111122223333:root"
		}), 401, `"unauthenticated"`},
		"a URL without IAM": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			delete(e["requestContext"].(map[string]any), "authorizer")
		}), 401, `"unauthenticated"`},
		"nothing there": {urlEvent("GET", "/v1/nothing", "", nil), 404, `"bad_request"`},
	} {
		if status, body := streamed(t, f.invoke(t, x.event)); status != x.status || !strings.Contains(body, x.has) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	for name, event := range map[string]string{
		"a schedule's event": `{"action":"check","tenants":"all"}`,
		"an API Gateway's": urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			e["requestContext"].(map[string]any)["domainName"] = "abc.execute-api.eu-west-1.amazonaws.com"
		}),
		"a request by Invoke":  lakeRequest,
		"an S3 notification":   `{"Records":[{"eventSource":"aws:s3"}]}`,
		"an older version":     urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) { e["version"] = "1.0" }),
		"nothing":              `null`,
		"a body out of base64": urlEvent("POST", "/v1/credentials", "*", func(e map[string]any) { e["isBase64Encoded"] = true }),
	} {
		if got := f.invoke(t, event); got.kind != "error" || !strings.Contains(got.text, "function URL") {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if status, _ := streamed(t, f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil))); status != 200 {
		t.Errorf("after all that: %d", status)
	}
}

func TestTheLambdaBehindABufferedURL(t *testing.T) {
	l, dir := startSample(t)
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend", "CARNET_INVOKE_MODE=BUFFERED")...)
	got := f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil))
	var answer struct {
		StatusCode int
		Headers    map[string]string
		Body       string
	}
	if err := json.Unmarshal([]byte(got.text), &answer); err != nil || answer.StatusCode != 200 || answer.Headers["Content-Type"] != "application/json" || !strings.Contains(answer.Body, `"session":{`) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTheLambdasTokenDoor(t *testing.T) {
	l, dir := startSample(t)
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend", "CARNET_DOORS=token")...)
	google, outbound := workersTokens(t, l)
	with := func(token string) string {
		return urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			delete(e["requestContext"].(map[string]any), "authorizer")
			e["headers"].(map[string]any)["authorization"] = token
		})
	}
	for name, x := range map[string]struct {
		event  string
		status int
	}{
		"Google's token":      {with("Bearer " + google), 200},
		"AWS's own":           {with(outbound), 200},
		"a made-up one":       {with("Bearer a.b.c"), 401},
		"two of them":         {with("Bearer " + google + ",Bearer " + google), 401},
		"an IAM principal":    {urlEvent("POST", "/v1/credentials", lakeRequest, nil), 401},
		"a signature removed": {with("Bearer " + google[:strings.LastIndex(google, ".")] + ".SIGNATURE_REMOVED_BY_GOOGLE"), 401},
	} {
		if status, body := streamed(t, f.invoke(t, x.event)); status != x.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// workersTokens are the jobs' own proofs, from each cloud.
func workersTokens(t *testing.T, l *lab.Lab) (google, outbound string) {
	t.Helper()
	const worker = "sync-worker@operator-prod.iam.gserviceaccount.com"
	m, err := l.Machine(worker)
	if err != nil {
		t.Fatal(err)
	}
	token, err := gcpid.New(m.Client()).Runtime(worker).IDToken(t.Context(), "https://carnet.lab")
	if err != nil {
		t.Fatal(err)
	}
	return token.Value.Reveal(), outboundToken(t, l, "https://carnet.lab")
}

func TestTheScheduleFunctionAnswersNoRequest(t *testing.T) {
	l, dir := startSample(t)
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=schedule")...)
	if got := f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil)); got.kind != "error" || strings.Contains(got.text, "session") {
		t.Errorf("a request: %+v", got)
	}
	if got := f.invoke(t, `{"action":"check","tenants":["acme"]}`); got.kind != "response" || got.text != "null" {
		t.Errorf("a schedule: %+v", got)
	}
	if got := f.invoke(t, `{"action":"vend","tenants":["acme"]}`); got.kind != "error" {
		t.Errorf("an action nobody knows: %+v", got)
	}
	if out := f.log.String(); !strings.Contains(out, `"checks_failed":0`) || !strings.Contains(out, `"Namespace":"carnet"`) || strings.Contains(out, `"session_token"`) {
		t.Errorf("the log: %s", out)
	}
}

func TestALambdaThatIsSetUpWronglySaysSo(t *testing.T) {
	l, dir := startSample(t)
	for want, env := range map[string][]string{
		"CARNET_FUNCTION": append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=both"),
		"CARNET_DOORS":    append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend", "CARNET_DOORS=window", "CARNET_PROXY=maybe"),
		"carnet.yaml":     append(environment(t, l, t.TempDir(), asLambda(t, l)...), "CARNET_FUNCTION=vend"),
		"CARNET_CATALOG":  append(environment(t, l, "", asLambda(t, l)...), "CARNET_FUNCTION=vend"),
	} {
		cmd := exec.Command(built(t, "./functions/awslambda"))
		cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%s: %v: %s", want, err, out)
		}
	}
}

// startCloudFunction starts the framework's own server with one of the two entry points.
func startCloudFunction(t *testing.T, l *lab.Lab, dir, target string, more ...string) string {
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
	cmd := exec.Command(built(t, "./functions/gcpfunc/cmd"))
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
	for range 200 {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the function does not listen")
	return ""
}

func call(t *testing.T, method, to, body string, header ...string) (int, string) {
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

func TestTheCloudFunction(t *testing.T) {
	l, dir := startSample(t)
	at := startCloudFunction(t, l, dir, "Vend")
	google, outbound := workersTokens(t, l)
	cut := google[:strings.LastIndex(google, ".")] + ".SIGNATURE_REMOVED_BY_GOOGLE"
	for name, x := range map[string]struct {
		header []string
		status int
	}{
		"a token beside the platform's":  {[]string{"Authorization", "Bearer " + google, "X-Serverless-Authorization", "Bearer " + cut}, 200},
		"another issuer's":               {[]string{"Authorization", "Bearer " + outbound}, 200},
		"the platform's alone":           {[]string{"X-Serverless-Authorization", "Bearer " + google}, 401},
		"a token without its signature":  {[]string{"Authorization", "Bearer " + cut, "X-Serverless-Authorization", "Bearer " + google}, 401},
		"nothing":                        {nil, 401},
		"two tokens":                     {[]string{"Authorization", "Bearer " + google, "Authorization", "Bearer " + google}, 400},
		"a header that names somebody":   {[]string{"X-Goog-Authenticated-User-Email", "accounts.google.com:sync-worker@operator-prod.iam.gserviceaccount.com"}, 401},
		"a principal as Lambda has them": {[]string{"X-Amzn-Iam-Userarn", "arn:aws:sts::111122223333:assumed-role/sync-worker/x"}, 401},
	} {
		if status, body := call(t, http.MethodPost, at+"/v1/credentials", lakeRequest, x.header...); status != x.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if status, body := call(t, http.MethodPost, at+"/", `{"action":"check","tenants":"all"}`, "Authorization", "Bearer "+google); status != 404 {
		t.Errorf("a schedule's input: %d %s", status, body)
	}
}

func TestTheCloudFunctionsSchedule(t *testing.T) {
	l, dir := startSample(t)
	at := startCloudFunction(t, l, dir, "Schedule")
	google, _ := workersTokens(t, l)
	if status, body := call(t, http.MethodPost, at+"/v1/credentials", lakeRequest, "Authorization", "Bearer "+google); status != 404 || strings.Contains(body, "session") {
		t.Errorf("a request: %d %s", status, body)
	}
	if status, body := call(t, http.MethodPost, at+"/", lakeRequest, "Authorization", "Bearer "+google); status != 400 {
		t.Errorf("a request at the root: %d %s", status, body)
	}
	if status, body := call(t, http.MethodPost, at+"/", `{"action":"check","tenants":["globex"],"shard":"1/1"}`); status != 204 || body != "" {
		t.Errorf("a schedule: %d %s", status, body)
	}
	if status, _ := call(t, http.MethodGet, at+"/", ""); status != 404 {
		t.Errorf("a GET: %d", status)
	}
}

func base64URL(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
