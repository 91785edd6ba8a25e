package trust_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/trust"
)

const operatorFile = `
runtime:
  aws: {role: "arn:aws:iam::111122223333:role/carnet-f-vend", region: eu-west-1}
  gcp: {service_account: carnet-f-vend@operator-prod.iam.gserviceaccount.com}
providers:
  - name: //iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/providers/aws-roles
    account: "111122223333"
`

const (
	onAWS  = "tenant: acme\nidentities:\n  aws: {role: \"arn:aws:iam::111122223333:role/team/carnet-t-acme\", external_id: tenants-id}\n"
	onGCP  = "tenant: acme\nidentities:\n  gcp: {service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com}\n"
	lake   = "  lake: {kind: s3, role: \"arn:aws:iam::999988887777:role/share\", external_id: lakes-id, region: eu-west-1, bucket: acme-lake"
	drop   = "  drop: {kind: gcs, service_account: acme-share@acme-prod.iam.gserviceaccount.com, bucket: acme-drop"
	marts  = "  marts: {kind: redshift, role: \"arn:aws:iam::999988887777:role/share\", external_id: marts-id, region: eu-west-1, database: dev"
	frost  = "  frost: {kind: snowflake, account: ACME-PROD, user: CARNET"
	mapped = "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/attribute.aws_role/"
)

// A question is a tenant's file and who asks about which destination.
type question struct {
	operator, tenant, destination string
	owner                         exchange.Owner
	runtimes                      []string
}

func (q question) sheet(t *testing.T) (*trust.Sheet, error) {
	t.Helper()
	if q.operator == "" {
		q.operator = operatorFile
	}
	op, err := catalog.ParseOperator("", []byte(q.operator))
	if err != nil {
		t.Fatal(err)
	}
	tenant, err := kinds.All().Catalog().ParseTenant("", []byte(q.tenant))
	if err != nil {
		t.Fatal(err)
	}
	if q.owner == "" {
		q.owner = exchange.ThirdParty
	}
	return apply.All().Trust().For(op, trust.Ask{Tenant: tenant, Destination: q.destination, For: q.owner, Runtimes: q.runtimes,
		Issuer: "https://issuer.tokens.sts.global.api.aws", Subjects: map[string]string{
			"carnet-t-acme@operator-prod.iam.gserviceaccount.com": "100000000000000000002",
			"carnet-f-vend@operator-prod.iam.gserviceaccount.com": "100000000000000000001",
		}})
}

func (q question) text(t *testing.T, f trust.Format) string {
	t.Helper()
	s, err := q.sheet(t)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := s.Write(&b, f, trust.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// flat is JSON without white space, to look for parts in.
func (q question) flat(t *testing.T) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(q.text(t, trust.JSON)), &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(`\u0026`, "&").Replace(string(text))
}

// says tells what a sheet has, and what it must not have.
func says(t *testing.T) func(name string, q question, has []string, hasNot ...string) {
	return func(name string, q question, has []string, hasNot ...string) {
		t.Helper()
		text := q.flat(t)
		for _, part := range has {
			if !strings.Contains(text, part) {
				t.Errorf("%s: it lacks %s\n%s", name, part, text)
			}
		}
		for _, part := range hasNot {
			if strings.Contains(text, part) {
				t.Errorf("%s: it has %s\n%s", name, part, text)
			}
		}
	}
}

func TestWhatAnAWSAccountApplies(t *testing.T) {
	says := says(t)
	s3 := func(rest string) question {
		return question{tenant: onAWS + "destinations:\n" + lake + rest + "}\n", destination: "lake"}
	}
	says("reading alone", s3(", prefixes: [in/], access: read"), []string{`"Action":"s3:GetObject"`, `"s3:prefix":"in/*"`}, "PutObject", "kms:")
	says("writing alone", s3(", prefixes: [in/], access: write"), []string{"s3:PutObject", `"Resource":"arn:aws:s3:::acme-lake/in/*"`}, "GetObject", "ListBucket")
	says("a whole bucket", s3(", whole_bucket: true, access: read_write"), []string{`"Resource":"arn:aws:s3:::acme-lake/*"`, "s3:ListBucket"}, "s3:prefix")
	says("a key, read", s3(", prefixes: [in/], access: read, kms_key: \"arn:aws:kms:eu-west-1:999988887777:key/k\""), []string{"kms:Decrypt", `"kms:ViaService":"s3.eu-west-1.amazonaws.com"`}, "GenerateDataKey")
	says("a key, written", s3(", prefixes: [in/], access: write, kms_key: \"arn:aws:kms:eu-west-1:999988887777:key/k\""), []string{"kms:Decrypt", "kms:GenerateDataKey"})
	says("a long session", s3(", prefixes: [in/], access: read, lifetime: 4h"), []string{`"max_session_duration":14400`})
	says("a role with a path is trusted by its ARN", s3(", prefixes: [in/], access: read"), []string{`"AWS":"arn:aws:iam::111122223333:role/team/carnet-t-acme"`, `"sts:ExternalId":"lakes-id"`}, "accounts.google.com")
	says("both ids while one takes over", s3(", next_external_id: later, prefixes: [in/], access: read"), []string{`"sts:ExternalId":["lakes-id","later"]`})
	says("a destination that is off", s3(", prefixes: [in/], access: read, disabled: true"), []string{"sts:AssumeRole"})

	google := question{tenant: onGCP + "destinations:\n" + lake + ", prefixes: [in/], access: read}\n", destination: "lake"}
	says("from Google alone", google, []string{`"accounts.google.com:sub":"100000000000000000002"`, `"accounts.google.com:oaud":"lakes-id"`}, `"AWS"`, "StringLike\":{\"accounts")
	google.owner = exchange.Operator
	says("the operator, for Google alone", google, []string{mapped + "arn:aws:sts::111122223333:assumed-role/carnet-f-vend", "serviceAccountOpenIdTokenCreator"}, "carnetPass", "getAccessToken", `"roles":[{`)

	own := question{tenant: onGCP + "destinations:\n" + lake + ", prefixes: [in/], access: read, chain: [{role: \"arn:aws:iam::777788889999:role/theirs\", external_id: theirs-id}]}\n", destination: "lake", owner: exchange.TenantSide}
	says("a link of the tenant's own", own, []string{`"role":"arn:aws:iam::777788889999:role/theirs"`, `"sts:ExternalId":"theirs-id"`, `"Resource":["arn:aws:iam::999988887777:role/share"]`}, "operator-prod:role")

	shared := onAWS + "destinations:\n" + lake + ", prefixes: [in/], access: read}\n" + marts + ", cluster: dw}\n"
	says("one role for two destinations", question{tenant: shared, destination: "lake"}, []string{`"sts:ExternalId":["lakes-id","marts-id"]`, `"carnet-lake":`}, "redshift:")
	says("a cluster that is looked up", question{tenant: shared, destination: "marts"}, []string{"redshift:DescribeClusters", "dbname:dw/dev"}, "dbuser", "redshift-data")
	users := onAWS + "destinations:\n" + marts + ", cluster: dw, host: dw.x.eu-west-1.redshift.amazonaws.com, user: loader, groups: [writers], create_user: true}\n"
	says("a user, made, in a group", question{tenant: users, destination: "marts"}, []string{"dbuser:dw/loader", "redshift:CreateClusterUser", "dbgroup:dw/writers", `GRANT USAGE ON SCHEMA \"public\" TO GROUP \"writers\";`}, "DescribeClusters", "CREATE USER")
	says("the Data API at a workgroup", question{tenant: onAWS + "destinations:\n" + marts + ", workgroup: wg-1, login: data_api}\n", destination: "marts"}, []string{"redshift-serverless:GetCredentials", "ID-OF-WORKGROUP-wg", "statement-owner-iam-userid"}, "workgroup/*")

}

func TestWhatAGoogleProjectApplies(t *testing.T) {
	says := says(t)
	gcs := func(identities, rest string) question {
		return question{tenant: identities + "destinations:\n" + drop + rest + "}\n", destination: "drop"}
	}
	says("a role that enters straight", gcs(onAWS, ", prefixes: [in/], access: write"), []string{mapped + "arn:aws:sts::111122223333:assumed-role/carnet-t-acme\"", "carnetWrite", "carnetEnter"}, "objectUser", "/*\"")
	says("entry: user", gcs(onGCP, ", entry: user, prefixes: [in/], access: read"), []string{"roles/iam.workloadIdentityUser", "objectViewer"}, "carnetEnter")
	eleven := gcs(onGCP, ", prefixes: [a/,b/,c/,d/,e/,f/,g/,h/,i/,j/,k/], access: read")
	says("more folders than a condition takes", eleven, []string{"carnet-folders-0", "carnet-folders-1"})
	says("a whole bucket", gcs(onGCP, ", whole_bucket: true, access: read_write"), []string{"objectUser"}, `"condition"`)

	jwt := question{operator: strings.Replace(operatorFile, "    account:", "    kind: oidc\n    account:", 1), tenant: onAWS + "destinations:\n" + drop + ", prefixes: [in/], access: read}\n", destination: "drop"}
	says("a pool for outbound tokens", jwt, []string{mapped + "arn:aws:iam::111122223333:role/team/carnet-t-acme"})
	jwt.owner = exchange.Operator
	says("the operator, for outbound tokens", jwt, []string{"sts:GetWebIdentityToken", "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/providers/aws-roles"})

}

// TestALineIsNotFoldedWithinAName: a long command goes on several lines, each of its words on one.
func TestALineIsNotFoldedWithinAName(t *testing.T) {
	q := question{tenant: onGCP + "destinations:\n" + drop + ", prefixes: [\"in --x/\"], access: read}\n", destination: "drop"}
	if text := q.text(t, trust.Gcloud); !strings.Contains(text, "objects/in --x/") || !strings.Contains(text, " \\\n  --condition") {
		t.Error(text)
	}
}

func TestSnowflake(t *testing.T) {
	both := onAWS + "  gcp: {service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com}\ndestinations:\n"
	for name, c := range map[string]struct {
		rest     string
		runtimes []string
		has      []string
		count    int
	}{
		"oidc":              {", external_id: frosts-id", nil, []string{"OIDC_AUDIENCE_LIST = ('frosts-id')", "ISSUER = 'https://issuer.tokens.sts.global.api.aws'", "SUBJECT = '100000000000000000002'"}, 2},
		"oidc from AWS":     {", external_id: frosts-id", []string{"aws"}, []string{"SUBJECT = 'arn:aws:iam::111122223333:role/team/carnet-t-acme'"}, 1},
		"both audiences":    {", external_id: frosts-id, next_external_id: later", []string{"gcp"}, []string{"('frosts-id')", "('later')"}, 2},
		"workload identity": {", login: workload_identity", nil, []string{"TYPE = AWS ARN = ", "TYPE = GCP SUBJECT = '100000000000000000002'"}, 2},
		"a key pair":        {", login: key_pair, secret: projects/operator-prod/secrets/key/versions/latest", nil, []string{"SET RSA_PUBLIC_KEY = 'PUBLIC-KEY-IN-BASE64'"}, 0},
	} {
		text := question{tenant: both + frost + c.rest + "}\n", destination: "frost", runtimes: c.runtimes}.text(t, trust.SQLText)
		for _, part := range c.has {
			if !strings.Contains(text, part) {
				t.Errorf("%s: it lacks %q\n%s", name, part, text)
			}
		}
		if n := strings.Count(text, "ADD WORKLOAD IDENTITY"); n != c.count {
			t.Errorf("%s: %d workload identities, not %d\n%s", name, n, c.count, text)
		}
	}
}

// TestTheSameEveryTime: what is printed can be kept in a repository and compared.
func TestTheSameEveryTime(t *testing.T) {
	q := question{tenant: onAWS + "  gcp: {service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com}\ndestinations:\n" +
		lake + ", prefixes: [in/], access: read}\n" + drop + ", prefixes: [in/], access: read}\n" + frost + ", external_id: frosts-id}\n", destination: "lake", owner: exchange.Operator}
	for _, f := range []trust.Format{trust.JSON, trust.Terraform, trust.CloudFormation, trust.Gcloud} {
		first := q.text(t, f)
		for range 20 {
			if q.text(t, f) != first {
				t.Fatalf("%s differs from time to time", f)
			}
		}
	}
}

func TestNothingAndNoRuntime(t *testing.T) {
	q := question{tenant: onGCP + "destinations:\n" + drop + ", prefixes: [in/], access: read}\n", destination: "drop"}
	q.owner = exchange.TenantSide
	if _, err := q.sheet(t); !errors.Is(err, trust.ErrNothing) || !strings.Contains(err.Error(), "--for operator") {
		t.Errorf("for the tenant: %v", err)
	}
	q.owner, q.runtimes, q.operator = exchange.ThirdParty, []string{"aws"}, "runtime:\n  gcp: {service_account: carnet-f-vend@operator-prod.iam.gserviceaccount.com}\n"
	if _, err := q.sheet(t); err == nil || !strings.Contains(err.Error(), "no runtime on aws") {
		t.Errorf("from a cloud without a runtime: %v", err)
	}
	q.runtimes, q.destination = nil, "lake"
	if _, err := q.sheet(t); err == nil || !strings.Contains(err.Error(), "it has drop") {
		t.Errorf("a destination that is not there: %v", err)
	}
}

// TestNoProviderIsSaid: without one, a role cannot enter Google Cloud.
func TestNoProviderIsSaid(t *testing.T) {
	q := question{operator: strings.Split(operatorFile, "providers:")[0], tenant: onGCP + "destinations:\n" + drop + ", prefixes: [in/], access: read}\n", destination: "drop", owner: exchange.Operator, runtimes: []string{"aws"}}
	if s, err := q.sheet(t); err == nil && !slices.ContainsFunc(s.Missing, func(m trust.Missing) bool { return strings.Contains(m.Flag, "providers:") }) {
		t.Errorf("nothing is said of the provider: %+v", s)
	}
}

// TestNoNameIsSyntax: a Snowflake user's name may have dashes and dots in it, and two dashes
// would make a comment of what follows.
func TestNoNameIsSyntax(t *testing.T) {
	s, err := question{tenant: onAWS + "destinations:\n" + strings.Replace(frost, "user: CARNET", "user: sync--a.b@acme", 1) + ", external_id: frosts-id}\n", destination: "frost"}.sheet(t)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range s.SQL {
		outside := ""
		for i, part := range strings.Split(q.Text, `"`) {
			if i%2 == 0 {
				outside += part
			}
		}
		if strings.Contains(outside, "SYNC") || strings.Contains(outside, "sync") {
			t.Errorf("a name that is not plain stands without quotes: %s", q.Text)
		}
	}
}
