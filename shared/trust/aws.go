package trust

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A Role is an IAM role that the owner makes, or one that stands and gets a policy.
type Role struct {
	ARN        string
	MaxSession int // seconds
	Trust      []Statement
	Policy     []Statement
	PolicyName string
}

// Name is the role's, without its path.
func (r *Role) Name() string { return r.ARN[strings.LastIndex(r.ARN, "/")+1:] }

// Path is where IAM keeps it: / for most.
func (r *Role) Path() string {
	_, name, _ := strings.Cut(r.ARN, ":role")
	return name[:strings.LastIndex(name, "/")+1]
}

// Account is the role's.
func (r *Role) Account() string { return awsid.AccountOf(r.ARN) }

// A Statement of a policy. Its reason is no part of it.
type Statement struct {
	Sid       string         `json:"Sid"`
	Effect    string         `json:"Effect"`
	Principal any            `json:"Principal,omitempty"`
	Action    any            `json:"Action"`
	Resource  any            `json:"Resource,omitempty"`
	Condition map[string]any `json:"Condition,omitempty"`
	Why       string         `json:"-"`
}

func allow(sid, why string, resource any, actions ...string) Statement {
	return Statement{Sid: sid, Effect: "Allow", Action: one(actions), Resource: resource, Why: why}
}

// Permit is a statement of a session policy as a role's own policy has it.
func Permit(sid, why string, st awsid.Statement) Statement {
	out := allow(sid, why, one(st.Resource), st.Action...)
	for operator, keys := range st.Condition {
		values := map[string]any{}
		for key, list := range keys {
			values[key] = one(list)
		}
		out.Condition = map[string]any{operator: values}
	}
	return out
}

// one writes a list of one as the one.
func one(list []string) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

// Role is a role of the sheet, which is made where it is not there yet.
func (s *Sheet) Role(arn string) *Role {
	for _, r := range s.Roles {
		if r.ARN == arn {
			return r
		}
	}
	r := &Role{ARN: arn, MaxSession: 3600, PolicyName: "carnet-enter-" + s.Tenant}
	if s.For == exchange.ThirdParty {
		r.PolicyName = "carnet-" + s.Destination
	}
	s.Roles = append(s.Roles, r)
	return r
}

func (s *Sheet) intoRole(from, to string) {
	if !s.mine(to) {
		return
	}
	r := s.Role(to)
	if OnAWS(from) {
		r.enteredByRole(from, s.bindings(to))
		return
	}
	r.enteredByAccount(s.Subject(from), from, s.bindings(to))
}

func (r *Role) enteredByRole(from string, ids []string) {
	st := Statement{
		Sid: "FromAWS" + sid(from), Effect: "Allow", Action: "sts:AssumeRole",
		Principal: map[string]any{"AWS": from},
		Why: fmt.Sprintf("Exactly this role may enter: not its account (:root would let in every role there), not *. "+
			"sts:ExternalId is this binding's own, so that nobody who may use %s for another customer can name this role.", from),
	}
	if len(ids) > 0 {
		st.Condition = map[string]any{"StringEquals": map[string]any{"sts:ExternalId": one(ids)}}
	}
	r.trust(st)
}

func (r *Role) enteredByAccount(subject, email string, ids []string) {
	r.trust(Statement{
		Sid: "FromGoogle" + sid(email), Effect: "Allow", Action: "sts:AssumeRoleWithWebIdentity",
		Principal: map[string]any{"Federated": "accounts.google.com"},
		Condition: map[string]any{"StringEquals": map[string]any{"accounts.google.com:sub": subject, "accounts.google.com:oaud": one(ids)}},
		Why: fmt.Sprintf("Both keys carry the trust, and AWS insists on neither. :sub is the numeric id of %s, "+
			"the one Google account that may enter (its email could be taken again). :oaud is the audience that its token was made for, "+
			"the ExternalId of this direction: without it a token made for anybody else would do. "+
			"accounts.google.com is built into AWS; no identity provider has to be made for it.", email),
	})
}

// sid makes the name of an identity fit for a Sid, which takes letters and digits.
func sid(principal string) string {
	name := principal[strings.LastIndex(principal, "/")+1:]
	name, _, _ = strings.Cut(name, "@")
	var b strings.Builder
	for _, word := range regexp.MustCompile(`[A-Za-z0-9]+`).FindAllString(name, -1) {
		b.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	return b.String()
}

func (r *Role) trust(st Statement) {
	if !slices.ContainsFunc(r.Trust, func(have Statement) bool { return have.Sid == st.Sid }) {
		r.Trust = append(r.Trust, st)
	}
}

// permit adds resources to the statement of that Sid.
func (r *Role) permit(st Statement, add ...string) {
	for i := range r.Policy {
		if r.Policy[i].Sid == st.Sid {
			r.Policy[i].Resource = with(r.Policy[i].Resource, add...)
			return
		}
	}
	st.Resource = with(nil, add...)
	r.Policy = append(r.Policy, st)
}

func with(have any, add ...string) []string {
	list, _ := have.([]string)
	list = slices.Concat(list, add)
	slices.Sort(list)
	return slices.Compact(list)
}

// outOfRole is what a role itself must be allowed: to assume the next one, or to have
// the token with which it enters Google Cloud. Its signed request takes no permission.
func (s *Sheet) outOfRole(from, to string) {
	if !s.mine(from) {
		return
	}
	if OnAWS(to) {
		why := "These roles and no others. They also have to let this one in: across accounts both sides must."
		s.Role(from).permit(allow("EnterRoles", why, nil, "sts:AssumeRole"), to)
		return
	}
	if p := s.provider(to); p != nil && p.Kind == catalog.ProviderOIDC {
		s.outbound(from, p.Name)
	}
}

// outbound lets a role get tokens for these audiences. ForAllValues holds of no values at
// all, so Null stands beside it.
func (s *Sheet) outbound(arn string, audiences ...string) {
	if !s.mine(arn) {
		return
	}
	const sid = "ProveItself"
	r := s.Role(arn)
	i := slices.IndexFunc(r.Policy, func(st Statement) bool { return st.Sid == sid })
	if i < 0 {
		i = len(r.Policy)
		r.Policy = append(r.Policy, allow(sid, "Tokens that prove this role outside AWS, for these audiences alone: a token for any audience could be shown to anybody.", "*", "sts:GetWebIdentityToken"))
	}
	have, _ := r.Policy[i].Condition["ForAllValues:StringEquals"].(map[string]any)
	r.Policy[i].Condition = map[string]any{
		"ForAllValues:StringEquals": map[string]any{"sts:IdentityTokenAudience": with(have["sts:IdentityTokenAudience"], audiences...)},
		"Null":                      map[string]any{"sts:IdentityTokenAudience": "false"},
	}
}

// reads lets the runtime read a private key. No identity is entered with a key pair.
func (s *Sheet) reads(c chain) {
	own := c.path[0]
	if !s.mine(own) {
		return
	}
	const why = "A private key that proves a user, for the runtime alone. A secret with a KMS key of its own needs kms:Decrypt on it too."
	if OnAWS(own) {
		s.Role(own).permit(allow("ReadKeys", why, nil, "secretsmanager:GetSecretValue"), c.to.End.Secret)
		return
	}
	secret, _, _ := strings.Cut(c.to.End.Secret, "/versions/")
	s.Bind(Binding{On: Secret, Name: secret, Role: "roles/secretmanager.secretAccessor", Member: "serviceAccount:" + own, Why: why})
}

// Lasts makes a role's sessions as long as the file asks for, where Google enters it. A
// role that a role enters gives an hour whatever stands here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
func (r *Role) Lasts(lifetime time.Duration) {
	r.MaxSession = max(r.MaxSession, int(lifetime.Seconds()))
}
