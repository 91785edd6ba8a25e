package awslab

import (
	"regexp"
	"slices"
	"strings"
)

// A policy is an IAM JSON policy. A nil one says nothing.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policy struct{ statements []statement }

type statement struct {
	allow        bool
	principals   map[string][]string // by type: AWS, Federated, Service; nil in an identity policy
	actions      []string
	notActions   bool // it speaks of every action but these
	resources    []string
	notResources bool
	conditions   []condition
}

// A request is what policies are asked about.
type request struct {
	action   string
	resource string
	who      principal
	context  map[string][]string // condition keys in lower case
}

// A principal is who asks: a role's session, or a federated identity.
type principal struct {
	role      *role  // nil for a federated identity
	session   string // the session's ARN
	federated string // accounts.google.com, or an OIDC provider's ARN
}

// A decision about a request: to whom it is allowed, the more exactly the higher.
type decision int

const (
	silent    decision = iota // no statement speaks of it: an implicit deny
	toAccount                 // to the account, which may pass it on to its identities
	toAnyone                  // to "*"
	toRole                    // to the role in every session; an identity policy's own
	toSession                 // to this one session
	denied                    // an explicit deny, which wins over everything
)

func (d decision) allows() bool { return d > silent && d < denied }

// decide evaluates one policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (p *policy) decide(r request) decision {
	d := silent
	if p == nil {
		return d
	}
	for _, s := range p.statements {
		how := s.speaksOf(r)
		switch {
		case how == silent:
		case !s.allow:
			return denied
		default:
			d = max(d, how)
		}
	}
	return d
}

func (s statement) speaksOf(r request) decision {
	how := s.means(r.who)
	if how == silent || matchAny(s.actions, r.action, true) == s.notActions {
		return silent
	}
	if len(s.resources) > 0 && matchAny(s.resources, r.resource, false) == s.notResources {
		return silent
	}
	for _, c := range s.conditions {
		if !c.holds(r.context) {
			return silent
		}
	}
	return how
}

// means tells whether a statement's principals are who asks. The best of them counts, in
// whatever order they stand.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (s statement) means(who principal) decision {
	if s.principals == nil {
		return toRole // an identity policy speaks of its owner
	}
	if who.federated != "" && slices.Contains(s.principals["Federated"], who.federated) {
		return toRole
	}
	d := silent
	for _, name := range s.principals["AWS"] {
		d = max(d, who.named(name))
	}
	return d
}

// named tells how far a name of the type AWS means who asks. A federated identity is one of
// anyone, and has no name of this type.
func (who principal) named(name string) decision {
	switch {
	case name == "*":
		return toAnyone
	case who.role == nil:
		return silent
	case name == who.session:
		return toSession
	case name == who.role.arn:
		return toRole
	case name == who.role.account, name == "arn:aws:iam::"+who.role.account+":root":
		return toAccount
	}
	return silent
}

func matchAny(patterns []string, s string, fold bool) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return wildcard(p, s, fold) })
}

// wildcard matches * and ?. Actions match in any case, resources do not.
func wildcard(pattern, s string, fold bool) bool {
	if fold {
		pattern, s = strings.ToLower(pattern), strings.ToLower(s)
	}
	if !strings.ContainsAny(pattern, "*?") {
		return pattern == s
	}
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(strings.ReplaceAll(quoted, `\*`, `.*`), `\?`, `.`)
	ok, err := regexp.MatchString(`(?s)^`+quoted+`$`, s)
	return err == nil && ok
}

// permits tells whether the session's own policies allow an action: the role's
// identity policies, within its boundary and within the session policies.
func (s *session) permits(r request) decision {
	d := silent
	for _, p := range s.role.identity {
		d = max(d, p.decide(r))
	}
	limits := s.limits(r)
	if d == denied || limits == denied {
		return denied
	}
	return min(d, limits)
}

// limits is what the boundary and the session policies leave of whatever is granted, toRole
// where they leave it all. Of several session policies any may allow.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
func (s *session) limits(r request) decision {
	boundary, policies := toRole, silent
	if s.role.boundary != nil {
		boundary = s.role.boundary.decide(r)
	}
	for _, p := range s.policies {
		policies = max(policies, p.decide(r))
	}
	if len(s.policies) == 0 {
		policies = toRole
	}
	if boundary == denied || policies == denied {
		return denied
	}
	return min(boundary, policies)
}

// reaches tells whether a session may do something with what has a policy of its own and
// belongs to an account. Across accounts both sides must allow it. Within one account either
// is enough: the account's root, or its number, in the resource's policy passes the question
// on to the identity policies. What a resource's policy gives to a role, the role's boundary
// and the session policies limit still, though no identity policy need allow it; what it
// gives to one session by its name, they do not.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html#policies_session
//
// Whether "*" counts as a name of the role is not documented. Here it does, within the
// limits; iam-simulate has a boundary's silence not limit it.
func (s *session) reaches(r request, resource *policy, account string) bool {
	own, theirs := s.permits(r), resource.decide(r)
	switch {
	case own == denied || theirs == denied:
		return false
	case account != s.role.account:
		return own.allows() && theirs.allows()
	case own.allows() || theirs == toSession:
		return true
	}
	return theirs > toAccount && s.limits(r).allows()
}
