package functionurl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"carnet.dev/carnet/functions/awslambda/functionurl"
)

// sample is the documented event, as aws-lambda-go has it for its own tests.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
func sample(t *testing.T) []byte {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/aws/aws-lambda-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "events", "testdata", "lambda-urls-request.json"))
	if err != nil {
		t.Fatal(err)
	}
	// What stands for an id there is no host.
	return bytes.ReplaceAll(text, []byte("<url-id>"), []byte("abcdef"))
}

// answered is what Lambda makes of a handler's answer.
func answered(ctx context.Context, u functionurl.URL, event []byte) (answer events.LambdaFunctionURLResponse, err error) {
	text, err := u.Invoke(ctx, event)
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	return answer, err
}

func TestTheDocumentedEvent(t *testing.T) {
	var got *http.Request
	var body []byte
	u := functionurl.URL{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, "{}")
	})}
	answer, err := answered(t.Context(), u, sample(t))
	if err != nil || answer.StatusCode != http.StatusTeapot || answer.Body != "{}" || answer.Headers["Content-Type"] != "application/json" {
		t.Fatalf("%+v, %v", answer, err)
	}
	const url = "https://abcdef.lambda-url.us-west-2.on.aws/my/path?parameter1=value1&parameter1=value2&parameter2=value"
	if got.Method != http.MethodPost || got.URL.String() != url || string(body) != "Hello from client!" || got.Header.Get("Header2") != "value1,value2" {
		t.Errorf("%s %s %q %v", got.Method, got.URL, body, got.Header)
	}
	stream, err := u.Stream(t.Context(), sample(t))
	if err != nil || stream.StatusCode != http.StatusTeapot {
		t.Fatalf("%+v, %v", stream, err)
	}
	if text, err := io.ReadAll(stream.Body); string(text) != "{}" {
		t.Errorf("%q, %v", text, err)
	}
}

// TestAnAnswerInItsFrame: whatever is in it, it is JSON and says the same.
func TestAnAnswerInItsFrame(t *testing.T) {
	for body, want := range map[string]string{
		`{"a":"\"\\"}` + "\n\t\x00é": `{"a":"\"\\"}` + "\n\t\x00é",
		"no UTF-8: \xff":             "no UTF-8: \ufffd",
		"":                           "",
	} {
		u := functionurl.URL{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Two", `"quoted"`)
			w.Header().Add("Two", "and more")
			io.WriteString(w, body)
		})}
		answer, err := answered(t.Context(), u, sample(t))
		if err != nil || answer.Body != want || answer.Headers["Two"] != `"quoted",and more` || answer.StatusCode != http.StatusOK {
			t.Errorf("%q: %+v, %v", body, answer, err)
		}
	}
}

// TestForgedEvents are refused before any handler sees them: whoever may invoke the function
// by another way than its URL cannot write itself a caller.
func TestForgedEvents(t *testing.T) {
	u := functionurl.URL{API: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("a handler sees %s", r.URL) })}
	context := func(key string, value any) func(map[string]any) {
		return func(e map[string]any) { e["requestContext"].(map[string]any)[key] = value }
	}
	for name, forge := range map[string]func(event map[string]any){
		"no context":                  func(e map[string]any) { delete(e, "requestContext") },
		"a context that is a list":    func(e map[string]any) { e["requestContext"] = []any{} },
		"no method":                   context("http", map[string]any{"path": "/"}),
		"a method with a blank":       context("http", map[string]any{"method": "GET /"}),
		"an API Gateway's host":       context("domainName", "abc.execute-api.us-west-2.amazonaws.com"),
		"a load balancer's":           func(e map[string]any) { e["requestContext"] = map[string]any{"elb": map[string]any{}} },
		"a host that only looks so":   context("domainName", "abcdef.lambda-url.us-west-2.on.aws.example.com"),
		"a host with somebody's name": context("domainName", "evil@abcdef.lambda-url.us-west-2.on.aws"),
		"a host with a port":          context("domainName", "abcdef.lambda-url.us-west-2:8443.on.aws"),
		"no path":                     func(e map[string]any) { e["rawPath"] = "" },
		"a path that is a host":       func(e map[string]any) { e["rawPath"] = "@example.com/v1/credentials" },
		"version 1.0":                 func(e map[string]any) { e["version"] = "1.0" },
		"a body that is no base64":    func(e map[string]any) { e["isBase64Encoded"] = true },
		"headers that are lists":      func(e map[string]any) { e["headers"] = map[string]any{"authorization": []any{"a", "b"}} },
		"what is missing is a word":   func(e map[string]any) { e["requestContext"] = "abcdef.lambda-url.us-west-2.on.aws" },
	} {
		var event map[string]any
		if err := json.Unmarshal(sample(t), &event); err != nil {
			t.Fatal(err)
		}
		forge(event)
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Invoke(t.Context(), text); !errors.Is(err, functionurl.ErrNotURL) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAPathThatIsNone is the caller's mistake and answered as one: an error of the function's
// would let every stranger at the token door set off the alarm on them.
func TestAPathThatIsNone(t *testing.T) {
	for _, path := range []string{"/v1/%zz", "/100%", "/%", "/a b", `/\u0001`} {
		seen := ""
		u := functionurl.URL{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			seen = r.URL.Path
			w.WriteHeader(http.StatusNotFound)
		})}
		event := bytes.ReplaceAll(sample(t), []byte(`"/my/path"`), []byte(`"`+path+`"`))
		if answer, err := answered(t.Context(), u, event); err != nil || answer.StatusCode != http.StatusNotFound || !strings.HasPrefix(seen, "/") {
			t.Errorf("%q: %d, %v, and the handler sees %q", path, answer.StatusCode, err, seen)
		}
	}
}

// TestAnAnswerStillGetsOut: a request ends half a second before Lambda's deadline.
func TestAnAnswerStillGetsOut(t *testing.T) {
	event := sample(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		u := functionurl.URL{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			<-r.Context().Done()
			w.WriteHeader(http.StatusServiceUnavailable)
		})}
		began := time.Now()
		answer, err := answered(ctx, u, event)
		if took := time.Since(began); took != 2500*time.Millisecond || err != nil || answer.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("after %s: %d, %v", took, answer.StatusCode, err)
		}
	})
}

func FuzzEvent(f *testing.F) {
	f.Add([]byte(`{"version":"2.0","rawPath":"/","requestContext":{"domainName":"a.lambda-url.b.on.aws","http":{"method":"GET"}}}`))
	f.Fuzz(func(t *testing.T, event []byte) {
		u := functionurl.URL{API: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(w, r.Body)
			if host := r.URL.Hostname(); !strings.HasSuffix(host, ".on.aws") || !strings.Contains(host, ".lambda-url.") || r.URL.User != nil {
				t.Errorf("%q asks %s", event, r.URL)
			}
		})}
		if _, err := answered(t.Context(), u, event); err != nil && !errors.Is(err, functionurl.ErrNotURL) {
			t.Errorf("%q: %v", event, err)
		}
	})
}
