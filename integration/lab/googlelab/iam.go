package googlelab

import (
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// permissions lists what a predefined role holds, as far as the lab's services ask.
// https://cloud.google.com/iam/docs/roles-permissions/iam
// https://cloud.google.com/secret-manager/docs/access-control
func permissions(role string) []string {
	const sa = "iam.serviceAccounts."
	const v = "secretmanager.versions."
	switch role {
	case "roles/iam.workloadIdentityUser":
		return []string{sa + "get", sa + "getAccessToken", sa + "getOpenIdToken", sa + "list"}
	case "roles/iam.serviceAccountTokenCreator":
		return []string{sa + "get", sa + "getAccessToken", sa + "getOpenIdToken", sa + "implicitDelegation", sa + "list", sa + "signBlob", sa + "signJwt"}
	case "roles/iam.serviceAccountOpenIdTokenCreator":
		return []string{sa + "getOpenIdToken"}
	case "roles/secretmanager.secretAccessor":
		return []string{v + "access"}
	case "roles/secretmanager.secretVersionAdder":
		return []string{v + "add"}
	case "roles/secretmanager.secretVersionManager":
		return []string{v + "add", v + "destroy", v + "disable", v + "enable", v + "get", v + "list"}
	}
	if strings.HasPrefix(role, "roles/storage.") {
		return storagePermissions(role)
	}
	return bigQueryPermissions(role)
}

// storagePermissions: https://cloud.google.com/storage/docs/access-control/iam-roles
func storagePermissions(role string) []string {
	const o = "storage.objects."
	const m = "storage.multipartUploads."
	switch role {
	case "roles/storage.objectViewer":
		return []string{o + "get", o + "list"}
	case "roles/storage.objectCreator":
		return []string{o + "create", m + "abort", m + "create", m + "listParts"}
	case "roles/storage.objectAdmin", "roles/storage.objectUser":
		return []string{o + "get", o + "list", o + "create", o + "delete", o + "update", o + "move", m + "abort", m + "create", m + "list", m + "listParts"}
	case "roles/storage.legacyObjectReader":
		return []string{o + "get"}
	case "roles/storage.legacyBucketReader":
		return []string{"storage.buckets.get", o + "list", m + "list"}
	case "roles/storage.legacyBucketWriter":
		return []string{"storage.buckets.get", o + "list", o + "create", o + "delete", m + "abort", m + "create", m + "list", m + "listParts"}
	case "roles/storage.admin":
		return []string{"storage.buckets.get", o + "get", o + "list", o + "create", o + "delete", o + "update", o + "move", m + "abort", m + "create", m + "list", m + "listParts"}
	}
	return nil
}

// bigQueryPermissions: https://cloud.google.com/bigquery/docs/access-control
func bigQueryPermissions(role string) []string {
	const b = "bigquery."
	switch role {
	case "roles/bigquery.dataViewer":
		return []string{b + "datasets.get", b + "tables.get", b + "tables.list", b + "tables.getData"}
	case "roles/bigquery.dataEditor", "roles/bigquery.dataOwner":
		return []string{b + "datasets.get", b + "tables.get", b + "tables.list", b + "tables.getData", b + "tables.create", b + "tables.delete", b + "tables.update", b + "tables.updateData"}
	case "roles/bigquery.jobUser":
		return []string{b + "jobs.create"}
	case "roles/bigquery.user":
		return []string{b + "datasets.get", b + "jobs.create", b + "jobs.list", b + "tables.list"}
	}
	return nil
}

// rolePermissions also knows custom roles: projects/P/roles/ID. The caller holds mu.
func (c *Cloud) rolePermissions(role string) []string {
	parts := strings.Split(role, "/")
	if len(parts) == 4 && parts[0] == "projects" && parts[2] == "roles" {
		if p := c.world.Projects[parts[1]]; p != nil {
			return p.Roles[parts[3]]
		}
		return nil
	}
	return permissions(role)
}

// holds tells whether one of the members has a permission by the bindings that stand
// under no condition. The caller holds mu.
func (c *Cloud) holds(members []string, permission string, bindings ...[]world.Binding) bool {
	for _, list := range bindings {
		for _, b := range list {
			if b.Condition != "" || !c.counts(b) || !slices.Contains(c.rolePermissions(b.Role), permission) {
				continue
			}
			for _, m := range b.Members {
				if slices.Contains(members, m) {
					return true
				}
			}
		}
	}
	return false
}

// counts tells whether a binding has had the time that it takes.
// https://cloud.google.com/iam/docs/access-change-propagation
func (c *Cloud) counts(b world.Binding) bool {
	if b.After == "" {
		return true
	}
	after, err := time.ParseDuration(b.After)
	return err == nil && !c.now().Before(c.began.Add(after))
}

// account finds a service account by email or unique id. The caller holds mu.
func (c *Cloud) account(name string) (*world.ServiceAccount, string) {
	for _, p := range c.world.Projects {
		if a := p.ServiceAccounts[name]; a != nil {
			return a, name
		}
		for email, a := range p.ServiceAccounts {
			if a.UniqueID == name {
				return a, email
			}
		}
	}
	return nil, ""
}

// projectOf finds an account's project. The caller holds mu.
func (c *Cloud) projectOf(email string) *world.Project {
	for _, p := range c.world.Projects {
		if p.ServiceAccounts[email] != nil {
			return p
		}
	}
	return nil
}
