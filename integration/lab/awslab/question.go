package awslab

import (
	"errors"
	"fmt"
	"strings"
)

// A Question is what policies are asked, for whoever holds the lab's answers against those of
// another evaluator. Policies are JSON; a nil one is none.
type Question struct {
	Role      string // ARN of the role whose session asks
	Session   string // the session's name
	Federated string // who asks instead of a role: accounts.google.com, or a provider's ARN

	Identity []string // the role's own policies
	Boundary string
	Sessions []string // session policies

	Action, Resource string
	Owner            string // the account that the resource belongs to
	Policy           string // the resource's own: of a role it is the trust policy
	Context          map[string][]string
}

// Allowed answers it. The keys of the context may be in any case.
func (q Question) Allowed() (bool, error) {
	trusts := strings.HasPrefix(q.Resource, "arn:aws:iam::"+q.Owner+":role/")
	kind := resourcePolicy
	if trusts {
		kind = trustPolicy
	}
	resource, err := optional(q.Policy, kind)
	if err != nil {
		return false, fmt.Errorf("the resource's policy: %w", err)
	}
	req := request{action: q.Action, resource: q.Resource, context: map[string][]string{}}
	for key, values := range q.Context {
		req.context[strings.ToLower(key)] = values
	}
	if q.Federated != "" {
		req.who.federated = q.Federated
		return resource.decide(req).allows(), nil
	}
	s, err := q.session()
	if err != nil {
		return false, err
	}
	req.who = principal{role: s.role, session: s.arn()}
	if trusts {
		return s.mayEnter(&role{trust: resource, account: q.Owner}, req), nil
	}
	return s.reaches(req, resource, q.Owner), nil
}

func (q Question) session() (*session, error) {
	r := &role{arn: q.Role, account: accountIn(q.Role), name: q.Role[strings.LastIndex(q.Role, "/")+1:]}
	s := &session{role: r, name: q.Session}
	for _, text := range q.Identity {
		p, err := parsePolicy([]byte(text), identityPolicy)
		if err != nil {
			return nil, fmt.Errorf("an identity policy: %w", err)
		}
		r.identity = append(r.identity, p)
	}
	for _, text := range q.Sessions {
		p, err := parsePolicy([]byte(text), identityPolicy)
		if err != nil {
			return nil, fmt.Errorf("a session policy: %w", err)
		}
		s.policies = append(s.policies, p)
	}
	var err error
	r.boundary, err = optional(q.Boundary, identityPolicy)
	return s, err
}

func optional(text string, kind policyKind) (*policy, error) {
	if text == "" {
		return nil, nil
	}
	return parsePolicy([]byte(text), kind)
}

// SessionPolicyAllows tells whether a session policy lets an action through on a resource. It
// holds what a grant compiles to against what the grant means.
func SessionPolicyAllows(text, action, resource string, context map[string][]string) (bool, error) {
	if text == "" {
		return false, errors.New("there is no policy")
	}
	return Question{Identity: []string{text}, Role: "arn:aws:iam::000000000000:role/asks", Owner: "000000000000", Action: action, Resource: resource, Context: context}.Allowed()
}
