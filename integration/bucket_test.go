package integration

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange/gcpid"
	"carnet.dev/carnet/shared/schedule"
)

// The operator's functions may read the catalog's bucket on their own cloud, and no more.
const catalogBuckets = `
aws:
  accounts:
    "111122223333":
      roles:
        carnet-f-vend:
          policies:
            catalog: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::carnet-catalog/live/*"},{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::carnet-catalog"}]}'
        filler:
          trust: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}'
          policies:
            fill: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:PutObject","Resource":"arn:aws:s3:::carnet-catalog/*"}]}'
      buckets: {carnet-catalog: {region: eu-west-1}}
google:
  projects:
    operator-prod:
      service_accounts:
        filler@operator-prod.iam.gserviceaccount.com: {unique_id: "100000000000000000009"}
      buckets:
        carnet-catalog:
          bindings:
            - {role: roles/storage.objectViewer, members: ["serviceAccount:carnet-f-vend@operator-prod.iam.gserviceaccount.com"]}
            - {role: roles/storage.objectAdmin, members: ["serviceAccount:filler@operator-prod.iam.gserviceaccount.com"]}
`

func startBuckets(t testing.TB) *lab.Lab {
	t.Helper()
	l, dir := labOf(t, worldWith(t, catalogBuckets))
	session, err := l.AWS.RoleSession("arn:aws:iam::111122223333:role/filler", "fill")
	if err != nil {
		t.Fatal(err)
	}
	put := s3.New(s3.Options{Region: region, HTTPClient: machine(t, l).Client(), Credentials: credentials.NewStaticCredentialsProvider(session.AccessKeyID, session.SecretAccessKey, session.SessionToken)})
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key := "live/" + filepath.ToSlash(name)
		if _, err := put.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("carnet-catalog"), Key: &key, Body: strings.NewReader(string(text))}); err != nil {
			return err
		}
		return uploadGCS(t, l, "filler@operator-prod.iam.gserviceaccount.com", "carnet-catalog", key, text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func uploadGCS(t testing.TB, l *lab.Lab, account, bucket, name string, text []byte) error {
	t.Helper()
	m, err := l.Machine(account)
	if err != nil {
		return err
	}
	to := "https://storage.googleapis.com/upload/storage/v1/b/" + bucket + "/o?uploadType=media&name=" + url.QueryEscape(name)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, to, bytes.NewReader(text))
	if err != nil {
		return err
	}
	if err := gcpid.New(m.Client()).Runtime(account, m.Tokens()).Authorize(t.Context(), req); err != nil {
		return err
	}
	resp, err := m.Client().Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("upload: %s", resp.Status)
	}
	return nil
}

// deployFrom sets a function up with its catalog in a bucket.
func deployFrom(t *testing.T, l *lab.Lab, runtime, at string) (*deployment.Deployment, error) {
	t.Helper()
	identity := map[string]string{"aws": function, "gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"}[runtime]
	return l.DeployAs(t.Context(), deployment.Config{Catalog: at, Runtime: runtime, Audit: io.Discard}, identity)
}

// TestTheCatalogInABucket vends from both clouds with the catalog in a bucket of each.
func TestTheCatalogInABucket(t *testing.T) {
	l := startBuckets(t)
	for runtime, at := range map[string]string{"aws": "s3://carnet-catalog/live?region=eu-west-1", "gcp": "gs://carnet-catalog/live/"} {
		t.Run(runtime, func(t *testing.T) {
			l.Calls()
			d, err := deployFrom(t, l, runtime, at)
			if err != nil {
				t.Fatal(err)
			}
			if n := lab.Trips(l.Calls()); n != 1 {
				t.Errorf("the start makes %d calls, not one for carnet.yaml", n)
			}
			if _, err := vend(t.Context(), d, "acme", "lake"); err != nil {
				t.Error(err)
			}
			if n := lab.Trips(l.Calls()); n != 1+2 && n != 1+3 {
				t.Errorf("a cold vend takes %d calls, the tenant's file among them", n)
			}
			if _, err := vend(t.Context(), d, "nobody", "lake"); err == nil || !strings.Contains(err.Error(), "denied") {
				t.Errorf("a tenant without a file: %v", err)
			}
			names, err := d.Schedule.List(t.Context())
			if err != nil || strings.Join(names, " ") != "acme globex" {
				t.Errorf("tenants %v, %v", names, err)
			}
		})
	}
	for runtime, at := range map[string]string{"gcp": "s3://carnet-catalog/live?region=eu-west-1", "aws": "gs://carnet-catalog/live"} {
		if _, err := deployFrom(t, l, runtime, at); err == nil || !strings.Contains(err.Error(), "on the other cloud") {
			t.Errorf("%s reads %s: %v", runtime, at, err)
		}
	}
}

// TestOneBrokenFileRefusesAlone, in a folder and in a bucket: one that does
// not parse, and one that names another tenant. The others are served.
func TestOneBrokenFileRefusesAlone(t *testing.T) {
	for text, want := range map[string]string{
		"tenant: acme\n":             "globex.yaml",
		"tenant: globex\n  x: [\n":   "globex.yaml",
		strings.Repeat("x", 100<<10): "globex.yaml",
	} {
		l, dir := startSample(t)
		d := deploy(t, l, "aws", dir)
		if err := os.WriteFile(filepath.Join(dir, "tenants", "globex.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refusedAlone(t, d, want)
		in := startBuckets(t)
		if err := uploadGCS(t, in, "filler@operator-prod.iam.gserviceaccount.com", "carnet-catalog", "live/tenants/globex.yaml", []byte(text)); err != nil {
			t.Fatal(err)
		}
		d, err := deployFrom(t, in, "gcp", "gs://carnet-catalog/live/")
		if err != nil {
			t.Fatal(err)
		}
		refusedAlone(t, d, want)
	}
}

func refusedAlone(t *testing.T, d *deployment.Deployment, file string) {
	t.Helper()
	if _, err := vend(t.Context(), d, "globex", "lake"); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("the broken file: %v", err)
	}
	if _, err := vend(t.Context(), d, "acme", "lake"); err != nil {
		t.Errorf("the other tenant suffers: %v", err)
	}
	report, err := d.Schedule.Run(t.Context(), schedule.Input{Action: schedule.Check, Tenants: []string{"acme", "globex"}})
	if err != nil || report.Destinations < 5 || !slices.ContainsFunc(report.Failures, func(f schedule.Failure) bool { return f.Tenant == "globex" && f.Code == "catalog" }) {
		t.Errorf("a check: %+v, %v", report, err)
	}
}
