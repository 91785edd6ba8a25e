package integration

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"cloud.google.com/go/compute/metadata"
	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
	"github.com/aws/aws-lambda-go/lambda"

	"carnet.dev/carnet/functions/awslambda/functionurl"
	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/exchange"
)

// fragile is the handler over a broker that panics for one tenant and refuses the rest.
func fragile() http.Handler {
	return api.New(api.Config{
		Principals: true, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Verify: func(context.Context, string) (exchange.Caller, error) {
			return exchange.Caller{Issuer: "https://issuer.example", Subject: "job"}, nil
		},
		Vend: func(_ context.Context, r exchange.Request) (*exchange.Credential, error) {
			if r.Tenant == "acme" {
				panic("a secret")
			}
			return nil, exchange.ErrDenied
		},
	})
}

// fragileProgram says what the test's own binary is to be, instead of a test: one of the
// platforms' adapters over the fragile handler.
const fragileProgram = "CARNET_TEST_FRAGILE"

func TestMain(m *testing.M) {
	u := functionurl.URL{API: fragile()}
	switch os.Getenv(fragileProgram) {
	case "stream":
		lambda.Start(u.Stream)
	case "buffer":
		lambda.Start(u)
	case "framework":
		if err := funcframework.RegisterHTTPFunctionContext(context.Background(), "/", fragile().ServeHTTP); err != nil {
			panic(err)
		}
		panic(funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT")))
	}
	os.Exit(onGoogle(m.Run))
}

// onGoogle lets Google's library find that it is on Google Cloud, which it decides once in a
// process. Tests that are elsewhere bring their own credentials.
func onGoogle(run func() int) int {
	os.Setenv("GCE_METADATA_HOST", "127.0.0.1:1")
	metadata.OnGCE()
	os.Unsetenv("GCE_METADATA_HOST")
	return run()
}

// TestAPanicIsOneRequestsOwn: through both platforms' adapters it is a 500 with the
// request's id, in the words of each path, and the same process answers the next request.
func TestAPanicIsOneRequestsOwn(t *testing.T) {
	type asks func(method, path, body string) (status int, text string)
	for name, start := range map[string]func(*testing.T) asks{
		"a streamed function URL": func(t *testing.T) asks {
			f := startRuntime(t, os.Args[0], []string{fragileProgram + "=stream"})
			return func(method, path, body string) (int, string) {
				return streamed(t, f.invoke(t, urlEvent(method, path, body, nil)))
			}
		},
		"a buffered one": func(t *testing.T) asks {
			f := startRuntime(t, os.Args[0], []string{fragileProgram + "=buffer"})
			return func(method, path, body string) (int, string) {
				status, _, text := buffered(t, f.invoke(t, urlEvent(method, path, body, nil)))
				return status, text
			}
		},
		"the functions framework": func(t *testing.T) asks {
			at := startFramework(t)
			return func(method, path, body string) (int, string) {
				return call(t, method, at+path, body, "Authorization", "Bearer x")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			ask := start(t)
			for range 2 {
				for _, x := range [][3]string{
					{http.MethodPost, "/v1/credentials", lakeRequest},
					{http.MethodGet, "/v1/tenants/acme/destinations/lake/aws", ""},
				} {
					status, text := ask(x[0], x[1], x[2])
					if status != 500 || !strings.Contains(text, `"code":"internal"`) || !strings.Contains(text, `"request_id":"`) || strings.Contains(text, "a secret") {
						t.Errorf("%s: %d %s", x[1], status, text)
					}
				}
				if status, text := ask(http.MethodPost, "/v1/credentials", `{"tenant":"globex","destination":"lake"}`); status != 403 {
					t.Errorf("the next request: %d %s", status, text)
				}
			}
		})
	}
}

// startFramework starts this binary as a function of the framework's.
func startFramework(t *testing.T) string {
	t.Helper()
	address := freePort(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = []string{fragileProgram + "=framework", "PORT=" + port}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	listening(t, address)
	return "http://" + address
}
