package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
	"carnet.dev/carnet/shared/schedule"
	"carnet.dev/carnet/shared/wire"
)

const (
	awsSecret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/acme/lake-AbCdEf"
	gcpSecret = "projects/operator-prod/secrets/acme-lake"
)

const deliveries = `
aws:
  accounts:
    "111122223333":
      secrets: {carnet/acme/lake: {region: eu-west-1, suffix: AbCdEf}}
      roles:
        carnet-f-vend:
          policies:
            deliver: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["secretsmanager:PutSecretValue","secretsmanager:DescribeSecret"],"Resource":"` + awsSecret + `"}]}'
        sync-worker:
          policies:
            read: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"` + awsSecret + `"}]}'
google:
  projects:
    operator-prod:
      secrets:
        acme-lake:
          bindings:
            - {role: roles/secretmanager.secretVersionManager, members: ["serviceAccount:carnet-f-vend@operator-prod.iam.gserviceaccount.com"]}
            - {role: roles/secretmanager.secretAccessor, members: ["serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]}
`

func startDeliveries(t *testing.T, secret, more string) (*lab.Lab, string) {
	t.Helper()
	l, dir := labOf(t, worldWith(t, deliveries))
	change(t, dir, "acme", "bucket: acme-lake\n", "bucket: acme-lake\n    deliver: {secret: "+secret+more+"}\n")
	return l, dir
}

// workersSecrets is Secrets Manager as a job that can only read secrets has it.
func workersSecrets(t *testing.T, l *lab.Lab) *secretsmanager.Client {
	t.Helper()
	s, err := l.AWS.RoleSession("arn:aws:iam::111122223333:role/sync-worker", "job-1")
	if err != nil {
		t.Fatal(err)
	}
	return secretsmanager.New(secretsmanager.Options{
		Region: region, HTTPClient: machine(t, l).Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken),
	})
}

// readAWS and readGCP read what was delivered.
func readAWS(t *testing.T, l *lab.Lab) (string, error) {
	t.Helper()
	out, err := workersSecrets(t, l).GetSecretValue(t.Context(), &secretsmanager.GetSecretValueInput{SecretId: aws.String(awsSecret)})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.SecretString), nil
}

func readGCP(t *testing.T, l *lab.Lab) (string, error) {
	t.Helper()
	const worker = "sync-worker@operator-prod.iam.gserviceaccount.com"
	m, err := l.Machine(worker)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := gcpid.New(m.Client()).Runtime(worker, m.Tokens()).Secret(t.Context(), gcpSecret+"/versions/latest")
	return text.Reveal(), err
}

func TestDeliverFillsASecretOnceInASlot(t *testing.T) {
	for runtime, x := range map[string]struct {
		secret string
		read   func(*testing.T, *lab.Lab) (string, error)
	}{"aws": {awsSecret, readAWS}, "gcp": {gcpSecret, readGCP}} {
		t.Run(runtime, func(t *testing.T) {
			l, dir := startDeliveries(t, x.secret, ", every: 30m")
			run := deploy(t, l, runtime, dir).Schedule.Run
			in := schedule.Input{Action: schedule.Deliver}
			first, err := run(t.Context(), in)
			if err != nil || first.Failed != 0 || first.Destinations != 1 || first.Kept != 0 {
				t.Fatalf("%+v, %v", first, err)
			}
			text, err := x.read(t, l)
			if err != nil {
				t.Fatal(err)
			}
			cred, _, err := wire.Decode([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if err := openS3(machine(t, l).Client(), cred).put(t.Context(), "from-operator/delivered"); err != nil {
				t.Errorf("what was delivered cannot be used: %v", err)
			}
			again, err := run(t.Context(), in)
			if err != nil || again.Kept != 1 || again.Failed != 0 {
				t.Errorf("the scheduler comes twice: %+v, %v", again, err)
			}
			if same, err := x.read(t, l); err != nil || same != text {
				t.Errorf("the second run changed the secret, %v", err)
			}
		})
	}
}

func TestAnotherRunOfTheSlotWithFreshEyes(t *testing.T) {
	l, dir := startDeliveries(t, awsSecret, ", every: 30m, format: aws")
	for range 2 { // two containers, the same slot
		report, err := deploy(t, l, "aws", dir).Schedule.Run(t.Context(), schedule.Input{Action: schedule.Deliver, Tenants: []string{"acme"}})
		if err != nil || report.Failed != 0 {
			t.Fatalf("%+v, %v", report, err)
		}
	}
	text, err := readAWS(t, l)
	if err != nil || !strings.Contains(text, `"Version":1`) || !strings.Contains(text, `"SessionToken":`) {
		t.Errorf("%v", err)
	}
}

func TestABrokenChainLeavesTheOldSecret(t *testing.T) {
	l, dir := startDeliveries(t, gcpSecret, ", every: 10m")
	l.Skew(-14 * time.Minute) // so that the secret is old afterwards, and signatures still count
	first, err := deploy(t, l, "gcp", dir).Schedule.Run(t.Context(), schedule.Input{Action: schedule.Deliver})
	l.Skew(0)
	if err != nil || first.Failed != 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	before, err := readGCP(t, l)
	if err != nil {
		t.Fatal(err)
	}
	change(t, dir, "acme", "external_id: 3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40", "external_id: 00000000-0000-4000-8000-000000000000")
	report, err := deploy(t, l, "gcp", dir).Schedule.Run(t.Context(), schedule.Input{Action: schedule.Deliver})
	if err != nil || report.Failed != 1 || report.Failures[0].Code != "AccessDenied" || report.Failures[0].Owner != "third-party" {
		t.Fatalf("%+v, %v", report, err)
	}
	if after, err := readGCP(t, l); err != nil || after != before {
		t.Errorf("the old secret is gone: %v", err)
	}
	change(t, dir, "acme", "external_id: 00000000-0000-4000-8000-000000000000", "external_id: 3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40")
	mended, err := deploy(t, l, "gcp", dir).Schedule.Run(t.Context(), schedule.Input{Action: schedule.Deliver})
	if err != nil || mended.Failed != 0 || mended.Kept != 0 {
		t.Errorf("after it was mended: %+v, %v", mended, err)
	}
	if after, err := readGCP(t, l); err != nil || after == before {
		t.Errorf("after it was mended the secret is the old one: %v", err)
	}
}

// TestAJobReadsWhatIsDelivered with the client package, and uses it.
func TestAJobReadsWhatIsDelivered(t *testing.T) {
	l, dir := startDeliveries(t, awsSecret, ", every: 30m")
	if report, err := deploy(t, l, "aws", dir).Schedule.Run(t.Context(), schedule.Input{Action: schedule.Deliver}); err != nil || report.Failed != 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	cred, err := client.Delivered(t.Context(), workersSecrets(t, l), awsSecret)
	if err != nil {
		t.Fatal(err)
	}
	if err := openS3(machine(t, l).Client(), cred).put(t.Context(), "from-operator/read"); err != nil {
		t.Errorf("what was read cannot be used: %v", err)
	}
}

func TestADeliveryLeavesNoGap(t *testing.T) {
	l, dir := startDeliveries(t, awsSecret, ", every: 2h")
	_, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "lake")
	if err == nil || !strings.Contains(err.Error(), "55m") {
		t.Errorf("two hours between credentials of one: %v", err)
	}
	_, dir = startDeliveries(t, gcpSecret, "")
	if _, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "lake"); err == nil || !strings.Contains(err.Error(), "other cloud") {
		t.Errorf("a secret on the other cloud: %v", err)
	}
}

func TestCheckMintsEveryChainAnew(t *testing.T) {
	l, dir := startSample(t)
	var audit bytes.Buffer
	d, err := l.Deploy(t.Context(), "gcp", dir, &audit)
	if err != nil {
		t.Fatal(err)
	}
	change(t, dir, "globex", "service_account: globex-inbox@globex-data.iam.gserviceaccount.com", "service_account: globex-gone@globex-data.iam.gserviceaccount.com")
	for range 2 {
		l.Calls()
		report, err := d.Schedule.Run(t.Context(), schedule.Input{Action: schedule.Check})
		if err != nil {
			t.Fatal(err)
		}
		// acme's ledger has its key on the other cloud; two of globex's destinations are broken.
		var failed []string
		for _, f := range report.Failures {
			failed = append(failed, f.Tenant+"/"+f.Destination+" "+f.Owner)
		}
		want := "acme/ledger operator, globex/drop third-party, globex/warehouse third-party"
		if report.Destinations != 11 || strings.Join(failed, ", ") != want {
			t.Errorf("%d destinations, failed %v", report.Destinations, failed)
		}
		if n := lab.Trips(l.Calls()); n < 8 {
			t.Errorf("eight good chains in %d trips: what is kept proves nothing", n)
		}
	}
	for line := range strings.Lines(audit.String()) {
		var r struct{ Audit exchange.Record }
		if err := json.Unmarshal([]byte(line), &r); err != nil || r.Audit.Caller != exchange.Schedule {
			t.Errorf("%s, %v", line, err)
		}
	}
}

// TestTheDailyCheckFindsWhoIsLetIn: each destination of the sample refuses what it must, and
// one whose trust policy lost its ExternalId does not.
func TestTheDailyCheckFindsWhoIsLetIn(t *testing.T) {
	daily := schedule.Input{Action: schedule.Check, Tenants: []string{"acme"}, Refusals: true}
	for _, runtime := range []string{"aws", "gcp"} {
		l, dir := startSample(t)
		change(t, dir, "acme", "verified: 2026-11-20", "")
		var audit bytes.Buffer
		d, err := l.Deploy(t.Context(), runtime, dir, &audit)
		if err != nil {
			t.Fatal(err)
		}
		report, err := d.Schedule.Run(t.Context(), daily)
		var failed []string
		for _, f := range report.Failures {
			failed = append(failed, f.Destination+" "+f.Code+" "+f.Error)
		}
		// ledger has its key on the AWS side, so that from Google Cloud it is not linked.
		// From AWS nobody may ask for frost's tokens but its own tenant, for the one audience.
		if want := map[string]int{"aws": 0, "gcp": 1}[runtime]; err != nil || report.Destinations != 6 || len(failed) != want || report.Unproven != 1-want {
			t.Errorf("%s: %+v, %v: %v", runtime, report, err, failed)
		}
		if strings.Contains(audit.String(), `"caller":{"issuer":"console"`) || !strings.Contains(audit.String(), `"issuer":"schedule"`) {
			t.Error(audit.String())
		}
	}
	w := sampleWorld(t)
	share := w.AWS.Accounts["999988887777"].Roles["acme-share"]
	open := strings.ReplaceAll(string(share.Trust), `"StringEquals":{"sts:ExternalId":"3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"}`, `"StringLike":{"sts:RoleSessionName":"*"}`)
	if open == string(share.Trust) {
		t.Fatal("the role has another condition: ", open)
	}
	share.Trust = world.JSON(open)
	l, dir := labOf(t, w)
	report, err := deploy(t, l, "aws", dir).Schedule.Run(t.Context(), daily)
	if err != nil || report.Failed != 1 || report.Failures[0].Destination != "lake" || report.Failures[0].Code != "let_in" || report.Failures[0].Owner != "third-party" {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestShardsAreAllOfIt(t *testing.T) {
	seen := map[string]int{}
	for n := 1; n <= 3; n++ {
		s := schedule.Shard{N: n, Of: 3}
		for i := range 999 {
			if s.Has(fmt.Sprint("tenant-", i)) {
				seen[fmt.Sprint("tenant-", i)]++
			}
		}
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is in %d shards", name, n)
		}
	}
	if len(seen) != 999 {
		t.Errorf("%d tenants of 999", len(seen))
	}
}

func TestTheSchedulesInputIsStrict(t *testing.T) {
	for text, ok := range map[string]bool{
		`{"action":"check","tenants":"all"}`:                      true,
		`{"action":"deliver","tenants":["a"],"shard":"2/4"}`:      true,
		`{"action":"vend","tenants":"all"}`:                       false,
		`{"action":"check"}`:                                      false,
		`{"action":"check","tenants":[]}`:                         false,
		`{"action":"check","tenants":"some"}`:                     false,
		`{"action":"check","tenants":"all","shard":"5/4"}`:        false,
		`{"action":"check","tenants":"all","shard":"0/4"}`:        false,
		`{"action":"check","tenants":"all","job":"x"}`:            false,
		`{"action":"check","tenants":"all","action":"deliver"}`:   false,
		`{"Action":"check","tenants":"all"}`:                      false,
		`{"action":"check","tenants":"all"} {"action":"deliver"}`: false,
		`[]`: false, ``: false, `null`: false,
	} {
		if _, err := schedule.Parse([]byte(text)); (err == nil) != ok || err != nil && !errors.Is(err, schedule.ErrInput) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// BenchmarkScheduledRun checks many destinations whose chains take 20 ms each.
func BenchmarkScheduledRun(b *testing.B) {
	for _, n := range []int{100, 1_000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			r := &schedule.Runner{Tenants: crowd{}, List: crowd{n}.names, Vend: crowd{}.vend, PerSecond: 1_000_000, SideBySide: 32}
			for b.Loop() {
				report, err := r.Run(b.Context(), schedule.Input{Action: schedule.Check})
				if err != nil || report.Destinations != n || report.Failed != 0 {
					b.Fatalf("%+v, %v", report, err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N)/float64(n)*1e6, "µs/destination")
		})
	}
}
