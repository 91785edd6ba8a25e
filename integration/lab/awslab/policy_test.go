package awslab

import (
	"fmt"
	"strings"
	"testing"
)

// TestConditions: each operator with each of its forms, by the guide's own words.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func TestConditions(t *testing.T) {
	const (
		role  = "arn:aws:iam::111122223333:role/caller"
		inOrg = "arn:aws:iam::111122223333:role/path/role/caller"
	)
	for _, c := range []struct {
		operator, values string
		got              []string // of the request; nil: the key is missing
		want             bool
	}{
		{"StringEquals", `"a"`, []string{"a"}, true},
		{"StringEquals", `"a"`, []string{"A"}, false},
		{"StringEquals", `"a"`, nil, false},
		{"StringEqualsIfExists", `"a"`, nil, true},
		{"StringNotEquals", `["a","b"]`, []string{"b"}, false},
		{"StringNotEquals", `"a"`, nil, true},
		{"StringNotEqualsIfExists", `"a"`, nil, true},
		{"StringEqualsIgnoreCase", `"a"`, []string{"A"}, true},
		{"StringNotEqualsIgnoreCase", `"a"`, []string{"A"}, false},
		{"StringLike", `"a?c*"`, []string{"abcd"}, true},
		{"StringNotLike", `"a*"`, []string{"abc"}, false},

		{"ForAllValues:StringEquals", `["a","b"]`, []string{"a", "b"}, true},
		{"ForAllValues:StringEquals", `["a","b"]`, []string{"a", "c"}, false},
		{"ForAllValues:StringEquals", `"a"`, nil, true},
		{"ForAllValues:StringEquals", `"a"`, []string{""}, true},
		{"ForAllValues:StringNotEquals", `"a"`, []string{"b", "a"}, false},
		{"ForAllValues:StringNotEquals", `"a"`, []string{"b", "c"}, true},
		{"ForAllValues:StringNotEquals", `"a"`, nil, true},
		{"ForAnyValue:StringEquals", `"a"`, []string{"b", "a"}, true},
		{"ForAnyValue:StringEquals", `"a"`, nil, false},
		{"ForAnyValue:StringNotEquals", `"a"`, nil, false},
		{"ForAnyValue:StringNotEquals", `"a"`, []string{"a", "b"}, true},
		{"ForAnyValue:StringNotEquals", `"a"`, []string{"a"}, false},
		{"ForAnyValue:StringNotLike", `"a*"`, []string{"ab", "b"}, true},
		{"ForAllValues:StringEqualsIfExists", `"a"`, nil, true},

		{"ArnLike", `"` + role + `"`, []string{role}, true},
		{"ArnLike", `"arn:aws:iam::*:role/caller"`, []string{role}, true},
		{"ArnLike", `"arn:aws:iam:*:*:role/*"`, []string{inOrg}, true},
		{"ArnLike", `"arn:aws:iam::*:*/caller"`, []string{"arn:aws:iam:x:111122223333:role/caller"}, false},
		{"ArnEquals", `"arn:aws:*::111122223333:role/caller"`, []string{role}, true},
		{"ArnEquals", `"arn:*:iam::111122223333:role/caller"`, []string{"arn:aws:s3:iam::111122223333:role/caller"}, false},
		{"ArnNotEquals", `"` + role + `"`, []string{role}, false},
		{"ArnNotLike", `"arn:aws:iam::*:role/other"`, []string{role}, true},
		{"ArnNotLike", `"arn:aws:iam::*:role/other"`, nil, true},

		{"DateGreaterThan", `"2026-11-01"`, []string{"2026-11-20T10:00:00Z"}, true},
		{"DateGreaterThan", `"2026-12"`, []string{"2026-11-20T10:00:00Z"}, false},
		{"DateGreaterThan", `"1767225600"`, []string{"2026-11-20T10:00:00Z"}, true}, // 2026-01-01
		{"DateGreaterThan", `1767225600`, []string{"2026-11-20T10:00:00Z"}, true},
		{"DateGreaterThan", `"2026-01-01T00:00:00Z"`, []string{"1767225601"}, true},
		{"DateLessThan", `"2026-11-20T12:30+01:00"`, []string{"2026-11-20T11:29:59.5Z"}, true},
		{"DateLessThanEquals", `"2026-11-20T10:00:00Z"`, []string{"2026-11-20T10:00:00Z"}, true},
		{"DateGreaterThanEquals", `"2026-11-20T10:00:00Z"`, []string{"2026-11-20T09:59:59Z"}, false},
		{"DateEquals", `"2026-11-20T10:00:00Z"`, []string{"2026-11-20T11:00:00+01:00"}, true},
		{"DateNotEquals", `"2026-11-20T10:00:00Z"`, []string{"2026-11-20T10:00:01Z"}, true},

		{"NumericEquals", `"3600"`, []string{"3600.0"}, true},
		{"NumericEquals", `1000000`, []string{"1000000"}, true},
		{"NumericEquals", `"100000000000000000001"`, []string{"100000000000000000002"}, false},
		{"NumericNotEquals", `"100000000000000000001"`, []string{"100000000000000000002"}, true},
		{"NumericLessThan", `"10"`, []string{"9"}, true},
		{"NumericLessThanEquals", `"10"`, []string{"10"}, true},
		{"NumericGreaterThan", `"10"`, []string{"9"}, false},
		{"NumericGreaterThanEquals", `"10"`, []string{"10"}, true},
		{"NumericNotEquals", `"10"`, []string{"no number"}, false},
		{"NumericLessThanIfExists", `"10"`, nil, true},

		{"Bool", `true`, []string{"true"}, true},
		{"Bool", `"TRUE"`, []string{"false"}, false},
		{"BoolIfExists", `"false"`, nil, true},
		{"Null", `"true"`, nil, true},
		{"Null", `"false"`, []string{"x"}, true},
		{"Null", `true`, []string{"x"}, false},
		{"BinaryEquals", `"YQ=="`, []string{"YQ=="}, true},
		{"IpAddress", `["10.0.0.0/8","2001:db8::/32"]`, []string{"10.1.2.3"}, true},
		{"IpAddress", `"10.1.2.3/8"`, []string{"10.200.0.1"}, true},
		{"IpAddress", `"2001:db8::/32"`, []string{"2001:db8::1"}, true},
		{"NotIpAddress", `"10.0.0.0/8"`, []string{"127.0.0.1"}, true},
		{"NotIpAddress", `"10.0.0.0/8"`, []string{"10.0.0.1"}, false},
	} {
		all, err := parseConditions([]byte(fmt.Sprintf(`{%q:{"test:Key":%s}}`, c.operator, c.values)), true)
		if err != nil {
			t.Errorf("%s %s: %v", c.operator, c.values, err)
			continue
		}
		context := map[string][]string{}
		if c.got != nil {
			context["test:key"] = c.got
		}
		if got := all[0].holds(context); got != c.want {
			t.Errorf("%s %s, where the request has %q: %v", c.operator, c.values, c.got, got)
		}
	}
}

// TestConditionsThatCannotBeRead are errors before anybody is asked.
func TestConditionsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{
		`{"DateGreaterThan":{"k":"2026-13-01"}}`, `{"DateGreaterThan":{"k":"2026-11-20T10:00:00"}}`, `{"NumericEquals":{"k":"1e9"}}`,
		`{"NumericEquals":{"k":""}}`, `{"Bool":{"k":"yes"}}`, `{"Null":{"k":"0"}}`, `{"NullIfExists":{"k":"true"}}`,
		`{"ForAnyValue:Null":{"k":"true"}}`, `{"ForEachValue:StringEquals":{"k":"x"}}`, `{"IpAddress":{"k":"10.0.0.0/33"}}`,
		`{"ArnLike":{"k":"*"}}`, `{"ArnLike":{"k":"arn:aws:*:role/caller"}}`, `{"StringEquals":{"k":"${aws:username}"}}`, `{"ArnEquals":{"k":"${aws:userid}"}}`,
		`{"StringEquals":{"k":{"v":1}}}`, `{"StringEquals":{"k":null}}`, `{"StringEquals":{"k":"a"},"StringEquals":{"k":"b"}}`,
		`{"BoolNot":{"k":"true"}}`, `{"NotBool":{"k":"true"}}`, `{"IpAddressNot":{"k":"10.0.0.0/8"}}`,
	} {
		if _, err := parseConditions([]byte(text), true); err == nil {
			t.Errorf("%s was read", text)
		}
	}
}

// TestTheOldVersionKnowsNoVariables: what looks like one is text.
func TestTheOldVersionKnowsNoVariables(t *testing.T) {
	for version, want := range map[string]bool{`"Version":"2012-10-17",`: true, `"Version":"2008-10-17",`: false, "": false} {
		text := `{` + version + `"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"StringEquals":{"aws:userid":"${aws:userid}"}}}}`
		if got, err := SessionPolicyAllows(text, "s3:GetObject", "arn:aws:s3:::b/k", map[string][]string{"aws:userid": {"A:s"}}); err != nil || got != want {
			t.Errorf("%s: %v, %v", version, got, err)
		}
	}
}

// TestWhatAStatementLeavesOut: NotAction and NotResource speak of all the rest.
func TestWhatAStatementLeavesOut(t *testing.T) {
	for _, c := range []struct {
		statement, action, resource string
		want                        bool
	}{
		{`"NotAction":"s3:Delete*","Resource":"*"`, "s3:GetObject", "arn:aws:s3:::b/k", true},
		{`"NotAction":"s3:Delete*","Resource":"*"`, "s3:DeleteObject", "arn:aws:s3:::b/k", false},
		{`"Action":"s3:*","NotResource":["arn:aws:s3:::b/secret/*"]`, "s3:GetObject", "arn:aws:s3:::b/k", true},
		{`"Action":"s3:*","NotResource":["arn:aws:s3:::b/secret/*"]`, "s3:GetObject", "arn:aws:s3:::b/secret/k", false},
	} {
		got, err := SessionPolicyAllows(`{"Statement":[{"Effect":"Allow",`+c.statement+`}]}`, c.action, c.resource, nil)
		if err != nil || got != c.want {
			t.Errorf("%s: %s on %s: %v, %v", c.statement, c.action, c.resource, got, err)
		}
	}
}

const (
	owner = "111122223333"
	other = "999988887777"
)

func policyOf(t *testing.T, kind policyKind, statements ...string) *policy {
	t.Helper()
	if len(statements) == 0 {
		return nil
	}
	p, err := parsePolicy([]byte(`{"Version":"2012-10-17","Statement":[`+strings.Join(statements, ",")+`]}`), kind)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWhoReachesWhatHasAPolicyOfItsOwn: who asks is the role caller of the account 111122223333.
func TestWhoReachesWhatHasAPolicyOfItsOwn(t *testing.T) {
	const (
		get     = `"Action":"s3:GetObject","Resource":"*"}`
		allow   = `{"Effect":"Allow",` + get
		deny    = `{"Effect":"Deny",` + get
		nothing = `{"Effect":"Allow","Action":"s3:PutObject","Resource":"*"}`
		root    = `"arn:aws:iam::111122223333:root"`
		byRole  = `"arn:aws:iam::111122223333:role/caller"`
		byName  = `"arn:aws:sts::111122223333:assumed-role/caller/job"`
	)
	to := func(principals string) string {
		return `{"Effect":"Allow","Principal":{"AWS":` + principals + `},` + get
	}
	for name, c := range map[string]struct {
		account, identity, boundary, session, resource string
		want                                           bool
	}{
		"one's own policy, in one account":                   {owner, allow, "", "", "", true},
		"one's own policy, across accounts":                  {other, allow, "", "", "", false},
		"both sides, across accounts":                        {other, allow, "", "", to(byRole), true},
		"the resource's policy alone, across accounts":       {other, "", "", "", to(byRole), false},
		"the account's root passes it on":                    {owner, "", "", "", to(root), false},
		"the account's number passes it on":                  {owner, "", "", "", to(`"111122223333"`), false},
		"the account's root, across accounts":                {other, allow, "", "", to(root), true},
		"the role by name, in one account":                   {owner, "", "", "", to(byRole), true},
		"root and role, in this order":                       {owner, "", "", "", to("[" + root + "," + byRole + "]"), true},
		"role and root, in this order":                       {owner, "", "", "", to("[" + byRole + "," + root + "]"), true},
		"the role by name, and a boundary that allows":       {owner, "", allow, "", to(byRole), true},
		"the role by name, and a boundary that is silent":    {owner, "", nothing, "", to(byRole), false},
		"the role by name, and a session policy that allows": {owner, "", "", allow, to(byRole), true},
		"the role by name, and a silent session policy":      {owner, "", "", nothing, to(byRole), false},
		"the session by name, and a silent session policy":   {owner, "", "", nothing, to(byName), true},
		"the session by name, and a silent boundary":         {owner, "", nothing, "", to(byName), true},
		"the session by name, and a session policy's deny":   {owner, "", "", deny, to(byName), false},
		"the session by name, across accounts":               {other, "", "", "", to(byName), false},
		"anyone, in one account":                             {owner, "", "", "", to(`"*"`), true},
		"anyone, within a silent session policy":             {owner, "", "", nothing, to(`"*"`), false},
		"an identity policy's deny beside the role's name":   {owner, deny, "", "", to(byRole), false},
		"a boundary's silence limits one's own policy":       {owner, allow, nothing, "", "", false},
		"a session policy's silence limits one's own policy": {owner, allow, "", nothing, "", false},
		"the resource's deny wins":                           {owner, allow, "", "", `{"Effect":"Deny","Principal":{"AWS":` + root + `},` + get, false},
		"the resource's deny for anyone wins":                {owner, allow, "", "", `{"Effect":"Deny","Principal":"*",` + get, false},
	} {
		q := Question{Role: "arn:aws:iam::111122223333:role/caller", Session: "job", Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: c.account}
		one := func(statement string) string {
			if statement == "" {
				return ""
			}
			return `{"Version":"2012-10-17","Statement":` + statement + `}`
		}
		q.Boundary, q.Policy = one(c.boundary), one(c.resource)
		if c.identity != "" {
			q.Identity = []string{one(c.identity)}
		}
		if c.session != "" {
			q.Sessions = []string{one(c.session)}
		}
		if got, err := q.Allowed(); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// TestAnyoneIsAWebIdentityToo: "*" and {"AWS": "*"} are the same.
func TestAnyoneIsAWebIdentityToo(t *testing.T) {
	const allow = `{"Effect":"Allow","Principal":{"Federated":"accounts.google.com"},"Action":"sts:AssumeRoleWithWebIdentity"}`
	r := request{action: "sts:AssumeRoleWithWebIdentity", who: principal{federated: google}}
	for principal, want := range map[string]decision{`"*"`: denied, `{"AWS":"*"}`: denied, `{"AWS":["111122223333","*"]}`: denied, `{"AWS":"111122223333"}`: toRole} {
		p := policyOf(t, trustPolicy, allow, `{"Effect":"Deny","Principal":`+principal+`,"Action":"sts:*"}`)
		if got := p.decide(r); got != want {
			t.Errorf("a Deny for %s: %v", principal, got)
		}
	}
}

// TestAPolicyIsReadTwice: reading leaves the text as it is.
func TestAPolicyIsReadTwice(t *testing.T) {
	text := []byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Action":"s3:PutObject","Resource":"*"}]}`)
	for range 2 {
		if _, err := parsePolicy(text, identityPolicy); err != nil {
			t.Fatal(err)
		}
	}
}

// FuzzPolicy: whatever is read as a policy decides, and allows nothing that it does not name.
func FuzzPolicy(f *testing.F) {
	f.Add(`{"Version":"2012-10-17","Statement":[{"Sid":"A","Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*","Condition":{"StringLike":{"s3:prefix":["a/*"]}}}]}`)
	f.Add(`{"Statement":{"Effect":"Deny","NotAction":["s3:*"],"NotResource":"*","Condition":{"ForAnyValue:DateLessThanIfExists":{"k":"2026-01"}}}}`)
	f.Add(`{"Statement":[{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"NumericEquals":{"k":1e400}}}]} {}`)
	f.Fuzz(func(t *testing.T, text string) {
		allowed, err := SessionPolicyAllows(text, "s3:GetObject", "arn:aws:s3:::b/k", map[string][]string{"k": {"1"}})
		if err == nil && allowed && !strings.Contains(text, "Allow") && !strings.Contains(text, `\u`) { // which can stand for any letter
			t.Errorf("%s allows", text)
		}
	})
}
