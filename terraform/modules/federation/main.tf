# How AWS roles come into Google Cloud. Each kind of proof has a pool of its own: what
# the providers of one pool map would be one name to every binding.

locals {
  pools    = "projects/${var.project_number}/locations/global/workloadIdentityPools"
  on_aws   = var.account_id != null
  aws_pool = local.on_aws ? "${local.pools}/${var.pool_id}" : null
  jwt_pool = var.outbound_jwt ? "${local.pools}/${var.jwt_pool_id}" : null

  aws_name = local.on_aws ? "//iam.googleapis.com/${local.aws_pool}/providers/${var.provider_id}" : null
  # The audience of the outbound token is set, not left to a default: sources differ on
  # what the default is.
  jwt_audience = var.outbound_jwt ? "//iam.googleapis.com/${local.jwt_pool}/providers/${var.jwt_provider_id}" : null

  # Google sees arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION, without the role's path.
  # The subject leaves the session out: google.subject has 127 bytes, ROLE and SESSION up
  # to 64 each. aws_role has to be mapped, since a mapping of one's own drops the default.
  # https://cloud.google.com/iam/docs/workload-identity-federation#mapping
  aws_role = "'arn:${var.partition}:sts::' + assertion.account + ':assumed-role/' + assertion.arn.extract('assumed-role/{role}/')"

  # All of the reserved prefix, or one role up to its slash. A list of roles would not
  # fit: a condition has 4,096 characters.
  # https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers
  account = coalesce(var.account_id, "none")
  pinned  = var.only_role == null ? var.role_prefix : "${var.only_role}/"

  pass_role = "projects/${var.project_id}/roles/${var.pass_role_id}"
  providers = concat(
    local.on_aws ? [{ name = local.aws_name, kind = "aws", account = local.account }] : [],
    var.outbound_jwt ? [{ name = local.jwt_audience, kind = "oidc", account = local.account }] : [],
  )
}

resource "google_iam_workload_identity_pool" "aws" {
  count                     = local.on_aws ? 1 : 0
  project                   = var.project_id
  workload_identity_pool_id = var.pool_id
  display_name              = "carnet: signed requests" # 32 characters at most

  lifecycle {
    precondition {
      condition     = var.pool_id != var.jwt_pool_id
      error_message = "The signed request and the outbound token need a pool each: give pool_id and jwt_pool_id different values."
    }
  }
}

resource "google_iam_workload_identity_pool_provider" "aws" {
  count                              = local.on_aws ? 1 : 0
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.aws[0].workload_identity_pool_id
  workload_identity_pool_provider_id = var.provider_id
  attribute_condition                = "assertion.arn.startsWith('arn:${var.partition}:sts::${local.account}:assumed-role/${local.pinned}')"
  attribute_mapping = {
    "google.subject"     = local.aws_role
    "attribute.aws_role" = local.aws_role
  }

  aws {
    account_id = local.account
  }
}

resource "google_iam_workload_identity_pool" "jwt" {
  count                     = var.outbound_jwt ? 1 : 0
  project                   = var.project_id
  workload_identity_pool_id = var.jwt_pool_id
  display_name              = "carnet: outbound tokens"

  lifecycle {
    precondition {
      condition     = local.on_aws && var.outbound_issuer != null
      error_message = "outbound_jwt needs account_id and outbound_issuer: module aws-outbound gives it."
    }
    precondition {
      condition     = var.pool_id != var.jwt_pool_id
      error_message = "The signed request and the outbound token need a pool each: give pool_id and jwt_pool_id different values."
    }
  }
}

resource "google_iam_workload_identity_pool_provider" "jwt" {
  count                              = var.outbound_jwt ? 1 : 0
  project                            = var.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.jwt[0].workload_identity_pool_id
  workload_identity_pool_provider_id = var.jwt_provider_id
  # The subject of an outbound token is the role's ARN, with its path and no session.
  attribute_condition = "assertion.sub.startsWith('arn:${var.partition}:iam::${local.account}:role/${var.role_prefix}')"
  attribute_mapping = {
    "google.subject"     = "assertion.sub"
    "attribute.aws_role" = "assertion.sub"
  }

  oidc {
    issuer_uri        = coalesce(var.outbound_issuer, "https://none.tokens.sts.global.api.aws")
    allowed_audiences = [local.jwt_audience]
  }
}

# Passing through an account as a delegate, and nothing else: serviceAccountTokenCreator
# would let the function hold the account's token and sign with its key.
# https://cloud.google.com/iam/docs/roles-permissions/iam
resource "google_project_iam_custom_role" "pass" {
  project     = var.project_id
  role_id     = var.pass_role_id
  title       = "carnet: pass through an account"
  permissions = ["iam.serviceAccounts.implicitDelegation"]
}
