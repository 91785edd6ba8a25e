package gcs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// This file looks inside: what a grant compiles to is no part of the public surface,
// and the lab's data plane shows what it does.

func TestGrantsHaveLimits(t *testing.T) {
	many := exchange.Grant{Access: exchange.Read}
	for range 40 {
		many.Prefixes = append(many.Prefixes, strings.Repeat("x", 60)+"/")
	}
	many.Prefixes[7] = strings.Repeat("y", 80) + "/"
	if _, err := (&Place{Bucket: "b"}).boundary(many); !errors.Is(err, exchange.ErrBadRequest) || !strings.Contains(err.Error(), many.Prefixes[7]) {
		t.Errorf("too many prefixes: %v", err)
	}
	for _, empty := range []exchange.Grant{{}, {Access: exchange.Read}, {Prefixes: []string{"a/"}}} {
		if _, err := (&Place{Bucket: "b"}).boundary(empty); err == nil {
			t.Errorf("%v became a boundary", empty)
		}
	}
}

// tenantWith is a file with one bucket, with a text of anybody's in it.
func tenantWith(bucket, prefix string) string {
	return fmt.Sprintf(`{tenant: acme, identities: {aws: {role: "arn:aws:iam::111122223333:role/t", external_id: abc}}, destinations: {
  drop: {kind: gcs, service_account: share-account@acme-prod.iam.gserviceaccount.com, access: read_write, bucket: %s, prefixes: [%s]}}}`,
		asYAML(bucket), asYAML(prefix))
}

func asYAML(s string) string {
	text, _ := json.Marshal(s)
	return string(text)
}

// FuzzBucket puts a bucket and a prefix into a tenant's file and, where that is taken, asks
// what they compile to about another bucket's object: what is reached begins with the prefix,
// in that bucket.
func FuzzBucket(f *testing.F) {
	for _, p := range []string{"acme/", "acme", "ünï/", "日本/🙂/", "a'b/", "a*/", "a')||true||('/", "a/../b/"} {
		f.Add("acme-drop", p, "acme-drop", p+"/x")
		f.Add("acme-drop", p, "acme-drop", "acme-2/x")
		f.Add("acme-drop", p, "acme-drop-2", p+"/x")
	}
	f.Add("b') || ('", "acme/", "b", "x")
	kinds := destination.Kinds{Kind()}.Catalog()
	f.Fuzz(func(t *testing.T, bucket, prefix, other, key string) {
		tenant, err := kinds.ParseTenant("", []byte(tenantWith(bucket, prefix)))
		if err != nil || key == "" || other == "" {
			return
		}
		drop := tenant.Destinations["drop"].Place.(*Place)
		want := bucket == other && strings.HasPrefix(key, strings.TrimSuffix(prefix, "/")+"/")
		boundary, err := drop.boundary(drop.Grant)
		if err == nil {
			got, err := googlelab.BoundaryHolds(boundary.Rules[0].Condition.Expression, other, key, nil)
			if err != nil || got != want {
				t.Errorf("%q of %q: %v, %v, and not %v", key, other, got, err, want)
			}
		}
	})
}

// FuzzGrant: whatever prefix the catalog takes, what it compiles to lets through what is
// under it and nothing else, as an evaluator of CEL reads it.
func FuzzGrant(f *testing.F) {
	for _, p := range []string{"acme/", "a/b/c/", "ünï/", "a'b/", `a"b/`, `a\b/`, "a*/", "${x}/", "a\nb/", "a)||(true", "", "a b/", "a|b/", "%2e/", "a&b<c>/"} {
		f.Add(p, p+"x")
		f.Add(p, "acme-2/x")
		f.Add(p, strings.TrimSuffix(p, "/"))
	}
	f.Fuzz(func(t *testing.T, p, object string) {
		if quoted := celString(p); strings.Contains(strings.NewReplacer(`\\`, "", `\'`, "").Replace(quoted[1:len(quoted)-1]), "'") {
			t.Errorf("%q leaves its quotes: %s", p, quoted)
		}
		if p != "" && !strings.HasSuffix(p, "/") {
			p += "/" // as the catalog and a request's grant do
		}
		if catalog.CheckPrefix(p) != nil || object == "" || !utf8.ValidString(object) {
			return
		}
		grant := exchange.Grant{Access: exchange.Read, Prefixes: []string{p}}
		holdsBoundary(t, grant, object, strings.HasPrefix(object, p))
	})
}

func holdsBoundary(t *testing.T, grant exchange.Grant, object string, want bool) {
	b, err := (&Place{Bucket: "b"}).boundary(grant)
	if err != nil {
		return // too long
	}
	expression := b.Rules[0].Condition.Expression
	for listing, of := range map[bool]*string{false: nil, true: &object} {
		named := object
		if listing {
			named = ""
		}
		got, err := googlelab.BoundaryHolds(expression, "b", named, of)
		if err != nil {
			t.Fatalf("%v is no condition: %v: %s", grant, err, expression)
		}
		if got != want {
			t.Errorf("%q under %q, listing %v: %v: %s", object, grant.Prefixes, listing, got, expression)
		}
	}
	if r := b.Rules[0]; len(b.Rules) != 1 || r.AvailableResource != "//storage.googleapis.com/projects/_/buckets/b" {
		t.Errorf("the boundary is of %q", r.AvailableResource)
	}
}
