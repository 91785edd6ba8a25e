package destination

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

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

// FuzzPrefix: a prefix that the catalog takes cannot become syntax, in either
// language.
func FuzzPrefix(f *testing.F) {
	for _, p := range []string{"acme/", "a/b/c/", "ünï/", "a'b/", `a"b/`, `a\b/`, "a*/", "${x}/", "a\nb/"} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, p string) {
		quoted := celString(p)
		if inside := quoted[1 : len(quoted)-1]; strings.Contains(strings.NewReplacer(`\\`, "", `\'`, "").Replace(inside), "'") {
			t.Errorf("%q leaves its quotes: %s", p, quoted)
		}
		if catalog.CheckPrefix(p) != nil {
			return
		}
		text, err := s3{partition: "aws", bucket: "b"}.policy(exchange.Grant{Access: exchange.Write, Prefixes: []string{p}})
		if err != nil {
			return
		}
		var doc policyDocument
		if err := json.Unmarshal([]byte(text), &doc); err != nil {
			t.Fatalf("%q breaks the policy: %v", p, err)
		}
		if got := doc.Statement[0].Resource; len(doc.Statement) != 1 || len(got) != 1 || got[0] != "arn:aws:s3:::b/"+p+"*" {
			t.Errorf("%q becomes %v", p, doc)
		}
		if strings.Count(text, "*") != 1 {
			t.Errorf("%q adds a wildcard: %s", p, text)
		}
	})
}
