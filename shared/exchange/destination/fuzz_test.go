package destination

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// tenantWith is a file with one bucket on each cloud, with a text of anybody's in it.
func tenantWith(bucket, prefix string) string {
	return fmt.Sprintf(`{tenant: acme, identities: {aws: {role: "arn:aws:iam::111122223333:role/t", external_id: abc}}, destinations: {
  lake: {kind: s3, role: "arn:aws:iam::999988887777:role/r", external_id: abc, region: eu-west-1, access: read_write, bucket: %[1]s, prefixes: [%[2]s]},
  drop: {kind: gcs, service_account: s@p.iam.gserviceaccount.com, provider: "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/roles", access: read_write, bucket: %[1]s, prefixes: [%[2]s]}}}`,
		asYAML(bucket), asYAML(prefix))
}

func asYAML(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// FuzzBucket puts a bucket and a prefix into a tenant's file and, where that is taken, asks
// what they compile to about another bucket's object: what is reached begins with the prefix,
// in that bucket. STS takes the characters of the policy, whatever the alphabet.
func FuzzBucket(f *testing.F) {
	for _, p := range []string{"acme/", "acme", "ünï/", "日本/🙂/", "a'b/", "a*/", "${aws:username}/", "a')||true||('/", "a/../b/"} {
		f.Add("acme-lake", p, "acme-lake", p+"/x")
		f.Add("acme-lake", p, "acme-lake", "acme-2/x")
		f.Add("acme-lake", p, "acme-lake-2", p+"/x")
	}
	f.Add("a*e", "acme/", "acme", "acme/x")
	f.Add("b/acme", "acme/", "b", "acme/acme/x")
	f.Add("b') || ('", "acme/", "b", "x")
	f.Fuzz(func(t *testing.T, bucket, prefix, other, key string) {
		tenant, err := catalog.ParseTenant("", []byte(tenantWith(bucket, prefix)))
		if err != nil || key == "" || other == "" {
			return
		}
		lake, drop := tenant.Destinations["lake"], tenant.Destinations["drop"]
		grant := exchange.Grant{Access: lake.Access, Prefixes: lake.Prefixes}
		want := bucket == other && strings.HasPrefix(key, strings.TrimSuffix(prefix, "/")+"/")
		policy, err := s3{partition: "aws", region: lake.Region, bucket: lake.Bucket}.policy(grant)
		if err == nil {
			got, err := awslab.SessionPolicyAllows(policy, "s3:PutObject", "arn:aws:s3:::"+other+"/"+key, nil)
			if err != nil || got != want || !sessionCharacters().MatchString(policy) {
				t.Errorf("%q of %q: %v, %v, and not %v: %s", key, other, got, err, want, policy)
			}
		}
		boundary, err := gcs{bucket: drop.Bucket}.boundary(grant)
		if err == nil {
			got, err := googlelab.BoundaryHolds(boundary.Rules[0].Condition.Expression, other, key, nil)
			if err != nil || got != want {
				t.Errorf("%q of %q: %v, %v, and not %v", key, other, got, err, want)
			}
		}
	})
}

// sessionCharacters is STS's own pattern.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func sessionCharacters() *regexp.Regexp {
	return regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`)
}
