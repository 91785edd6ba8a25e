package trust

import (
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
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
	Accounts    []string // made where they do not stand yet
	CustomRoles []CustomRole
	Pools       []Pool
	Bindings    []Binding
}

func (g Google) empty() bool { return len(g.Bindings) == 0 && len(g.Pools) == 0 }

// A CustomRole holds the few permissions that no predefined role holds alone.
type CustomRole struct {
	Project, ID string
	Permissions []string
	Why         string
}

// Name is the role's full name.
func (r CustomRole) Name() string { return "projects/" + r.Project + "/roles/" + r.ID }

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

func (s *Sheet) bind(b Binding) {
	same := func(have Binding) bool {
		have.Why = b.Why
		return have == b
	}
	if !slices.ContainsFunc(s.Google.Bindings, same) {
		s.Google.Bindings = append(s.Google.Bindings, b)
	}
}

func (s *Sheet) custom(project, id, why string, permissions ...string) string {
	r := CustomRole{project, id, permissions, why}
	if !slices.ContainsFunc(s.Google.CustomRoles, func(have CustomRole) bool { return have.Name() == r.Name() }) {
		s.Google.CustomRoles = append(s.Google.CustomRoles, r)
	}
	return r.Name()
}

// projectOf names the project that an account is in: NAME@PROJECT.iam.gserviceaccount.com.
func projectOf(email string) string {
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
	if !onAWS(from) {
		return "serviceAccount:" + from
	}
	p := s.provider(to)
	if p == nil {
		return s.miss(Missing{
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
	pool, _, _ := strings.Cut(strings.TrimPrefix(p.Name, "//"), "/providers/")
	return "principalSet://" + pool + "/attribute.aws_role/" + value
}

func session(arn string) string {
	return "arn:" + partitionOf(arn) + ":sts::" + accountOf(arn) + ":assumed-role/" + arn[strings.LastIndex(arn, "/")+1:]
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
	if onAWS(from) {
		b.Why += " The role is named exactly: /* would let in every role of the account that the pool trusts."
		s.ownPool(from, to)
	}
	s.bind(b)
}

// entry is the least role that holds the permission. An account that says entry: user has
// the standard role, which holds more.
func (s *Sheet) entry(account, permission string) (role, why string) {
	if a := s.account(account); a != nil && a.Entry == catalog.User {
		return "roles/iam.workloadIdentityUser", "entry: user in the tenant's file: the standard role, which gives access tokens and ID tokens of this account."
	}
	const on = " On the account, never on the project, where it would open every account."
	project := projectOf(account)
	switch permission {
	case passThrough:
		return s.custom(project, "carnetPass", "Passing through an account, and nothing else: whoever has it never holds the account's token.", passThrough),
			"May pass through this account to the next one, and never holds its token." + on
	case getIDToken:
		return "roles/iam.serviceAccountOpenIdTokenCreator", "May have this account's ID token, which proves it to AWS or to Snowflake, and no access token." + on
	}
	return s.custom(project, "carnetEnter", "An account's access token, and nothing else. The predefined Token Creator would also let its holder sign as the account.", getToken),
		"Exactly this identity may have the account's access token." + on
}

// bucket is what the account may do with a bucket, folder by folder.
func (s *Sheet) bucket(d *catalog.Destination) {
	member := "serviceAccount:" + d.ServiceAccount.Email
	role, why := "roles/storage.objectUser", "Objects: create, replace, delete, read, list."
	switch d.Access {
	case exchange.Read:
		role, why = "roles/storage.objectViewer", "Objects: read and list, no writing."
	case exchange.Write:
		role = s.custom(projectOf(d.ServiceAccount.Email), "carnetWrite", "Creating and deleting objects, since replacing one is both. No predefined role does that without reading or listing.", "storage.objects.create", "storage.objects.delete")
		why = "Objects: create, replace, delete; no reading, no listing."
	}
	b := Binding{On: Bucket, Name: d.Bucket, Role: role, Member: member}
	if slices.Equal(d.Prefixes, []string{""}) {
		b.Why = why + " All of the bucket, as the tenant's file says."
		s.bind(b)
		return
	}
	b.Why = why + " The condition keeps to the folders of the tenant's file."
	if d.Access != exchange.Write {
		b.Why += " Listing is asked of the bucket, not of a folder: its names can be seen, and the vended token keeps to the folders there too."
	}
	// A condition takes 12 logical operators: ten folders each.
	// https://cloud.google.com/iam/quotas
	for i, list := range slices.Collect(slices.Chunk(d.Prefixes, 10)) {
		b.Title, b.Condition = fmt.Sprintf("carnet-folders-%d", i), folders(d, list)
		s.bind(b)
	}
}

func folders(d *catalog.Destination, prefixes []string) string {
	bucket := "projects/_/buckets/" + d.Bucket
	var parts []string
	if d.Access != exchange.Write {
		parts = append(parts, "resource.name == '"+bucket+"'")
	}
	for _, p := range prefixes {
		parts = append(parts, "resource.name.startsWith('"+bucket+"/objects/"+p+"')")
	}
	return strings.Join(parts, " || ")
}

// dataset: Google has no boundary for BigQuery, so the account's own grants are all that
// narrows it.
func (s *Sheet) dataset(d *catalog.Destination) {
	member := "serviceAccount:" + d.ServiceAccount.Email
	role, why := "roles/bigquery.dataEditor", "Tables of this dataset: create, read, write."
	switch d.Access {
	case exchange.Read:
		role, why = "roles/bigquery.dataViewer", "Tables of this dataset: read."
	case exchange.Write:
		role = s.custom(d.Project, "carnetInsert", "Streaming rows into tables that stand, and no reading.", "bigquery.tables.get", "bigquery.tables.updateData")
		why = "Tables of this dataset: rows can be streamed in, and none read."
	}
	s.bind(Binding{On: Dataset, Name: d.Project + ":" + d.Dataset, Role: role, Member: member,
		Why: why + " On the dataset, never on the project: there is no access boundary for BigQuery, so what this account may reach is what a vended token may."})
	if d.Access != exchange.Write {
		s.bind(Binding{On: Project, Name: d.Project, Role: "roles/bigquery.jobUser", Member: member,
			Why: "Running queries is the project's own permission, and opens no data."})
	}
}
