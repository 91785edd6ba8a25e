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
  bucket                 = "acme-drop"
  prefixes               = ["from-operator/"]
  access                 = "read_write"
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

# Least privilege, by access and folder.
run "folders_are_a_condition" {
  command = plan
  assert {
    condition     = google_storage_bucket_iam_member.folders["folders-0"].condition[0].expression == "resource.name == 'projects/_/buckets/acme-drop' || resource.name.startsWith('projects/_/buckets/acme-drop/objects/from-operator/')"
    error_message = google_storage_bucket_iam_member.folders["folders-0"].condition[0].expression
  }
}

run "write_neither_reads_nor_lists" {
  command = plan
  variables {
    access = "write"
  }
  assert {
    condition     = google_project_iam_custom_role.write[0].permissions == toset(["storage.objects.create", "storage.objects.delete"]) && google_storage_bucket_iam_member.folders["folders-0"].condition[0].expression == "resource.name.startsWith('projects/_/buckets/acme-drop/objects/from-operator/')"
    error_message = "writing grants more"
  }
}

run "read_does_not_write" {
  command = plan
  variables {
    access = "read"
  }
  assert {
    condition     = google_storage_bucket_iam_member.folders["folders-0"].role == "roles/storage.objectViewer"
    error_message = "reading grants more"
  }
}

run "a_condition_has_12_operators_at_most" {
  command = plan
  variables {
    prefixes = [for i in range(25) : "folder-${i}/"]
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.folders) == 3 && alltrue([for m in google_storage_bucket_iam_member.folders : length(regexall("\\|\\|", m.condition[0].expression)) <= 12])
    error_message = "a condition is too long for IAM"
  }
}

run "the_whole_bucket_where_it_is_written" {
  command = plan
  variables {
    prefixes     = []
    whole_bucket = true
  }
  assert {
    condition     = length(google_storage_bucket_iam_member.folders) == 0 && length(google_storage_bucket_iam_member.whole) == 1
    error_message = "the whole bucket is not granted"
  }
}

# An empty grant means nothing, never everything.
run "nothing_granted_is_refused" {
  command = plan
  variables {
    prefixes = []
  }
  expect_failures = [terraform_data.checked]
}

run "both_grants_are_refused" {
  command = plan
  variables {
    whole_bucket = true
  }
  expect_failures = [terraform_data.checked]
}

run "a_quote_in_a_prefix_is_refused" {
  command = plan
  variables {
    prefixes = ["x') || true || ('/"]
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

# Must-have 5: nothing is granted on a project, a folder or the organisation, where it would reach
# every account and every bucket. A resource that is not there can be asked for in the source alone.
run "nothing_is_granted_on_the_project" {
  command = plan
  assert {
    condition     = length(google_service_account_iam_member.enter) == 2 && length(regexall("\"google_(project|folder|organization)_iam_(member|binding|policy)\"", join("\n", [for f in fileset(".", "*.tf") : file(f)]))) == 0
    error_message = "a grant stands on more than one account and one bucket"
  }
}
