# An account that one tenant enters, and what it may do with one dataset.

locals {
  made  = var.existing_service_account == null
  opens = local.made || var.enter_existing
  email = local.made ? google_service_account.this[0].email : var.existing_service_account

  # One tenant's identities, by name. The role comes through a pool as Google sees it:
  # without its path, and exact, never /*.
  members = merge(
    { for m in compact([var.tenant_service_account]) : "account" => "serviceAccount:${m}" },
    { for r in compact([var.tenant_role_arn]) : "role" => "principalSet://iam.googleapis.com/${coalesce(var.tenant_pool, "none")}/attribute.aws_role/arn:${split(":", r)[1]}:sts::${split(":", r)[4]}:assumed-role/${basename(r)}" },
  )
  enter_role = var.standard_role ? "roles/iam.workloadIdentityUser" : "projects/${var.project_id}/roles/${var.enter_role_id}"

  insert_role = "projects/${var.project_id}/roles/${var.insert_role_id}"
  role        = { read = "roles/bigquery.dataViewer", write = local.insert_role, read_write = "roles/bigquery.dataEditor" }[var.access]
}

resource "google_service_account" "this" {
  count        = local.made ? 1 : 0
  project      = var.project_id
  account_id   = var.account_id
  display_name = "carnet: lets one tenant in"
}

# Getting the account's access token, and nothing else: no signing, no ID tokens.
# https://cloud.google.com/iam/docs/roles-permissions/iam
resource "google_project_iam_custom_role" "enter" {
  count       = var.create_custom_roles && local.opens && !var.standard_role ? 1 : 0
  project     = var.project_id
  role_id     = var.enter_role_id
  title       = "carnet: enter an account"
  permissions = ["iam.serviceAccounts.getAccessToken"]
}

# On the account, never on the project.
resource "google_service_account_iam_member" "enter" {
  for_each           = local.opens ? local.members : {}
  service_account_id = local.made ? google_service_account.this[0].name : "projects/${var.project_id}/serviceAccounts/${var.existing_service_account}"
  role               = local.enter_role
  member             = each.value
  depends_on         = [google_project_iam_custom_role.enter]
}

# Streaming rows into tables that stand, and no reading.
# https://cloud.google.com/bigquery/docs/streaming-data-into-bigquery#required_permissions
resource "google_project_iam_custom_role" "insert" {
  count       = var.create_custom_roles && var.access == "write" ? 1 : 0
  project     = var.project_id
  role_id     = var.insert_role_id
  title       = "carnet: stream rows in"
  permissions = ["bigquery.tables.get", "bigquery.tables.updateData"]
}

# On the dataset, never on the project. Where a google_bigquery_dataset manages its own
# access blocks, the grant belongs there: the two would undo each other.
resource "google_bigquery_dataset_iam_member" "this" {
  project    = var.project_id
  dataset_id = var.dataset
  role       = local.role
  member     = "serviceAccount:${local.email}"
  depends_on = [google_project_iam_custom_role.insert]
}

# Running jobs is the project's own permission and reaches no data. Streaming needs none.
resource "google_project_iam_member" "jobs" { # on the project: it reaches no data
  count   = var.access == "write" ? 0 : 1
  project = var.project_id
  role    = "roles/bigquery.jobUser"
  member  = "serviceAccount:${local.email}"
}

# What must hold of the inputs together, whoever made the account.
resource "terraform_data" "checked" {
  lifecycle {
    precondition {
      condition     = !local.opens || length(local.members) > 0
      error_message = "Nobody could enter: give tenant_service_account, or tenant_role_arn with tenant_pool, as `carnet trust` prints them."
    }
    precondition {
      condition     = (var.tenant_role_arn == null) == (var.tenant_pool == null)
      error_message = "tenant_role_arn and tenant_pool go together: a role comes in through a pool."
    }
  }
}
