mock_provider "google" {
  # Google's names have 6 to 30 characters, and the provider refuses others. OpenTofu makes up
  # what is mocked when it plans.
  mock_resource "google_service_account" {
    defaults = {
      name  = "projects/operator-prod/serviceAccounts/carnet-t-acme@operator-prod.iam.gserviceaccount.com"
      email = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  tenant                  = "acme"
  service_account         = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
  pass_role               = "projects/operator-prod/roles/carnetPass"
  runtime_service_account = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
  runtime_role_arn        = "arn:aws:iam::111122223333:role/carnet-f-vend"
  tenant_role_arn         = "arn:aws:iam::111122223333:role/sync/carnet-t-acme"
  aws_pool                = "projects/123456789012/locations/global/workloadIdentityPools/carnet-aws"
}

# Must-have 3: one exact role, by the project's number; must-have 2: without its path.
run "members_are_exact" {
  command = plan
  assert {
    condition = output.members == {
      runtime-account = "serviceAccount:carnet-f-vend@operator-prod.iam.gserviceaccount.com"
      runtime-role    = "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/carnet-f-vend"
      tenant-role     = "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/carnet-t-acme"
    }
    error_message = jsonencode(output.members)
  }
  assert {
    condition     = alltrue([for m in values(output.members) : !strcontains(m, "*")])
    error_message = "a member is a pattern"
  }
}

# Must-have 3: the outbound token shows the role's ARN, with its path, through its pool.
run "outbound_tokens_come_through_their_own_pool" {
  command = plan
  variables {
    jwt_pool = "projects/123456789012/locations/global/workloadIdentityPools/carnet-jwt"
  }
  assert {
    condition     = output.members["runtime-role-jwt"] == "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-jwt/attribute.aws_role/arn:aws:iam::111122223333:role/carnet-f-vend"
    error_message = jsonencode(output.members)
  }
}

run "a_pool_by_the_projects_id_is_refused" {
  command = plan
  variables {
    aws_pool = "projects/operator-prod/locations/global/workloadIdentityPools/carnet-aws"
  }
  expect_failures = [var.aws_pool]
}

run "a_role_by_a_pattern_is_refused" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:role/*"
  }
  expect_failures = [var.tenant_role_arn]
}

run "a_role_without_a_pool_is_refused" {
  command = plan
  variables {
    aws_pool = null
  }
  expect_failures = [google_service_account.kept]
}

run "another_tenants_role_is_refused" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:role/carnet-t-globex"
  }
  expect_failures = [google_service_account.kept]
}

run "a_function_outside_its_prefix_is_refused" {
  command = plan
  variables {
    runtime_role_arn = "arn:aws:iam::111122223333:role/sync-worker"
  }
  expect_failures = [google_service_account.kept]
}

run "nobody_is_refused" {
  command = plan
  variables {
    runtime_service_account = null
    runtime_role_arn        = null
    tenant_role_arn         = null
  }
  expect_failures = [google_service_account.kept]
}

# Must-have 5: on the account; passing through and ID tokens, and nothing that signs.
run "grants_are_pass_and_id_token" {
  command = plan
  assert {
    condition     = toset([for g in google_service_account_iam_member.entry : g.role]) == toset(["projects/operator-prod/roles/carnetPass", "roles/iam.serviceAccountOpenIdTokenCreator"])
    error_message = jsonencode([for g in google_service_account_iam_member.entry : g.role])
  }
  assert {
    condition     = length(google_service_account_iam_member.entry) == 6
    error_message = "each of the three members has two grants"
  }
}

run "the_standard_role_where_the_file_says_user" {
  command = plan
  variables {
    entry = "user"
  }
  assert {
    condition     = toset([for g in google_service_account_iam_member.entry : g.role]) == toset(["roles/iam.workloadIdentityUser"])
    error_message = jsonencode([for g in google_service_account_iam_member.entry : g.role])
  }
}

run "token_creator_is_refused" {
  command = plan
  variables {
    pass_role = "roles/iam.serviceAccountTokenCreator"
  }
  expect_failures = [var.pass_role]
}

# Must-have 1: the rule for names. Up to 20 characters stand as they are.
run "a_name_outside_the_rule_is_refused" {
  command = plan
  variables {
    service_account = "acme-sync@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [google_service_account.kept]
}

run "the_longest_name_is_shortened_to_30" {
  command = plan
  variables {
    tenant          = "abcdefghijklmnopqrstuvwxyz012345"
    tenant_role_arn = null
    service_account = "carnet-t-abcdefgh-653bb1245e82@operator-prod.iam.gserviceaccount.com"
  }
  assert {
    condition     = length(google_service_account.kept[0].account_id) == 30
    error_message = google_service_account.kept[0].account_id
  }
}

# Two long names that begin alike have different accounts.
run "names_that_begin_alike_do_not_collide" {
  command = plan
  variables {
    tenant          = "abcdefghijklmnopqrstuvwxyz012346"
    tenant_role_arn = null
    service_account = "carnet-t-abcdefgh-653bb1245e82@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [google_service_account.kept]
}

run "a_function_of_5_characters_is_refused" {
  command = plan
  variables {
    runtime_service_account = "share@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.runtime_service_account]
}

run "a_name_of_31_characters_is_refused" {
  command = plan
  variables {
    service_account = "carnet-t-abcdefghijklmnopqrstuv@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.service_account]
}

# Must-have 14: the account is kept unless a trial says otherwise.
run "the_account_is_kept" {
  command = plan
  assert {
    condition     = length(google_service_account.kept) == 1 && length(google_service_account.disposable) == 0
    error_message = "the account can be destroyed by any plan"
  }
}

# Must-have 5: nothing is granted on a project, a folder or the organisation, where it would reach
# every tenant. A resource that is not there can be asked for in the source alone.
run "nothing_is_granted_on_the_project" {
  command = plan
  assert {
    condition     = length(google_service_account_iam_member.entry) == 6 && length(regexall("\"google_(project|folder|organization)_iam_(member|binding|policy)\"", join("\n", [for f in fileset(".", "*.tf") : file(f)]))) == 0
    error_message = "a grant stands on more than one account"
  }
}
