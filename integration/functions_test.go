package integration

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

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

func built(t testing.TB, pkg string) string {
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
func environment(t testing.TB, l *lab.Lab, dir string, more ...string) []string {
	t.Helper()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, l.CA.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CARNET_CATALOG=" + dir, "CARNET_LAB=" + l.Addr(), "CARNET_LAB_CA=" + ca}, more...)
}

func asLambda(t testing.TB, l *lab.Lab) []string {
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

const lakeRequest = `{"tenant":"acme","destination":"lake"}`

func iamOf(event map[string]any) map[string]any {
	return event["requestContext"].(map[string]any)["authorizer"].(map[string]any)["iam"].(map[string]any)
}

func TestTheLambdaBehindItsURL(t *testing.T) {
	l, dir := startSample(t)
	change(t, dir, "acme", "callers:\n", "callers:\n  - aws: arn:aws:iam::444455556666:role/partner\n")
	for _, mode := range []string{"BUFFERED", "RESPONSE_STREAM"} {
		t.Run(mode, func(t *testing.T) {
			behindItsURL(t, mode, startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend", "CARNET_INVOKE_MODE="+mode)...))
		})
	}
}

func behindItsURL(t *testing.T, mode string, f *runtimeAPI) {
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
		"another account's role that the file names": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			iamOf(e)["userArn"], iamOf(e)["accountId"] = "arn:aws:sts::444455556666:assumed-role/partner/job-1", "444455556666"
		}), 200, `"session":{`},
		"the account's root": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			iamOf(e)["userArn"] = "arn:aws:iam::111122223333:root"
		}), 401, `"unauthenticated"`},
		"a URL without IAM": {urlEvent("POST", "/v1/credentials", lakeRequest, func(e map[string]any) {
			delete(e["requestContext"].(map[string]any), "authorizer")
		}), 401, `"unauthenticated"`},
		"nothing there": {urlEvent("GET", "/v1/nothing", "", nil), 404, `"bad_request"`},
	} {
		if status, body := answered(t, mode, f.invoke(t, x.event)); status != x.status || !strings.Contains(body, x.has) {
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
	if status, _ := answered(t, mode, f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil))); status != 200 {
		t.Errorf("after all that: %d", status)
	}
}

// TestTheLambdasOwnModeIsBuffered, with the headers that an SDK looks at.
func TestTheLambdasOwnModeIsBuffered(t *testing.T) {
	l, dir := startSample(t)
	f := startLambda(t, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend")...)
	status, header, body := buffered(t, f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil)))
	if status != 200 || header["Content-Type"] != "application/json" || !strings.Contains(body, `"session":{`) {
		t.Errorf("%d %v %s", status, header, body)
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
		if status, body := answered(t, "", f.invoke(t, x.event)); status != x.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
}

// workersTokens are the jobs' own proofs, from each cloud.
func workersTokens(t testing.TB, l *lab.Lab) (google, outbound string) {
	t.Helper()
	const worker = "sync-worker@operator-prod.iam.gserviceaccount.com"
	m, err := l.Machine(worker)
	if err != nil {
		t.Fatal(err)
	}
	token, err := gcpid.New(m.Client()).Runtime(worker, m.Tokens()).IDToken(t.Context(), "https://carnet.lab")
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

// TestAFunctionThatIsSetUpWronglySaysSo in one line that has all of it.
func TestAFunctionThatIsSetUpWronglySaysSo(t *testing.T) {
	l, dir := startSample(t)
	lambda := slices.Clip(append(asLambda(t, l), "CARNET_FUNCTION=vend", "AWS_LAMBDA_RUNTIME_API=127.0.0.1:1"))
	cloud := []string{"FUNCTION_TARGET=Vend", "PORT=0"}
	for name, x := range map[string]struct {
		program, catalog string
		env, want        []string
	}{
		"all at once": {"./functions/awslambda", "", append(lambda, "CARNET_FUNCTION=both", "CARNET_INVOKE_MODE=fast", "CARNET_DOORS=window", "CARNET_PROXY=maybe", "CARNET_WARM=cold", "CARNET_RUNTIME=azure"),
			[]string{"CARNET_FUNCTION", "CARNET_INVOKE_MODE", "CARNET_DOORS", "CARNET_PROXY", "CARNET_WARM", "CARNET_RUNTIME", "CARNET_CATALOG"}},
		"which function":         {"./functions/awslambda", dir, append(lambda, "CARNET_FUNCTION="), []string{"CARNET_FUNCTION is not set"}},
		"a lab without its key":  {"./functions/awslambda", dir, append(lambda, "CARNET_LAB_CA="), []string{"CARNET_LAB_CA"}},
		"nothing in the catalog": {"./functions/awslambda", t.TempDir(), lambda, []string{"carnet.yaml"}},
		"no catalog":             {"./functions/gcpfunc/cmd", "", cloud, []string{"CARNET_CATALOG is not set"}},
		"a door that is no door": {"./functions/gcpfunc/cmd", dir, append(cloud, "CARNET_DOORS=window", "CARNET_WARM=cold"), []string{"CARNET_DOORS", "CARNET_WARM"}},
	} {
		cmd := exec.Command(built(t, x.program))
		cmd.Env = append(environment(t, l, x.catalog), x.env...)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("%s: it starts", name)
		}
		line, rest, _ := strings.Cut(string(out), "\n")
		for _, want := range x.want {
			if !strings.Contains(line, want) || rest != "" {
				t.Errorf("%s: no %s in one line: %s", name, want, out)
			}
		}
	}
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

// TestTheLocalMainIsOnLoopbackAlone: nobody reaches it at another of the machine's addresses.
func TestTheLocalMainIsOnLoopbackAlone(t *testing.T) {
	l, dir := startSample(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(startCloudFunction(t, l, dir, "Vend"), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		at, ok := a.(*net.IPNet)
		if !ok || at.IP.IsLoopback() || at.IP.To4() == nil {
			continue
		}
		if conn, err := net.Dial("tcp", net.JoinHostPort(at.IP.String(), port)); err == nil {
			conn.Close()
			t.Errorf("it answers at %s", at.IP)
		}
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

// TestACloudFunctionStartsOnceItsCatalogIsThere: what kept it from starting is asked about
// with each request, and a caller is told no more than an id.
func TestACloudFunctionStartsOnceItsCatalogIsThere(t *testing.T) {
	l, dir := startSample(t)
	away := filepath.Join(t.TempDir(), "catalog")
	at := startCloudFunction(t, l, away, "Vend")
	google, _ := workersTokens(t, l)
	ask := func() (int, string) {
		return call(t, http.MethodPost, at+"/v1/credentials", lakeRequest, "Authorization", "Bearer "+google)
	}
	if status, body := ask(); status != 500 || !strings.Contains(body, `"code":"internal"`) || !strings.Contains(body, `"request_id":"`) || strings.Contains(body, away) {
		t.Errorf("without a catalog: %d %s", status, body)
	}
	if err := os.CopyFS(away, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if status, body := ask(); status != 200 {
		t.Errorf("once it is there: %d %s", status, body)
	}
}

func base64URL(s string) ([]byte, error) { return base64.RawURLEncoding.DecodeString(s) }
