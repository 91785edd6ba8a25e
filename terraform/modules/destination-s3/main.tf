# A role that one tenant enters, and what it may do with one bucket.

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

  bucket   = "arn:${local.partition}:s3:::${var.bucket}"
  prefixes = var.whole_bucket ? [""] : var.prefixes
  reads    = var.access != "write"
  writes   = var.access != "read"

  statements = concat(
    [{
      Sid    = "Objects"
      Effect = "Allow"
      Action = concat(
        local.reads ? ["s3:GetObject"] : [],
        local.writes ? ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"] : [],
      )
      Resource = [for p in local.prefixes : "${local.bucket}/${p}*"]
    }],
    [for b in local.reads && var.whole_bucket ? [local.bucket] : [] : {
      Sid      = "List"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [b]
    }],
    [for b in local.reads && !var.whole_bucket ? [local.bucket] : [] : {
      Sid       = "ListFolders"
      Effect    = "Allow"
      Action    = ["s3:ListBucket"]
      Resource  = [b]
      Condition = { StringLike = { "s3:prefix" = [for p in var.prefixes : "${p}*"] } }
    }],
    # S3 uses the key for the role, and nobody else does. The key of a bucket is of its Region.
    # https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    # A multipart upload decrypts what it has just encrypted, so writing needs both.
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
    [for k in compact([var.kms_key]) : {
      Sid      = "Key"
      Effect   = "Allow"
      Action   = local.writes ? ["kms:GenerateDataKey", "kms:Decrypt"] : ["kms:Decrypt"]
      Resource = [k]
      Condition = { StringEquals = {
        "kms:ViaService" = "s3.${split(":", k)[3]}.${data.aws_partition.current.dns_suffix}"
      } }
    }],
  )
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
      condition     = var.whole_bucket != (length(var.prefixes) > 0)
      error_message = "Write prefixes, or whole_bucket = true if that is meant: an empty grant reaches nothing, and both would contradict each other."
    }
  }
}

resource "aws_iam_role_policy" "this" {
  name   = "bucket"
  role   = aws_iam_role.this.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements })
}
