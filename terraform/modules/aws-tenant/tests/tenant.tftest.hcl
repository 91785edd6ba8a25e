mock_provider "aws" {}

variables {
  tenant           = "acme"
  role_arn         = "arn:aws:iam::111122223333:role/carnet-t-acme"
  external_id      = "5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"
  runtime_role_arn = "arn:aws:iam::111122223333:role/carnet-f-vend"
  google_subjects  = ["100000000000000000001", "100000000000000000002"]
  enter_role_arns  = ["arn:aws:iam::999988887777:role/acme-share"]
}

# Must-have 9: exactly the function's role, with the tenant's ExternalId.
run "function_enters_with_the_external_id" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.kept[0].assume_role_policy).Statement[0] == {
      Sid       = "Function"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::111122223333:role/carnet-f-vend" }
      Condition = { StringEquals = { "sts:ExternalId" = ["5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"] } }
    }
    error_message = aws_iam_role.kept[0].assume_role_policy
  }
}

# Must-have 7 and 8: accounts.google.com, :sub and :oaud under StringEquals.
run "google_enters_by_sub_and_oaud" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.kept[0].assume_role_policy).Statement[1] == {
      Sid       = "Google"
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = "accounts.google.com" }
      Condition = { StringEquals = {
        "accounts.google.com:sub"  = ["100000000000000000001", "100000000000000000002"]
        "accounts.google.com:oaud" = ["5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"]
      } }
    }
    error_message = aws_iam_role.kept[0].assume_role_policy
  }
  assert {
    condition     = !strcontains(aws_iam_role.kept[0].assume_role_policy, "Like")
    error_message = "a pattern stands in the trust policy"
  }
}

run "aws_alone_lets_no_google_identity_in" {
  command = plan
  variables {
    google_subjects = []
  }
  assert {
    condition     = !strcontains(aws_iam_role.kept[0].assume_role_policy, "accounts.google.com")
    error_message = aws_iam_role.kept[0].assume_role_policy
  }
}

# Must-have 8: never the email, never a pattern.
run "an_email_for_the_subject_is_refused" {
  command = plan
  variables {
    google_subjects = ["carnet-t-acme@operator-prod.iam.gserviceaccount.com"]
  }
  expect_failures = [var.google_subjects]
}

run "a_pattern_for_the_subject_is_refused" {
  command = plan
  variables {
    google_subjects = ["1000*"]
  }
  expect_failures = [var.google_subjects]
}

# Must-have 9: the account, :root or * is not the function's role.
run "a_whole_account_is_refused" {
  command = plan
  variables {
    runtime_role_arn = "arn:aws:iam::111122223333:root"
  }
  expect_failures = [var.runtime_role_arn]
}

run "anyone_is_refused" {
  command = plan
  variables {
    runtime_role_arn = "*"
  }
  expect_failures = [var.runtime_role_arn]
}

run "nobody_is_refused" {
  command = plan
  variables {
    runtime_role_arn = null
    google_subjects  = []
  }
  expect_failures = [aws_iam_role.kept]
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
    external_id = "*-*"
  }
  expect_failures = [var.external_id]
}

# Must-have 1: functions and tenants have prefixes of their own.
run "a_function_outside_its_prefix_is_refused" {
  command = plan
  variables {
    runtime_role_arn = "arn:aws:iam::111122223333:role/carnet-t-globex"
  }
  expect_failures = [aws_iam_role.kept]
}

run "a_name_outside_the_rule_is_refused" {
  command = plan
  variables {
    role_arn = "arn:aws:iam::111122223333:role/acme"
  }
  expect_failures = [aws_iam_role.kept]
}

run "another_tenants_name_is_refused" {
  command = plan
  variables {
    role_arn = "arn:aws:iam::111122223333:role/carnet-t-acme-2"
  }
  expect_failures = [aws_iam_role.kept]
}

# Must-have 1: the longest tenant has room in IAM's 64 characters.
run "the_longest_name_fits" {
  command = plan
  variables {
    tenant   = "abcdefghijklmnopqrstuvwxyz012345"
    role_arn = "arn:aws:iam::111122223333:role/carnet-t-abcdefghijklmnopqrstuvwxyz012345"
  }
  assert {
    condition     = length(aws_iam_role.kept[0].name) <= 64
    error_message = "the name has ${length(aws_iam_role.kept[0].name)} characters"
  }
}

run "a_tenant_of_33_characters_is_refused" {
  command = plan
  variables {
    tenant   = "abcdefghijklmnopqrstuvwxyz0123456"
    role_arn = "arn:aws:iam::111122223333:role/carnet-t-abcdefghijklmnopqrstuvwxyz0123456"
  }
  expect_failures = [var.tenant]
}

# Must-have 2: Google sees the role without its path.
run "the_path_is_kept_on_the_role_and_dropped_for_google" {
  command = plan
  variables {
    role_arn = "arn:aws:iam::111122223333:role/sync/tenants/carnet-t-acme"
  }
  assert {
    condition     = aws_iam_role.kept[0].path == "/sync/tenants/" && output.sts_arn == "arn:aws:sts::111122223333:assumed-role/carnet-t-acme"
    error_message = "${aws_iam_role.kept[0].path} ${output.sts_arn}"
  }
}

# Must-have 9: listed roles only.
run "it_enters_listed_roles_only" {
  command = plan
  assert {
    condition     = jsondecode(aws_iam_role_policy.enter[0].policy).Statement == [{ Sid = "EnterDestinations", Effect = "Allow", Action = "sts:AssumeRole", Resource = ["arn:aws:iam::999988887777:role/acme-share"] }]
    error_message = aws_iam_role_policy.enter[0].policy
  }
}

run "entering_by_a_pattern_is_refused" {
  command = plan
  variables {
    enter_role_arns = ["arn:aws:iam::999988887777:role/*"]
  }
  expect_failures = [var.enter_role_arns]
}

run "a_way_back_is_refused" {
  command = plan
  variables {
    enter_role_arns = ["arn:aws:iam::111122223333:role/carnet-f-vend"]
  }
  expect_failures = [aws_iam_role.kept]
}

run "nothing_to_enter_needs_no_policy" {
  command = plan
  variables {
    enter_role_arns = []
  }
  assert {
    condition     = length(aws_iam_role_policy.enter) == 0
    error_message = "an empty policy is made"
  }
}

# Outbound tokens for written audiences alone.
run "outbound_tokens_are_pinned_to_their_audiences" {
  command = plan
  variables {
    jwt_audiences = ["snowflakecomputing.com"]
  }
  assert {
    condition = jsondecode(aws_iam_role_policy.enter[0].policy).Statement[1].Condition == {
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = ["snowflakecomputing.com"] }
      Null                        = { "sts:IdentityTokenAudience" = "false" }
    }
    error_message = aws_iam_role_policy.enter[0].policy
  }
}

run "an_audience_by_a_pattern_is_refused" {
  command = plan
  variables {
    jwt_audiences = ["*"]
  }
  expect_failures = [var.jwt_audiences]
}

# Must-have 9: the longest session is written, the boundary a variable.
run "session_and_boundary_are_explicit" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::111122223333:policy/bounds"
  }
  assert {
    condition     = aws_iam_role.kept[0].max_session_duration == 3600 && aws_iam_role.kept[0].permissions_boundary == "arn:aws:iam::111122223333:policy/bounds"
    error_message = "the session's length or the boundary is left open"
  }
}

run "a_session_of_a_day_is_refused" {
  command = plan
  variables {
    max_session_duration = 86400
  }
  expect_failures = [var.max_session_duration]
}

# Must-have 14: the role is kept unless a trial says otherwise.
run "the_role_is_kept" {
  command = plan
  assert {
    condition     = length(aws_iam_role.kept) == 1 && length(aws_iam_role.disposable) == 0
    error_message = "the role can be destroyed by any plan"
  }
}

# While an ExternalId is rotated both are let in.
run "two_external_ids_while_one_is_rotated" {
  command = plan
  variables {
    next_external_id = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"
  }
  assert {
    condition     = jsondecode(aws_iam_role.kept[0].assume_role_policy).Statement[0].Condition.StringEquals["sts:ExternalId"] == ["5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21", "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"]
    error_message = aws_iam_role.kept[0].assume_role_policy
  }
}

# A trust policy has 2,048 characters (IAM quotas).
run "a_trust_policy_that_is_too_long_is_refused" {
  command = plan
  variables {
    external_id      = join("", [for i in range(1000) : "a"])
    next_external_id = join("", [for i in range(1000) : "b"])
  }
  expect_failures = [aws_iam_role.kept]
}

# Least privilege: what was attached by hand is taken away.
run "the_role_has_its_own_policy_and_no_other" {
  command = plan
  assert {
    condition     = aws_iam_role_policies_exclusive.role.policy_names == toset(["enter-destinations"]) && aws_iam_role_policies_exclusive.role.role_name == "carnet-t-acme"
    error_message = "another inline policy may stay"
  }
  assert {
    condition     = length(aws_iam_role_policy_attachments_exclusive.role.policy_arns) == 0 && aws_iam_role_policy_attachments_exclusive.role.role_name == "carnet-t-acme"
    error_message = "an attached policy may stay"
  }
}

run "a_role_that_enters_nothing_has_no_policy" {
  command = plan
  variables {
    enter_role_arns = []
  }
  assert {
    condition     = length(aws_iam_role_policies_exclusive.role.policy_names) == 0
    error_message = "a policy may stay"
  }
}
