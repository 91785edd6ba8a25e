package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/compute/metadata"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"golang.org/x/oauth2"

	"carnet.dev/carnet/integration/lab"
)

// startServe runs `carnet serve` and waits for its address.
func startServe(t *testing.T, l *lab.Lab, dir string, env ...string) (string, *exec.Cmd) {
	t.Helper()
	cmd := exec.Command(built(t, "./cmd/carnet"), "serve", "--listen", "127.0.0.1:0")
	cmd.Env = environment(t, l, dir, env...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = io.Discard
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		var said struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg == "listening" {
			go io.Copy(io.Discard, pipe)
			return "http://" + said.Address, cmd
		}
		t.Log(lines.Text())
	}
	t.Fatal("carnet serve did not listen")
	return "", nil
}

func TestServeAnswersAndStopsGracefully(t *testing.T) {
	l, dir := startSample(t)
	google, outbound := workersTokens(t, l)
	m, err := l.Machine("carnet-f-vend@operator-prod.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	for runtime, env := range map[string][]string{
		"a pod on EKS": asLambda(t, l), "a pod on GKE": {"CARNET_RUNTIME=gcp", "GCE_METADATA_HOST=" + m.Metadata},
	} {
		t.Run(runtime, func(t *testing.T) {
			at, cmd := startServe(t, l, dir, env...)
			for _, token := range []string{google, outbound} {
				if status, body := call(t, http.MethodPost, at+"/v1/credentials", lakeRequest, "Authorization", "Bearer "+token); status != 200 {
					t.Errorf("%d %s", status, body)
				}
			}
			if status, body := call(t, http.MethodPost, at+"/v1/credentials", lakeRequest); status != 401 {
				t.Errorf("without a token: %d %s", status, body)
			}
			for _, path := range []string{"/healthz", "/readyz"} {
				if status, body := call(t, http.MethodGet, at+path, ""); status != 200 {
					t.Errorf("%s: %d %s", path, status, body)
				}
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("on SIGTERM: %v", err)
			}
		})
	}
}

// TestTheHelperBesideAJob: unmodified SDKs of both clouds, with a helper on loopback that
// proves the job to a deployment.
func TestTheHelperBesideAJob(t *testing.T) {
	l, dir := startSample(t)
	_, outbound := workersTokens(t, l)
	at := startServer(t, l, "aws", dir)
	cmd := exec.Command(built(t, "./cmd/carnet"), "serve", "--local", "--url", at, "--proof", "env:JOB_TOKEN", "--tenant", "acme", "--destination", "drop")
	cmd.Env = []string{"JOB_TOKEN=" + outbound, "HOME=" + t.TempDir()}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	said := map[string]string{}
	lines := bufio.NewScanner(pipe)
	for len(said) < 3 && lines.Scan() {
		if m := regexp.MustCompile(`^export (\w+)=(.*)$`).FindStringSubmatch(lines.Text()); m != nil {
			said[m[1]] = m[2]
		}
	}
	container := strings.Replace(said["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "/drop", "/lake", 1)
	retrieve := func(token string) error {
		provider := endpointcreds.New(container, func(o *endpointcreds.Options) { o.AuthorizationToken = token })
		_, err := provider.Retrieve(t.Context())
		return err
	}
	t.Setenv("GCE_METADATA_HOST", said["GCE_METADATA_HOST"])
	tryAll(t, []operation{
		{"AWS's SDK", func(context.Context) error { return retrieve(said["AWS_CONTAINER_AUTHORIZATION_TOKEN"]) }, true},
		{"AWS's SDK with another token", func(context.Context) error { return retrieve("guess") }, false},
		{"Google's library by the metadata server", func(ctx context.Context) error {
			text, err := metadata.GetWithContext(ctx, "instance/service-accounts/default/token")
			if err != nil {
				return err
			}
			var token struct {
				AccessToken string `json:"access_token"`
			}
			if err := json.Unmarshal([]byte(text), &token); err != nil {
				return err
			}
			return listWith(ctx, l, t, oauth2.StaticTokenSource(&oauth2.Token{AccessToken: token.AccessToken}), "from-operator/")
		}, true},
		{"a page in a browser, by the metadata path", func(ctx context.Context) error {
			return plainGet(ctx, "http://"+said["GCE_METADATA_HOST"]+"/computeMetadata/v1/instance/service-accounts/default/token", "")
		}, false},
		{"a page whose own name leads here", func(ctx context.Context) error {
			return plainGet(ctx, "http://"+said["GCE_METADATA_HOST"]+"/computeMetadata/v1/instance/service-accounts/default/token", "evil.example")
		}, false},
	})
}

func plainGet(ctx context.Context, from, host string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	if host != "" {
		req.Host = host
		req.Header.Set("Metadata-Flavor", "Google")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// TestCredentialProcess: the SDK runs `carnet vend --url`, as a profile would.
func TestCredentialProcess(t *testing.T) {
	l, dir := startSample(t)
	_, outbound := workersTokens(t, l)
	t.Setenv("JOB_TOKEN", outbound)
	command := built(t, "./cmd/carnet") + " vend acme lake --format aws --proof env:JOB_TOKEN --url " + startServer(t, l, "aws", dir)
	creds, err := processcreds.NewProvider(command, func(o *processcreds.Options) { o.Timeout = 30 * time.Second }).Retrieve(t.Context())
	if err != nil || !creds.CanExpire || creds.SessionToken == "" {
		t.Errorf("%v", err)
	}
}
