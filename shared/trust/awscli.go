package trust

import (
	"encoding/json"
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
		text, err := r.commands()
		if err != nil {
			return "", err
		}
		b.WriteString("\n" + text)
	}
	return b.String(), nil
}

func (r *Role) commands() (string, error) {
	var b strings.Builder
	b.WriteString(commented("#", "", "In account "+r.Account()+":"))
	if len(r.Trust) > 0 {
		text, err := json.Marshal(policy(r.Trust))
		if err != nil {
			return "", err
		}
		for _, st := range r.Trust {
			b.WriteString(commented("#", "", st.Why))
		}
		b.WriteString(shell("aws", "iam", "create-role", "--role-name", r.Name(), "--path", r.Path(), "--max-session-duration", strconv.Itoa(r.MaxSession), "--assume-role-policy-document", string(text)) + "\n")
		b.WriteString(shell("aws", "iam", "update-assume-role-policy", "--role-name", r.Name(), "--policy-document", string(text)) + "\n")
	}
	if len(r.Policy) > 0 {
		text, err := json.Marshal(policy(r.Policy))
		if err != nil {
			return "", err
		}
		for _, st := range r.Policy {
			b.WriteString(commented("#", "", st.Why))
		}
		b.WriteString(shell("aws", "iam", "put-role-policy", "--role-name", r.Name(), "--policy-name", r.PolicyName, "--policy-document", string(text)) + "\n")
	}
	return b.String(), nil
}
