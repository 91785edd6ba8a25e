package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// An hcl is a block's lines, aligned when they are written.
type hcl struct {
	lines []hclLine
}

type hclLine struct{ why, name, value string }

func (h *hcl) set(why, name string, value any) {
	if text := quoted(value); text != `""` && text != "null" && text != "[]" {
		h.lines = append(h.lines, hclLine{why, name, strings.ReplaceAll(text, `","`, `", "`)})
	}
}

// block writes the lines as `terraform fmt` would: names of neighbours are aligned, and a
// comment ends a group.
func (h *hcl) block(head string) string {
	var b strings.Builder
	b.WriteString(head + " {\n")
	for i := 0; i < len(h.lines); {
		n, width := i, 0
		for n < len(h.lines) && (n == i || h.lines[n].why == "") {
			width = max(width, len(h.lines[n].name))
			n++
		}
		for _, l := range h.lines[i:n] {
			if l.why != "" {
				if i > 0 {
					b.WriteString("\n")
				}
				b.WriteString(commented("#", "  ", l.why))
			}
			fmt.Fprintf(&b, "  %-*s = %s\n", width, l.name, l.value)
		}
		i = n
	}
	b.WriteString("}\n")
	return b.String()
}

// terraform is a block of the module that makes what is needed.
func (s *Sheet) terraform(o Options) (string, error) {
	o.Modules = cmp.Or(o.Modules, "./terraform/modules")
	var blocks string
	var err error
	if s.For == exchange.ThirdParty {
		blocks, err = s.destinationModule(o)
	} else {
		blocks, err = s.tenantModules(o)
	}
	if err != nil {
		return "", err
	}
	return commented("#", "", s.title()...) + "\n" + blocks, nil
}

func (s *Sheet) destinationModule(o Options) (string, error) {
	if s.dest.ServiceAccount != nil && len(s.Google.Pools) > 0 {
		return "", fmt.Errorf("%w: the module takes a pool of your own that stands already, and this destination names one to make: write --as gcloud", ErrFormat)
	}
	name := strings.ReplaceAll(s.Tenant+"_"+s.Destination, "-", "_")
	h := new(hcl)
	h.set("", "source", o.Modules+"/destination-"+string(s.Kind))
	switch s.Kind {
	case catalog.S3:
		s.roleInputs(h)
		h.set("What the role may do: the grant of the tenant's file, and no more.", "bucket", s.dest.Bucket)
		s.grantInputs(h)
		h.set("", "kms_key", s.dest.KMSKey)
	case catalog.Redshift:
		s.roleInputs(h)
		s.redshiftInputs(h)
	case catalog.GCS:
		s.accountInputs(h)
		h.set("What the account may do: the grant of the tenant's file, and no more.", "bucket", s.dest.Bucket)
		s.grantInputs(h)
	case catalog.BigQuery:
		s.accountInputs(h)
		h.set("What the account may do. There is no access boundary for BigQuery: its own grants are all that narrows it.", "dataset", s.dest.Dataset)
		h.set("", "access", s.dest.Access)
	case catalog.Snowflake:
		if s.dest.Snowflake.NextExternalID != "" {
			return "", fmt.Errorf("%w: the module knows one ExternalId, and this destination has two while it is rotated: write --as sql", ErrFormat)
		}
		s.snowflakeInputs(h)
		return "# Nothing is made: its output is the SQL that an administrator runs.\n" + h.block(`module "`+name+`"`) +
			"\noutput \"sql\" {\n  value = module." + name + ".sql\n}\n", nil
	}
	return s.providerBlock() + h.block(`module "`+name+`"`), nil
}

// providerBlock pins where it is applied, so that the wrong shell cannot.
func (s *Sheet) providerBlock() string {
	h := new(hcl)
	if s.dest.Role != nil {
		h.set("", "region", s.dest.Region)
		h.set("The account of the role: with another one's credentials nothing is made.", "allowed_account_ids", []string{accountOf(s.dest.Role.ARN)})
		return required("aws", ">= 6.28, < 7") + h.block(`provider "aws"`) + "\n"
	}
	h.set("", "project", projectOf(s.dest.ServiceAccount.Email))
	return required("google", ">= 7, < 8") + h.block(`provider "google"`) + "\n"
}

func required(name, version string) string {
	return fmt.Sprintf("terraform {\n  required_providers {\n    %s = {\n      source  = \"hashicorp/%s\"\n      version = %q\n    }\n  }\n}\n\n", name, name, version)
}

// entering are the identities that stand right before the destination, or at the end of
// a Snowflake destination's chains.
func (s *Sheet) entering() (roles, accounts []string) {
	for _, c := range s.walk.chains {
		if c.name != s.Destination || c.secret != "" {
			continue
		}
		last := c.path[max(0, len(c.path)-2)]
		if s.Kind == catalog.Snowflake {
			last = c.end()
		}
		switch {
		case onAWS(last) && !slices.Contains(roles, last):
			roles = append(roles, last)
		case !onAWS(last) && !slices.Contains(accounts, last):
			accounts = append(accounts, last)
		}
	}
	return roles, accounts
}

// bindingsWhy is one reason for both clouds' keys.
const bindingsWhy = "The binding: sts:ExternalId where the role enters, the token's audience (accounts.google.com:oaud) where the account does. " +
	"AWS insists on neither, so the module always writes it."

func (s *Sheet) roleInputs(h *hcl) {
	h.set("", "role_name", s.role(s.dest.Role.ARN).Name())
	s.entrants(h)
	h.set(bindingsWhy, "external_id", s.dest.Role.ExternalID)
	h.set("", "next_external_id", s.dest.Role.NextExternalID)
	if p := partitionOf(s.dest.Role.ARN); p != "aws" {
		h.set("", "partition", p)
	}
	if r := s.role(s.dest.Role.ARN); r.MaxSession > 3600 {
		h.lines = append(h.lines, hclLine{"lifetime: in the tenant's file.", "max_session_duration", fmt.Sprint(r.MaxSession)})
	}
}

func (s *Sheet) entrants(h *hcl) {
	roles, accounts := s.entering()
	for _, r := range roles[:min(1, len(roles))] {
		h.set("Exactly this role may enter, not its account.", "tenant_role_arn", r)
	}
	for _, a := range accounts[:min(1, len(accounts))] {
		h.set("Exactly this Google account may enter, by its numeric id: an email could be taken again. It is "+a+".", "tenant_google_subject", s.subject(a))
	}
}

func (s *Sheet) accountInputs(h *hcl) {
	email := s.dest.ServiceAccount.Email
	name, _, _ := strings.Cut(email, "@")
	roles, accounts := s.entering()
	h.set("", "project_id", projectOf(email))
	// A new account's name has 6 to 30 characters: another one's account stands already.
	// https://cloud.google.com/iam/docs/service-accounts-create#creating
	if len(name) < 6 || len(name) > 30 {
		h.set("It stands already. create_custom_roles = false if another destination of the project made the roles.", "existing_service_account", email)
		h.lines = append(h.lines, hclLine{"", "enter_existing", "true"})
	} else {
		h.set("Where the account stands already, write existing_service_account = "+quoted(email)+" and enter_existing = true in its place, and create_custom_roles = false if another destination of the project made the roles.", "account_id", name)
	}
	for _, a := range accounts[:min(1, len(accounts))] {
		h.set("Exactly this account may enter, on the account made here and not on the project.", "tenant_service_account", a)
	}
	for _, r := range roles[:min(1, len(roles))] {
		h.set("Exactly this role may enter, through the pool: never /*.", "tenant_role_arn", r)
		if p := s.provider(email); p != nil {
			pool, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "//iam.googleapis.com/"), "/providers/")
			h.set("", "tenant_pool", pool)
		}
	}
	if s.dest.ServiceAccount.Entry == catalog.User {
		h.lines = append(h.lines, hclLine{"entry: user in the tenant's file.", "standard_role", "true"})
	}
}

func (s *Sheet) grantInputs(h *hcl) {
	if slices.Equal(s.dest.Prefixes, []string{""}) {
		h.lines = append(h.lines, hclLine{"", "whole_bucket", "true"})
	} else {
		h.set("", "prefixes", s.dest.Prefixes)
	}
	h.set("", "access", s.dest.Access)
}

func (s *Sheet) redshiftInputs(h *hcl) {
	at := s.dest.Redshift
	h.set("The one login that the role may ask for.", "account_id", accountOf(s.dest.Role.ARN))
	h.set("", "region", s.dest.Region)
	h.set("", "cluster", at.Cluster)
	h.set("", "workgroup", at.Workgroup)
	if at.Workgroup != "" {
		h.set("", "workgroup_id", s.workgroup(s.dest)[strings.LastIndex(s.workgroup(s.dest), "/")+1:])
	}
	h.set("", "database", at.Database)
	h.set("", "user", at.User)
	h.set("", "groups", at.Groups)
	if at.CreateUser {
		h.lines = append(h.lines, hclLine{"", "create_user", "true"})
	}
	if at.Login == catalog.RedshiftDataAPI {
		h.lines = append(h.lines, hclLine{"", "data_api", "true"})
	}
	if at.Host != "" || at.CustomDomain != "" {
		h.lines = append(h.lines, hclLine{"The tenant's file says where the cluster is.", "describe", "false"})
	}
	h.set("What its output sql grants in the database.", "schema", cmp.Or(s.ask.Database.Schema, "public"))
	h.set("", "access", string(cmp.Or(s.ask.Database.Access, exchange.ReadWrite)))
}

func (s *Sheet) snowflakeInputs(h *hcl) {
	at, db := s.dest.Snowflake, s.ask.Database
	h.set("", "user", at.User)
	h.set("", "role", cmp.Or(db.Role, strings.ToUpper(at.User)+"_ROLE"))
	h.set("", "login", string(at.Login))
	if at.Login == catalog.SnowflakeKeyPair {
		h.set("The public key, base64 without its PEM lines.", "public_key", cmp.Or(s.ask.PublicKey, "PUBLIC-KEY-IN-BASE64"))
	} else {
		s.entrants(h)
		if roles, _ := s.entering(); len(roles) > 0 {
			h.set("", "aws_issuer", s.issuer())
		}
		h.set("The tokens' audience, of this account alone.", "external_id", at.ExternalID)
	}
	h.set("What the role may do.", "database", s.named(db.Name, "DATABASE"))
	h.set("", "schema", s.named(db.Schema, "SCHEMA"))
	h.set("", "warehouse", s.named(db.Warehouse, "WAREHOUSE"))
	h.set("", "access", string(cmp.Or(db.Access, exchange.ReadWrite)))
}

// named is the name that was given, or a placeholder that the module refuses.
func (s *Sheet) named(given, what string) string {
	if given != "" {
		return given
	}
	lower := strings.ToLower(what)
	return s.miss(Missing{Placeholder: "NAME-OF-THE-" + what, What: "the " + lower + " that the user works in", Command: "SHOW " + what + "S;", Flag: "--" + lower + " NAME"})
}

// tenantModules are the operator's own, for the identities that follow its rule of names.
func (s *Sheet) tenantModules(o Options) (string, error) {
	if s.For == exchange.TenantSide {
		return "", fmt.Errorf("%w: the modules make the operator's own identities: write --as %s", ErrFormat, s.Usual())
	}
	blocks := commented("#", "", "With all tenants at once: for_each over the module catalog, which reads these same files ("+o.Modules+"/README.md).")
	for _, r := range s.whole() {
		blocks += "\n" + s.awsTenant(o, r)
	}
	for _, a := range s.Google.Accounts {
		blocks += "\n" + s.gcpTenant(o, a)
	}
	return blocks, nil
}

func (s *Sheet) awsTenant(o Options, r *Role) string {
	h := new(hcl)
	h.set("", "source", o.Modules+"/aws-tenant")
	h.set("", "tenant", s.Tenant)
	h.set("", "role_arn", r.ARN)
	if id := s.ask.Tenant.Identities.AWS; id != nil {
		h.set("What the functions show to enter: no other tenant's.", "external_id", id.ExternalID)
		h.set("", "next_external_id", id.NextExternalID)
	}
	var subjects []string
	for _, c := range s.walk.chains {
		for i := range c.path[1:] {
			switch from, to := c.path[i], c.path[i+1]; {
			case to != r.ARN:
			case onAWS(from):
				h.once("Exactly the functions' role may enter.", "runtime_role_arn", from)
			default:
				subjects = with(subjects, s.subject(from))
			}
		}
	}
	h.set("Google accounts that may enter, by their numeric ids.", "google_subjects", subjects)
	for _, st := range r.Policy {
		switch st.Sid {
		case "EnterRoles":
			h.set("What it may enter, and nothing else.", "enter_role_arns", st.Resource)
		case "ProveItself":
			h.set("Audiences of the tokens that it may have.", "jwt_audiences", st.Condition["ForAllValues:StringEquals"].(map[string]any)["sts:IdentityTokenAudience"])
		}
	}
	return h.block(`module "` + strings.ReplaceAll(s.Tenant, "-", "_") + `_role"`)
}

// once sets what several chains say alike.
func (h *hcl) once(why, name string, value any) {
	if !slices.ContainsFunc(h.lines, func(l hclLine) bool { return l.name == name }) {
		h.set(why, name, value)
	}
}

func (s *Sheet) gcpTenant(o Options, account string) string {
	h := new(hcl)
	h.set("", "source", o.Modules+"/gcp-tenant")
	h.set("", "tenant", s.Tenant)
	h.set("", "service_account", account)
	if a := s.account(account); a != nil {
		h.set("", "entry", string(a.Entry))
	}
	h.set("The custom role of implicitDelegation alone: whoever has it passes through, and never holds a token.", "pass_role", "projects/"+projectOf(account)+"/roles/carnetPass")
	for _, c := range s.walk.chains {
		for i := range c.path[1:] {
			switch from, to := c.path[i], c.path[i+1]; {
			case to != account:
			case !onAWS(from):
				h.once("Exactly this account may enter.", "runtime_service_account", from)
			case i == 0:
				h.once("Exactly this role may enter, through the pool.", "runtime_role_arn", from)
			default:
				h.once("Exactly this role may enter, through the pool.", "tenant_role_arn", from)
			}
		}
	}
	if slices.ContainsFunc(h.lines, func(l hclLine) bool { return strings.HasSuffix(l.name, "role_arn") }) {
		if p := s.provider(account); p != nil {
			pool, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "//iam.googleapis.com/"), "/providers/")
			h.set("", "aws_pool", pool)
			if p.Kind == catalog.ProviderOIDC {
				h.set("", "jwt_pool", pool)
			}
		}
	}
	return h.block(`module "` + strings.ReplaceAll(s.Tenant, "-", "_") + `_account"`)
}
