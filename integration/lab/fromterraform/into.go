package fromterraform

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/integration/lab/world"
)

// Into takes all trust out of a world, but for the jobs', which no module makes, and puts in
// what Terraform shows. The places stay: buckets, clusters, datasets, secrets and what is in
// them. The functions' own places, which the world has none of, are left out: what runs, its
// bucket, its logs. Who may call is not a matter of chains, and is the lint's.
func (s *Shown) Into(w *world.World) error {
	strip(w)
	for _, kind := range order() {
		for _, r := range s.Resources {
			if r.Type != kind || r.isFunctionsPlace() {
				continue
			}
			if err := s.load(w, r); err != nil {
				return fmt.Errorf("%s: %w", r.Address, err)
			}
		}
	}
	for _, r := range s.Resources {
		if !slices.Contains(order(), r.Type) && !r.isFunctionsPlace() {
			return fmt.Errorf("%s: the lab has no %s: load it in fromterraform, or leave it out", r.Address, r.Type)
		}
	}
	return s.intoSnowflake(w)
}

// order lists what can be loaded, what others stand on first.
func order() []string {
	return []string{
		"aws_iam_outbound_web_identity_federation", "aws_iam_role", "aws_iam_role_policy",
		"aws_iam_policy", "aws_iam_role_policy_attachment",
		"aws_iam_role_policies_exclusive", "aws_iam_role_policy_attachments_exclusive",
		"google_iam_workload_identity_pool", "google_iam_workload_identity_pool_provider",
		"google_project_iam_custom_role", "google_service_account", "google_service_account_iam_member",
		"google_storage_bucket_iam_member", "google_bigquery_dataset_iam_member", "google_project_iam_member",
	}
}

// isFunctionsPlace tells of what the functions' modules make beside identities and grants on
// them.
func (r Resource) isFunctionsPlace() bool {
	ofFunctions := r.Module() == "aws_function" || r.Module() == "gcp_function"
	return ofFunctions && !strings.HasPrefix(r.Type, "aws_iam_") && r.Type != "google_service_account" && r.Type != "google_service_account_iam_member"
}

func isFunctions(name string) bool { return strings.HasPrefix(name, "carnet-f-") }

// isJobs tells of who calls the functions.
func isJobs(name string) bool { return name == "sync-worker" || name == "reporter" }

func strip(w *world.World) {
	for _, a := range w.AWS.Accounts {
		a.Outbound = ""
		for name := range a.Roles {
			if !isJobs(name) {
				delete(a.Roles, name)
			}
		}
	}
	for _, p := range w.Google.Projects {
		stripProject(p)
	}
	for _, a := range w.Snowflake.Accounts {
		for _, u := range a.Users {
			u.WorkloadIdentity = nil
		}
	}
}

// stripProject leaves accounts that are somebody's own without who may enter them.
func stripProject(p *world.Project) {
	p.Pools, p.Roles, p.Bindings = map[string]*world.Pool{}, map[string][]string{}, nil
	for email, a := range p.ServiceAccounts {
		a.Bindings = nil
		if strings.HasPrefix(email, "carnet-") {
			delete(p.ServiceAccounts, email)
		}
	}
	for _, b := range p.Buckets {
		b.Bindings = nil
	}
	for _, d := range p.Datasets {
		d.Bindings = nil
	}
}

func (s *Shown) load(w *world.World, r Resource) error {
	if strings.HasPrefix(r.Type, "aws_") {
		account := w.AWS.Accounts[s.Accounts[r.Module()]]
		if account == nil {
			return fmt.Errorf("module %s is in no account of the world: name it in the output accounts", r.Module())
		}
		return s.loadAWS(account, r)
	}
	project := r.Values.Text("project")
	switch r.Type {
	case "google_service_account_iam_member":
		return bindAccount(w, r)
	case "google_storage_bucket_iam_member":
		return bindBucket(w, r)
	}
	p := w.Google.Projects[project]
	if p == nil {
		return fmt.Errorf("the world has no project %q", project)
	}
	return loadGoogle(p, r)
}

func (s *Shown) loadAWS(a *world.Account, r Resource) error {
	v := r.Values
	switch r.Type {
	case "aws_iam_outbound_web_identity_federation":
		a.Outbound = strings.TrimPrefix(v.Text("issuer_identifier"), "https://")
	case "aws_iam_role":
		if v.Text("permissions_boundary") != "" {
			return fmt.Errorf("it has a permissions boundary, whose text Terraform does not show")
		}
		seconds, _ := v["max_session_duration"].(float64)
		a.Roles[v.Text("name")] = &world.Role{
			Path: v.Text("path"), MaxSession: int(seconds), Trust: world.JSON(v.Text("assume_role_policy")),
			Policies: map[string]world.JSON{},
		}
	case "aws_iam_role_policy":
		role := a.Roles[v.Text("role")]
		if role == nil {
			return fmt.Errorf("there is no role %s", v.Text("role"))
		}
		role.Policies[v.Text("name")] = world.JSON(v.Text("policy"))
	case "aws_iam_role_policy_attachment":
		return s.attach(a, v)
	case "aws_iam_role_policies_exclusive":
		return has(a, v.Text("role_name"), v.Texts("policy_names"))
	case "aws_iam_role_policy_attachments_exclusive":
		return has(a, v.Text("role_name"), v.Texts("policy_arns"))
	}
	return nil
}

// has: a role keeps the policies that its list names, by name or ARN, so they must be there.
func has(a *world.Account, name string, policies []string) error {
	role := a.Roles[name]
	if role == nil {
		return fmt.Errorf("there is no role %s", name)
	}
	for _, p := range policies {
		if role.Policies[p[strings.LastIndex(p, "/")+1:]] == nil {
			return fmt.Errorf("the role %s has no policy %s", name, p)
		}
	}
	return nil
}

// attach finds the policy by its name, since the account in an ARN is the provider's.
func (s *Shown) attach(a *world.Account, v Values) error {
	_, name, _ := strings.Cut(v.Text("policy_arn"), ":policy/")
	role := a.Roles[v.Text("role")]
	for _, r := range s.Resources {
		if r.Type == "aws_iam_policy" && r.Values.Text("name") == name && role != nil {
			role.Policies[name] = world.JSON(r.Values.Text("policy"))
			return nil
		}
	}
	return fmt.Errorf("there is no role %s, or no policy %s for it", v.Text("role"), name)
}

func loadGoogle(p *world.Project, r Resource) error {
	v := r.Values
	switch r.Type {
	case "google_iam_workload_identity_pool":
		p.Pools[v.Text("workload_identity_pool_id")] = &world.Pool{Disabled: v["disabled"] == true, Providers: map[string]*world.Provider{}}
	case "google_iam_workload_identity_pool_provider":
		return loadProvider(p, v)
	case "google_project_iam_custom_role":
		p.Roles[v.Text("role_id")] = v.Texts("permissions")
	case "google_service_account":
		p.ServiceAccounts[v.Text("email")] = &world.ServiceAccount{UniqueID: v.Text("unique_id"), Disabled: v["disabled"] == true}
	case "google_project_iam_member":
		p.Bindings = append(p.Bindings, binding(v))
	case "google_bigquery_dataset_iam_member":
		d := p.Datasets[v.Text("dataset_id")]
		if d == nil {
			return fmt.Errorf("there is no dataset %s", v.Text("dataset_id"))
		}
		d.Bindings = append(d.Bindings, binding(v))
	}
	return nil
}

func loadProvider(p *world.Project, v Values) error {
	pool := p.Pools[v.Text("workload_identity_pool_id")]
	if pool == nil {
		return fmt.Errorf("there is no pool %s", v.Text("workload_identity_pool_id"))
	}
	pool.Providers[v.Text("workload_identity_pool_provider_id")] = &world.Provider{
		Disabled:   v["disabled"] == true,
		AWSAccount: v.Block("aws").Text("account_id"), Issuer: v.Block("oidc").Text("issuer_uri"),
		AllowedAudiences: v.Block("oidc").Texts("allowed_audiences"),
		Mapping:          v.Map("attribute_mapping"), Condition: v.Text("attribute_condition"),
	}
	return nil
}

func binding(v Values) world.Binding {
	return world.Binding{Role: v.Text("role"), Members: []string{v.Text("member")}, Condition: v.Block("condition").Text("expression")}
}

// bindAccount: service_account_id is projects/PROJECT/serviceAccounts/EMAIL.
func bindAccount(w *world.World, r Resource) error {
	_, email, _ := strings.Cut(r.Values.Text("service_account_id"), "/serviceAccounts/")
	for _, p := range w.Google.Projects {
		if a := p.ServiceAccounts[email]; a != nil {
			a.Bindings = append(a.Bindings, binding(r.Values))
			return nil
		}
	}
	return fmt.Errorf("there is no service account %q", email)
}

// bindBucket: the state has b/NAME, as the API does, where the configuration has NAME.
func bindBucket(w *world.World, r Resource) error {
	name := strings.TrimPrefix(r.Values.Text("bucket"), "b/")
	for _, p := range w.Google.Projects {
		if b := p.Buckets[name]; b != nil {
			b.Bindings = append(b.Bindings, binding(r.Values))
			return nil
		}
	}
	return fmt.Errorf("there is no bucket %q", name)
}

// intoSnowflake runs the part of the SQL that says who may log in.
// https://docs.snowflake.com/en/sql-reference/sql/alter-user-add-workload-identity
func (s *Shown) intoSnowflake(w *world.World) error {
	line := regexp.MustCompile(`(?m)^ALTER USER (\w+) ADD WORKLOAD IDENTITY \w+ TYPE = (\w+)(.*);$`)
	for name, sql := range s.Snowflake {
		account := w.Snowflake.Accounts[name]
		if account == nil {
			return fmt.Errorf("the world has no Snowflake account %s", name)
		}
		found := line.FindAllStringSubmatch(sql, -1)
		if len(found) != strings.Count(sql, "WORKLOAD IDENTITY") {
			return fmt.Errorf("the SQL for %s adds a workload identity in a way that is not read here:\n%s", name, sql)
		}
		for _, m := range found {
			u := account.Users[m[1]]
			if u == nil {
				return fmt.Errorf("the Snowflake account %s has no user %s", name, m[1])
			}
			u.WorkloadIdentity = append(u.WorkloadIdentity, workloadIdentity(m[2], m[3]))
		}
	}
	return nil
}

func workloadIdentity(kind, rest string) world.SnowflakeWorkloadIdentity {
	value := func(key string) string {
		if m := regexp.MustCompile(`\b` + key + ` = \(?'([^']*)'`).FindStringSubmatch(rest); m != nil {
			return m[1]
		}
		return ""
	}
	id := world.SnowflakeWorkloadIdentity{Type: kind, Issuer: value("ISSUER"), Subject: value("SUBJECT")}
	if kind == "AWS" {
		id.Subject = value("ARN")
	}
	if a := value("OIDC_AUDIENCE_LIST"); a != "" {
		id.Audiences = []string{a}
	}
	return id
}
