package trust

import (
	"fmt"
	"strconv"
	"strings"
)

// awsCLI is the part on AWS as commands. What stands already makes a `create-role` fail,
// which does no harm: what follows gives it the policies.
func (s *Sheet) awsCLI() (string, error) {
	if len(s.Roles) == 0 {
		return "", s.wrong(AWSCLI, fmt.Sprintf("%s/%s has nothing on AWS for %s to apply", s.Tenant, s.Destination, s.owner()))
	}
	var b strings.Builder
	b.WriteString(commented("#", "", s.title()...))
	b.WriteString(commented("#", "", "", "If a role exists already, its create-role fails and changes nothing: go on. A policy of the same name is replaced as a whole."))
	for _, r := range s.Roles {
		b.WriteString("\n" + r.commands())
	}
	return b.String(), nil
}

func (r *Role) commands() string {
	text := commented("#", "", "In account "+r.Account()+":")
	if len(r.Trust) > 0 {
		document := quoted(policy(r.Trust))
		text += reasons(r.Trust) +
			shell("aws", "iam", "create-role", "--role-name", r.Name(), "--path", r.Path(), "--max-session-duration", strconv.Itoa(r.MaxSession), "--assume-role-policy-document", document) + "\n" +
			shell("aws", "iam", "update-assume-role-policy", "--role-name", r.Name(), "--policy-document", document) + "\n"
	}
	if len(r.Policy) > 0 {
		text += reasons(r.Policy) +
			shell("aws", "iam", "put-role-policy", "--role-name", r.Name(), "--policy-name", r.PolicyName, "--policy-document", quoted(policy(r.Policy))) + "\n"
	}
	return text
}

func reasons(list []Statement) string {
	var b strings.Builder
	for _, st := range list {
		b.WriteString(commented("#", "", st.Why))
	}
	return b.String()
}
