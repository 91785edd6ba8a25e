package trust

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"carnet.dev/carnet/shared/catalog"
)

// awsCLI is the part on AWS as commands. What stands already makes a `create-role` fail,
// which does no harm: what follows gives it the policies.
func (s *Sheet) awsCLI() (string, error) {
	if len(s.Roles) == 0 {
		return "", s.wrong(AWSCLI, fmt.Sprintf("%s/%s has nothing on AWS for %s to apply", s.Tenant, s.Destination, s.owner()))
	}
	var b strings.Builder
	b.WriteString(commented("#", "", s.title()...))
	b.WriteString(commented("#", "", "", "A create-role of what stands already fails and changes nothing: go on. A policy of the same name is replaced as a whole."))
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

// Only is the part of a sheet that concerns one role, account, provider or secret.
func (s *Sheet) Only(name string) *Sheet {
	one := *s
	one.Roles = slices.DeleteFunc(slices.Clone(s.Roles), func(r *Role) bool { return r.ARN != name })
	one.SQL = nil
	g := s.Google
	one.Google = Google{
		Accounts: slices.DeleteFunc(slices.Clone(g.Accounts), func(a string) bool { return a != name }),
		Bindings: slices.DeleteFunc(slices.Clone(g.Bindings), func(b Binding) bool { return b.Name != name }),
		Pools:    slices.DeleteFunc(slices.Clone(g.Pools), func(p Pool) bool { return p.Name() != name }),
	}
	for _, r := range g.CustomRoles {
		if slices.ContainsFunc(one.Google.Bindings, func(b Binding) bool { return b.Role == r.Name() }) {
			one.Google.CustomRoles = append(one.Google.CustomRoles, r)
		}
	}
	return &one
}

// Without leaves the permissions of its roles out, or their trust.
func (s *Sheet) Without(trust, permissions bool) *Sheet {
	one := *s
	one.Roles = nil
	for _, r := range s.Roles {
		some := *r
		if trust {
			some.Trust = nil
		}
		if permissions {
			some.Policy = nil
		}
		one.Roles = append(one.Roles, &some)
	}
	return &one
}

// Name is the provider's resource name.
func (p Pool) Name() string {
	return "//iam.googleapis.com/projects/" + p.Number + "/locations/global/workloadIdentityPools/" + p.Pool + "/providers/" + p.Provider
}

// reserved is the prefix of the names of the operator's roles.
const reserved = "carnet-"

// PoolOf is a provider as it has to be for a role to enter by it: the tenants' of the
// operator's own pool are told by the prefix that is reserved for them.
func PoolOf(name, role string) (Pool, error) {
	parts := strings.Split(name, "/")
	if len(parts) != 11 {
		return Pool{}, fmt.Errorf("%q names no provider", name)
	}
	return Pool{Number: parts[4], Pool: parts[8], Provider: parts[10], Account: accountOf(role), Roles: []string{role}}, nil
}

// Update are the commands that make an operator's provider what it has to be.
func (p Pool) Update(kind catalog.ProviderKind, issuer string) string {
	role := p.Roles[0]
	verb, mapping, condition, by := "update-aws", p.Mapping(), p.Condition(), []string{"--account-id", p.Account}
	if strings.HasPrefix(role[strings.LastIndex(role, "/")+1:], reserved) {
		condition = fmt.Sprintf("assertion.arn.startsWith('arn:%s:sts::%s:assumed-role/%s')", partitionOf(role), p.Account, reserved)
	}
	if kind == catalog.ProviderOIDC {
		verb, by = "update-oidc", []string{"--issuer-uri", issuer, "--allowed-audiences", p.Name()}
		mapping = map[string]string{"google.subject": "assertion.sub", "attribute.aws_role": "assertion.sub"}
		condition = fmt.Sprintf("assertion.sub.startsWith('arn:%s:iam::%s:role/%s')", partitionOf(role), p.Account, reserved)
	}
	args := append([]string{"gcloud", "iam", "workload-identity-pools", "providers", verb, p.Provider}, p.where()...)
	args = append(args, by...)
	args = append(args, "--attribute-mapping", "^;^google.subject="+mapping["google.subject"]+";attribute.aws_role="+mapping["attribute.aws_role"], "--attribute-condition", condition)
	return shell(args...) + "\n"
}

// Create are the commands that make it where there is none.
func (p Pool) Create(kind catalog.ProviderKind, issuer string) string {
	verb := "create-aws"
	update := p.Update(kind, issuer)
	if kind == catalog.ProviderOIDC {
		verb = "create-oidc"
	}
	create := strings.Replace(strings.Replace(update, " update-aws ", " "+verb+" ", 1), " update-oidc ", " "+verb+" ", 1)
	return shell("gcloud", "iam", "workload-identity-pools", "create", p.Pool, "--project", p.Number, "--location", "global") + "\n" + create
}

// Enable are the commands that switch it on.
func (p Pool) Enable(kind catalog.ProviderKind) string {
	verb := "update-aws"
	if kind == catalog.ProviderOIDC {
		verb = "update-oidc"
	}
	pool := []string{"gcloud", "iam", "workload-identity-pools", "update", p.Pool, "--project", p.Number, "--location", "global", "--no-disabled"}
	own := append([]string{"gcloud", "iam", "workload-identity-pools", "providers", verb, p.Provider}, p.where()...)
	return shell(pool...) + "\n" + shell(append(own, "--no-disabled")...) + "\n"
}

func (p Pool) where() []string {
	return []string{"--project", p.Number, "--location", "global", "--workload-identity-pool", p.Pool}
}
