package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	gauth "cloud.google.com/go/auth/credentials/externalaccount"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/oauth2"
	xoauth "golang.org/x/oauth2/google/externalaccount"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// The benchmarks of this file hold carnet against what a user would otherwise assemble,
// each used as its own documentation says, on the same lab in the same run. scripts/bench
// prints them as one table.

const share = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/share@acme-prod.iam.gserviceaccount.com:generateAccessToken"

// A rival gets one credential, with nothing cached and no connection open, from a machine
// of its own.
type rival struct {
	name string
	// make sets everything up that is no part of a first request.
	make func(testing.TB, *lab.Lab, *http.Client) func(context.Context) error
}

// fromLambda is what Lambda gives a function.
func fromLambda(t testing.TB, l *lab.Lab) aws.CredentialsProvider {
	s, err := l.AWS.RoleSession(function, "carnet-vend")
	if err != nil {
		t.Fatal(err)
	}
	return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
}

// tenantRole is the tenant's role by stscreds, as the SDK's documentation has it.
func tenantRole(t testing.TB, l *lab.Lab, web *http.Client) aws.CredentialsProvider {
	client := sts.New(sts.Options{Region: region, HTTPClient: web, Credentials: fromLambda(t, l)})
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, tenant, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID, o.Duration = aws.String(tenantsID), time.Hour
	}))
}

func carnet(destination string, warm bool, dir string) func(testing.TB, *lab.Lab, *http.Client) func(context.Context) error {
	return func(t testing.TB, l *lab.Lab, web *http.Client) func(context.Context) error {
		d, err := deployment.New(context.Background(), deployment.Config{Catalog: dir, Runtime: "aws", Audit: io.Discard, Ahead: true, HTTP: web, Credentials: fromLambda(t, l)})
		if err != nil {
			t.Fatal(err)
		}
		if warm {
			d.Warm(context.Background())
		}
		return func(ctx context.Context) error {
			_, err := d.Broker.Vend(ctx, exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: destination})
			return err
		}
	}
}

// toBigQuery is Lambda → the tenant's role → the customer's service account: three hosts.
func toBigQuery(dir string) []rival {
	return []rival{
		{"carnet", carnet("warehouse", false, dir)},
		{"carnet-opened-in-init", carnet("warehouse", true, dir)},
		{"x-oauth2", func(t testing.TB, l *lab.Lab, web *http.Client) func(context.Context) error {
			from := supplier{tenantRole(t, l, web)}
			return func(ctx context.Context) error {
				source, err := xoauth.NewTokenSource(context.WithValue(ctx, oauth2.HTTPClient, web), xoauth.Config{
					Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
					TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{"https://www.googleapis.com/auth/bigquery"},
					ServiceAccountImpersonationURL: share, AwsSecurityCredentialsSupplier: from,
				})
				if err != nil {
					return err
				}
				_, err = source.Token()
				return err
			}
		}},
		{"cloud-auth", func(t testing.TB, l *lab.Lab, web *http.Client) func(context.Context) error {
			from := gSupplier{supplier{tenantRole(t, l, web)}}
			return func(ctx context.Context) error {
				creds, err := gauth.NewCredentials(&gauth.Options{
					Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request", Client: web,
					TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{"https://www.googleapis.com/auth/bigquery"},
					ServiceAccountImpersonationURL: share, AwsSecurityCredentialsProvider: from,
				})
				if err != nil {
					return err
				}
				_, err = creds.Token(ctx)
				return err
			}
		}},
	}
}

// toS3 is Lambda → the tenant's role → the customer's role: one host, two calls.
func toS3(dir string) []rival {
	return []rival{
		{"carnet", carnet("lake", false, dir)},
		{"carnet-opened-in-init", carnet("lake", true, dir)},
		{"stscreds", func(t testing.TB, l *lab.Lab, web *http.Client) func(context.Context) error {
			client := sts.New(sts.Options{Region: region, HTTPClient: web, Credentials: tenantRole(t, l, web)})
			theirs := aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, "arn:aws:iam::999988887777:role/acme-share", func(o *stscreds.AssumeRoleOptions) {
				o.ExternalID = aws.String("3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40")
			}))
			return func(ctx context.Context) error {
				_, err := theirs.Retrieve(ctx)
				return err
			}
		}},
	}
}

// onlyRole is the sample's catalog with the tenant's account taken out, so that everybody
// walks the same chain.
func onlyRole(b testing.TB) (*lab.Lab, string) {
	l, dir := startSample(b)
	change(b, dir, "acme", "  gcp:\n    service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com\n", "")
	return l, dir
}

func BenchmarkCold(b *testing.B) {
	l, dir := onlyRole(b)
	for chain, rivals := range map[string][]rival{"BigQuery": toBigQuery(dir), "S3": toS3(dir)} {
		for _, rtt := range []time.Duration{0, 20 * time.Millisecond} {
			for _, r := range rivals {
				b.Run(fmt.Sprintf("to=%s/rtt=%s/by=%s", chain, rtt, r.name), func(b *testing.B) { cold(b, l, rtt, r) })
			}
		}
	}
}

func cold(b *testing.B, l *lab.Lab, rtt time.Duration, r rival) {
	l.Far(rtt)
	defer l.Far(0)
	var took time.Duration
	var trips, opened int
	for b.Loop() {
		m, err := l.Machine("")
		if err != nil {
			b.Fatal(err)
		}
		get := r.make(b, l, m.Client())
		l.Calls()
		had := m.Opened()
		began := time.Now()
		if err := get(b.Context()); err != nil {
			b.Fatal(err)
		}
		took += time.Since(began)
		trips, opened = lab.Trips(l.Calls()), m.Opened()-had
	}
	b.ReportMetric(float64(took.Microseconds())/float64(b.N)/1000, "ms/chain")
	b.ReportMetric(float64(trips), "trips")
	b.ReportMetric(float64(opened), "connections")
}

// BenchmarkStorm sends 64 callers at once after one cold key, upstream 50 ms away.
func BenchmarkStorm(b *testing.B) {
	l, dir := onlyRole(b)
	for _, r := range toBigQuery(dir) {
		if r.name == "carnet-opened-in-init" {
			continue
		}
		b.Run("by="+r.name, func(b *testing.B) {
			l.Far(50 * time.Millisecond)
			defer l.Far(0)
			var calls int
			var spread time.Duration
			for b.Loop() {
				m, err := l.Machine("")
				if err != nil {
					b.Fatal(err)
				}
				get := shared(b, r, l, m.Client())
				l.Calls()
				var mu sync.Mutex
				var done []time.Time
				var all sync.WaitGroup
				for range 64 {
					all.Go(func() {
						if err := get(context.Background()); err != nil {
							b.Error(err)
						}
						mu.Lock()
						defer mu.Unlock()
						done = append(done, time.Now())
					})
				}
				all.Wait()
				slices.SortFunc(done, time.Time.Compare)
				calls, spread = lab.Trips(l.Calls()), done[len(done)-1].Sub(done[0])
			}
			b.ReportMetric(float64(calls), "upstream-calls")
			b.ReportMetric(float64(spread.Microseconds())/1000, "ms-last-first")
		})
	}
}

// shared is one source for all callers, as each library is meant to be used.
func shared(b *testing.B, r rival, l *lab.Lab, web *http.Client) func(context.Context) error {
	switch r.name {
	case "x-oauth2":
		source, err := xoauth.NewTokenSource(context.WithValue(b.Context(), oauth2.HTTPClient, web), xoauth.Config{
			Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
			TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{"https://www.googleapis.com/auth/bigquery"},
			ServiceAccountImpersonationURL: share, AwsSecurityCredentialsSupplier: supplier{tenantRole(b, l, web)},
		})
		if err != nil {
			b.Fatal(err)
		}
		return func(context.Context) error { _, err := source.Token(); return err }
	case "cloud-auth":
		creds, err := gauth.NewCredentials(&gauth.Options{
			Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request", Client: web,
			TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{"https://www.googleapis.com/auth/bigquery"},
			ServiceAccountImpersonationURL: share, AwsSecurityCredentialsProvider: gSupplier{supplier{tenantRole(b, l, web)}},
		})
		if err != nil {
			b.Fatal(err)
		}
		return func(ctx context.Context) error { _, err := creds.Token(ctx); return err }
	}
	return r.make(b, l, web)
}

// BenchmarkWarm asks for what is kept: the look-up of the tenant's file and the audit record
// are in carnet's, and in nobody else's.
func BenchmarkWarm(b *testing.B) {
	l, dir := onlyRole(b)
	m, err := l.Machine("")
	if err != nil {
		b.Fatal(err)
	}
	for _, r := range append(toBigQuery(dir), toS3(dir)[2]) {
		if r.name == "carnet-opened-in-init" {
			continue
		}
		b.Run("by="+r.name, func(b *testing.B) {
			get := shared(b, r, l, m.Client())
			if err := get(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := get(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkColdAllocs counts the allocations of a three-trip chain on the asking side alone:
// answers that were recorded before are played back.
func BenchmarkColdAllocs(b *testing.B) {
	l, dir := onlyRole(b)
	for _, r := range toBigQuery(dir) {
		if r.name == "carnet-opened-in-init" {
			continue
		}
		b.Run("by="+r.name, func(b *testing.B) {
			m, err := l.Machine("")
			if err != nil {
				b.Fatal(err)
			}
			tape := &tape{from: m.Client().Transport}
			if err := r.make(b, l, &http.Client{Transport: tape})(b.Context()); err != nil {
				b.Fatal(err)
			}
			tape.from = nil
			if r.name == "carnet" { // without what the others do not have: a tenant's file to read
				r.make = linked(dir)
			}
			b.ReportAllocs()
			for b.Loop() {
				b.StopTimer()
				get := r.make(b, l, &http.Client{Transport: tape})
				b.StartTimer()
				if err := get(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// linked is carnet with the tenant's file read already, and nothing opened ahead.
func linked(dir string) func(testing.TB, *lab.Lab, *http.Client) func(context.Context) error {
	return func(t testing.TB, l *lab.Lab, web *http.Client) func(context.Context) error {
		d, err := deployment.New(context.Background(), deployment.Config{Catalog: dir, Runtime: "aws", Audit: io.Discard, HTTP: web, Credentials: fromLambda(t, l)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Broker.Tenants.Tenant(context.Background(), "acme"); err != nil {
			t.Fatal(err)
		}
		return func(ctx context.Context) error { _, err := vend(ctx, d, "acme", "warehouse"); return err }
	}
}

// A tape records answers, by the host that gave them, and plays them back.
type tape struct {
	from http.RoundTripper // nil: play
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	status int
	header http.Header
	body   []byte
}

// RoundTrip implements [http.RoundTripper].
func (t *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from != nil {
		resp, err := t.from.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		if t.kept == nil {
			t.kept = map[string]kept{}
		}
		t.kept[r.Method+r.URL.Host] = kept{resp.StatusCode, resp.Header, body}
	}
	k, ok := t.kept[r.Method+r.URL.Host]
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: k.status, Status: http.StatusText(k.status), Header: k.header, Body: io.NopCloser(bytes.NewReader(k.body)),
		ContentLength: int64(len(k.body)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

// BenchmarkKept looks up a cached credential: who may ask, and what is kept, before the
// audit record and the encoding.
func BenchmarkKept(b *testing.B) {
	l, dir := onlyRole(b)
	m, err := l.Machine("")
	if err != nil {
		b.Fatal(err)
	}
	d, err := deployment.New(b.Context(), deployment.Config{Catalog: dir, Runtime: "aws", Audit: io.Discard, HTTP: m.Client(), Credentials: fromLambda(b, l)})
	if err != nil {
		b.Fatal(err)
	}
	found, err := d.Broker.Tenants.Tenant(b.Context(), "acme")
	if err != nil {
		b.Fatal(err)
	}
	who := exchange.Caller{Issuer: "aws", Subject: workerARN}
	req := exchange.Request{Caller: who, Tenant: "acme", Destination: "lake", MinTTL: exchange.DefaultMinTTL}
	if _, err := found.Destinations["lake"].Vend(b.Context(), req); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !found.Allows(who, "lake") {
			b.Fatal("denied")
		}
		if _, err := found.Destinations["lake"].Vend(b.Context(), req); err != nil {
			b.Fatal(err)
		}
	}
}

const workerARN = "arn:aws:iam::111122223333:role/sync-worker"
