mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
}

variables {
  role_name             = "acme-marts"
  tenant_role_arn       = "arn:aws:iam::111122223333:role/carnet-t-acme"
  tenant_google_subject = "100000000000000000002"
  external_id           = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"
  account_id            = "999988887777"
  region                = "eu-west-1"
  cluster               = "acme-dw"
  database              = "analytics"
  describe              = false
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

# Least privilege: the one call that carnet makes for such a file, on the one place.
run "one_database_of_one_cluster" {
  command = plan
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement == [{ Effect = "Allow", Action = ["redshift:GetClusterCredentialsWithIAM"], Resource = ["arn:aws:redshift:eu-west-1:999988887777:dbname:acme-dw/analytics"] }]
    error_message = aws_iam_role_policy.this.policy
  }
}

run "the_roles_own_user_is_granted_by_sql" {
  command = plan
  assert {
    condition     = strcontains(output.sql, "CREATE USER \"IAMR:acme-marts\" PASSWORD DISABLE;")
    error_message = output.sql
  }
}

run "one_user_and_its_groups" {
  command = plan
  variables {
    user        = "sync"
    groups      = ["writers"]
    create_user = true
  }
  assert {
    condition     = [for st in jsondecode(aws_iam_role_policy.this.policy).Statement : st.Action[0]] == ["redshift:GetClusterCredentials", "redshift:CreateClusterUser", "redshift:JoinGroup"] && jsondecode(aws_iam_role_policy.this.policy).Statement[2].Resource == ["arn:aws:redshift:eu-west-1:999988887777:dbgroup:acme-dw/writers"]
    error_message = aws_iam_role_policy.this.policy
  }
}

run "one_workgroup_by_its_id" {
  command = plan
  variables {
    cluster      = null
    workgroup    = "acme-wg"
    workgroup_id = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement == [{ Effect = "Allow", Action = ["redshift-serverless:GetCredentials"], Resource = ["arn:aws:redshift-serverless:eu-west-1:999988887777:workgroup/0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"] }]
    error_message = aws_iam_role_policy.this.policy
  }
}

run "statements_of_its_own_session_alone" {
  command = plan
  variables {
    data_api = true
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.this.policy).Statement[2].Condition == { StringEquals = { "redshift-data:statement-owner-iam-userid" = "$${aws:userid}" } }
    error_message = aws_iam_role_policy.this.policy
  }
}

run "read_grants_no_writing" {
  command = plan
  variables {
    access = "read"
  }
  assert {
    condition     = !strcontains(output.sql, "INSERT") && !strcontains(output.sql, "CREATE ON SCHEMA")
    error_message = output.sql
  }
}

run "a_workgroup_without_its_id_is_refused" {
  command = plan
  variables {
    cluster   = null
    workgroup = "acme-wg"
  }
  expect_failures = [aws_iam_role.this]
}

run "every_workgroup_is_refused" {
  command = plan
  variables {
    cluster      = null
    workgroup    = "acme-wg"
    workgroup_id = "*"
  }
  expect_failures = [var.workgroup_id]
}

run "cluster_and_workgroup_are_refused" {
  command = plan
  variables {
    workgroup    = "acme-wg"
    workgroup_id = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"
  }
  expect_failures = [aws_iam_role.this]
}

run "groups_without_a_user_are_refused" {
  command = plan
  variables {
    groups = ["writers"]
  }
  expect_failures = [aws_iam_role.this]
}

run "every_database_is_refused" {
  command = plan
  variables {
    database = "*"
  }
  expect_failures = [var.database]
}

run "every_user_is_refused" {
  command = plan
  variables {
    user = "*"
  }
  expect_failures = [var.user]
}

run "every_group_is_refused" {
  command = plan
  variables {
    groups = ["*"]
    user   = "sync"
  }
  expect_failures = [var.groups]
}

run "syntax_in_a_name_is_refused" {
  command = plan
  variables {
    schema = "public\"; DROP SCHEMA x; --"
  }
  expect_failures = [var.schema]
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

# GovCloud and China: the cluster is of the provider's partition.
run "a_cluster_in_govcloud" {
  command = plan
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }
  variables {
    region          = "us-gov-west-1"
    tenant_role_arn = "arn:aws-us-gov:iam::111122223333:role/carnet-t-acme"
  }
  assert {
    condition     = !strcontains(aws_iam_role_policy.this.policy, "arn:aws:")
    error_message = aws_iam_role_policy.this.policy
  }
}
