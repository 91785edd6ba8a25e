package integration

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// bootstrap builds a Lambda as scripts/package does, for this machine.
func bootstrap(b *testing.B, pkg string) string {
	b.Helper()
	at := filepath.Join(b.TempDir(), "bootstrap")
	cmd := exec.Command("go", "build", "-trimpath", "-tags", "lambda.norpc,nethttpomithttp2", "-ldflags", "-s -w -buildid=", "-o", at, "carnet.dev/carnet/"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return at
}

// BenchmarkStart starts the Lambda and a bare one by turns, each until it asks for its
// first event, and reports the median of each, their ratio, and their binaries' sizes. The
// catalog is a folder, and no connection is opened beforehand: each of these takes trips, and
// saves a request more.
func BenchmarkStart(b *testing.B) {
	carnet, bare := bootstrap(b, "functions/awslambda"), bootstrap(b, "integration/bare")
	start := starter(b)
	var ours, theirs []time.Duration
	for range 5 { // the page cache
		start(carnet)
		start(bare)
	}
	for b.Loop() {
		ours, theirs = append(ours, start(carnet)), append(theirs, start(bare))
	}
	mine, least := median(ours), median(theirs)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(millis(mine), "ms/carnet")
	b.ReportMetric(millis(least), "ms/bare")
	b.ReportMetric(float64(mine)/float64(least), "ratio")
	b.ReportMetric(megabytes(b, carnet), "MB/carnet")
	b.ReportMetric(megabytes(b, bare), "MB/bare")
}

// starter starts a program as Lambda does, and tells how long it took to ask for an event.
func starter(b *testing.B) func(program string) time.Duration {
	ready := make(chan struct{}, 1)
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ready <- struct{}{}
		<-r.Context().Done()
	}))
	b.Cleanup(func() { api.CloseClientConnections(); api.Close() })
	catalog, err := filepath.Abs("lab/sample/catalog")
	if err != nil {
		b.Fatal(err)
	}
	env := []string{
		"AWS_LAMBDA_RUNTIME_API=" + api.Listener.Addr().String(), "CARNET_FUNCTION=vend", "CARNET_WARM=off", "CARNET_RUNTIME=aws", "CARNET_CATALOG=" + catalog,
		"AWS_REGION=eu-west-1", "AWS_ACCESS_KEY_ID=ASIAX", "AWS_SECRET_ACCESS_KEY=x", "AWS_SESSION_TOKEN=x",
	}
	return func(program string) time.Duration {
		cmd := exec.Command(program)
		cmd.Env = env
		began := time.Now()
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		<-ready
		took := time.Since(began)
		cmd.Process.Kill()
		cmd.Wait()
		return took
	}
}

func megabytes(b *testing.B, file string) float64 {
	info, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	return float64(info.Size()) / 1e6
}
