# An account that one tenant enters, and what it may do with one bucket.

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

  reads      = var.access != "write"
  write_role = "projects/${var.project_id}/roles/${var.write_role_id}"
  role       = { read = "roles/storage.objectViewer", write = local.write_role, read_write = "roles/storage.objectUser" }[var.access]

  # A condition takes 12 logical operators, so ten folders each. Listing is asked of the
  # bucket and not of a folder: who reads may see the names of all objects, and it is the
  # boundary of the vended token that keeps to the folders there.
  # https://cloud.google.com/iam/quotas
  bucket  = "projects/_/buckets/${var.bucket}"
  folders = var.whole_bucket ? [] : chunklist(var.prefixes, 10)
  conditions = { for i, list in local.folders : "folders-${i}" => join(" || ", concat(
    local.reads ? ["resource.name == '${local.bucket}'"] : [],
    [for p in list : "resource.name.startsWith('${local.bucket}/objects/${p}')"],
  )) }
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

# Creating and deleting, since replacing an object is both; no predefined role does
# that without listing or reading.
# https://cloud.google.com/storage/docs/access-control/iam-roles
resource "google_project_iam_custom_role" "write" {
  count       = var.create_custom_roles && var.access == "write" ? 1 : 0
  project     = var.project_id
  role_id     = var.write_role_id
  title       = "carnet: write objects"
  permissions = ["storage.objects.create", "storage.objects.delete"]
}

resource "google_storage_bucket_iam_member" "folders" {
  for_each   = local.conditions
  bucket     = var.bucket
  role       = local.role
  member     = "serviceAccount:${local.email}"
  depends_on = [google_project_iam_custom_role.write]

  condition {
    title      = "carnet-${each.key}"
    expression = each.value
  }
}

resource "google_storage_bucket_iam_member" "whole" {
  count      = var.whole_bucket ? 1 : 0
  bucket     = var.bucket
  role       = local.role
  member     = "serviceAccount:${local.email}"
  depends_on = [google_project_iam_custom_role.write]
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
    precondition {
      condition     = var.whole_bucket != (length(var.prefixes) > 0)
      error_message = "Write prefixes, or whole_bucket = true if that is meant: an empty grant reaches nothing, and both would contradict each other."
    }
  }
}
