package integration

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/integration/queue"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/mend"
	sheets "carnet.dev/carnet/shared/trust"
)

const jobs = `  jobs:
    kind: queue
    role: arn:aws:iam::999988887777:role/acme-jobs
    external_id: 0c8f3a52-6d1e-4b7a-9f20-3e5d7c9b1a64
    region: eu-west-1
    queue: acme-jobs
    access: write
    verified: 2026-11-20
`

// TestAKindIsAddedToTheLists follows docs/add-a-kind.md with a kind that carnet does not have: it is
// parsed, printed by trust, vended in the lab from both clouds, narrowed, checked and mended, and
// nothing but the two lists knows of it.
func TestAKindIsAddedToTheLists(t *testing.T) {
	all := append(kinds.All(), queue.Kind())
	people := apply.All()
	people[queue.Name] = queue.People()
	w := sampleWorld(t)
	l, dir := labOf(t, w)
	addTo(t, filepath.Join(dir, "tenants", "acme.yaml"), jobs)
	tenant := parsedWith(t, all, dir)

	if err := vendedJobs(t, l, all, dir, "aws"); err == nil {
		t.Fatal("there is no such role, and there is a credential")
	}
	l.Close()
	applied(t, w, people, dir, tenant)
	l, _ = labOf(t, w)
	for _, runtime := range []string{"aws", "gcp"} {
		if err := vendedJobs(t, l, all, dir, runtime); err != nil {
			t.Errorf("from %s: %v", runtime, err)
		}
		d := deployWith(t, l, all, dir, runtime)
		r, err := d.Check.Check(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "jobs"}, true)
		if err != nil || r.Outcome != check.Sound || !r.Proven() || r.Edges[len(r.Edges)-1].To != "sqs:acme-jobs" {
			t.Errorf("checked from %s: %+v, %v", runtime, r, err)
		}
	}
	mendsAQueue(t, all, people, dir, tenant)
}

// TestAKindsKeysAreRead: what is wrong with a file is told with its line, as for every kind.
func TestAKindsKeysAreRead(t *testing.T) {
	all := append(kinds.All(), queue.Kind()).Catalog()
	text := "tenant: acme\nidentities: {aws: {role: \"arn:aws:iam::111122223333:role/t\"}}\ndestinations:\n" + strings.Replace(jobs, "queue: acme-jobs", "queue: acme jobs", 1)
	if _, err := all.ParseTenant("", []byte(text)); err == nil || !strings.Contains(err.Error(), `:9: destination jobs: queue "acme jobs" is not the name of a queue: write it like acme-jobs`) {
		t.Error(err)
	}
	if schema, err := all.TenantSchema(); err != nil || !strings.Contains(string(schema), "The queue's name.") {
		t.Errorf("the schema does not know it: %v", err)
	}
	if _, err := kinds.All().Catalog().ParseTenant("", []byte(text)); err == nil || !strings.Contains(err.Error(), `kind is "queue": write s3`) {
		t.Error(err)
	}
}

func addTo(t *testing.T, file, lines string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, append(text, lines...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func parsedWith(t *testing.T, all destination.Kinds, dir string) *catalog.Tenant {
	t.Helper()
	text, _, err := catalog.Folder{Dir: dir}.Read(t.Context(), "tenants/acme.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := all.Catalog().ParseTenant("tenants/acme.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return tenant
}

func deployWith(t *testing.T, l *lab.Lab, all destination.Kinds, dir, runtime string) *deployment.Deployment {
	t.Helper()
	identity := map[string]string{"aws": function, "gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"}[runtime]
	d, err := l.DeployAs(t.Context(), deployment.Config{Catalog: dir, Runtime: runtime, Audit: io.Discard, Kinds: all}, identity)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// vendedJobs vends, and holds what the session's policy lets through.
func vendedJobs(t *testing.T, l *lab.Lab, all destination.Kinds, dir, runtime string) error {
	t.Helper()
	d := deployWith(t, l, all, dir, runtime)
	req := exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "jobs"}
	cred, err := d.Broker.Vend(t.Context(), req)
	if err != nil {
		return err
	}
	if cred.Session == nil || cred.Place["queue"] != "acme-jobs" {
		t.Errorf("it vends %+v", cred)
	}
	req.Grant = exchange.Grant{Access: exchange.Read}
	if _, err := d.Broker.Vend(t.Context(), req); err == nil {
		t.Error("reading was granted, and the file says write")
	}
	return nil
}

// applied puts into the world what trust prints for each owner.
func applied(t *testing.T, w *world.World, people mend.Kinds, dir string, tenant *catalog.Tenant) {
	t.Helper()
	text, _, err := catalog.Folder{Dir: dir}.Read(t.Context(), "carnet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	op, err := catalog.ParseOperator("carnet.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	subjects := map[string]string{}
	for _, p := range w.Google.Projects {
		for email, a := range p.ServiceAccounts {
			subjects[email] = a.UniqueID
		}
	}
	for _, owner := range []exchange.Owner{exchange.Operator, exchange.ThirdParty} {
		s, err := people.Trust().For(op, sheets.Ask{Tenant: tenant, Destination: "jobs", For: owner, Subjects: subjects})
		if err != nil {
			t.Fatal(err)
		}
		for _, format := range []sheets.Format{sheets.JSON, sheets.Gcloud} {
			var b strings.Builder
			if s.Write(&b, format, sheets.Options{}) == nil {
				applier{t, w}.apply(string(format), b.String(), "")
			}
		}
		if owner == exchange.ThirdParty {
			holdsQueue(t, s)
		}
	}
}

func holdsQueue(t *testing.T, s *sheets.Sheet) {
	t.Helper()
	policy, err := s.Roles[0].PermissionsPolicy()
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]bool{"sqs:SendMessage": true, "sqs:ReceiveMessage": false} {
		if got, err := awslab.SessionPolicyAllows(string(policy), action, "arn:aws:sqs:eu-west-1:999988887777:acme-jobs", nil); err != nil || got != want {
			t.Errorf("%s: %v, %v", action, got, err)
		}
	}
}

// mendsAQueue: a refusal of the kind's own calls has the kind's own cause and remedy.
func mendsAQueue(t *testing.T, all destination.Kinds, people mend.Kinds, dir string, tenant *catalog.Tenant) {
	t.Helper()
	told := check.Report{Tenant: "acme", Destination: "jobs", Kind: queue.Name, Outcome: check.BrokenChain,
		Edges:   []check.Edge{{State: check.Held}, {State: check.Held}, {State: check.Broken}},
		Finding: &check.Finding{Position: 3, Op: "sqs:GetQueueUrl", Reason: exchange.Refused, Causes: []check.Cause{{Code: "queue_missing", Owner: exchange.ThirdParty}}}}
	role := "arn:aws:iam::999988887777:role/acme-jobs"
	named, ok := told.Named(check.Names{Chain: []string{function, tenant.Identities.AWS.ARN, role, "sqs:acme-jobs"}, Own: true}, all)
	changes := mend.Mender{Kinds: people, Operator: new(catalog.Operator), Tenant: tenant}.Changes(named)
	if !ok || len(changes) != 1 || changes[0].What != "There is no queue for acme/jobs." || named.Finding.Causes[0].At != role {
		t.Errorf("%v: %+v", ok, changes)
	}
}
