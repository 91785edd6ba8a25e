# A tenant's service account, and who may pass through it. Every grant stands on the
# account itself: on the project it would reach every tenant.

locals {
  email      = var.service_account
  account_id = split("@", var.service_account)[0]
  project_id = split(".", split("@", var.service_account)[1])[0]
  # The same rule as in the catalog module.
  expected = "carnet-t-${length(var.tenant) <= 20 && !endswith(var.tenant, "-") ? var.tenant : "${substr(var.tenant, 0, 8)}-${substr(sha256(var.tenant), 0, 12)}"}"

  aws_pool = coalesce(var.aws_pool, "none")
  jwt_pool = coalesce(var.jwt_pool, "none")
  roles    = { for k, r in { runtime = var.runtime_role_arn, tenant = var.tenant_role_arn } : k => r if r != null }

  # One exact role each, never /*. The signed request shows the role without its path;
  # the outbound token shows its ARN.
  members = merge(
    { for m in compact([var.runtime_service_account]) : "runtime-account" => "serviceAccount:${m}" },
    { for k, r in local.roles : "${k}-role" => "principalSet://iam.googleapis.com/${local.aws_pool}/attribute.aws_role/arn:${split(":", r)[1]}:sts::${split(":", r)[4]}:assumed-role/${basename(r)}" },
    { for k, r in local.roles : "${k}-role-jwt" => "principalSet://iam.googleapis.com/${local.jwt_pool}/attribute.aws_role/${r}" if var.jwt_pool != null },
  )

  # Passing through, and asking for the account's ID token: none of the two gives its
  # access token, signs as it, or changes it.
  # https://cloud.google.com/iam/docs/roles-permissions/iam
  granted = var.entry == "delegate" ? {
    pass     = var.pass_role
    id-token = "roles/iam.serviceAccountOpenIdTokenCreator"
    } : {
    use = "roles/iam.workloadIdentityUser"
  }
  grants = merge([for m, member in local.members : { for g, role in local.granted : "${m}/${g}" => { member = member, role = role } }]...)

  account = var.prevent_destroy ? google_service_account.kept[0] : google_service_account.disposable[0]

  complaints = compact([
    local.account_id == local.expected ? "" : "The account of tenant ${var.tenant} has to be called ${local.expected}: that rule keeps two tenants' names apart within Google's 30 characters. Write ${local.expected}@${local.project_id}.iam.gserviceaccount.com into the tenant's file.",
    length(local.members) > 0 ? "" : "Nobody could enter ${local.account_id}: give runtime_service_account, runtime_role_arn or both.",
    length(local.roles) == 0 || var.aws_pool != null ? "" : "A role comes in through a pool: give aws_pool, federation's output.",
    var.runtime_role_arn == null || startswith(basename(coalesce(var.runtime_role_arn, "none")), "carnet-f-") ? "" : "runtime_role_arn names ${basename(coalesce(var.runtime_role_arn, "none"))}: functions' roles begin with carnet-f-, so that no tenant's role passes for one.",
    var.tenant_role_arn == null || basename(coalesce(var.tenant_role_arn, "none")) == "carnet-t-${var.tenant}" || !startswith(basename(coalesce(var.tenant_role_arn, "none")), "carnet-") ? "" : "tenant_role_arn is ${basename(coalesce(var.tenant_role_arn, "none"))}, another tenant's or a function's: this account is ${var.tenant}'s.",
    var.runtime_service_account == var.service_account ? "runtime_service_account is the tenant's own account: a chain never ends where it began." : "",
  ])
}

# Twice the same account, since prevent_destroy takes no variable.
resource "google_service_account" "kept" {
  count        = var.prevent_destroy ? 1 : 0
  project      = local.project_id
  account_id   = local.account_id
  display_name = "carnet tenant ${var.tenant}"

  lifecycle {
    prevent_destroy = true
    precondition {
      condition     = length(local.complaints) == 0
      error_message = join(" ", local.complaints)
    }
  }
}

resource "google_service_account" "disposable" {
  count        = var.prevent_destroy ? 0 : 1
  project      = local.project_id
  account_id   = local.account_id
  display_name = "carnet tenant ${var.tenant}"

  lifecycle {
    precondition {
      condition     = length(local.complaints) == 0
      error_message = join(" ", local.complaints)
    }
  }
}

resource "google_service_account_iam_member" "entry" {
  for_each           = local.grants
  service_account_id = local.account.name
  role               = each.value.role
  member             = each.value.member
}
