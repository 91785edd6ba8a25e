# A role that one tenant enters, and the one login that it may ask for. What the login
# may do in the database is granted there: run the SQL of the output.

data "aws_partition" "current" {}

locals {
  partition = coalesce(var.partition, data.aws_partition.current.partition)
  bindings  = compact([var.external_id, var.next_external_id])

  # One tenant's identities, each bound by the ExternalId: as sts:ExternalId where the
  # tenant's role enters, as the token's audience (:oaud) where its Google account does.
  # AWS itself asks for neither key of a role that trusts accounts.google.com.
  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for r in compact([var.tenant_role_arn]) : {
        Sid       = "TenantOnAWS"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = r }
        Condition = { StringEquals = { "sts:ExternalId" = local.bindings } }
      }],
      [for s in var.tenant_google_subject == null ? [] : [var.tenant_google_subject] : {
        Sid       = "TenantOnGoogle"
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

  # https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html
  cluster    = coalesce(var.cluster, "none")
  serverless = var.workgroup != null
  redshift   = "arn:${local.partition}:redshift:${var.region}:${var.account_id}"
  workgroup  = "arn:${local.partition}:redshift-serverless:${var.region}:${var.account_id}:workgroup/${coalesce(var.workgroup_id, "none")}"
  place      = local.serverless ? local.workgroup : "${local.redshift}:cluster:${local.cluster}"
  dbname     = "${local.redshift}:dbname:${local.cluster}/${var.database}"
  dbuser     = "${local.redshift}:dbuser:${local.cluster}/${coalesce(var.user, "none")}"

  # The calls that carnet makes, by what the tenant's file says.
  login = local.serverless ? [["redshift-serverless:GetCredentials", [local.workgroup]]] : var.user == null ? [
    ["redshift:GetClusterCredentialsWithIAM", [local.dbname]],
    ] : concat(
    [["redshift:GetClusterCredentials", [local.dbuser, local.dbname]]],
    var.create_user ? [["redshift:CreateClusterUser", [local.dbuser]]] : [],
    length(var.groups) > 0 ? [["redshift:JoinGroup", [for g in var.groups : "${local.redshift}:dbgroup:${local.cluster}/${g}"]]] : [],
  )
  statements = concat(
    [for l in local.login : { Effect = "Allow", Action = [l[0]], Resource = l[1] }],
    [for c in var.describe && !local.serverless ? [local.place] : [] : { Effect = "Allow", Action = ["redshift:DescribeClusters"], Resource = [c] }],
    [for c in var.data_api ? [local.place] : [] : {
      Effect   = "Allow"
      Action   = ["redshift-data:ExecuteStatement", "redshift-data:BatchExecuteStatement"]
      Resource = [c]
    }],
    # Statements have no ARN; the condition leaves those of the session itself.
    # https://docs.aws.amazon.com/redshift/latest/mgmt/redshift-iam-access-control-identity-based.html#data-api-iam-controls
    [for c in var.data_api ? ["*"] : [] : {
      Effect    = "Allow"
      Action    = ["redshift-data:DescribeStatement", "redshift-data:GetStatementResult", "redshift-data:CancelStatement"]
      Resource  = [c]
      Condition = { StringEquals = { "redshift-data:statement-owner-iam-userid" = "$${aws:userid}" } }
    }],
  )

  sql = templatefile("${path.module}/grants.sql.tftpl", {
    login    = coalesce(var.user, "IAMR:${var.role_name}")
    create   = !var.create_user
    groups   = var.groups
    schema   = var.schema
    database = var.database
    reads    = var.access != "write"
    writes   = var.access != "read"
  })
}

resource "aws_iam_role" "this" {
  name                 = var.role_name
  assume_role_policy   = local.trust
  max_session_duration = var.max_session_duration
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags

  lifecycle {
    precondition {
      condition     = var.tenant_role_arn != null || var.tenant_google_subject != null
      error_message = "Nobody could enter: give tenant_role_arn, tenant_google_subject or both, as `carnet trust` prints them."
    }
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    precondition {
      condition     = length(local.trust) <= 2048
      error_message = "The trust policy would be longer than the 2,048 characters that IAM takes: ask the operator for a shorter external_id, a UUID has 36 characters."
    }
    precondition {
      condition     = (var.cluster == null) != (var.workgroup == null)
      error_message = "Write cluster for a provisioned one, or workgroup for a serverless one."
    }
    precondition {
      condition     = (var.workgroup == null) == (var.workgroup_id == null)
      error_message = "workgroup and workgroup_id go together: the policy names the workgroup by its id, so that no other one is reached."
    }
    precondition {
      condition     = var.user == null ? !var.create_user && length(var.groups) == 0 : var.workgroup == null
      error_message = "user, groups and create_user go together, with a cluster: a workgroup's user is the role's own, IAMR:ROLE."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "login"
  role   = aws_iam_role.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}
