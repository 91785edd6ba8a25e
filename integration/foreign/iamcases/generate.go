package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"

	"carnet.dev/carnet/integration/lab/awslab"
)

const (
	ours   = "111122223333"
	theirs = "999988887777"
	caller = "arn:aws:iam::" + ours + ":role/caller"
)

type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// some are up to n of a list, one at the least.
func some(g generator, n int, from ...string) []string {
	var list []string
	for range 1 + g.IntN(n) {
		list = append(list, pick(g, from...))
	}
	return list
}

func (g generator) question(i int) (string, awslab.Question) {
	switch i % 4 {
	case 0, 1:
		return g.condition()
	case 2:
		return g.speaks()
	}
	return g.sides()
}

type (
	object    = map[string]any
	statement = object
)

func document(statements ...statement) string {
	text, err := json.Marshal(object{"Version": "2012-10-17", "Statement": statements})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// asks is a question of the caller's, of an object in its own account.
func asks(identity ...string) awslab.Question {
	return awslab.Question{Role: caller, Session: "job", Identity: identity, Action: "s3:GetObject", Resource: "arn:aws:s3:::b/k", Owner: ours}
}

// An operand is what an operator compares: its operators, values for a policy and for a
// request. The values are such that both evaluators can read them; how each treats what it
// cannot read is not compared.
type operand struct{ operators, policy, request []string }

func operands() []operand {
	return []operand{
		{[]string{"StringEquals", "StringNotEquals", "StringEqualsIgnoreCase", "StringNotEqualsIgnoreCase", "StringLike", "StringNotLike"},
			[]string{"a", "A", "b", "ab", "a*", "*b", "a?", "?", "*", "a*c", "a.c", "(a|b)"}, []string{"a", "A", "b", "ab", "abc", "a.c", "a*", "c"}},
		{[]string{"NumericEquals", "NumericNotEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals"},
			[]string{"1", "2", "10", "3600", "1.5", "0"}, []string{"1", "2", "10", "900", "1.5", "3600"}},
		{[]string{"DateEquals", "DateNotEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals"},
			[]string{"2026-11-20T10:00:00Z", "2026-11-20", "2026-12", "2026-11-20T11:00:00+01:00", "2026-11-20T10:00:00.5Z"},
			[]string{"2026-11-20T10:00:00Z", "2026-11-20T00:00:00Z", "2026-12-24T12:00:00Z", "2025-01-01T00:00:00Z"}},
		// Apart from the others: iam-simulate compares seconds with milliseconds.
		{[]string{"DateEquals", "DateNotEquals", "DateLessThan", "DateGreaterThan"},
			[]string{"1767225600", "1767225601", "0"}, []string{"1767225600", "1767225599", "1900000000"}},
		{[]string{"Bool"}, []string{"true", "false", "True"}, []string{"true", "false"}},
		{[]string{"Null"}, []string{"true", "false"}, []string{"x"}},
		{[]string{"BinaryEquals"}, []string{"YQ==", "Yg=="}, []string{"YQ==", "Yg=="}},
		// Without 0.0.0.0/0, for which iam-simulate's shift by 32 is one by 0, and without an
		// address alone, which it holds to be neither equal nor unequal to one of IPv6.
		{[]string{"IpAddress", "NotIpAddress"}, []string{"10.0.0.0/8", "192.168.0.0/16", "10.1.2.3/32", "0.0.0.0/1", "2001:db8::/32"},
			[]string{"10.1.2.3", "192.168.4.5", "127.0.0.1", "2001:db8::1"}},
		{[]string{"ArnEquals", "ArnNotEquals", "ArnLike", "ArnNotLike"},
			[]string{caller, "arn:aws:iam::*:role/caller", "arn:aws:iam::" + ours + ":role/*", "arn:*:iam::" + ours + ":role/caller", "arn:aws:*::" + ours + ":*", "arn:aws:iam:*:*:*/caller", "arn:aws:iam::" + theirs + ":role/caller", "arn:aws:iam::1111????3333:role/c*r"},
			[]string{caller, "arn:aws:iam::" + theirs + ":role/caller", "arn:aws:iam::" + ours + ":role/path/caller", "arn:aws:s3:::b/role/caller", "arn:aws:iam::" + ours + ":user/caller"}},
	}
}

// condition asks about one condition, which lets in or keeps out.
func (g generator) condition() (string, awslab.Question) {
	o := pick(g, operands()...)
	operator := pick(g, o.operators...)
	if operator != "Null" {
		operator = pick(g, "", "", "ForAllValues:", "ForAnyValue:") + operator + pick(g, "", "", "IfExists")
	}
	var values any = some(g, 3, o.policy...)
	if g.IntN(2) == 0 {
		values = pick(g, o.policy...)
	}
	st := statement{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", "Condition": object{operator: object{"test:Key": values}}}
	all := []statement{st}
	if g.IntN(3) == 0 {
		st["Effect"] = "Deny"
		all = append(all, statement{"Effect": "Allow", "Action": "*", "Resource": "*"})
	}
	q, n := asks(document(all...)), g.IntN(4)
	q.Context = map[string][]string{}
	for range n {
		q.Context["test:Key"] = append(q.Context["test:Key"], pick(g, o.request...))
	}
	return fmt.Sprintf("%s %s, %s", st["Effect"], operator, map[int]string{0: "the key is missing", 1: "one value", 2: "several values", 3: "several values"}[n]), q
}

// speaks asks which actions and resources a statement speaks of.
func (g generator) speaks() (string, awslab.Question) {
	actions := some(g, 3, "s3:GetObject", "s3:Get*", "s3:*", "*", "s3:PutObject", "S3:getobject", "s3:?etObject", "s3:*Object", "sts:AssumeRole", "s3:GetObjectAcl")
	resources := some(g, 3, "*", "arn:aws:s3:::b/*", "arn:aws:s3:::b/k", "arn:aws:s3:::*", "arn:aws:s3:::b/a/*", "arn:aws:s3:::b?/k", "arn:aws:s3:::b/*/k", "arn:aws:s3:::b", "arn:aws:s3:::b/k?", "arn:aws:s3:::b*/k")
	element, on := pick(g, "Action", "Action", "NotAction"), pick(g, "Resource", "Resource", "NotResource")
	st := statement{"Effect": "Allow", element: actions, on: resources}
	all := []statement{st}
	if g.IntN(3) == 0 {
		st["Effect"] = "Deny"
		all = append(all, statement{"Effect": "Allow", "Action": "*", "Resource": "*"})
	}
	q := asks(document(all...))
	q.Action = pick(g, "s3:GetObject", "s3:PutObject", "s3:GetObjectAcl", "s3:DeleteObject")
	q.Resource = "arn:aws:s3:::" + pick(g, "b/k", "b/a/k", "b2/k", "b/kk", "b/a/b/k", "c/k")
	return fmt.Sprintf("%s %s %s", st["Effect"], element, on), q
}

// sides asks with policies on both sides: of a bucket, or of a role, which is assumed by a
// session or by a web identity.
func (g generator) sides() (string, awslab.Question) {
	q := asks()
	q.Owner = pick(g, ours, theirs)
	var what statement
	switch g.IntN(3) {
	case 0:
		what = statement{"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
	case 1:
		q.Action, q.Resource = "sts:AssumeRole", "arn:aws:iam::"+q.Owner+":role/entered"
		what = statement{"Action": "sts:AssumeRole"}
	default:
		return g.federated()
	}
	one := func() (word, text string) {
		st := statement{"Effect": "Allow", "Action": q.Action, "Resource": "*"}
		switch word = pick(g, "none", "allows", "allows", "denies", "silent"); word {
		case "none":
			return word, ""
		case "denies":
			st["Effect"] = "Deny"
		case "silent":
			st["Action"] = "s3:DeleteBucket"
		}
		return word, document(st)
	}
	identity, text := one()
	if text != "" {
		q.Identity = []string{text}
	}
	boundary, text := one()
	q.Boundary = text
	session, text := one()
	if text != "" {
		q.Sessions = []string{text}
	}
	names, effect := g.resource(&q, what)
	where := map[bool]string{true: "in one account", false: "across accounts"}[q.Owner == ours]
	return fmt.Sprintf("%s %s: identity %s, boundary %s, session %s, resource %s %s", q.Action, where, identity, boundary, session, effect, names), q
}

// resource gives the resource a policy with one or two statements.
func (g generator) resource(q *awslab.Question, what statement) (names, effect string) {
	known := map[string]string{
		"root": "arn:aws:iam::" + ours + ":root", "account": ours, "role": caller, "session": "arn:aws:sts::" + ours + ":assumed-role/caller/job",
		"anyone": "*", "another": "arn:aws:iam::" + ours + ":role/other", "their root": "arn:aws:iam::" + theirs + ":root",
	}
	var words, list []string
	for _, word := range some(g, 2, "root", "account", "role", "role", "session", "anyone", "another", "their root") {
		words, list = append(words, word), append(list, known[word])
	}
	q.Context = map[string][]string{}
	if g.IntN(3) > 0 {
		q.Context["sts:ExternalId"] = []string{pick(g, "right", "wrong")}
	}
	st := statement{"Effect": "Allow", "Principal": object{"AWS": list}}
	for key, value := range what {
		st[key] = value
	}
	if g.IntN(2) == 0 && q.Action == "sts:AssumeRole" {
		st["Condition"] = object{"StringEquals": object{"sts:ExternalId": "right"}}
	}
	all := []statement{st}
	effect = "allows"
	if g.IntN(4) == 0 {
		deny := statement{"Effect": "Deny", "Principal": pick[any](g, "*", object{"AWS": "*"}, object{"AWS": known["root"]}, object{"AWS": known["another"]})}
		for key, value := range what {
			deny[key] = value
		}
		all, effect = append(all, deny), "allows and denies"
	}
	q.Policy = document(all...)
	return strings.Join(words, " and "), effect
}

// federated asks for a web identity, whom a trust policy alone lets in.
func (g generator) federated() (string, awslab.Question) {
	const google = "accounts.google.com"
	q := awslab.Question{Federated: google, Owner: theirs, Action: "sts:AssumeRoleWithWebIdentity", Resource: "arn:aws:iam::" + theirs + ":role/entered"}
	q.Context = map[string][]string{google + ":sub": {pick(g, "1", "2")}, google + ":oaud": {pick(g, "x", "y")}}
	st := statement{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": pick[any](g, object{"Federated": google}, object{"Federated": "other.example"}, object{"AWS": "*"}, object{"AWS": caller})}
	if g.IntN(3) > 0 {
		st["Condition"] = object{"StringEquals": object{google + ":sub": "1", google + ":oaud": []string{"x", "z"}}}
	}
	all := []statement{st}
	if g.IntN(3) == 0 {
		all = append(all, statement{"Effect": "Deny", "Action": "sts:*", "Principal": pick[any](g, "*", object{"AWS": "*"}, object{"AWS": ours}, object{"Federated": google})})
	}
	q.Policy = document(all...)
	return "a web identity", q
}
