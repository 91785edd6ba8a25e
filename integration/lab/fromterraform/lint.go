package fromterraform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A Finding is something that is looser than it must be.
type Finding struct {
	Rule    string // its name, such as external-id
	Address string // where it stands
	Detail  string
}

func (f Finding) String() string { return f.Address + ": " + f.Rule + ": " + f.Detail }

// Lint says what is looser than it must be in what Terraform shows. The names of the
// rules:
//
//	stored-key          a key, a user, or anything else that lives long
//	public              anyone, or anyone who is signed in
//	authoritative       a policy or binding that throws out what others granted
//	principal           a role trusts an account or a pattern, and not one role
//	external-id         a role enters without the ExternalId
//	google-sub          a Google identity enters whose :sub is not an exact number
//	google-oaud         a Google identity enters whatever its token's audience
//	string-like         a pattern where one value must stand
//	federated           a role trusts another issuer than accounts.google.com
//	strangers           who enters is no identity of the tenant's file, or of two tenants
//	wildcard            a role's policy reaches roles by a pattern
//	session             a role's longest session is not written
//	condition           a pool's provider does not pin its account and the reserved prefix
//	mapping             aws_role or the subject is not the exact role without its session
//	pool                two providers in one pool
//	principal-set       a principalSet that is not one exact role of a pool by its number
//	project-wide        entering accounts is granted on a project
//	token-creator       a role that signs or holds tokens where less would do
//	shared-identity     one identity in two tenants' files
func (s *Shown) Lint() []Finding {
	l := &linter{s: s}
	for _, r := range s.Resources {
		l.at = r.Address
		l.resource(r)
	}
	l.pools()
	l.identities()
	l.accounts()
	return l.found
}

type linter struct {
	s     *Shown
	at    string
	found []Finding
}

func (l *linter) add(rule, format string, args ...any) {
	l.found = append(l.found, Finding{rule, l.at, fmt.Sprintf(format, args...)})
}

func (l *linter) resource(r Resource) {
	v := r.Values
	if m := v.Text("member"); m == "allUsers" || m == "allAuthenticatedUsers" {
		l.add("public", "%s is let in", m)
	}
	if strings.HasPrefix(r.Type, "google_") && regexp.MustCompile(`_iam_(policy|binding)$`).MatchString(r.Type) {
		l.add("authoritative", "write %s", regexp.MustCompile(`(policy|binding)$`).ReplaceAllString(r.Type, "member"))
	}
	l.open(v)
	switch r.Type {
	case "google_service_account_key", "aws_iam_access_key", "aws_iam_user", "aws_iam_user_login_profile":
		l.add("stored-key", "%s lives until somebody remembers it", r.Type)
	case "aws_iam_role":
		l.role(r)
	case "aws_iam_role_policy", "aws_iam_policy":
		l.reach(v.Text("policy"))
	case "google_iam_workload_identity_pool_provider":
		l.provider(v)
	case "google_project_iam_custom_role":
		l.customRole(v)
	case "google_project_iam_member":
		if strings.HasPrefix(v.Text("role"), "roles/iam.") || slices.Contains([]string{"roles/owner", "roles/editor"}, v.Text("role")) {
			l.add("project-wide", "%s on the project %s reaches every account in it: grant it on one account", v.Text("role"), v.Text("project"))
		}
	}
	if strings.HasSuffix(r.Type, "_iam_member") {
		l.member(v)
	}
}

// open looks for whoever may be let in by a policy of a place's own, or by a function's URL.
func (l *linter) open(v Values) {
	if v.Text("principal") == "*" || v.Text("authorization_type") == "NONE" {
		l.add("public", "everybody is let through: that is for the token door, where it was asked for")
	}
	for _, st := range statements(v.Text("policy")) {
		for _, names := range st.principals() {
			if st.Effect == "Allow" && st.Principal != nil && slices.Contains(names, "*") {
				l.add("public", "its policy lets anyone in")
			}
		}
	}
}

// reach looks at which roles a role's own policy lets it enter.
func (l *linter) reach(policy string) {
	for _, st := range statements(policy) {
		for _, resource := range st.Resource {
			if slices.Contains(st.Action, "sts:AssumeRole") && strings.ContainsAny(resource, "*?") {
				l.add("wildcard", "it enters %s: list the roles", resource)
			}
		}
	}
}

// customRole: passing through, or the access token, and no other right over accounts.
func (l *linter) customRole(v Values) {
	of := v.Texts("permissions")
	for _, p := range of {
		if strings.HasPrefix(p, "iam.") && (len(of) > 1 || p != "iam.serviceAccounts.implicitDelegation" && p != "iam.serviceAccounts.getAccessToken") {
			l.add("token-creator", "custom role %s holds %s beside %d other permissions: implicitDelegation or getAccessToken stand alone", v.Text("role_id"), p, len(of)-1)
		}
	}
}

func (l *linter) member(v Values) {
	if strings.HasSuffix(v.Text("role"), "/serviceAccountTokenCreator") || strings.HasSuffix(v.Text("role"), ".serviceAccountTokenCreator") {
		l.add("token-creator", "%s also signs as the account: grant implicitDelegation, getAccessToken or serviceAccountOpenIdTokenCreator", v.Text("role"))
	}
	m := v.Text("member")
	if strings.HasPrefix(m, "principalSet:") && roleOfSet(m) == "" {
		l.add("principal-set", "%s is not one exact role: write principalSet://iam.googleapis.com/projects/NUMBER/locations/global/workloadIdentityPools/POOL/attribute.aws_role/ROLE", m)
	}
}

// roleOfSet returns ACCOUNT:NAME of the one role that a principalSet means.
func roleOfSet(member string) string {
	m := regexp.MustCompile(`^principalSet://iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]+/attribute\.aws_role/arn:aws[a-z-]*:(?:sts|iam)::([0-9]{12}):(?:assumed-)?role/([A-Za-z0-9_+=,.@-]+)$`).FindStringSubmatch(member)
	if m == nil {
		return ""
	}
	return m[1] + ":" + m[2]
}

// provider checks that what comes in is pinned, and that it keeps its name.
func (l *linter) provider(v Values) {
	account, prefix, role := v.Block("aws").Text("account_id"), `arn:aws:sts::%s:assumed-role/carnet-`, "assertion.arn"
	mapping := map[string]string{
		"attribute.aws_role": "'arn:aws:sts::' + assertion.account + ':assumed-role/' + assertion.arn.extract('assumed-role/{role}/')",
	}
	if issuer := v.Block("oidc").Text("issuer_uri"); issuer != "" {
		account, prefix, role = l.accountOf(v), `arn:aws:iam::%s:role/carnet-`, "assertion.sub"
		mapping["attribute.aws_role"] = "assertion.sub"
	}
	mapping["google.subject"] = mapping["attribute.aws_role"]
	operators := l.s.Accounts["aws_tenant"]
	want := regexp.MustCompile(`^` + regexp.QuoteMeta(role+".startsWith('"+fmt.Sprintf(prefix, operators)) + `[A-Za-z0-9_+=,.@-]*/?'\)$`)
	if account != operators || !want.MatchString(v.Text("attribute_condition")) {
		l.add("condition", "it lets in account %s under %q: pin the operator's account %s and names that begin with carnet-", account, v.Text("attribute_condition"), operators)
	}
	if onlyRole := regexp.MustCompile(`carnet-[tf]-[^/']+'\)$`); onlyRole.MatchString(v.Text("attribute_condition")) {
		l.add("condition", "%q names one role and not its end: write the slash after it", v.Text("attribute_condition"))
	}
	for key, expression := range mapping {
		if got := v.Map("attribute_mapping")[key]; got != expression {
			l.add("mapping", "%s is %q: write %q", key, got, expression)
		}
	}
}

// accountOf is the account of a provider for outbound tokens, as carnet.yaml has it.
func (l *linter) accountOf(v Values) string {
	for _, p := range l.s.Providers {
		if strings.HasSuffix(p.Name, "/"+v.Text("workload_identity_pool_id")+"/providers/"+v.Text("workload_identity_pool_provider_id")) {
			return p.Account
		}
	}
	return "unknown"
}

func (l *linter) pools() {
	providers := map[string]int{}
	for _, r := range l.s.Resources {
		if r.Type == "google_iam_workload_identity_pool_provider" {
			l.at = r.Address
			pool := r.Values.Text("project") + "/" + r.Values.Text("workload_identity_pool_id")
			if providers[pool]++; providers[pool] > 1 {
				l.add("pool", "another provider is in %s already: what both map is one name to every binding", pool)
			}
		}
	}
}

// identities looks for one that stands in two tenants' files.
func (l *linter) identities() {
	l.at = "output.identities"
	first := map[string]string{}
	for _, tenant := range sortedKeys(l.s.Identities) {
		for _, id := range l.s.Identities[tenant] {
			if was, ok := first[id]; ok {
				l.add("shared-identity", "%s stands in %s and %s", id, was, tenant)
			}
			first[id] = tenant
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	var list []string
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
