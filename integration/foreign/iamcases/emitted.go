package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/tour"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/trust"
)

// questions is how many are asked of each policy.
const questions = 60

// emitted asks about every policy that carnet emits for the sample: roles' trust policies and
// permissions, and session policies.
func emitted(g generator, tell func(string, awslab.Question) error) error {
	sheets, err := sheets()
	if err != nil {
		return err
	}
	for _, r := range sheets {
		if err := g.ofRole(r, tell); err != nil {
			return err
		}
	}
	sessions, err := sessionPolicies()
	if err != nil {
		return err
	}
	for _, text := range sessions {
		if err := g.ofPolicy("a session policy", text, tell); err != nil {
			return err
		}
	}
	return nil
}

// sheets are the roles that owners are told of, for each destination and each side.
func sheets() ([]*trust.Role, error) {
	dir, err := os.MkdirTemp("", "carnet-iamcases-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := sample.WriteCatalog(dir); err != nil {
		return nil, err
	}
	folder := catalog.Folder{Dir: dir}
	text, _, err := folder.Read(context.Background(), "carnet.yaml")
	if err != nil {
		return nil, err
	}
	op, err := catalog.ParseOperator("carnet.yaml", text)
	if err != nil {
		return nil, err
	}
	tenants, err := folder.Tenants(context.Background())
	if err != nil {
		return nil, err
	}
	var all []*trust.Role
	for _, name := range tenants {
		roles, err := rolesOf(folder, op, name)
		if err != nil {
			return nil, err
		}
		all = append(all, roles...)
	}
	return all, nil
}

func rolesOf(folder catalog.Folder, op *catalog.Operator, name string) ([]*trust.Role, error) {
	text, _, err := folder.Read(context.Background(), "tenants/"+name+".yaml")
	if err != nil {
		return nil, err
	}
	tenant, err := kinds.All().Catalog().ParseTenant(name+".yaml", text)
	if err != nil {
		return nil, err
	}
	var all []*trust.Role
	for destination := range tenant.Destinations {
		for _, owner := range []exchange.Owner{exchange.ThirdParty, exchange.Operator, exchange.TenantSide} {
			sheet, err := apply.All().Trust().For(op, trust.Ask{Tenant: tenant, Destination: destination, For: owner, Facts: map[string]string{"workgroup-id": "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"}})
			if errors.Is(err, trust.ErrNothing) {
				continue
			}
			if err != nil {
				return nil, err
			}
			all = append(all, sheet.Roles...)
		}
	}
	return all, nil
}

// sessionPolicies are those that STS is handed while a tour walks.
func sessionPolicies() ([]string, error) {
	t, err := tour.New(io.Discard)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	var mu sync.Mutex
	found := map[string]bool{}
	t.Lab().Hear(func(e lab.Exchange) {
		form, err := url.ParseQuery(string(e.Body))
		if err == nil && strings.HasPrefix(form.Get("Action"), "AssumeRole") && form.Get("Policy") != "" {
			mu.Lock()
			defer mu.Unlock()
			found[form.Get("Policy")] = true
		}
	})
	if err := t.Walk(context.Background(), func(tour.Row) {}); err != nil {
		return nil, err
	}
	var all []string
	for text := range found {
		all = append(all, text)
	}
	slices.Sort(all)
	return all, nil
}

func (g generator) ofRole(r *trust.Role, tell func(string, awslab.Question) error) error {
	for kind, statements := range map[string][]trust.Statement{"trust": r.Trust, "permissions": r.Policy} {
		if len(statements) == 0 {
			continue
		}
		text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": statements})
		if err != nil {
			return err
		}
		ask := g.ofPolicy
		if kind == "trust" {
			ask = func(name, text string, tell func(string, awslab.Question) error) error {
				return g.ofTrust(r.ARN, text, tell)
			}
		}
		if err := ask("a role's permissions", string(text), tell); err != nil {
			return err
		}
	}
	return nil
}

// values are the texts of a policy, at any depth, from which its questions are made.
func values(text string) []string {
	var read any
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		panic(err)
	}
	var all []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			all = append(all, v)
		case []any:
			for _, one := range v {
				walk(one)
			}
		case map[string]any:
			for key, one := range v {
				if all = append(all, key); key != "Version" {
					walk(one)
				}
			}
		}
	}
	walk(read)
	slices.Sort(all)
	return slices.Compact(all)
}

// ofPolicy asks for what a policy names, and for what is beside it.
func (g generator) ofPolicy(name, text string, tell func(string, awslab.Question) error) error {
	var actions, resources, others []string
	for _, v := range values(text) {
		switch {
		case strings.HasPrefix(v, "arn:"):
			resources = append(resources, v)
		case strings.Contains(v, ":") && !strings.Contains(v, "/") && !strings.HasPrefix(v, "For"):
			actions = append(actions, v)
		default:
			others = append(others, v)
		}
	}
	actions = append(actions, "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket", "s3:GetObjectAcl", "sts:AssumeRole", "kms:Decrypt")
	for range questions {
		q := asks(text)
		q.Action = pick(g, actions...)
		q.Resource = g.near(pick(g, append(resources, "arn:aws:s3:::other/k")...))
		if parts := strings.SplitN(q.Resource, ":", 6); strings.HasPrefix(q.Resource, "arn:aws:iam::") && strings.HasPrefix(parts[5], "role/") {
			q.Owner = parts[4] // whose role lets in whom these permissions let
			q.Policy = document(statement{"Effect": "Allow", "Principal": object{"AWS": ours}, "Action": "sts:AssumeRole"})
		}
		q.Context = map[string][]string{"aws:userid": {"AROA:job"}}
		for _, key := range []string{"s3:prefix", "kms:ViaService", "sts:IdentityTokenAudience", "redshift-data:statement-owner-iam-userid"} {
			if g.IntN(2) == 0 {
				q.Context[key] = []string{g.near(pick(g, append(others, "AROA:job", "from-operator/")...))}
			}
		}
		if err := tell(name, q); err != nil {
			return err
		}
	}
	return nil
}

// near fills a pattern's wildcards, and alters it now and then. It is never empty: what
// ForAllValues makes of an empty value the guide says, and iam-simulate does not do.
func (g generator) near(pattern string) string {
	s := cmp.Or(strings.ReplaceAll(pattern, "*", pick(g, "", "k", "a/b", "x")), "x")
	switch g.IntN(5) {
	case 0:
		return s + pick(g, "x", "/", "/k")
	case 1:
		head, tail := s[:min(4, len(s))], s[min(4, len(s)):]
		return head + strings.Replace(tail, pick(g, "e", "a", "9", "/"), "o", 1)
	}
	return s
}

// ofTrust asks who may enter a role: whom its trust policy names, with the right words and
// with others.
func (g generator) ofTrust(arn, text string, tell func(string, awslab.Question) error) error {
	all := append(values(text), caller, "other", "")
	for i := range questions {
		q := awslab.Question{Role: caller, Session: "job", Action: "sts:AssumeRole", Resource: arn, Owner: strings.Split(arn, ":")[4], Policy: text}
		q.Context = map[string][]string{}
		for _, key := range []string{"sts:ExternalId", "accounts.google.com:sub", "accounts.google.com:oaud"} {
			if v := pick(g, all...); v != "" {
				q.Context[key] = []string{v}
			}
		}
		if i%2 == 0 {
			q.Federated, q.Action = pick(g, "accounts.google.com", "other.example"), "sts:AssumeRoleWithWebIdentity"
		} else if v := pick(g, all...); strings.Contains(v, ":role/") {
			q.Role = v
		}
		q.Identity = []string{document(statement{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": pick(g, "*", arn)})}
		if err := tell(fmt.Sprintf("a role's trust policy, %s", q.Action), q); err != nil {
			return err
		}
	}
	return nil
}
