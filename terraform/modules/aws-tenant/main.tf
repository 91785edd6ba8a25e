# A tenant's role: who may enter it, and which roles it enters. The function's role
# shows the tenant's ExternalId; a Google identity shows a token whose subject and
# audience are these and no others.

locals {
  name      = "carnet-t-${var.tenant}"
  segments  = split("/", split(":", var.role_arn)[5])
  path      = length(local.segments) > 2 ? "/${join("/", slice(local.segments, 1, length(local.segments) - 1))}/" : "/"
  account   = split(":", var.role_arn)[4]
  partition = split(":", var.role_arn)[1]
  # STS names a session by the role's name alone: the path is dropped.
  sts_arn = "arn:${local.partition}:sts::${local.account}:assumed-role/${local.name}"

  bindings = compact([var.external_id, var.next_external_id])

  trust = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for r in compact([var.runtime_role_arn]) : {
        Sid       = "Function"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = r }
        Condition = { StringEquals = { "sts:ExternalId" = local.bindings } }
      }],
      # accounts.google.com is built into AWS; no OIDC provider stands for it. AWS asks
      # for neither key of a role that trusts it: :sub and :oaud carry the trust.
      # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
      [for s in length(var.google_subjects) > 0 ? [var.google_subjects] : [] : {
        Sid       = "Google"
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = "accounts.google.com" }
        Condition = { StringEquals = {
          "accounts.google.com:sub"  = s
          "accounts.google.com:oaud" = local.bindings
        } }
      }],
    )
  })

  statements = concat(
    [for list in length(var.enter_role_arns) > 0 ? [var.enter_role_arns] : [] : {
      Sid      = "EnterDestinations"
      Effect   = "Allow"
      Action   = "sts:AssumeRole"
      Resource = list
    }],
    # ForAllValues holds of no values at all, so Null stands beside it.
    [for list in length(var.jwt_audiences) > 0 ? [var.jwt_audiences] : [] : {
      Sid      = "OutboundTokens"
      Effect   = "Allow"
      Action   = "sts:GetWebIdentityToken"
      Resource = "*"
      Condition = {
        "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = list }
        Null                        = { "sts:IdentityTokenAudience" = "false" }
      }
    }],
  )

  role = var.prevent_destroy ? aws_iam_role.kept[0] : aws_iam_role.disposable[0]

  # What must hold of the inputs together, with what to write instead.
  complaints = compact([
    basename(var.role_arn) == local.name ? "" : "The role of tenant ${var.tenant} has to be called ${local.name}: its prefix is what the pool's condition lets in, and its name what keeps it apart from other tenants. Write arn:${local.partition}:iam::${local.account}:role/${local.name} into the tenant's file.",
    var.runtime_role_arn != null || length(var.google_subjects) > 0 ? "" : "Nobody could enter ${local.name}: give runtime_role_arn, google_subjects or both.",
    var.runtime_role_arn == null || startswith(basename(coalesce(var.runtime_role_arn, "none")), "carnet-f-") ? "" : "runtime_role_arn names ${basename(coalesce(var.runtime_role_arn, "none"))}: functions' roles begin with carnet-f-, so that no tenant's role passes for one.",
    contains(var.enter_role_arns, var.role_arn) || contains(var.enter_role_arns, coalesce(var.runtime_role_arn, "none")) ? "enter_role_arns leads back to where the chain came from: take it out." : "",
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    length(local.trust) <= 2048 ? "" : "The trust policy would be longer than the 2,048 characters that IAM takes: external_id is longer than it needs to be, a UUID has 36 characters.",
    length(jsonencode(local.statements)) <= 10000 ? "" : "The role's policies would be longer than the 10,240 characters that IAM takes: split the tenant's destinations between two tenants.",
  ])
}

# Twice the same role, since prevent_destroy takes no variable.
resource "aws_iam_role" "kept" {
  count                = var.prevent_destroy ? 1 : 0
  name                 = local.name
  path                 = local.path
  assume_role_policy   = local.trust
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  lifecycle {
    prevent_destroy = true
    precondition {
      condition     = length(local.complaints) == 0
      error_message = join(" ", local.complaints)
    }
  }
}

resource "aws_iam_role" "disposable" {
  count                = var.prevent_destroy ? 0 : 1
  name                 = local.name
  path                 = local.path
  assume_role_policy   = local.trust
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = length(local.complaints) == 0
      error_message = join(" ", local.complaints)
    }
  }
}

resource "aws_iam_role_policy" "enter" {
  count  = length(local.statements) > 0 ? 1 : 0
  name   = "enter-destinations"
  role   = local.role.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}

# What somebody attaches to the role by hand would be the tenant's too: the next plan shows it, and
# the apply takes it away.
resource "aws_iam_role_policies_exclusive" "role" {
  role_name    = local.role.name
  policy_names = aws_iam_role_policy.enter[*].name
}

resource "aws_iam_role_policy_attachments_exclusive" "role" {
  role_name   = local.role.name
  policy_arns = []
}
