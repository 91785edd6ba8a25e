// Packager builds what is deployed, into dist/: the zip of the Lambda function for each
// architecture, the source zip of the Cloud Function, and for each of them a bill of
// materials. Each is built twice, and must have the same hash both times.
package main

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	out := flag.String("out", "dist", "where the zips go")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "package:", err)
		os.Exit(1)
	}
}

func run(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	for name, build := range map[string]func(string) ([]byte, error){
		"awslambda-arm64.zip":      func(dir string) ([]byte, error) { return lambda(dir, "arm64") },
		"awslambda-amd64.zip":      func(dir string) ([]byte, error) { return lambda(dir, "amd64") },
		"gcpfunc.zip":              source,
		"awslambda-arm64.cdx.json": func(dir string) ([]byte, error) { return lambdaMaterials(dir, "arm64") },
		"awslambda-amd64.cdx.json": func(dir string) ([]byte, error) { return lambdaMaterials(dir, "amd64") },
		"gcpfunc.cdx.json":         functionMaterials,
	} {
		if err := twice(filepath.Join(out, name), build); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// twice builds in two folders of different names, so that a path which got into a build
// shows.
func twice(to string, build func(dir string) ([]byte, error)) error {
	var first []byte
	for i := range 2 {
		dir, err := os.MkdirTemp("", strings.Repeat("carnet-package-", i+1))
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		text, err := build(dir)
		if err != nil {
			return err
		}
		if i == 0 {
			first = text
		} else if !bytes.Equal(first, text) {
			return fmt.Errorf("two builds differ: %s and %s", digest(first), digest(text))
		}
	}
	fmt.Printf("%s  %s  %d bytes\n", digest(first), to, len(first))
	return os.WriteFile(to, first, 0o644)
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// lambda packs the executable that provided.al2023 looks for.
func lambda(dir, arch string) ([]byte, error) {
	if _, err := bootstrap(dir, arch); err != nil {
		return nil, err
	}
	return zipped(dir, []string{"bootstrap"})
}

// bootstrap builds the Lambda's executable. The tags leave out what a Lambda has no use for:
// net/rpc, of a runtime that is gone, and HTTP/2, since a function serves one request at a
// time and has nothing to multiplex.
func bootstrap(dir, arch string) (at string, err error) {
	at = filepath.Join(dir, "bootstrap")
	return at, compile(at, arch, "./functions/awslambda", "-tags", "lambda.norpc,nethttpomithttp2")
}

func compile(at, arch, pkg string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-o", at}, flags...)
	cmd := exec.Command("go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOFLAGS=")
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w: %s", err, text)
	}
	return nil
}

// root is the one package that the Go buildpack reads, at the root of the source. It
// brings in the function, which registers itself.
const root = `// Package carnet is what Cloud Functions builds: the function registers itself.
package carnet

import (
	_ "github.com/GoogleCloudPlatform/functions-framework-go/functions"

	_ "carnet.dev/carnet/functions/gcpfunc"
)
`

// source lays out what the buildpack accepts: the module with the packages that the
// function needs, the root package, and everything else vendored.
func source(dir string) ([]byte, error) {
	files, err := needed()
	if err != nil {
		return nil, err
	}
	for _, f := range append(files, "go.mod", "go.sum") {
		if err := copied(f, filepath.Join(dir, f)); err != nil {
			return nil, err
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "function.go"), []byte(root), 0o644); err != nil {
		return nil, err
	}
	cmd := exec.Command("go", "mod", "vendor")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go mod vendor: %w: %s", err, text)
	}
	var all []string
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		all = append(all, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	return zipped(dir, all)
}

// needed lists the module's own files that the function is made of, without tests: the
// buildpack would count them.
func needed() ([]string, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", `{{if and (not .Standard) .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}
{{end}}{{range .EmbedFiles}}{{$d}}/{{.}}
{{end}}{{end}}{{end}}`, "./functions/gcpfunc/...")
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOOS=linux", "GOARCH=amd64")
	text, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, f := range strings.Fields(string(text)) {
		name, err := filepath.Rel(here, f)
		if err != nil {
			return nil, err
		}
		files = append(files, name)
	}
	return files, nil
}

func copied(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

// made is the one time of every file in a zip: the earliest that the format has.
var made = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// zipped packs files in the order of their names, all of one time, so that equal files
// make an equal zip.
func zipped(dir string, names []string) ([]byte, error) {
	slices.Sort(names)
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) { return flate.NewWriter(w, flate.BestCompression) })
	for _, name := range names {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		h := &zip.FileHeader{Name: name, Method: zip.Deflate, Modified: made}
		h.SetMode(0o644)
		if info.Mode()&0o100 != 0 {
			h.SetMode(0o755)
		}
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return out.Bytes(), err
}
