package trust

import (
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A Pool is a workload identity pool with the provider by which AWS's roles enter it.
type Pool struct {
	Number, Pool, Provider string
	Account                string // that the provider trusts
	Roles                  []string
	Why                    string
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
	return Pool{Number: parts[4], Pool: parts[8], Provider: parts[10], Account: awsid.AccountOf(role), Roles: []string{role}}, nil
}

// ownPool is the pool that a third party, or a tenant, makes for a role to enter by.
func (s *Sheet) ownPool(from, to string) {
	a := s.account(to)
	if a == nil || a.Provider == "" || slices.ContainsFunc(s.op.Providers, func(p catalog.Provider) bool { return p.Name == a.Provider }) {
		return
	}
	parts := strings.Split(a.Provider, "/") // //iam.googleapis.com/projects/N/locations/global/workloadIdentityPools/P/providers/Q
	p := Pool{Number: parts[4], Pool: parts[8], Provider: parts[10], Account: awsid.AccountOf(from),
		Why: "A pool of your own, which this one role enters: an AWS provider would otherwise take every role of the account. " +
			"The subject leaves the session's name out, since google.subject has room for 127 bytes."}
	for i := range s.Google.Pools {
		if have := &s.Google.Pools[i]; have.Pool == p.Pool && have.Provider == p.Provider {
			have.Roles = with(have.Roles, from)
			return
		}
	}
	p.Roles = []string{from}
	s.Google.Pools = append(s.Google.Pools, p)
}

// roleOfSession is the attribute by which a role is known. A custom mapping drops the default aws_role.
// https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds#mappings-and-conditions
const roleOfSession = "'arn:aws:sts::' + assertion.account + ':assumed-role/' + assertion.arn.extract('assumed-role/{role}/')"

// MarshalJSON writes the provider as an owner makes it.
func (p Pool) MarshalJSON() ([]byte, error) {
	return encoded(struct {
		Project   string            `json:"project_number"`
		Pool      string            `json:"pool"`
		Provider  string            `json:"provider"`
		Account   string            `json:"aws_account"`
		Mapping   map[string]string `json:"attribute_mapping"`
		Condition string            `json:"attribute_condition"`
		Why       string            `json:"why"`
	}{p.Number, p.Pool, p.Provider, p.Account, map[string]string{"google.subject": roleOfSession, "attribute.aws_role": roleOfSession}, p.Condition(), p.Why}, "")
}

// Condition lets these roles in, each up to the slash: carnet-t-acme is no carnet-t-acme-2.
func (p Pool) Condition() string {
	var list []string
	for _, r := range p.Roles {
		list = append(list, fmt.Sprintf("assertion.arn.startsWith('%s/')", session(r)))
	}
	return strings.Join(list, " || ")
}

// commands make a third party's own pool, and the provider in it.
func (p Pool) commands() string {
	return p.make() + p.declare("create-aws", roleOfSession, p.Condition(), "--account-id", p.Account)
}

// Create are the commands that make an operator's provider where there is none.
func (p Pool) Create(kind catalog.ProviderKind, issuer string) string {
	return p.make() + p.operators("create", kind, issuer)
}

// Update is the command that makes an operator's provider what it has to be.
func (p Pool) Update(kind catalog.ProviderKind, issuer string) string {
	return p.operators("update", kind, issuer)
}

// Enable are the commands that switch it on.
func (p Pool) Enable(kind catalog.ProviderKind) string {
	pool := shell("gcloud", "iam", "workload-identity-pools", "update", p.Pool, "--project", p.Number, "--location", "global", "--no-disabled")
	return pool + "\n" + p.provider("update-"+string(kind), "--no-disabled")
}

// operators declares a provider of the operator's, which lets in all roles of its tenants.
func (p Pool) operators(verb string, kind catalog.ProviderKind, issuer string) string {
	role := p.Roles[0]
	if kind == catalog.ProviderOIDC {
		condition := fmt.Sprintf("assertion.sub.startsWith('arn:%s:iam::%s:role/%s')", awsid.PartitionOf(role), p.Account, reserved)
		return p.declare(verb+"-oidc", "assertion.sub", condition, "--issuer-uri", issuer, "--allowed-audiences", p.Name())
	}
	condition := p.Condition()
	if strings.HasPrefix(role[strings.LastIndex(role, "/")+1:], reserved) {
		condition = fmt.Sprintf("assertion.arn.startsWith('arn:%s:sts::%s:assumed-role/%s')", awsid.PartitionOf(role), p.Account, reserved)
	}
	return p.declare(verb+"-aws", roleOfSession, condition, "--account-id", p.Account)
}

func (p Pool) make() string {
	return shell("gcloud", "iam", "workload-identity-pools", "create", p.Pool, "--project", p.Number, "--location", "global") + "\n"
}

// declare makes or changes the provider, which knows a role by the attribute; by says what it trusts.
func (p Pool) declare(verb, attribute, condition string, by ...string) string {
	// A mapping's values have commas in them only if gcloud is told another separator.
	// https://cloud.google.com/sdk/gcloud/reference/topic/escaping
	pairs := "^;^google.subject=" + attribute + ";attribute.aws_role=" + attribute
	return p.provider(verb, append(by, "--attribute-mapping", pairs, "--attribute-condition", condition)...)
}

// provider is a command on the provider.
func (p Pool) provider(verb string, more ...string) string {
	words := []string{"gcloud", "iam", "workload-identity-pools", "providers", verb, p.Provider, "--project", p.Number, "--location", "global", "--workload-identity-pool", p.Pool}
	return shell(append(words, more...)...) + "\n"
}
