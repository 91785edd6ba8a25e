// Package apply writes what the owner of a Redshift database applies and fixes. It is for people:
// no function links it.
package apply

import (
	"cmp"

	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination/redshift"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Kind returns the kind's part for people.
func Kind() mend.Kind {
	return mend.Kind{
		Kind: trust.Kind{Apply: role, Module: module, Facts: []trust.Fact{
			{Flag: "workgroup-id", Says: "the id of the workgroup"},
			{Flag: "schema", Says: "the schema to grant on"},
			trust.AccessFact(),
		}},
		Remedies: map[string]mend.Remedy{
			"database_missing": {
				What:  "There is no such cluster or workgroup for {{.Name}}: {{.Said}}",
				Tell:  "`aws redshift describe-clusters` (or `aws redshift-serverless list-workgroups`) in the Region of the file does not list it if it is this.",
				Text:  "# In the tenant's file: cluster: or workgroup:, and region:, as the third party's administrator names them.\n",
				Where: "the tenant's file",
			},
			"login_not_allowed": {What: "{{.To}} may not ask for the login of {{.Name}}.", Text: "{{.TheirPermissions}}", After: "iam"},
		},
	}
}

func role(s *trust.Sheet) {
	p := s.Dest.Place.(*redshift.Place)
	r := s.Role(p.Role.ARN)
	r.Policy = login(s, p)
	r.Lasts(s.Dest.Lifetime)
	sql(s, p, r)
}

// login is the one login that the role may ask for.
func login(s *trust.Sheet, p *redshift.Place) []trust.Statement {
	place := p.ARN("redshift") + "cluster:" + p.Cluster
	var list []trust.Statement
	add := func(sid, why string, st awsid.Statement) { list = append(list, trust.Permit(sid, why, st)) }
	if p.Workgroup != "" {
		place = p.ARN("redshift-serverless") + "workgroup/" + workgroupID(s, p)
		add("Login", "A login at this workgroup, which its ARN names by id. carnet knows only its name, so this statement is what keeps to it.", awsid.Allow([]string{place}, "redshift-serverless:GetCredentials"))
	} else {
		for _, st := range p.LoginStatements() {
			sid, why := reason(st.Action[0])
			add(sid, why, st)
		}
		if p.KnownHost() == "" {
			add("Find", "The tenant's file has no host: asking where the cluster is. It goes once `host:` stands there.", awsid.Allow([]string{place}, "redshift:DescribeClusters"))
		}
	}
	if p.Login == redshift.DataAPI {
		data := redshift.DataAPIStatements(place)
		add("Run", "login: data_api: running statements without a password.", data[0])
		add("OwnResults", "Statements have no ARN; the condition leaves those that the session ran itself.", data[1])
	}
	return list
}

func reason(action string) (sid, why string) {
	switch action {
	case "redshift:GetClusterCredentialsWithIAM":
		return "Login", "A login as the role's own user, for this database alone."
	case "redshift:GetClusterCredentials":
		return "Login", "A login as this user, for this database alone."
	case "redshift:CreateClusterUser":
		return "CreateUser", "create_user: true in the tenant's file."
	}
	return "JoinGroups", "The groups of the tenant's file, for the session."
}

func workgroupID(s *trust.Sheet, p *redshift.Place) string {
	if id := s.Fact("workgroup-id"); id != "" {
		return id
	}
	return s.Miss(trust.Missing{
		Placeholder: "ID-OF-WORKGROUP-" + p.Workgroup,
		What:        "the id of the workgroup " + p.Workgroup + ", the last part of its ARN",
		Command:     "aws redshift-serverless get-workgroup --workgroup-name " + p.Workgroup + " --region " + p.Region + " --query workgroup.workgroupId --output text",
		Flag:        "--workgroup-id ID",
	})
}

func schema(s *trust.Sheet) string { return cmp.Or(s.Fact("schema"), "public") }

// sql: what a login may do is granted in the database, and nowhere else.
func sql(s *trust.Sheet, p *redshift.Place, r *trust.Role) {
	user := trust.QuotedName(cmp.Or(p.User, "IAMR:"+r.Name()))
	if !p.CreateUser {
		s.Run("The user, who has no password of its own: Redshift gives one out for minutes.", "CREATE USER "+user+" PASSWORD DISABLE;")
	}
	to := []string{user}
	if len(p.Groups) > 0 {
		to = nil
		for _, g := range p.Groups {
			s.Run("", "CREATE GROUP "+trust.QuotedName(g)+";")
			to = append(to, "GROUP "+trust.QuotedName(g))
		}
	}
	in, access := trust.QuotedName(schema(s)), s.Access()
	for _, who := range to {
		s.Run("One schema, and no more than is needed there.", "GRANT USAGE ON SCHEMA "+in+" TO "+who+";")
		if access.CanRead() {
			s.Run("", "GRANT SELECT ON ALL TABLES IN SCHEMA "+in+" TO "+who+";")
		}
		if access.CanWrite() {
			s.Run("", "GRANT CREATE ON SCHEMA "+in+" TO "+who+";")
			s.Run("", "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "+in+" TO "+who+";")
		}
	}
}

func module(s *trust.Sheet, h *trust.Block) (string, error) {
	p := s.Dest.Place.(*redshift.Place)
	s.RoleInputs(h)
	h.Set("The one login that the role may ask for.", "account_id", awsid.AccountOf(p.Role.ARN))
	h.Set("", "region", p.Region)
	h.Set("", "cluster", p.Cluster)
	h.Set("", "workgroup", p.Workgroup)
	if p.Workgroup != "" {
		h.Set("", "workgroup_id", workgroupID(s, p))
	}
	h.Set("", "database", p.Database)
	h.Set("", "user", p.User)
	h.Set("", "groups", p.Groups)
	if p.CreateUser {
		h.Set("", "create_user", true)
	}
	if p.Login == redshift.DataAPI {
		h.Set("", "data_api", true)
	}
	if p.Host != "" || p.CustomDomain != "" {
		h.Set("The tenant's file says where the cluster is.", "describe", false)
	}
	h.Set("What its output sql grants in the database.", "schema", schema(s))
	h.Set("", "access", s.Access())
	return s.ModuleOnAWS(p.Region, h)
}
