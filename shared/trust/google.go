package trust

import (
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// The permissions on an account. Each arrow takes exactly one of them.
// https://cloud.google.com/iam/docs/roles-permissions/iam
const (
	passThrough = "iam.serviceAccounts.implicitDelegation"
	getToken    = "iam.serviceAccounts.getAccessToken"
	getIDToken  = "iam.serviceAccounts.getOpenIdToken"
)

// Google is what an owner applies on Google Cloud.
type Google struct {
	Accounts    []string     `json:"service_accounts,omitempty"` // made where they do not stand yet
	CustomRoles []CustomRole `json:"custom_roles,omitempty"`
	Pools       []Pool       `json:"pools,omitempty"`
	Bindings    []Binding    `json:"bindings"`
}

// IsZero tells whether there is nothing to apply.
func (g Google) IsZero() bool { return len(g.Bindings) == 0 && len(g.Pools) == 0 }

// A CustomRole holds the few permissions that no predefined role holds alone.
type CustomRole struct {
	Name        string   `json:"name"` // projects/P/roles/ID
	Permissions []string `json:"permissions"`
	Why         string   `json:"why"`
}

// On is what a binding stands on.
type On string

// The resources that have bindings.
const (
	Account On = "service-account"
	Bucket  On = "bucket"
	Dataset On = "dataset" // PROJECT:DATASET
	Project On = "project"
	Secret  On = "secret" // projects/P/secrets/S
)

// A Binding gives a member a role on one resource.
type Binding struct {
	On        On     `json:"on"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	Member    string `json:"member"`
	Title     string `json:"title,omitempty"`
	Condition string `json:"condition,omitempty"`
	Why       string `json:"why"`
}

// Bind adds a binding, once.
func (s *Sheet) Bind(b Binding) {
	same := func(have Binding) bool {
		have.Why = b.Why
		return have == b
	}
	if !slices.ContainsFunc(s.Google.Bindings, same) {
		s.Google.Bindings = append(s.Google.Bindings, b)
	}
}

// Custom is the name of a custom role of the sheet, which holds these permissions and no others.
func (s *Sheet) Custom(project, id, why string, permissions ...string) string {
	r := CustomRole{"projects/" + project + "/roles/" + id, permissions, why}
	if !slices.ContainsFunc(s.Google.CustomRoles, func(have CustomRole) bool { return have.Name == r.Name }) {
		s.Google.CustomRoles = append(s.Google.CustomRoles, r)
	}
	return r.Name
}

// ProjectOf names the project that an account is in: NAME@PROJECT.iam.gserviceaccount.com.
func ProjectOf(email string) string {
	_, domain, _ := strings.Cut(email, "@")
	project, _, _ := strings.Cut(domain, ".")
	return project
}

// provider is the one that an AWS identity enters an account through: the account's own,
// or the operator's first.
func (s *Sheet) provider(account string) *catalog.Provider {
	name := ""
	if a := s.account(account); a != nil {
		name = a.Provider
	}
	for _, p := range s.op.Providers {
		if name == "" || p.Name == name {
			return &p
		}
	}
	if name == "" {
		return nil
	}
	return &catalog.Provider{Name: name, Kind: catalog.ProviderAWS}
}

// member names an identity as Google sees it. A role comes through a pool: as STS calls
// its sessions, without its path, where it signs a request; by its ARN where it shows a
// token. Exact, never /*.
func (s *Sheet) member(from, to string) string {
	if !OnAWS(from) {
		return "serviceAccount:" + from
	}
	p := s.provider(to)
	if p == nil {
		return s.Miss(Missing{
			Placeholder: "principalSet://NO-PROVIDER-IN-CARNET.YAML/attribute.aws_role/" + session(from),
			What:        "the provider that roles enter Google Cloud through",
			Command:     "gcloud iam workload-identity-pools providers list --location global --workload-identity-pool POOL",
			Flag:        "providers: in carnet.yaml",
		})
	}
	value := session(from)
	if p.Kind == catalog.ProviderOIDC {
		value = from
	}
	return "principalSet://iam.googleapis.com/" + poolOf(p) + "/attribute.aws_role/" + value
}

// poolOf is the resource name of a provider's pool.
func poolOf(p *catalog.Provider) string {
	pool, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "//iam.googleapis.com/"), "/providers/")
	return pool
}

func session(arn string) string {
	return "arn:" + awsid.PartitionOf(arn) + ":sts::" + awsid.AccountOf(arn) + ":assumed-role/" + arn[strings.LastIndex(arn, "/")+1:]
}

func (s *Sheet) intoAccount(from, to, permission string) {
	if !s.mine(to) {
		return
	}
	if !slices.Contains(s.Google.Accounts, to) {
		s.Google.Accounts = append(s.Google.Accounts, to)
	}
	b := Binding{On: Account, Name: to, Member: s.member(from, to)}
	b.Role, b.Why = s.entry(to, permission)
	if OnAWS(from) {
		b.Why += " The role is named exactly: /* would let in every role of the account that the pool trusts."
		s.ownPool(from, to)
	}
	s.Bind(b)
}

// entry is the least role that holds the permission. An account that says entry: user has
// the standard role, which holds more.
func (s *Sheet) entry(account, permission string) (role, why string) {
	if a := s.account(account); a != nil && a.Entry == catalog.User {
		return "roles/iam.workloadIdentityUser", "entry: user in the tenant's file: the standard role, which gives access tokens and ID tokens of this account."
	}
	const on = " On the account, never on the project, where it would open every account."
	project := ProjectOf(account)
	switch permission {
	case passThrough:
		return s.Custom(project, "carnetPass", "Passing through an account, and nothing else: whoever has it never holds the account's token.", passThrough),
			"May pass through this account to the next one, and never holds its token." + on
	case getIDToken:
		return "roles/iam.serviceAccountOpenIdTokenCreator", "May have this account's ID token, which proves it outside Google Cloud, and no access token." + on
	}
	return s.Custom(project, "carnetEnter", "An account's access token, and nothing else. The predefined Token Creator would also let its holder sign as the account.", getToken),
		"Exactly this identity may have the account's access token." + on
}
