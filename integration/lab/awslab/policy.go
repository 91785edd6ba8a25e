package awslab

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A policyKind says which elements a policy may have.
type policyKind int

const (
	identityPolicy policyKind = iota // no Principal
	trustPolicy                      // a Principal and no Resource
	resourcePolicy                   // both
)

// A policy is an IAM JSON policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
type policy struct{ statements []statement }

type statement struct {
	allow      bool
	principals map[string][]string // by type: AWS, Federated, Service
	anyone     bool                // Principal: "*"
	actions    []string
	resources  []string
	conditions []condition
}

type document struct {
	Version   string    `json:"Version"`
	ID        string    `json:"Id"`
	Statement oneOrMany `json:"Statement"`
}

type rawStatement struct {
	Sid       string                      `json:"Sid"`
	Effect    string                      `json:"Effect"`
	Principal json.RawMessage             `json:"Principal"`
	Action    texts                       `json:"Action"`
	Resource  texts                       `json:"Resource"`
	Condition map[string]map[string]texts `json:"Condition"`
}

// oneOrMany and texts: IAM lets a list of one be written without its brackets.
type oneOrMany []json.RawMessage

func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, (*[]json.RawMessage)(o))
	}
	*o = oneOrMany{text}
	return nil
}

type texts []string

func (t *texts) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		return json.Unmarshal(text, (*[]string)(t))
	}
	var one any
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	switch one.(type) {
	case string, bool, float64:
		*t = texts{fmt.Sprint(one)}
		return nil
	}
	return fmt.Errorf("%s is neither a string nor a list of strings", text)
}

// strict decodes and refuses what it does not know: NotAction, NotResource and
// NotPrincipal among them, which this lab does not evaluate.
func strict(text []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(to)
}

func parsePolicy(text []byte, kind policyKind) (*policy, error) {
	var d document
	if err := strict(text, &d); err != nil {
		return nil, err
	}
	if d.Version != "2012-10-17" {
		return nil, fmt.Errorf("version is %q: write 2012-10-17", d.Version)
	}
	p := new(policy)
	for i, raw := range d.Statement {
		s, err := parseStatement(raw, kind)
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		p.statements = append(p.statements, s)
	}
	return p, nil
}

func parseStatement(text []byte, kind policyKind) (statement, error) {
	var raw rawStatement
	if err := strict(text, &raw); err != nil {
		return statement{}, err
	}
	s := statement{allow: raw.Effect == "Allow", actions: raw.Action, resources: raw.Resource}
	switch {
	case raw.Effect != "Allow" && raw.Effect != "Deny":
		return s, fmt.Errorf("effect is %q", raw.Effect)
	case len(s.actions) == 0:
		return s, fmt.Errorf("no action")
	case (kind == identityPolicy) != (raw.Principal == nil):
		return s, fmt.Errorf("a principal stands where none may, or none where one must")
	case (kind == trustPolicy) == (len(s.resources) > 0):
		return s, fmt.Errorf("a resource stands where none may, or none where one must")
	}
	for _, r := range append(s.resources, s.actions...) {
		if strings.Contains(r, "${") {
			return s, fmt.Errorf("%q has a policy variable, which this lab does not evaluate", r)
		}
	}
	if err := s.readPrincipal(raw.Principal); err != nil {
		return s, err
	}
	var err error
	s.conditions, err = parseConditions(raw.Condition)
	return s, err
}

func (s *statement) readPrincipal(text json.RawMessage) error {
	var word string
	if text == nil {
		return nil
	}
	if json.Unmarshal(text, &word) == nil {
		s.anyone = word == "*"
		if !s.anyone {
			return fmt.Errorf("principal is %q", word)
		}
		return nil
	}
	var byType map[string]texts
	if err := json.Unmarshal(text, &byType); err != nil {
		return fmt.Errorf("principal: %w", err)
	}
	s.principals = map[string][]string{}
	for kind, names := range byType {
		switch kind {
		case "AWS", "Federated", "Service":
			s.principals[kind] = names
		default:
			return fmt.Errorf("principal of type %q", kind)
		}
	}
	return nil
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

// A decision about a request.
type decision int

const (
	silent  decision = iota // no statement speaks of it: an implicit deny
	allowed                 // by account or for anyone
	named                   // allowed to this very principal
	denied                  // an explicit deny, which wins over everything
)

// decide evaluates one policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
func (p *policy) decide(r request) decision {
	d := silent
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
	if how == silent || !matchAny(s.actions, r.action, true) {
		return silent
	}
	if len(s.resources) > 0 && !matchAny(s.resources, r.resource, false) {
		return silent
	}
	for _, c := range s.conditions {
		if !c.holds(r.context) {
			return silent
		}
	}
	return how
}

// means tells whether a statement's principal is the one who asks. A role's ARN
// means the role in every session, the account's root whoever its own policies let.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (s statement) means(who principal) decision {
	if s.principals == nil && !s.anyone {
		return named // an identity policy speaks of its owner
	}
	if s.anyone {
		return allowed
	}
	if who.federated != "" && contains(s.principals["Federated"], who.federated) {
		return named
	}
	if who.role == nil {
		return silent
	}
	for _, name := range s.principals["AWS"] {
		switch name {
		case who.role.arn, who.session:
			return named
		case "*", who.role.account, "arn:aws:iam::" + who.role.account + ":root":
			return allowed
		}
	}
	return silent
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

func matchAny(patterns []string, s string, fold bool) bool {
	for _, p := range patterns {
		if wildcard(p, s, fold) {
			return true
		}
	}
	return false
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
// identity policies, within its boundary and within the session policy.
func (s *session) permits(r request) decision {
	d := silent
	for _, p := range s.role.identity {
		d = max(d, p.decide(r))
	}
	for _, limit := range []*policy{s.role.boundary, s.policy} {
		if limit == nil || d == denied {
			continue
		}
		switch limit.decide(r) {
		case denied:
			return denied
		case silent:
			d = silent
		}
	}
	return d
}

// SessionPolicyAllows tells whether a session policy lets an action through on a resource. It
// holds what a grant compiles to against what the grant means.
func SessionPolicyAllows(text, action, resource string, context map[string][]string) (bool, error) {
	p, err := parsePolicy([]byte(text), identityPolicy)
	if err != nil {
		return false, err
	}
	d := p.decide(request{action: action, resource: resource, context: context})
	return d == allowed || d == named, nil
}
