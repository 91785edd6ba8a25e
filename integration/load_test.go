package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"carnet.dev/carnet/functions/awslambda/functionurl"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// BenchmarkFunction asks both functions for what is kept: Lambda's from the event in to the
// event out, with the catalog in a folder and in a bucket, the Cloud Function's over its framework and the HTTP of loopback, with the
// caller's token verified.
func BenchmarkFunction(b *testing.B) {
	l, dir := onlyRole(b)
	u := functionurl.URL{API: deployed(b, seatOf(b, l, "aws"), "aws", dir, false).Handler}
	withBucket := startBuckets(b)
	v := functionurl.URL{API: deployed(b, seatOf(b, withBucket, "aws"), "aws", "s3://carnet-catalog/live?region=eu-west-1", false).Handler}
	event := []byte(urlEvent("POST", "/v1/credentials", lakeRequest, nil))
	for mode, handler := range map[string]lambda.Handler{
		"lambda-buffered": lambda.NewHandler(u), "lambda-streamed": lambda.NewHandler(u.Stream), "lambda-buffered-bucket": lambda.NewHandler(v),
	} {
		b.Run(mode, func(b *testing.B) {
			again(b, func(ctx context.Context) error {
				answer, err := handler.Invoke(ctx, event)
				if err == nil && !bytes.Contains(answer, []byte("session_token")) {
					err = fmt.Errorf("no credential: %s", answer)
				}
				return err
			})
		})
	}
	b.Run("cloud-function", func(b *testing.B) {
		google, _ := workersTokens(b, l)
		at := startCloudFunction(b, l, dir, "Vend")
		for b.Loop() {
			if status, body := call(b, http.MethodPost, at+"/v1/credentials", lakeRequest, "Authorization", "Bearer "+google); status != http.StatusOK {
				b.Fatal(status, body)
			}
		}
	})
}

// A sky answers AssumeRole for whatever role is asked for, at once: beside it, what is
// measured is carnet. Its session tokens are of a size that AWS's often have.
type sky struct{ token string }

func newSky() http.RoundTripper { return sky{strings.Repeat("FwoGZXIvYXdzE", 80)} }

const skyAnswer = `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY</SecretAccessKey><SessionToken>%s%s</SessionToken><Expiration>%s</Expiration></Credentials><AssumedRoleUser><Arn>%s/%s</Arn></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`

// RoundTrip implements [http.RoundTripper].
func (s sky) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	name := r.PostForm.Get("RoleSessionName")
	arn := strings.Replace(strings.Replace(r.PostForm.Get("RoleArn"), ":iam:", ":sts:", 1), ":role/", ":assumed-role/", 1)
	text := fmt.Sprintf(skyAnswer, s.token, name, time.Now().Add(time.Hour).UTC().Format(time.RFC3339), arn, name)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"text/xml"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

const manyTenants = 10_000

func roleOf(tenant int) (own, share string) {
	return fmt.Sprint("arn:aws:iam::111122223333:role/carnet-t-", tenant), fmt.Sprint("arn:aws:iam::999988887777:role/share-", tenant)
}

// manyFiles is a catalog of 10,000 tenants, each with a role and a bucket.
func manyFiles(t testing.TB) string {
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	for i := range manyTenants {
		own, share := roleOf(i)
		text := fmt.Sprintf("tenant: t%d\nidentities: {aws: {role: %q, external_id: own-%d}}\ncallers: [{aws: %q}]\ndestinations:\n  lake: {kind: s3, role: %q, external_id: id-%d, region: eu-west-1, bucket: lake-%d, prefixes: [a/], access: read_write, verified: 2026-11-20}\n",
			i, own, i, workerARN, share, i, i)
		if err := os.WriteFile(filepath.Join(dir, "tenants", fmt.Sprintf("t%d.yaml", i)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func someKey() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider("ASIAIOSFODNN7EXAMPLE", "secret", "token")
}

func underSky(t testing.TB, dir string) *deployment.Deployment {
	d, err := deployment.New(context.Background(), deployment.Config{
		Catalog: dir, Runtime: "aws", Audit: io.Discard, HTTP: &http.Client{Transport: newSky()}, Credentials: someKey(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// BenchmarkMemory keeps one credential for each of 10,000 tenants, with the tenants' own
// sessions and, in carnet, their linked files.
func BenchmarkMemory(b *testing.B) {
	dir := manyFiles(b)
	for name, fill := range map[string]func(testing.TB) any{
		"carnet": func(t testing.TB) any {
			d := underSky(t, dir)
			for i := range manyTenants {
				if _, err := vend(context.Background(), d, fmt.Sprint("t", i), "lake"); err != nil {
					t.Fatal(err)
				}
			}
			return d
		},
		"stscreds": func(t testing.TB) any {
			web := &http.Client{Transport: newSky()}
			all := make([]aws.CredentialsProvider, manyTenants)
			for i := range all {
				own, share := roleOf(i)
				all[i] = role(web, role(web, someKey(), own, fmt.Sprint("own-", i)), share, fmt.Sprint("id-", i))
				if _, err := all[i].Retrieve(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
			return all
		},
	} {
		b.Run("tenants=10000/by="+name, func(b *testing.B) {
			var grown float64
			for b.Loop() {
				before := heap()
				held := fill(b)
				grown = heap() - before
				runtime.KeepAlive(held)
			}
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(grown/1e6, "MB-kept")
		})
	}
}

func heap() float64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// BenchmarkLoad asks for kept credentials of 10,000 tenants, all mixed, through the API: as
// fast as it goes with eight callers, and at a steady rate, where a request that must wait
// its turn is slower by that.
func BenchmarkLoad(b *testing.B) {
	d := underSky(b, manyFiles(b))
	ask := asWorker(d.Handler)
	for i := range manyTenants {
		if !ask(i) {
			b.Fatal("no credential for tenant ", i)
		}
	}
	b.Run("tenants=10000/callers=8", func(b *testing.B) {
		report(b, func(n int) []time.Duration { return callers(8, n, ask) })
	})
	b.Run("tenants=10000/rate=2000", func(b *testing.B) {
		report(b, func(n int) []time.Duration { return atRate(2000, n, ask) })
	})
}

// asWorker asks for a tenant's credential as the job that may have all.
func asWorker(h http.Handler) func(tenant int) bool {
	ctx := api.WithPrincipal(context.Background(), exchange.Caller{Issuer: "aws", Subject: workerARN})
	return func(tenant int) bool {
		body := strings.NewReader(fmt.Sprintf(`{"tenant":"t%d","destination":"lake"}`, tenant))
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v1/credentials", body)
		if err != nil {
			return false
		}
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code == http.StatusOK
	}
}

func report(b *testing.B, load func(n int) []time.Duration) {
	b.ReportAllocs()
	b.ResetTimer()
	began := time.Now()
	took := load(b.N)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(len(took))/time.Since(began).Seconds(), "requests/s")
	b.ReportMetric(millis(percentile(took, 50)), "ms-p50")
	b.ReportMetric(millis(percentile(took, 99)), "ms-p99")
}

// callers ask one request after the other, n in all.
func callers(many, n int, ask func(int) bool) []time.Duration {
	all := make([][]time.Duration, many)
	var done sync.WaitGroup
	for c := range many {
		done.Go(func() {
			for i := c; i < n; i += many {
				began := time.Now()
				if ask(rand.IntN(manyTenants)) {
					all[c] = append(all[c], time.Since(began))
				}
			}
		})
	}
	done.Wait()
	var took []time.Duration
	for _, c := range all {
		took = append(took, c...)
	}
	return took
}

// atRate begins a request each time that one is due, however many are under way, and counts
// from when it was due.
func atRate(second, n int, ask func(int) bool) []time.Duration {
	took := make([]time.Duration, n)
	var done sync.WaitGroup
	began := time.Now()
	for i := range n {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(second))
		time.Sleep(time.Until(due))
		done.Go(func() {
			if ask(rand.IntN(manyTenants)) {
				took[i] = time.Since(due)
			}
		})
	}
	done.Wait()
	return took
}
