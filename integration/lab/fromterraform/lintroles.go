package fromterraform

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// oneOrMany: IAM lets a list of one be written without its brackets.
type oneOrMany []string

func (o *oneOrMany) UnmarshalJSON(text []byte) error {
	var one string
	if json.Unmarshal(text, &one) == nil {
		*o = oneOrMany{one}
		return nil
	}
	return json.Unmarshal(text, (*[]string)(o))
}

type statement struct {
	Effect    string
	Principal json.RawMessage
	Action    oneOrMany
	Resource  oneOrMany
	Condition map[string]map[string]oneOrMany
}

func statements(policy string) []statement {
	var many struct{ Statement []statement }
	var one struct{ Statement statement }
	if json.Unmarshal([]byte(policy), &many) == nil {
		return many.Statement
	}
	if json.Unmarshal([]byte(policy), &one) == nil {
		return []statement{one.Statement}
	}
	return nil
}

// principals are a statement's by type; anyone is {"*": ["*"]}.
func (st statement) principals() map[string]oneOrMany {
	byType := map[string]oneOrMany{}
	if json.Unmarshal(st.Principal, &byType) != nil {
		return map[string]oneOrMany{"*": {"*"}}
	}
	return byType
}

func (l *linter) role(r Resource) {
	if _, written := r.Values["max_session_duration"]; !written {
		l.add("session", "write max_session_duration")
	}
	trust := statements(r.Values.Text("assume_role_policy"))
	if len(trust) == 0 {
		l.add("principal", "its trust policy cannot be read")
	}
	var tenants []string
	for _, st := range trust {
		if st.Effect != "Allow" {
			continue
		}
		for kind, names := range st.principals() {
			switch kind {
			case "AWS":
				tenants = append(tenants, l.roles(r, st, names)...)
			case "Federated":
				tenants = append(tenants, l.federated(r, st, names)...)
			case "Service": // a platform's own, which other rules bind
			default:
				l.add("public", "anyone may ask to enter")
			}
		}
	}
	slices.Sort(tenants)
	if t := slices.Compact(tenants); len(t) > 1 {
		l.add("strangers", "it lets in more than one tenant: %s", strings.Join(t, ", "))
	}
}

// roles checks the roles that a statement lets in, and returns their tenants.
func (l *linter) roles(r Resource, st statement, names []string) []string {
	if len(st.Condition["StringEquals"]["sts:ExternalId"]) == 0 && !ofFunctions(r) {
		l.add("external-id", "a role enters without sts:ExternalId under StringEquals")
	}
	l.patterns(st)
	var tenants []string
	for _, name := range names {
		m := regexp.MustCompile(`^arn:aws[a-z-]*:iam::([0-9]{12}):role/(?:[^*?]+/)?([A-Za-z0-9_+=,.@-]+)$`).FindStringSubmatch(name)
		switch {
		case name == "*":
			l.add("public", "anyone may ask to enter")
		case m == nil:
			l.add("principal", "it trusts %s, which is not one role", name)
		case l.ofTenants(r), ofFunctions(r):
			if !isFunctions(m[2]) || m[1] != l.s.Accounts[r.Module()] {
				l.add("strangers", "%s is no function's role of the operator's account", name)
			}
		default:
			tenants = append(tenants, l.tenant(name)...)
		}
	}
	return tenants
}

// federated checks the Google identities that a statement lets in.
func (l *linter) federated(r Resource, st statement, issuers []string) []string {
	for _, issuer := range issuers {
		if issuer != "accounts.google.com" {
			l.add("federated", "it trusts %s: Google Cloud's is accounts.google.com, which is built into AWS", issuer)
		}
	}
	l.patterns(st)
	exact := st.Condition["StringEquals"]
	subjects := exact["accounts.google.com:sub"]
	if len(subjects) == 0 {
		l.add("google-sub", "no accounts.google.com:sub under StringEquals: any Google account enters")
	}
	if len(exact["accounts.google.com:oaud"]) == 0 {
		l.add("google-oaud", "no accounts.google.com:oaud under StringEquals: a token for any other party enters")
	}
	var tenants []string
	for _, sub := range subjects {
		switch {
		case !regexp.MustCompile(`^[0-9]{15,25}$`).MatchString(sub):
			l.add("google-sub", "%s is not an account's number", sub)
		case !l.ofTenants(r):
			tenants = append(tenants, l.tenant(l.email(sub))...)
		}
	}
	return tenants
}

// patterns: one value is one identity, a pattern any number of them.
func (l *linter) patterns(st statement) {
	for operator, keys := range st.Condition {
		for key := range keys {
			if strings.HasSuffix(operator, "Like") || strings.Contains(operator, "IfExists") || strings.Contains(operator, ":") {
				l.add("string-like", "%s under %s: write StringEquals", key, operator)
			}
		}
	}
}

func (l *linter) ofTenants(r Resource) bool { return r.Module() == "aws_tenant" }

// ofFunctions: what the function enters as nobody, which is let in nowhere and so needs no
// binding.
func ofFunctions(r Resource) bool { return r.Module() == "aws_function" }

// email finds an account by its number.
func (l *linter) email(number string) string {
	for _, r := range l.s.Resources {
		if r.Type == "google_service_account" && r.Values.Text("unique_id") == number {
			return r.Values.Text("email")
		}
	}
	return number
}

// tenant finds whose identity it is; a finding where it is nobody's.
func (l *linter) tenant(identity string) []string {
	for _, t := range sortedKeys(l.s.Identities) {
		if slices.Contains(l.s.Identities[t], identity) {
			return []string{t}
		}
	}
	l.add("strangers", "%s stands in no tenant's file", identity)
	return nil
}

// accounts checks who enters each service account: a tenant's is entered by that
// tenant's role and the functions, any other by one tenant.
func (l *linter) accounts() {
	entered := map[string][]string{}
	for _, r := range l.s.Resources {
		if r.Type != "google_service_account_iam_member" {
			continue
		}
		l.at = r.Address
		_, account, _ := strings.Cut(r.Values.Text("service_account_id"), "/serviceAccounts/")
		who, own := l.entrant(r.Values.Text("member")), l.owner(account)
		_, isTenant := l.s.Identities[who]
		switch {
		case who == "" || own != "" && (who == own || who == "function"):
		case who == "function" && strings.HasPrefix(account, "carnet-nobody"):
		case own != "":
			l.add("strangers", "%s's account is entered by %s", own, who)
		case !isTenant:
			l.add("strangers", "%s is entered by %s, which is no tenant", account, who)
		default:
			entered[account] = append(entered[account], who)
		}
	}
	for account, who := range entered {
		slices.Sort(who)
		if who = slices.Compact(who); len(who) > 1 {
			l.add("strangers", "%s is entered by more than one tenant: %s", account, strings.Join(who, ", "))
		}
	}
}

// entrant names the tenant that a member belongs to, or "function", or who it is.
func (l *linter) entrant(member string) string {
	id := strings.TrimPrefix(member, "serviceAccount:")
	if role := roleOfSet(member); role != "" {
		account, name, _ := strings.Cut(role, ":")
		id = "arn:aws:iam::" + account + ":role/" + name
		if isFunctions(name) && account == l.s.Accounts["aws_tenant"] {
			return "function"
		}
	} else if strings.HasPrefix(member, "principalSet:") {
		return "" // a finding of its own
	}
	if isFunctions(id) {
		return "function"
	}
	if t := l.owner(id); t != "" {
		return t
	}
	return id
}

// owner is the tenant in whose file an identity stands.
func (l *linter) owner(identity string) string {
	for _, t := range sortedKeys(l.s.Identities) {
		if slices.Contains(l.s.Identities[t], identity) {
			return t
		}
	}
	return ""
}
