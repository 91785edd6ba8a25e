package s3

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// This file looks inside: what a grant compiles to is no part of the public surface,
// and the lab's data plane shows what it does.

// in is a bucket and a role.
func in(bucket string) *Place {
	return &Place{Role: catalog.Role{ARN: "arn:aws:iam::999988887777:role/r"}, Bucket: bucket}
}

func TestGrantsHaveLimits(t *testing.T) {
	many := exchange.Grant{Access: exchange.Read}
	for range 40 {
		many.Prefixes = append(many.Prefixes, strings.Repeat("x", 60)+"/")
	}
	many.Prefixes[7] = strings.Repeat("y", 80) + "/"
	if _, err := in("b").policy(many); !errors.Is(err, exchange.ErrBadRequest) || !strings.Contains(err.Error(), many.Prefixes[7]) {
		t.Errorf("too many prefixes: %v", err)
	}
	for _, empty := range []exchange.Grant{{}, {Access: exchange.Read}, {Prefixes: []string{"a/"}}} {
		if _, err := in("b").policy(empty); err == nil {
			t.Errorf("%v became a policy", empty)
		}
	}
}

// tenantWith is a file with one bucket, with a text of anybody's in it.
func tenantWith(bucket, prefix string) string {
	return fmt.Sprintf(`{tenant: acme, identities: {aws: {role: "arn:aws:iam::111122223333:role/t", external_id: abc}}, destinations: {
  lake: {kind: s3, role: "arn:aws:iam::999988887777:role/r", external_id: abc, region: eu-west-1, access: read_write, bucket: %s, prefixes: [%s]}}}`,
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
	kinds := destination.Kinds{Kind()}.Catalog()
	f.Fuzz(func(t *testing.T, bucket, prefix, other, key string) {
		tenant, err := kinds.ParseTenant("", []byte(tenantWith(bucket, prefix)))
		if err != nil || key == "" || other == "" {
			return
		}
		lake := tenant.Destinations["lake"].Place.(*Place)
		want := bucket == other && strings.HasPrefix(key, strings.TrimSuffix(prefix, "/")+"/")
		policy, err := lake.policy(lake.Grant)
		if err == nil {
			got, err := awslab.SessionPolicyAllows(policy, "s3:PutObject", "arn:aws:s3:::"+other+"/"+key, nil)
			if err != nil || got != want || !sessionCharacters().MatchString(policy) {
				t.Errorf("%q of %q: %v, %v, and not %v: %s", key, other, got, err, want, policy)
			}
		}
	})
}

// sessionCharacters is STS's own pattern.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func sessionCharacters() *regexp.Regexp {
	return regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`)
}

// FuzzGrant: whatever prefix the catalog takes, what it compiles to lets through what is
// under it and nothing else, as an evaluator of policies reads it.
func FuzzGrant(f *testing.F) {
	for _, p := range []string{"acme/", "a/b/c/", "ünï/", "a'b/", `a"b/`, `a\b/`, "a*/", "${x}/", "a\nb/", "a)||(true", "", "a b/", "a|b/", "%2e/", "a&b<c>/"} {
		f.Add(p, p+"x")
		f.Add(p, "acme-2/x")
		f.Add(p, strings.TrimSuffix(p, "/"))
	}
	f.Fuzz(func(t *testing.T, p, object string) {
		if p != "" && !strings.HasSuffix(p, "/") {
			p += "/" // as the catalog and a request's grant do
		}
		if catalog.CheckPrefix(p) != nil || object == "" || !utf8.ValidString(object) {
			return
		}
		grant := exchange.Grant{Access: exchange.Read, Prefixes: []string{p}}
		holdsPolicy(t, grant, object, strings.HasPrefix(object, p))
	})
}

// holdsPolicy: the object and its listing are as wanted, and no other action goes through.
func holdsPolicy(t *testing.T, grant exchange.Grant, object string, want bool) {
	text, err := in("b").policy(grant)
	if err != nil {
		return // too long
	}
	ask := func(action, resource string, context map[string][]string) bool {
		ok, err := awslab.SessionPolicyAllows(text, action, resource, context)
		if err != nil {
			t.Fatalf("%v is no policy: %v: %s", grant, err, text)
		}
		return ok
	}
	prefix := map[string][]string{"s3:prefix": {object}}
	for name, got := range map[string]bool{
		"reading":          ask("s3:GetObject", "arn:aws:s3:::b/"+object, nil) != want,
		"listing":          ask("s3:ListBucket", "arn:aws:s3:::b", prefix) != want,
		"writing":          ask("s3:PutObject", "arn:aws:s3:::b/"+object, nil),
		"another bucket's": ask("s3:GetObject", "arn:aws:s3:::b2/"+object, nil),
		"listing it all":   ask("s3:ListBucket", "arn:aws:s3:::b", nil) != slices.Contains(grant.Prefixes, ""),
	} {
		if got {
			t.Errorf("%s of %q under %q is not as it should be: %s", name, object, grant.Prefixes, text)
		}
	}
}

// TestTheKeyIsS3sToUse: KMS says for whom it is asked, and whoever asks it himself is nobody's
// service.
func TestTheKeyIsS3sToUse(t *testing.T) {
	const key = "arn:aws-cn:kms:cn-north-1:999988887777:key/1"
	text, err := (&Place{Role: catalog.Role{ARN: "arn:aws-cn:iam::999988887777:role/r"}, Region: "cn-north-1", Bucket: "b", KMSKey: key}).policy(exchange.Grant{Access: exchange.Read, Prefixes: []string{"a/"}})
	want := `{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":["` + key + `"],"Condition":{"StringEquals":{"kms:ViaService":["s3.cn-north-1.amazonaws.com.cn"]}}}`
	if err != nil || !strings.Contains(text, want) {
		t.Errorf("%s, %v", text, err)
	}
}
