mock_provider "google" {}

variables {
  project_id     = "operator-prod"
  project_number = "123456789012"
  account_id     = "111122223333"
}

# Must-have 1: account and reserved prefix, both pinned.
run "condition_pins_account_and_prefix" {
  command = plan
  assert {
    condition     = google_iam_workload_identity_pool_provider.aws[0].attribute_condition == "assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/carnet-')"
    error_message = "the condition is ${google_iam_workload_identity_pool_provider.aws[0].attribute_condition}"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.aws[0].aws[0].account_id == "111122223333"
    error_message = "the provider trusts another account"
  }
  assert {
    condition     = length(google_iam_workload_identity_pool_provider.aws[0].attribute_condition) <= 4096
    error_message = "a condition has 4,096 characters"
  }
}

# Must-have 1: one role alone is pinned up to its slash, so that carnet-t-acme-2 stays out.
run "one_role_is_pinned_up_to_its_slash" {
  command = plan
  variables {
    only_role = "carnet-t-acme"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.aws[0].attribute_condition == "assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/carnet-t-acme/')"
    error_message = "the condition is ${google_iam_workload_identity_pool_provider.aws[0].attribute_condition}"
  }
}

# GovCloud: the condition and the mapping have the partition that gcp-tenant takes from the roles.
run "another_partition_stands_in_the_condition_and_the_mapping" {
  command = plan
  variables {
    partition       = "aws-us-gov"
    outbound_jwt    = true
    outbound_issuer = "https://7c1d.tokens.sts.global.api.aws"
  }
  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.aws[0].attribute_condition, "'arn:aws-us-gov:sts::111122223333:") && startswith(google_iam_workload_identity_pool_provider.aws[0].attribute_mapping["attribute.aws_role"], "'arn:aws-us-gov:sts::'")
    error_message = google_iam_workload_identity_pool_provider.aws[0].attribute_condition
  }
  assert {
    condition     = strcontains(google_iam_workload_identity_pool_provider.jwt[0].attribute_condition, "'arn:aws-us-gov:iam::111122223333:")
    error_message = google_iam_workload_identity_pool_provider.jwt[0].attribute_condition
  }
}

# Must-have 1: never unset, nor anybody's prefix.
run "no_prefix_is_refused" {
  command = plan
  variables {
    role_prefix = ""
  }
  expect_failures = [var.role_prefix]
}

run "a_prefix_outside_the_reserved_one_is_refused" {
  command = plan
  variables {
    role_prefix = "sync-"
  }
  expect_failures = [var.role_prefix]
}

run "a_quote_in_a_prefix_is_refused" {
  command = plan
  variables {
    role_prefix = "carnet-') || true || ('"
  }
  expect_failures = [var.role_prefix]
}

run "one_role_outside_the_prefix_is_refused" {
  command = plan
  variables {
    only_role = "sync-worker"
  }
  expect_failures = [var.only_role]
}

# Must-have 2 and 3: aws_role is mapped, from the assumed role, which has no path.
# Must-have 4: the subject leaves the session out.
run "mapping_has_the_role_without_its_session" {
  command = plan
  assert {
    condition = alltrue([for k in ["google.subject", "attribute.aws_role"] :
      google_iam_workload_identity_pool_provider.aws[0].attribute_mapping[k] == "'arn:aws:sts::' + assertion.account + ':assumed-role/' + assertion.arn.extract('assumed-role/{role}/')"
    ])
    error_message = "the mapping is not the role's name without its session"
  }
}

# Must-have 3: by the project's number.
run "pools_are_named_by_the_projects_number" {
  command = plan
  assert {
    condition     = output.aws_pool == "projects/123456789012/locations/global/workloadIdentityPools/carnet-aws"
    error_message = output.aws_pool
  }
}

run "a_project_id_for_its_number_is_refused" {
  command = plan
  variables {
    project_number = "operator-prod"
  }
  expect_failures = [var.project_number]
}

# Must-have 4: a pool for each proof.
run "outbound_tokens_have_a_pool_of_their_own" {
  command = plan
  variables {
    outbound_jwt    = true
    outbound_issuer = "https://7c1d.tokens.sts.global.api.aws"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.jwt[0].workload_identity_pool_id != google_iam_workload_identity_pool_provider.aws[0].workload_identity_pool_id
    error_message = "both providers are in one pool"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.jwt[0].attribute_condition == "assertion.sub.startsWith('arn:aws:iam::111122223333:role/carnet-')"
    error_message = "the condition is ${google_iam_workload_identity_pool_provider.jwt[0].attribute_condition}"
  }
  assert {
    condition     = google_iam_workload_identity_pool_provider.jwt[0].oidc[0].allowed_audiences == tolist([output.jwt_audience])
    error_message = "the audience is left to a default"
  }
  assert {
    condition     = [for p in output.providers : p.kind] == ["aws", "oidc"]
    error_message = "carnet.yaml would not have both providers"
  }
}

run "one_pool_for_both_is_refused" {
  command = plan
  variables {
    outbound_jwt    = true
    outbound_issuer = "https://7c1d.tokens.sts.global.api.aws"
    jwt_pool_id     = "carnet-aws"
  }
  expect_failures = [google_iam_workload_identity_pool.aws, google_iam_workload_identity_pool.jwt]
}

run "outbound_tokens_without_their_issuer_are_refused" {
  command = plan
  variables {
    outbound_jwt = true
  }
  expect_failures = [google_iam_workload_identity_pool.jwt]
}

run "somebody_elses_issuer_is_refused" {
  command = plan
  variables {
    outbound_jwt    = true
    outbound_issuer = "https://token.actions.githubusercontent.com"
  }
  expect_failures = [var.outbound_issuer]
}

run "a_reserved_pool_id_is_refused" {
  command = plan
  variables {
    pool_id = "gcp-carnet"
  }
  expect_failures = [var.pool_id]
}

run "a_pool_id_of_33_characters_is_refused" {
  command = plan
  variables {
    pool_id = "carnet-aws-carnet-aws-carnet-aws-"
  }
  expect_failures = [var.pool_id]
}

# Must-have 5: passing through, and nothing else.
run "pass_role_holds_implicit_delegation_alone" {
  command = plan
  assert {
    condition     = google_project_iam_custom_role.pass.permissions == toset(["iam.serviceAccounts.implicitDelegation"])
    error_message = "the role to pass through an account holds more"
  }
}

# Google Cloud alone: the role, and no pool.
run "without_an_aws_account_there_is_no_pool" {
  command = plan
  variables {
    account_id = null
  }
  assert {
    condition     = length(google_iam_workload_identity_pool.aws) == 0 && output.aws_pool == null && length(output.providers) == 0
    error_message = "a pool stands there for nobody"
  }
}

# Must-have 5: nothing is granted on a project, a folder or the organisation, where it would reach
# every account. A resource that is not there can be asked for in the source alone.
run "nothing_is_granted_on_the_project" {
  command = plan
  assert {
    condition     = google_project_iam_custom_role.pass.project == "operator-prod" && length(regexall("\"google_(project|folder|organization)_iam_(member|binding|policy)\"", join("\n", [for f in fileset(".", "*.tf") : file(f)]))) == 0
    error_message = "a grant stands on more than one account"
  }
}
