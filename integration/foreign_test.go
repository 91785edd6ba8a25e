package integration

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/api"
)

// The clients of this file are other languages', unmodified. scripts/test-peers installs
// them and says where they are: CARNET_PYTHON, CARNET_AWSCLI and CARNET_RCLONE name programs,
// CARNET_NODE a folder with the packages of integration/foreign/package.json.

// plain serves one of the lab's services without TLS, as these clients allow on loopback.
func plain(t *testing.T, l *lab.Lab, h http.Handler) string {
	t.Helper()
	address, err := l.Serve(h, false)
	if err != nil {
		t.Fatal(err)
	}
	return "http://" + address
}

// foreignEnvironment points a client at the lab and at carnet, and at nothing of this
// machine.
func foreignEnvironment(t *testing.T, l *lab.Lab, dir string) []string {
	t.Helper()
	google, outbound := workersTokens(t, l)
	home := t.TempDir()
	proof, file := filepath.Join(home, "token"), filepath.Join(home, "adc.json")
	adc := `{"type":"external_account","audience":"` + api.Audience("acme", "drop") + `","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
		"token_url":"` + startFunction(t, l, "gcp", dir) + `/v1/token","credential_source":{"file":"` + proof + `"}}`
	for name, text := range map[string]string{proof: google, file: adc} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GOOGLE_APPLICATION_CREDENTIALS=" + file, "GOOGLE_CLOUD_PROJECT=acme-prod",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI=" + startFunction(t, l, "aws", dir) + "/v1/tenants/acme/destinations/lake/aws",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN=" + outbound, "AWS_REGION=eu-west-1", "AWS_DEFAULT_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true",
		"LAB_S3=" + plain(t, l, l.AWS.S3()), "LAB_GCS=" + plain(t, l, l.Google.Storage()),
	}
}

// besideTheHelper points a client at `carnet serve --local`: AWS's by the container endpoint
// and Google's by the metadata server.
func besideTheHelper(t *testing.T, l *lab.Lab, dir string) []string {
	t.Helper()
	_, outbound := workersTokens(t, l)
	env := []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "GOOGLE_CLOUD_PROJECT=acme-prod", "AWS_EC2_METADATA_DISABLED=true",
		"LAB_S3=" + plain(t, l, l.AWS.S3()), "LAB_GCS=" + plain(t, l, l.Google.Storage()),
	}
	for name, value := range startHelper(t, []string{"HOME=" + t.TempDir(), "JOB_TOKEN=" + outbound}, "--proof", "env:JOB_TOKEN", "--url", startFunction(t, l, "aws", dir)) {
		env = append(env, name+"="+value)
	}
	return env
}

// inBothWays runs a client's script at the token door, and beside the helper.
func inBothWays(t *testing.T, run func(t *testing.T, env []string)) {
	t.Helper()
	l, dir := startSample(t)
	for way, environment := range map[string]func(*testing.T, *lab.Lab, string) []string{"at the token door": foreignEnvironment, "beside the helper": besideTheHelper} {
		t.Run(way, func(t *testing.T) { run(t, environment(t, l, dir)) })
	}
}

// withAProfile points a client at a profile as docs/use.md has it, for AWS, and at an
// external_account file for Google.
func withAProfile(t *testing.T, l *lab.Lab, dir string) []string {
	t.Helper()
	_, outbound := workersTokens(t, l)
	profiles := filepath.Join(t.TempDir(), "config")
	text := fmt.Sprintf("[profile acme-lake]\nregion = eu-west-1\ncredential_process = %q vend acme/lake --format aws --proof env:JOB_TOKEN --url %s\n",
		built(t, "./cmd/carnet"), startFunction(t, l, "aws", dir))
	if err := os.WriteFile(profiles, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	env := slices.DeleteFunc(foreignEnvironment(t, l, dir), func(v string) bool { return strings.HasPrefix(v, "AWS_CONTAINER_") })
	return append(env, "AWS_CONFIG_FILE="+profiles, "JOB_TOKEN="+outbound)
}

// onUse is the one block of docs/use.md that begins so.
func onUse(t *testing.T, beginning string) string {
	t.Helper()
	for _, b := range blocksOf(t, "docs/use.md") {
		if strings.HasPrefix(b.text, beginning) {
			return b.text
		}
	}
	t.Fatalf("docs/use.md has no block that begins with %s", beginning)
	return ""
}

func runForeign(t *testing.T, env []string, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env, cmd.Dir = env, dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	t.Logf("%s", out)
}

func TestPythonClients(t *testing.T) {
	python := os.Getenv("CARNET_PYTHON")
	if python == "" {
		t.Skip("CARNET_PYTHON names no Python with the packages: scripts/test-peers installs one and runs this test")
	}
	inBothWays(t, func(t *testing.T, env []string) {
		for _, script := range []string{"s3.py", "gcs.py"} {
			runForeign(t, env, "foreign", python, script)
		}
	})
}

func TestJavaScriptClients(t *testing.T) {
	packages := os.Getenv("CARNET_NODE")
	if packages == "" {
		t.Skip("CARNET_NODE names no folder with the packages: scripts/test-peers installs them and runs this test")
	}
	inBothWays(t, func(t *testing.T, env []string) {
		for _, script := range []string{"s3.mjs", "gcs.mjs"} {
			text, err := os.ReadFile(filepath.Join("foreign", script))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(packages, script), text, 0o600); err != nil {
				t.Fatal(err)
			}
			runForeign(t, env, packages, "node", script)
		}
	})
}

func TestAWSCommandLine(t *testing.T) {
	cli := os.Getenv("CARNET_AWSCLI")
	if cli == "" {
		t.Skip("CARNET_AWSCLI names no aws: scripts/test-peers installs it and runs this test")
	}
	l, dir := startSample(t)
	env := foreignEnvironment(t, l, dir)
	s3 := strings.TrimPrefix(env[len(env)-2], "LAB_S3=")
	file := filepath.Join(t.TempDir(), "hello")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	runForeign(t, env, ".", cli, "--endpoint-url", s3, "s3", "cp", file, "s3://acme-lake/from-operator/by-cli")
	runForeign(t, env, ".", cli, "--endpoint-url", s3, "s3", "ls", "s3://acme-lake/from-operator/")
	refusedForeign(t, env, "AccessDenied", cli, "--endpoint-url", s3, "s3", "cp", file, "s3://acme-lake/theirs/by-cli")
}

// refusedForeign runs what is outside the prefix, and fails unless it is told so.
func refusedForeign(t *testing.T, env []string, words, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), words) {
		t.Errorf("outside the prefix: %v\n%s", err, out)
	}
}

// TestRclone copies to both clouds with the configuration of docs/use.md, pointed at the lab:
// at S3 with TLS, since it streams to nothing else, and without the checksums behind a body,
// which the lab's S3 does not read.
func TestRclone(t *testing.T) {
	rclone := os.Getenv("CARNET_RCLONE")
	if rclone == "" {
		t.Skip("CARNET_RCLONE names no rclone: scripts/test-peers builds it and runs this test")
	}
	l, dir := startSample(t)
	s3, err := l.Serve(l.AWS.S3(), true)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	config := strings.NewReplacer("type = s3", "type = s3\nuse_data_integrity_protections = false\nendpoint = https://"+s3,
		"type = google cloud storage", "type = google cloud storage\nendpoint = "+plain(t, l, l.Google.Storage())+"/storage/v1/").Replace(onUse(t, "[lake]"))
	for name, text := range map[string]string{"rclone.conf": config, "ca.pem": string(l.CA.PEM()), "hello": "hello"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := append(withAProfile(t, l, dir), "RCLONE_CONFIG="+filepath.Join(home, "rclone.conf"), "RCLONE_CA_CERT="+filepath.Join(home, "ca.pem"), "RCLONE_RETRIES=1", "RCLONE_LOW_LEVEL_RETRIES=1")
	file := filepath.Join(home, "hello")
	for _, bucket := range []string{"lake:acme-lake", "drop:acme-drop"} {
		runForeign(t, env, home, rclone, "copyto", file, bucket+"/from-operator/by-rclone")
		refusedForeign(t, env, "403", rclone, "copyto", file, bucket+"/theirs/by-rclone")
	}
	runForeign(t, env, home, rclone, "cat", "lake:acme-lake/from-operator/by-rclone")
}

// TestDuckDB writes and reads with the secret of docs/use.md, pointed at the lab.
func TestDuckDB(t *testing.T) {
	python := os.Getenv("CARNET_PYTHON")
	if python == "" {
		t.Skip("CARNET_PYTHON names no Python with the packages: scripts/test-peers installs one and runs this test")
	}
	l, dir := startSample(t)
	secret, _, _ := strings.Cut(onUse(t, "CREATE SECRET lake"), ";")
	s3 := strings.TrimPrefix(plain(t, l, l.AWS.S3()), "http://")
	secret = strings.Replace(secret, "REFRESH auto,", "REFRESH auto, ENDPOINT '"+s3+"', USE_SSL false, URL_STYLE 'path',", 1)
	runForeign(t, append(withAProfile(t, l, dir), "DUCKDB_SECRET="+secret), "foreign", python, "lake.py")
}
