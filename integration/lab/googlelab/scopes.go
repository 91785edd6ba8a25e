package googlelab

import "net/http"

// scopesOf lists the scopes of which a token needs one to call a method, as the APIs'
// discovery documents do: storage v1 (revision 20261009), bigquery v2 (20260922). They do
// not name bigquery.readonly, so it opens nothing here: whether some methods still take it
// is written nowhere, and jobs.insert does not.
// https://github.com/googleapis/google-cloud-go/issues/4412
func scopesOf(method string) []string {
	switch method {
	case "storage.objects.get", "storage.objects.list", "storage.buckets.get", "storage.buckets.testIamPermissions":
		return []string{"cloud-platform", "cloud-platform.read-only", "devstorage.full_control", "devstorage.read_only", "devstorage.read_write"}
	case "storage.objects.insert", "storage.objects.delete", "storage.objects.rewrite", "storage.objects.move", "storage.objects.copy", "storage.objects.compose":
		return []string{"cloud-platform", "devstorage.full_control", "devstorage.read_write"}
	case "bigquery.datasets.get", "bigquery.datasets.list", "bigquery.tables.get", "bigquery.tables.list", "bigquery.tabledata.list",
		"bigquery.jobs.get", "bigquery.jobs.getQueryResults", "bigquery.jobs.query":
		return []string{"bigquery", "cloud-platform", "cloud-platform.read-only"}
	case "bigquery.tables.insert", "bigquery.tables.delete", "bigquery.jobs.cancel":
		return []string{"bigquery", "cloud-platform"}
	case "bigquery.tabledata.insertAll":
		return []string{"bigquery", "bigquery.insertdata", "cloud-platform"}
	case "bigquery.jobs.insert":
		return []string{"bigquery", "cloud-platform", "devstorage.full_control", "devstorage.read_only", "devstorage.read_write"}
	case "iamcredentials", "iam":
		// The discovery document lists cloud-platform alone, and the reference iam too.
		// https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken#authorization-scopes
		return []string{"cloud-platform", "iam"}
	case "secretmanager":
		return []string{"cloud-platform"}
	}
	return nil
}

// scoped is nil where the token has one of a method's scopes.
func scoped(t *token, method string) *fault {
	if t.has(scopesOf(method)...) {
		return nil
	}
	return unscoped()
}

func unscoped() *fault {
	return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Request had insufficient authentication scopes.",
		reason: "ACCESS_TOKEN_SCOPE_INSUFFICIENT", listed: "insufficientPermissions"}
}
