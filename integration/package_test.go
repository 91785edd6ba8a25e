package integration

import (
	"archive/zip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
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

// TestThePackages builds what is deployed as scripts/package does, and the Cloud Function
// from its zip as the buildpack would. It takes half a minute: CARNET_PACKAGE=1 runs it, and
// scripts/test-peers does.
func TestThePackages(t *testing.T) {
	if os.Getenv("CARNET_PACKAGE") == "" {
		t.Skip("CARNET_PACKAGE is not set: scripts/test-peers builds the packages")
	}
	out := t.TempDir()
	cmd := exec.Command("go", "run", "./scripts/packager", "-out", out)
	cmd.Dir = ".."
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	info, err := os.Stat(filepath.Join(out, "awslambda-arm64.zip"))
	if err != nil || info.Size() > 3_500_000 {
		t.Errorf("the Lambda's zip has %d bytes, and 3,500,000 is the most: %v", info.Size(), err)
	}
	if names := unzip(t, filepath.Join(out, "awslambda-arm64.zip"), t.TempDir()); !slices.Equal(names, []string{"bootstrap"}) {
		t.Errorf("the Lambda's zip has %v", names)
	}
	dir := t.TempDir()
	names := unzip(t, filepath.Join(out, "gcpfunc.zip"), dir)
	for _, n := range names {
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
	cmd = exec.Command("go", "build", "-mod=vendor", "-o", filepath.Join(dir, "app"), "./serverless_function_app")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=", "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as the buildpack builds it: %v: %s", err, text)
	}
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
		if err := os.WriteFile(to, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return names
}
