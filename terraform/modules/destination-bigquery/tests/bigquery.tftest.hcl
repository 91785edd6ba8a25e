mock_provider "google" {
  # Google's names have 6 to 30 characters, and the provider refuses others. OpenTofu makes up
  # what is mocked when it plans.
  mock_resource "google_service_account" {
    defaults = {
      name  = "projects/acme-prod/serviceAccounts/carnet-share@acme-prod.iam.gserviceaccount.com"
      email = "carnet-share@acme-prod.iam.gserviceaccount.com"
    }
  }
}

variables {
  project_id             = "acme-prod"
  account_id             = "carnet-share"
  tenant_service_account = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
  tenant_role_arn        = "arn:aws:iam::111122223333:role/sync/carnet-t-acme"
  tenant_pool            = "projects/123456789012/locations/global/workloadIdentityPools/carnet-aws"
  dataset                = "shared"
}

# Must-have 5: on the account, by its access token alone; must-have 3: one exact role.
run "one_tenant_enters" {
  command = plan
  assert {
    condition = output.members == {
      account = "serviceAccount:carnet-t-acme@operator-prod.iam.gserviceaccount.com"
      role    = "principalSet://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/carnet-t-acme"
    }
    error_message = jsonencode(output.members)
  }
  assert {
    condition     = alltrue([for m in google_service_account_iam_member.enter : m.role == "projects/acme-prod/roles/carnetEnter"])
    error_message = "another role than getAccessToken alone is granted"
  }
  assert {
    condition     = google_project_iam_custom_role.enter[0].permissions == toset(["iam.serviceAccounts.getAccessToken"])
    error_message = "the role to enter an account holds more"
  }
}

run "the_standard_role_where_it_is_wanted" {
  command = plan
  variables {
    standard_role = true
  }
  assert {
    condition     = alltrue([for m in google_service_account_iam_member.enter : m.role == "roles/iam.workloadIdentityUser"])
    error_message = "another role is granted"
  }
}

run "an_account_that_another_destination_made_is_not_opened" {
  command = plan
  variables {
    existing_service_account = "acme-share@acme-prod.iam.gserviceaccount.com"
  }
  assert {
    condition     = length(google_service_account_iam_member.enter) == 0 && length(google_service_account.this) == 0
    error_message = "who enters somebody's account is changed"
  }
}

run "an_account_that_stands_already_is_opened_where_it_is_meant" {
  command = plan
  variables {
    existing_service_account = "acme-share@acme-prod.iam.gserviceaccount.com"
    enter_existing           = true
  }
  assert {
    condition     = alltrue([for m in google_service_account_iam_member.enter : m.service_account_id == "projects/acme-prod/serviceAccounts/acme-share@acme-prod.iam.gserviceaccount.com"])
    error_message = "another account is opened"
  }
}

run "nobody_is_refused" {
  command = plan
  variables {
    tenant_service_account = null
    tenant_role_arn        = null
    tenant_pool            = null
  }
  expect_failures = [terraform_data.checked]
}

run "a_role_without_its_pool_is_refused" {
  command = plan
  variables {
    tenant_pool = null
  }
  expect_failures = [terraform_data.checked]
}

# Must-have 12.
run "the_public_is_refused" {
  command = plan
  variables {
    tenant_service_account = "allUsers"
  }
  expect_failures = [var.tenant_service_account]
}

# Must-have 3: never /*, and by the project's number.
run "a_pattern_of_roles_is_refused" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:role/*"
  }
  expect_failures = [var.tenant_role_arn]
}

run "a_pool_by_the_projects_id_is_refused" {
  command = plan
  variables {
    tenant_pool = "projects/operator-prod/locations/global/workloadIdentityPools/carnet-aws"
  }
  expect_failures = [var.tenant_pool]
}

# Must-have 1: Google's 6 to 30 characters.
run "an_account_of_5_characters_is_refused" {
  command = plan
  variables {
    account_id = "share"
  }
  expect_failures = [var.account_id]
}

run "an_existing_account_of_5_characters_is_refused" {
  command = plan
  variables {
    existing_service_account = "share@acme-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.existing_service_account]
}

run "a_tenants_account_of_5_characters_is_refused" {
  command = plan
  variables {
    tenant_service_account = "share@acme-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.tenant_service_account]
}

# The accounts that Google makes with a project are named for it, or for its number.
run "googles_own_accounts_are_taken" {
  command = plan
  variables {
    existing_service_account = "acme-prod.example.com@appspot.gserviceaccount.com"
    tenant_service_account   = "123456789012-compute@developer.gserviceaccount.com"
  }
  assert {
    condition     = output.service_account == "acme-prod.example.com@appspot.gserviceaccount.com" && output.members["account"] == "serviceAccount:123456789012-compute@developer.gserviceaccount.com"
    error_message = jsonencode(output.members)
  }
}

# Must-have 5: the data on the dataset; on the project only the right to run jobs.
run "one_dataset_and_jobs" {
  command = plan
  assert {
    condition     = google_bigquery_dataset_iam_member.this.role == "roles/bigquery.dataEditor" && google_bigquery_dataset_iam_member.this.dataset_id == "shared" && google_project_iam_member.jobs[0].role == "roles/bigquery.jobUser"
    error_message = "the grant is another one"
  }
}

run "write_streams_and_runs_no_jobs" {
  command = plan
  variables {
    access = "write"
  }
  assert {
    condition     = length(google_project_iam_member.jobs) == 0 && google_project_iam_custom_role.insert[0].permissions == toset(["bigquery.tables.get", "bigquery.tables.updateData"])
    error_message = "writing grants more"
  }
}

run "read_does_not_write" {
  command = plan
  variables {
    access = "read"
  }
  assert {
    condition     = google_bigquery_dataset_iam_member.this.role == "roles/bigquery.dataViewer"
    error_message = "reading grants more"
  }
}

run "another_projects_dataset_is_refused" {
  command = plan
  variables {
    dataset = "acme-prod:shared"
  }
  expect_failures = [var.dataset]
}

run "another_access_is_refused" {
  command = plan
  variables {
    access = "owner"
  }
  expect_failures = [var.access]
}

# Must-have 5: running jobs is granted on the project, and nothing else in any other place. A resource that is
# not there can be asked for in the source alone.
run "nothing_but_jobs_is_granted_on_the_project" {
  command = plan
  assert {
    condition     = length(google_project_iam_member.jobs) == 1 && regexall("resource \"google_(?:project|folder|organization)_iam_(?:member|binding|policy)\" \"\\w+\"", join("\n", [for f in fileset(".", "*.tf") : file(f)])) == tolist(["resource \"google_project_iam_member\" \"jobs\""])
    error_message = "something else is granted on the project"
  }
  assert {
    condition     = [google_project_iam_member.jobs[0].role, google_project_iam_member.jobs[0].project] == ["roles/bigquery.jobUser", "acme-prod"]
    error_message = google_project_iam_member.jobs[0].role
  }
}
