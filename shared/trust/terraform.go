package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A Block is a block's lines, aligned when they are written.
type Block struct {
	lines []hclLine
}

type hclLine struct{ why, name, value string }

// Set writes a value, where it is not empty.
func (h *Block) Set(why, name string, value any) {
	if text := quoted(value); text != `""` && text != "null" && text != "[]" {
		h.lines = append(h.lines, hclLine{why, name, strings.NewReplacer(`","`, `", "`, "${", "$${", "%{", "%%{").Replace(text)})
	}
}

// block writes the lines as `terraform fmt` would: names of neighbours are aligned, and a
// comment ends a group.
func (h *Block) block(head string) string {
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
	modules := s.tenantModules
	if s.For == exchange.ThirdParty {
		modules = s.destinationModule
	}
	blocks, err := modules(o)
	if err != nil {
		return "", err
	}
	return commented("#", "", s.title()...) + "\n" + blocks, nil
}

func (s *Sheet) destinationModule(o Options) (string, error) {
	if s.kind.Module == nil {
		return "", s.wrong(Terraform, "there is no module for kind "+s.Kind)
	}
	h := new(Block)
	h.Set("", "source", o.Modules+"/destination-"+s.Kind)
	return s.kind.Module(s, h)
}

// ModuleName is what the destination's module is called.
func (s *Sheet) ModuleName() string { return strings.ReplaceAll(s.Tenant+"_"+s.Destination, "-", "_") }

// Module writes the destination's module.
func (s *Sheet) Module(h *Block) string { return h.block(`module "` + s.ModuleName() + `"`) }

// ModuleOnAWS writes the module of a role, and pins where it is applied, so that the wrong shell
// cannot.
func (s *Sheet) ModuleOnAWS(region string, h *Block) (string, error) {
	p := new(Block)
	p.Set("", "region", region)
	p.Set("The account of the role: with another one's credentials nothing is made.", "allowed_account_ids", []string{awsid.AccountOf(s.Dest.End.Role.ARN)})
	return required("aws", ">= 6.28, < 7") + p.block(`provider "aws"`) + "\n" + s.Module(h), nil
}

// ModuleOnGoogle writes the module of an account, and pins its project.
func (s *Sheet) ModuleOnGoogle(h *Block) (string, error) {
	if len(s.Google.Pools) > 0 {
		return "", fmt.Errorf("%w: the module takes a pool of your own that stands already, and this destination names one to make: write --as gcloud", ErrFormat)
	}
	p := new(Block)
	p.Set("", "project", ProjectOf(s.Dest.End.ServiceAccount.Email))
	return required("google", ">= 7, < 8") + p.block(`provider "google"`) + "\n" + s.Module(h), nil
}

func required(name, version string) string {
	return fmt.Sprintf("terraform {\n  required_providers {\n    %s = {\n      source  = \"hashicorp/%s\"\n      version = %q\n    }\n  }\n}\n\n", name, name, version)
}

// entering are the role and the account that stand right before the place: they enter its own
// identity, or show themselves to it. Empty where there is none.
func (s *Sheet) entering() (role, account string) {
	own := s.Dest.End.Role != nil || s.Dest.End.ServiceAccount != nil
	for _, c := range s.chains {
		if c.name != s.Destination || c.to.End.Secret != "" {
			continue
		}
		last := c.end()
		if own {
			last = c.path[len(c.path)-2]
		}
		if OnAWS(last) {
			role = cmp.Or(role, last)
		} else {
			account = cmp.Or(account, last)
		}
	}
	return role, account
}

// bindingsWhy is one reason for both clouds' keys.
const bindingsWhy = "The binding: sts:ExternalId where the role enters, the token's audience (accounts.google.com:oaud) where the account does. " +
	"AWS insists on neither, so the module always writes it."

// RoleInputs are the role, who enters it and its binding.
func (s *Sheet) RoleInputs(h *Block) {
	role := s.Dest.End.Role
	h.Set("", "role_name", s.Role(role.ARN).Name())
	s.EntrantInputs(h)
	h.Set(bindingsWhy, "external_id", role.ExternalID)
	h.Set("", "next_external_id", role.NextExternalID)
	if p := awsid.PartitionOf(role.ARN); p != "aws" {
		h.Set("", "partition", p)
	}
	if r := s.Role(role.ARN); r.MaxSession > 3600 {
		h.Set("lifetime: in the tenant's file.", "max_session_duration", r.MaxSession)
	}
}

// EnteredOnAWS tells whether a role enters.
func (s *Sheet) EnteredOnAWS() bool {
	role, _ := s.entering()
	return role != ""
}

// EntrantInputs are who may enter.
func (s *Sheet) EntrantInputs(h *Block) {
	role, account := s.entering()
	h.Set("Exactly this role may enter, not its account.", "tenant_role_arn", role)
	if account != "" {
		h.Set("Exactly this Google account may enter, by its numeric id: an email could be taken again. It is "+account+".", "tenant_google_subject", s.Subject(account))
	}
}

// AccountInputs are the account and who enters it.
func (s *Sheet) AccountInputs(h *Block) {
	own := s.Dest.End.ServiceAccount
	email := own.Email
	name, _, _ := strings.Cut(email, "@")
	role, account := s.entering()
	h.Set("", "project_id", ProjectOf(email))
	// A new account's name has 6 to 30 characters: another one's account stands already.
	// https://cloud.google.com/iam/docs/service-accounts-create#creating
	if len(name) < 6 || len(name) > 30 {
		h.Set("It stands already. create_custom_roles = false if another destination of the project made the roles.", "existing_service_account", email)
		h.Set("", "enter_existing", true)
	} else {
		h.Set("Where the account stands already, write existing_service_account = "+quoted(email)+" and enter_existing = true in its place, and create_custom_roles = false if another destination of the project made the roles.", "account_id", name)
	}
	h.Set("Exactly this account may enter, on the account made here and not on the project.", "tenant_service_account", account)
	h.Set("Exactly this role may enter, through the pool: never /*.", "tenant_role_arn", role)
	if p := s.provider(email); p != nil && role != "" {
		h.Set("", "tenant_pool", poolOf(p))
	}
	if own.Entry == catalog.User {
		h.Set("entry: user in the tenant's file.", "standard_role", true)
	}
}

// GrantInputs are what a bucket's credential may do, and under which folders.
func (s *Sheet) GrantInputs(h *Block) {
	grant := s.Dest.Grant
	if slices.Equal(grant.Prefixes, []string{""}) {
		h.Set("", "whole_bucket", true)
	} else {
		h.Set("", "prefixes", grant.Prefixes)
	}
	h.Set("", "access", grant.Access)
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
	h := new(Block)
	h.Set("", "source", o.Modules+"/aws-tenant")
	h.Set("", "tenant", s.Tenant)
	h.Set("", "role_arn", r.ARN)
	if id := s.ask.Tenant.Identities.AWS; id != nil {
		h.Set("What the functions show to enter: no other tenant's.", "external_id", id.ExternalID)
		h.Set("", "next_external_id", id.NextExternalID)
	}
	var subjects []string
	for _, from := range s.into(r.ARN) {
		if OnAWS(from) {
			h.once("Exactly the functions' role may enter.", "runtime_role_arn", from)
		} else {
			subjects = with(subjects, s.Subject(from))
		}
	}
	h.Set("Google accounts that may enter, by their numeric ids.", "google_subjects", subjects)
	for _, st := range r.Policy {
		switch st.Sid {
		case "EnterRoles":
			h.Set("What it may enter, and nothing else.", "enter_role_arns", st.Resource)
		case "ProveItself":
			h.Set("Audiences of the tokens that it may have.", "jwt_audiences", st.Condition["ForAllValues:StringEquals"].(map[string]any)["sts:IdentityTokenAudience"])
		}
	}
	return h.block(`module "` + strings.ReplaceAll(s.Tenant, "-", "_") + `_role"`)
}

// into are the identities that a principal is entered from.
func (s *Sheet) into(principal string) (list []string) {
	for _, c := range s.chains {
		if i := slices.Index(c.path, principal); i > 0 {
			list = append(list, c.path[i-1])
		}
	}
	return list
}

// once sets what several chains say alike.
func (h *Block) once(why, name string, value any) {
	if !slices.ContainsFunc(h.lines, func(l hclLine) bool { return l.name == name }) {
		h.Set(why, name, value)
	}
}

func (s *Sheet) gcpTenant(o Options, account string) string {
	h := new(Block)
	h.Set("", "source", o.Modules+"/gcp-tenant")
	h.Set("", "tenant", s.Tenant)
	h.Set("", "service_account", account)
	if a := s.account(account); a != nil {
		h.Set("", "entry", string(a.Entry))
	}
	h.Set("The custom role of implicitDelegation alone: whoever has it passes through, and never holds a token.", "pass_role", "projects/"+ProjectOf(account)+"/roles/carnetPass")
	for _, from := range s.into(account) {
		switch {
		case !OnAWS(from):
			h.once("Exactly this account may enter.", "runtime_service_account", from)
		case from == s.op.Runtime.AWS.Role:
			h.once("Exactly this role may enter, through the pool.", "runtime_role_arn", from)
		default:
			h.once("Exactly this role may enter, through the pool.", "tenant_role_arn", from)
		}
	}
	if slices.ContainsFunc(h.lines, func(l hclLine) bool { return strings.HasSuffix(l.name, "role_arn") }) {
		if p := s.provider(account); p != nil {
			h.Set("", "aws_pool", poolOf(p))
			if p.Kind == catalog.ProviderOIDC {
				h.Set("", "jwt_pool", poolOf(p))
			}
		}
	}
	return h.block(`module "` + strings.ReplaceAll(s.Tenant, "-", "_") + `_account"`)
}
