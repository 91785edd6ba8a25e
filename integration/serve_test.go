package integration

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/oauth2/google"

	"carnet.dev/carnet/integration/lab"
)

// startServe runs `carnet serve` and waits for its address.
func startServe(t *testing.T, l *lab.Lab, dir string, env ...string) (string, *exec.Cmd) {
	t.Helper()
	at, cmd := startServing(t, environment(t, l, dir, env...), "serve", "--listen", "127.0.0.1:0")
	return "http://" + at, cmd
}

// startServing runs the command and waits until it listens.
func startServing(t *testing.T, env []string, args ...string) (address string, cmd *exec.Cmd) {
	t.Helper()
	cmd = exec.Command(built(t, "./cmd/carnet"), args...)
	cmd.Env = env
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
		var said struct{ Msg, Message, Address string }
		if json.Unmarshal(lines.Bytes(), &said) == nil && said.Msg+said.Message == "listening" {
			go io.Copy(io.Discard, pipe)
			return said.Address, cmd
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

// TestARequestUnderWayIsAnswered: SIGTERM comes when a request's body is awaited. The server
// takes nobody in any more, and the request has its answer.
func TestARequestUnderWayIsAnswered(t *testing.T) {
	l, dir := startSample(t)
	google, _ := workersTokens(t, l)
	at, cmd := startServe(t, l, dir, asLambda(t, l)...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /v1/credentials HTTP/1.1\r\nHost: carnet\r\nContent-Type: application/json\r\nAuthorization: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", google, len(lakeRequest))
	answers := bufio.NewReader(conn)
	if line, err := answers.ReadString('\n'); err != nil || !strings.Contains(line, "100 Continue") {
		t.Fatal(line, err)
	}
	if _, err := answers.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		other, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
		if err != nil {
			break
		}
		other.Close()
		time.Sleep(10 * time.Millisecond)
	}
	io.WriteString(conn, lakeRequest)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("%+v, %v", resp, err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

// startHelper runs `carnet serve --local` for acme and reads what it says to set.
func startHelper(t *testing.T, env []string, args ...string) map[string]string {
	t.Helper()
	cmd := exec.Command(built(t, "./cmd/carnet"), append([]string{"serve", "--local", "--tenant", "acme", "--destination", "drop"}, args...)...)
	var log journal
	cmd.Env, cmd.Stderr = env, &log
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
	for len(said) < 4 {
		if !lines.Scan() {
			t.Fatal(log.String())
		}
		if m := regexp.MustCompile(`^export (\w+)='?([^']*)'?$`).FindStringSubmatch(lines.Text()); m != nil {
			said[m[1]] = m[2]
		}
	}
	said["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = strings.Replace(said["AWS_CONTAINER_CREDENTIALS_FULL_URI"], "/drop", "/lake", 1)
	return said
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// jobsProofs are the ways in which a job proves itself to a deployment at either door: what
// the helper is told, and the environment that it has from the job's platform.
func jobsProofs(t *testing.T, l *lab.Lab, dir string) map[string]struct{ args, env []string } {
	t.Helper()
	const account = "sync-worker@operator-prod.iam.gserviceaccount.com"
	_, outbound := workersTokens(t, l)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(outbound+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := l.AWS.RoleSession("arn:aws:iam::111122223333:role/sync-worker", "job-1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Machine(account)
	if err != nil {
		t.Fatal(err)
	}
	signing := []string{"AWS_ACCESS_KEY_ID=" + s.AccessKeyID, "AWS_SECRET_ACCESS_KEY=" + s.SecretAccessKey, "AWS_SESSION_TOKEN=" + s.SessionToken}
	onGoogle := []string{"GCE_METADATA_HOST=" + m.Metadata}
	service, err := url.Parse(startCloudFunction(t, l, dir, "Vend"))
	if err != nil {
		t.Fatal(err)
	}
	byURL, byService := l.FunctionURL(deploy(t, l, "aws", dir).Handler), l.Service(httputil.NewSingleHostReverseProxy(service), "serviceAccount:"+account)
	open := startFunction(t, l, "aws", dir)
	return map[string]struct{ args, env []string }{
		"a signature, at the iam door of AWS":              {[]string{"--url", byURL}, signing},
		"two ID tokens, at the iam door of Google Cloud":   {[]string{"--url", byService, "--audience", "https://carnet.lab"}, onGoogle},
		"an ID token, at the token door":                   {[]string{"--url", open, "--proof", "google", "--audience", "https://carnet.lab"}, onGoogle},
		"a projected token, with a newline behind it":      {[]string{"--url", open, "--proof", "file:" + file}, nil},
		"a token of the environment, as CI systems put it": {[]string{"--url", open, "--proof", "env:JOB_TOKEN"}, []string{"JOB_TOKEN=" + outbound}},
	}
}

// TestTheHelperBesideAJob: unmodified SDKs of both clouds, with a helper on loopback that
// proves the job to a deployment.
func TestTheHelperBesideAJob(t *testing.T) {
	l, dir := startSample(t)
	for name, x := range jobsProofs(t, l, dir) {
		t.Run(name, func(t *testing.T) {
			said := startHelper(t, append(environment(t, l, ""), x.env...), x.args...)
			t.Setenv("GCE_METADATA_HOST", said["GCE_METADATA_HOST"])
			provider := endpointcreds.New(said["AWS_CONTAINER_CREDENTIALS_FULL_URI"], func(o *endpointcreds.Options) {
				o.AuthorizationToken = read(t, said["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"])
			})
			store := s3Store{bucket: "acme-lake", client: s3.New(s3.Options{Region: region, HTTPClient: machine(t, l).Client(), Credentials: aws.NewCredentialsCache(provider)})}
			tryAll(t, []operation{
				{"AWS's SDK", func(ctx context.Context) error { return store.put(ctx, "from-operator/by-helper") }, true},
				{"Google's library", func(ctx context.Context) error {
					return listWith(ctx, l, t, google.ComputeTokenSource(""), "from-operator/")
				}, true},
			})
		})
	}
}

// TestTheHelperIsForTheJobAlone: others of the machine, and pages in a browser, get nothing.
func TestTheHelperIsForTheJobAlone(t *testing.T) {
	l, dir := startSample(t)
	_, outbound := workersTokens(t, l)
	file := filepath.Join(t.TempDir(), "token")
	if err := errors.Join(os.WriteFile(file, []byte("left open"), 0o600), os.Chmod(file, 0o644)); err != nil {
		t.Fatal(err)
	}
	said := startHelper(t, []string{"JOB_TOKEN=" + outbound, "HOME=" + t.TempDir()}, "--url", startServer(t, l, "aws", dir), "--proof", "env:JOB_TOKEN", "--token-file", file)
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 || read(t, file) == "left open" {
		t.Errorf("the token is in a file of mode %v", info.Mode())
	}
	token := "http://" + said["GCE_METADATA_HOST"] + "/computeMetadata/v1/instance/service-accounts/default/token"
	tryAll(t, []operation{
		{"AWS's SDK with another token", func(ctx context.Context) error {
			_, err := endpointcreds.New(said["AWS_CONTAINER_CREDENTIALS_FULL_URI"], func(o *endpointcreds.Options) { o.AuthorizationToken = "guess" }).Retrieve(ctx)
			return err
		}, false},
		{"a page in a browser, by the metadata path", func(ctx context.Context) error { return plainGet(ctx, token, "") }, false},
		{"a page whose own name leads here", func(ctx context.Context) error { return plainGet(ctx, token, "evil.example") }, false},
	})
	for _, args := range [][]string{{"--listen", "0.0.0.0:0"}, {"--listen", ":0"}, {"--url", "http://carnet.example"}} {
		cmd := exec.Command(built(t, "./cmd/carnet"), append([]string{"serve", "--local", "--tenant", "acme", "--url", "https://carnet.example", "--proof", "env:JOB_TOKEN"}, args...)...)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), args[0]) {
			t.Errorf("%v: %v: %s", args, err, out)
		}
	}
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
