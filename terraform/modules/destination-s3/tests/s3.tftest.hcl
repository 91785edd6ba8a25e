mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  role_name             = "acme-share"
  tenant_role_arn       = "arn:aws:iam::111122223333:role/carnet-t-acme"
  tenant_google_subject = "100000000000000000002"
  external_id           = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
  bucket                = "acme-lake"
  prefixes              = ["from-operator/"]
  access                = "read_write"
}

# Must-have 9: one tenant's role, with its ExternalId; must-have 8: one Google account by
# :sub and :oaud.
run "one_tenant_enters" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.this.assume_role_policy).Statement == [
      {
        Sid       = "TenantOnAWS"
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = "arn:aws:iam::111122223333:role/carnet-t-acme" }
        Condition = { StringEquals = { "sts:ExternalId" = ["3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"] } }
      },
      {
        Sid       = "TenantOnGoogle"
        Effect    = "Allow"
        Action    = "sts:AssumeRoleWithWebIdentity"
        Principal = { Federated = "accounts.google.com" }
        Condition = { StringEquals = {
          "accounts.google.com:sub"  = "100000000000000000002"
          "accounts.google.com:oaud" = ["3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"]
        } }
      },
    ]
    error_message = aws_iam_role.this.assume_role_policy
  }
}

# Must-have 9.
run "a_whole_account_is_refused" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:root"
  }
  expect_failures = [var.tenant_role_arn]
}

run "a_pattern_of_roles_is_refused" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:role/carnet-t-*"
  }
  expect_failures = [var.tenant_role_arn]
}

run "no_external_id_is_refused" {
  command = plan
  variables {
    external_id = ""
  }
  expect_failures = [var.external_id]
}

run "a_wildcard_external_id_is_refused" {
  command = plan
  variables {
    external_id = "**"
  }
  expect_failures = [var.external_id]
}

run "nobody_is_refused" {
  command = plan
  variables {
    tenant_role_arn       = null
    tenant_google_subject = null
  }
  expect_failures = [aws_iam_role.this]
}

# Must-have 8: never the email, never a pattern.
run "an_email_for_the_subject_is_refused" {
  command = plan
  variables {
    tenant_google_subject = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.tenant_google_subject]
}

run "a_pattern_for_the_subject_is_refused" {
  command = plan
  variables {
    tenant_google_subject = "*"
  }
  expect_failures = [var.tenant_google_subject]
}

# Must-have 9: the longest session is written, the boundary a variable.
run "session_and_boundary_are_explicit" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::999988887777:policy/bounds"
  }
  assert {
    condition     = aws_iam_role.this.max_session_duration == 3600 && aws_iam_role.this.permissions_boundary == "arn:aws:iam::999988887777:policy/bounds"
    error_message = "the session's length or the boundary is left open"
  }
}

# Least privilege, by access and folder.
run "write_neither_reads_nor_lists" {
  command = plan
  variables {
    access = "write"
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.this.policy).Statement == [{
      Sid      = "Objects"
      Effect   = "Allow"
      Action   = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      Resource = ["arn:aws:s3:::acme-lake/from-operator/*"]
    }]
    error_message = aws_iam_role_policy.this.policy
  }
}

run "read_does_not_write" {
  command = plan
  variables {
    access = "read"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[0].Action == ["s3:GetObject"] && jsondecode(aws_iam_role_policy.this.policy).Statement[1].Condition == { StringLike = { "s3:prefix" = ["from-operator/*"] } }
    error_message = aws_iam_role_policy.this.policy
  }
}

run "a_key_is_one_key" {
  command = plan
  variables {
    kms_key = "arn:aws:kms:eu-west-1:999988887777:key/1234abcd"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Resource == ["arn:aws:kms:eu-west-1:999988887777:key/1234abcd"]
    error_message = aws_iam_role_policy.this.policy
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Condition == { StringEquals = { "kms:ViaService" = "s3.eu-west-1.amazonaws.com" } }
    error_message = "the key is for S3 to use, and for nobody else"
  }
}

# GovCloud and China: the bucket and the key are of the provider's partition.
run "a_bucket_in_china" {
  command = plan
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-cn", dns_suffix = "amazonaws.com.cn" }
  }
  variables {
    tenant_role_arn = "arn:aws-cn:iam::111122223333:role/carnet-t-acme"
    kms_key         = "arn:aws-cn:kms:cn-north-1:999988887777:key/1234abcd"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "arn:aws:") && strcontains(aws_iam_role_policy.this.policy, "s3.cn-north-1.amazonaws.com.cn")
    error_message = aws_iam_role_policy.this.policy
  }
}

# An empty grant means nothing, never everything.
run "nothing_granted_is_refused" {
  command = plan
  variables {
    prefixes = []
  }
  expect_failures = [aws_iam_role.this]
}

run "both_grants_are_refused" {
  command = plan
  variables {
    whole_bucket = true
  }
  expect_failures = [aws_iam_role.this]
}

run "a_wildcard_in_a_prefix_is_refused" {
  command = plan
  variables {
    prefixes = ["*/"]
  }
  expect_failures = [var.prefixes]
}

run "a_prefix_without_its_slash_is_refused" {
  command = plan
  variables {
    prefixes = ["acme"]
  }
  expect_failures = [var.prefixes]
}

run "a_variable_in_a_prefix_is_refused" {
  command = plan
  variables {
    prefixes = ["$${aws:username}/"]
  }
  expect_failures = [var.prefixes]
}

run "a_bucket_with_a_path_is_refused" {
  command = plan
  variables {
    bucket = "acme-lake/*"
  }
  expect_failures = [var.bucket]
}

run "an_alias_for_the_key_is_refused" {
  command = plan
  variables {
    kms_key = "arn:aws:kms:eu-west-1:999988887777:alias/lake"
  }
  expect_failures = [var.kms_key]
}

run "another_access_is_refused" {
  command = plan
  variables {
    access = "all"
  }
  expect_failures = [var.access]
}

# A trust policy has 2,048 characters (IAM quotas).
run "a_trust_policy_that_is_too_long_is_refused" {
  command = plan
  variables {
    external_id      = join("", [for i in range(1000) : "a"])
    next_external_id = join("", [for i in range(1000) : "b"])
  }
  expect_failures = [aws_iam_role.this]
}
