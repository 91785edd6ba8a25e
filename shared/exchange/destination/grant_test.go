package destination

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// This file looks inside: what a grant compiles to is no part of the public surface,
// and the lab's data planes show what it does.

func TestNarrow(t *testing.T) {
	granted := exchange.Grant{Access: exchange.ReadWrite, Prefixes: []string{"acme/"}}
	grant := func(access exchange.Access, prefixes ...string) exchange.Grant {
		return exchange.Grant{Access: access, Prefixes: prefixes}
	}
	for name, c := range map[string]struct {
		granted, asked, want exchange.Grant
		narrowed, refused    bool
	}{
		"nothing asked means all":        {granted, grant(""), granted, false, false},
		"the same is not narrower":       {granted, grant("read_write", "acme/"), granted, false, false},
		"read alone":                     {granted, grant("read"), grant("read", "acme/"), true, false},
		"a folder below":                 {granted, grant("", "acme/today"), grant("read_write", "acme/today/"), true, false},
		"a folder beside":                {granted, grant("", "acme-2/"), exchange.Grant{}, false, true},
		"a folder above":                 {granted, grant("", ""), exchange.Grant{}, false, true},
		"out and back in":                {granted, grant("", "acme/../other/"), exchange.Grant{}, false, true},
		"a star":                         {granted, grant("", "acme/*"), exchange.Grant{}, false, true},
		"a word that is no access":       {granted, grant("admin"), exchange.Grant{}, false, true},
		"writing where reading is given": {grant("read", "acme/"), grant("write"), exchange.Grant{}, false, true},
		"more where writing is given":    {grant("write", "acme/"), grant("read_write"), exchange.Grant{}, false, true},
		"folders of a dataset":           {grant("read"), grant("", "acme/"), exchange.Grant{}, false, true},
		"reading, of a login":            {exchange.Grant{}, grant("read"), exchange.Grant{}, false, true},
		"folders of a login":             {exchange.Grant{}, grant("", "acme/"), exchange.Grant{}, false, true},
	} {
		got, narrowed, err := narrow(c.granted, c.asked)
		if c.refused {
			if !errors.Is(err, exchange.ErrBadRequest) {
				t.Errorf("%s: %v, %v", name, got, err)
			}
			continue
		}
		if err != nil || narrowed != c.narrowed || got.Access != c.want.Access || strings.Join(got.Prefixes, " ") != strings.Join(c.want.Prefixes, " ") {
			t.Errorf("%s: %v, %v, %v", name, got, narrowed, err)
		}
	}
}

func TestGrantsHaveLimits(t *testing.T) {
	many := exchange.Grant{Access: exchange.Read}
	for range 40 {
		many.Prefixes = append(many.Prefixes, strings.Repeat("x", 60)+"/")
	}
	many.Prefixes[7] = strings.Repeat("y", 80) + "/"
	_, s3Error := s3{partition: "aws", bucket: "b"}.policy(many)
	_, gcsError := gcs{bucket: "b"}.boundary(many)
	for _, err := range []error{s3Error, gcsError} {
		if !errors.Is(err, exchange.ErrBadRequest) || !strings.Contains(err.Error(), many.Prefixes[7]) {
			t.Errorf("too many prefixes: %v", err)
		}
	}
	for _, empty := range []exchange.Grant{{}, {Access: exchange.Read}, {Prefixes: []string{"a/"}}} {
		if _, err := (s3{partition: "aws", bucket: "b"}).policy(empty); err == nil {
			t.Errorf("%v became a policy", empty)
		}
		if _, err := (gcs{bucket: "b"}).boundary(empty); err == nil {
			t.Errorf("%v became a boundary", empty)
		}
	}
}

// FuzzGrant: whatever prefix the catalog takes, what it compiles to lets through what is
// under it and nothing else, as an evaluator of policies and one of CEL read it.
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
		holdsPolicy(t, grant, object, strings.HasPrefix(object, p))
		holdsBoundary(t, grant, object, strings.HasPrefix(object, p))
	})
}

// holdsPolicy: the object and its listing are as wanted, and no other action goes through.
func holdsPolicy(t *testing.T, grant exchange.Grant, object string, want bool) {
	text, err := s3{partition: "aws", bucket: "b"}.policy(grant)
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

func holdsBoundary(t *testing.T, grant exchange.Grant, object string, want bool) {
	b, err := gcs{bucket: "b"}.boundary(grant)
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

// TestTheKeyIsS3sToUse: KMS says for whom it is asked, and whoever asks it himself is nobody's
// service.
func TestTheKeyIsS3sToUse(t *testing.T) {
	const key = "arn:aws-cn:kms:cn-north-1:999988887777:key/1"
	text, err := s3{partition: "aws-cn", region: "cn-north-1", bucket: "b", kmsKey: key}.policy(exchange.Grant{Access: exchange.Read, Prefixes: []string{"a/"}})
	want := `{"Effect":"Allow","Action":["kms:Decrypt"],"Resource":["` + key + `"],"Condition":{"StringEquals":{"kms:ViaService":["s3.cn-north-1.amazonaws.com.cn"]}}}`
	if err != nil || !strings.Contains(text, want) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestPackedPolicies: only AWS knows how large a policy is in the end, and the refusal says
// what to do about it.
func TestPackedPolicies(t *testing.T) {
	refused := &exchange.EdgeError{Code: "PackedPolicyTooLarge", Reason: exchange.Refused, Err: errors.New("Packed size of session tags consumes 112% of allotted space.")}
	err := packed(refused, []string{"a/", "a-long-folder/"})
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) || edge.Code != refused.Code || !strings.Contains(err.Error(), `"a-long-folder/" first`) || !strings.Contains(err.Error(), "112%") {
		t.Errorf("%v", err)
	}
	other := &exchange.EdgeError{Code: "AccessDenied", Err: errors.New("no")}
	if got := packed(other, []string{"a/"}); got != error(other) {
		t.Errorf("%v became %v", other, got)
	}
}
