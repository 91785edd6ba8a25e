package integration

import (
	"archive/zip"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// generated is the main that functions-framework's buildpack writes beside a function.
// https://github.com/GoogleCloudPlatform/buildpacks/tree/main/cmd/go/functions_framework
const generated = `package main

import (
	"log"
	"os"

	_ "carnet.dev/carnet"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"
)

func main() {
	port := "8080"
	if p := os.Getenv("PORT"); p != "" {
		port = p
	}
	if err := funcframework.StartHostPort("127.0.0.1", port); err != nil {
		log.Fatalf("funcframework.Start: %v\n", err)
	}
}
`

// TestThePackages builds what is deployed as scripts/package does, each thing twice, and runs
// it: the Lambda's artefact on this machine's architecture, and the Cloud Function built from
// its zip as the buildpack would. It takes a minute or two: CARNET_PACKAGE=1 runs it, and
// scripts/test-peers does.
func TestThePackages(t *testing.T) {
	if os.Getenv("CARNET_PACKAGE") == "" {
		t.Skip("CARNET_PACKAGE is not set: scripts/test-peers builds the packages")
	}
	out := t.TempDir()
	cmd := exec.Command("scripts/package", "-out", out)
	cmd.Dir = ".."
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	l, dir := startSample(t)
	for _, arch := range []string{"arm64", "amd64"} {
		program := lambdaOf(t, filepath.Join(out, "awslambda-"+arch+".zip"))
		billed(t, filepath.Join(out, "awslambda-"+arch+".cdx.json"), program)
		if arch != runtime.GOARCH || runtime.GOOS != "linux" {
			continue
		}
		f := startRuntime(t, program, append(environment(t, l, dir, asLambda(t, l)...), "CARNET_FUNCTION=vend"))
		if status, body := answered(t, "", f.invoke(t, urlEvent("POST", "/v1/credentials", lakeRequest, nil))); status != 200 {
			t.Errorf("%s: %d %s", arch, status, body)
		}
	}
	google, _ := workersTokens(t, l)
	function := cloudFunctionOf(t, filepath.Join(out, "gcpfunc.zip"))
	billed(t, filepath.Join(out, "gcpfunc.cdx.json"), function)
	at := startFrameworks(t, l, dir, function, "Vend")
	if status, body := call(t, "POST", at+"/v1/credentials", lakeRequest, "Authorization", "Bearer "+google); status != 200 {
		t.Errorf("the Cloud Function: %d %s", status, body)
	}
}

// lambdaOf takes a Lambda's zip apart: one executable, under the size that is promised, with
// no gRPC in it.
func lambdaOf(t *testing.T, file string) (program string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil || info.Size() > 3_850_000 {
		t.Errorf("%s has %d bytes, and 3,850,000 is the most: %v", file, info.Size(), err)
	}
	dir := t.TempDir()
	if names := unzip(t, file, dir); !slices.Equal(names, []string{"bootstrap"}) {
		t.Errorf("%s has %v", file, names)
	}
	program = filepath.Join(dir, "bootstrap")
	linked, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range linked.Deps {
		if m.Path == "google.golang.org/grpc" {
			t.Errorf("%s links gRPC", file)
		}
	}
	return program
}

// billed holds a bill of materials against what is linked: the same modules of the same
// versions, and the standard library of some Go.
func billed(t *testing.T, file, program string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Components []struct{ Name, Version string }
	}
	linked, err := buildinfo.ReadFile(program)
	if err := errors.Join(err, json.Unmarshal(text, &bill)); err != nil {
		t.Fatal(err)
	}
	var billed, modules []string
	for _, c := range bill.Components {
		if c.Name == "std" && strings.HasPrefix(c.Version, "go1.") {
			c.Version = ""
		}
		billed = append(billed, c.Name+" "+c.Version)
	}
	modules = append(modules, "std ")
	for _, m := range linked.Deps {
		modules = append(modules, m.Path+" "+m.Version)
	}
	slices.Sort(billed)
	slices.Sort(modules)
	if !slices.Equal(billed, modules) {
		t.Errorf("%s lists\n%v\nand %s links\n%v", file, billed, program, modules)
	}
}

// cloudFunctionOf builds a function from its source as the buildpack does.
func cloudFunctionOf(t *testing.T, file string) (program string) {
	t.Helper()
	dir := t.TempDir()
	for _, n := range unzip(t, file, dir) {
		if strings.HasSuffix(n, "_test.go") && !strings.HasPrefix(n, "vendor/") || n != "function.go" && !strings.Contains(n, "/") && strings.HasSuffix(n, ".go") {
			t.Errorf("the source has %s, which the buildpack would count", n)
		}
		if strings.HasPrefix(n, "vendor/google.golang.org/grpc/") {
			t.Fatalf("the source links gRPC: %s", n)
		}
	}
	app := filepath.Join(dir, "serverless_function_app")
	if err := os.Mkdir(app, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(app, "main.go"), []byte(generated), 0o644); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "app")
	cmd := exec.Command("go", "build", "-mod=vendor", "-o", program, "./serverless_function_app")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as the buildpack builds it: %v: %s", err, text)
	}
	return program
}

func unzip(t *testing.T, file, dir string) []string {
	t.Helper()
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
		to := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		from, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(from)
		from.Close()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(to, text, f.Mode()); err != nil {
			t.Fatal(err)
		}
	}
	return names
}
