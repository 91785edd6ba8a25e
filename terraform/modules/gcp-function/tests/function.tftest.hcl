mock_provider "google" {
  # Google's names have 6 to 30 characters, and the provider refuses others. OpenTofu makes up
  # what is mocked when it plans, Terraform when it applies.
  mock_resource "google_service_account" {
    defaults = {
      name  = "projects/operator-prod/serviceAccounts/carnet-f-vend@operator-prod.iam.gserviceaccount.com"
      email = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
    }
  }
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = { uri = "https://carnet-schedule-x.a.run.app" }
    }
  }
}

variables {
  project_id     = "operator-prod"
  region         = "europe-west1"
  zip            = "gcpfunc.zip"
  zip_hash       = "75cdefe46c4ee973bbe20096911e1142"
  catalog_bucket = "operator-carnet-catalog"
  catalog_files  = {}
  operator_file  = "region: eu-west-1\n"
  callers        = ["serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]
}

# Must-have 12: invoked by run.invoker on the service, by nobody else unless asked for.
run "named_callers_invoke_the_service" {
  command = plan
  assert {
    condition     = [for m in google_cloud_run_v2_service_iam_member.caller : [m.role, m.member]] == [["roles/run.invoker", "serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]]
    error_message = "the callers are not the invokers"
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.everybody) == 0
    error_message = "everybody may invoke the service"
  }
}

run "everybody_is_no_caller" {
  command = plan
  variables {
    callers = ["allUsers"]
  }
  expect_failures = [var.callers]
}

run "a_caller_of_5_characters_is_refused" {
  command = plan
  variables {
    callers = ["serviceAccount:share@operator-prod.iam.gserviceaccount.com"]
  }
  expect_failures = [var.callers]
}

run "googles_own_accounts_may_call" {
  command = plan
  variables {
    callers = ["serviceAccount:operator-prod.example.com@appspot.gserviceaccount.com", "serviceAccount:123456789012-compute@developer.gserviceaccount.com"]
  }
  assert {
    condition     = length(google_cloud_run_v2_service_iam_member.caller) == 2
    error_message = "a caller is missing"
  }
}

run "a_whole_pool_is_no_caller" {
  command = plan
  variables {
    callers = ["principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/*"]
  }
  expect_failures = [var.callers]
}

run "a_service_for_nobody_is_refused" {
  command = plan
  variables {
    callers = []
  }
  expect_failures = [google_cloudfunctions2_function.function]
}

# Must-have 12: allUsers only with the token door, and a cap beside it.
run "the_token_door_wants_a_cap" {
  command = plan
  variables {
    doors = ["token"]
  }
  expect_failures = [google_cloudfunctions2_function.function]
}

run "the_token_door_with_its_cap" {
  command = plan
  variables {
    doors                = ["token"]
    callers              = []
    token_door_instances = 5
  }
  assert {
    condition     = google_cloud_run_v2_service_iam_member.everybody[0].member == "allUsers" && google_cloudfunctions2_function.function["vend"].service_config[0].max_instance_count == 5
    error_message = "the door or its cap"
  }
}

# Must-have 16: two functions of one source, told apart by their entry points.
run "two_functions_of_one_source" {
  command = plan
  assert {
    condition     = { for f, g in google_cloudfunctions2_function.function : f => g.build_config[0].entry_point } == { vend = "Vend", schedule = "Schedule" }
    error_message = "the entry points"
  }
}

# Must-have 12: the scheduler has an account of its own, which invokes the schedule alone.
run "the_scheduler_invokes_the_schedule_alone" {
  command = plan
  assert {
    condition     = google_cloud_run_v2_service_iam_member.scheduler.name == "carnet-schedule" && google_service_account.scheduler.account_id == "carnet-f-scheduler"
    error_message = "the scheduler's grant"
  }
  assert {
    condition     = google_cloud_scheduler_job.run["check"].retry_config[0].retry_count == 3
    error_message = "no retries"
  }
  assert {
    condition     = toset(keys(google_cloud_scheduler_job.run)) == toset(["check", "deliver"])
    error_message = "check and deliver do not run before the jobs"
  }
}

# Two deployments in one project: nothing of theirs has one name.
run "another_deployment_has_accounts_of_its_own" {
  command = plan
  variables {
    name = "carnet-2"
  }
  assert {
    condition     = [google_service_account.build.account_id, google_service_account.scheduler.account_id] == ["carnet-f-build-carnet-2", "carnet-f-scheduler-carnet-2"]
    error_message = "the accounts of two deployments are one"
  }
}

run "the_longest_name_has_accounts_of_30_characters" {
  command = plan
  variables {
    name = "a-deployment-whose-name-is-long"
  }
  assert {
    condition     = google_service_account.scheduler.account_id == "carnet-f-scheduler-${substr(sha256("a-deployment-whose-name-is-long"), 0, 11)}" && length(google_service_account.scheduler.account_id) == 30
    error_message = google_service_account.scheduler.account_id
  }
}

run "a_delivery_tries_no_refusals" {
  command = plan
  variables {
    schedules = { deliver = { cron = "* * * * *", input = { action = "deliver", refusals = true } } }
  }
  expect_failures = [var.schedules]
}

run "a_schedule_knows_two_actions" {
  command = plan
  variables {
    schedules = { vend = { cron = "* * * * *", input = { action = "vend" } } }
  }
  expect_failures = [var.schedules]
}

# Must-have 13: accessor for the runtime, secret by secret.
run "secrets_one_by_one" {
  command = plan
  variables {
    read_secrets = ["ledger"]
  }
  assert {
    condition     = google_secret_manager_secret_iam_member.read["ledger"].role == "roles/secretmanager.secretAccessor"
    error_message = "the grant on the secret"
  }
}

# Must-have 13: the containers stand here, with the key, and no value does.
run "containers_for_secrets_with_the_key" {
  command = plan
  variables {
    read_secrets    = ["ledger"]
    deliver_secrets = ["lake"]
    kms_key         = "projects/operator-prod/locations/europe-west1/keyRings/r/cryptoKeys/k"
  }
  assert {
    condition     = alltrue([for s in google_secret_manager_secret.secret : s.replication[0].user_managed[0].replicas[0].customer_managed_encryption[0].kms_key_name == var.kms_key])
    error_message = "a secret without the key"
  }
  assert {
    condition     = google_secret_manager_secret_iam_member.deliver["lake"].role == "roles/secretmanager.secretVersionManager" && length(google_secret_manager_secret_iam_member.read) == 1
    error_message = "what is delivered can be read by the runtime"
  }
  assert {
    condition     = google_artifact_registry_repository.images[0].kms_key_name == var.kms_key && google_logging_project_bucket_config.carnet.cmek_settings[0].kms_key_name == var.kms_key && google_cloudfunctions2_function.function["vend"].kms_key_name == var.kms_key && google_storage_bucket.catalog.encryption[0].default_kms_key_name == var.kms_key
    error_message = "something is not encrypted with the key"
  }
}

run "a_secret_is_read_or_filled" {
  command = plan
  variables {
    read_secrets    = ["one"]
    deliver_secrets = ["one"]
  }
  expect_failures = [var.deliver_secrets]
}

run "a_key_of_another_region_is_refused" {
  command = plan
  variables {
    kms_key = "projects/operator-prod/locations/europe/keyRings/r/cryptoKeys/k"
  }
  expect_failures = [google_cloudfunctions2_function.function]
}

run "a_bucket_beside_the_keys_region_is_refused" {
  command = plan
  variables {
    kms_key         = "projects/operator-prod/locations/europe-west1/keyRings/r/cryptoKeys/k"
    bucket_location = "EU"
  }
  expect_failures = [google_cloudfunctions2_function.function]
}

# Must-have 12: who is nobody is the function's to be, and is let in nowhere.
run "nobody_is_the_functions_to_be" {
  command = plan
  assert {
    condition     = google_service_account_iam_member.nobody[0].role == "roles/iam.workloadIdentityUser" && output.nobody_service_account == "carnet-nobody@operator-prod.iam.gserviceaccount.com"
    error_message = "nobody"
  }
}

run "nobody_is_not_named_like_a_tenant" {
  command = plan
  variables {
    nobody_account_id = "carnet-t-nobody"
  }
  expect_failures = [var.nobody_account_id]
}

# Must-have 16: a fixed egress as an option, for all that leaves.
run "all_traffic_goes_through_the_connector" {
  command = plan
  variables {
    vpc_connector = "projects/operator-prod/locations/europe-west1/connectors/carnet"
  }
  assert {
    condition     = alltrue([for f in google_cloudfunctions2_function.function : f.service_config[0].vpc_connector_egress_settings == "ALL_TRAFFIC"])
    error_message = "some traffic leaves from elsewhere"
  }
}

# Must-have 17: logs end, in a bucket that says when.
run "logs_are_kept_as_long_as_is_said" {
  command = plan
  assert {
    condition     = google_logging_project_bucket_config.carnet.retention_days == 400 && strcontains(google_logging_project_sink.carnet.filter, "carnet-vend")
    error_message = "the logs' bucket"
  }
}

# A deleted log bucket keeps its id for 7 days.
run "the_log_bucket_can_have_another_id" {
  command = plan
  variables {
    log_bucket_id = "carnet-2"
  }
  assert {
    condition     = google_logging_project_bucket_config.carnet.bucket_id == "carnet-2" && endswith(google_logging_project_sink.carnet.destination, "/buckets/carnet-2")
    error_message = "the sink writes into another bucket"
  }
}

run "logs_do_not_stay_for_ever" {
  command = plan
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}

# Must-have 5: what the build needs is granted on the project, and nothing else in any other place. A resource that is
# not there can be asked for in the source alone.
run "nothing_but_the_builds_two_is_granted_on_the_project" {
  command = plan
  assert {
    condition     = length(google_project_iam_member.build) == 2 && regexall("resource \"google_(?:project|folder|organization)_iam_(?:member|binding|policy)\" \"\\w+\"", join("\n", [for f in fileset(".", "*.tf") : file(f)])) == tolist(["resource \"google_project_iam_member\" \"build\""])
    error_message = "something else is granted on the project"
  }
  assert {
    condition     = toset([for m in google_project_iam_member.build : m.role]) == toset(["roles/logging.logWriter", "roles/artifactregistry.writer"])
    error_message = "the build may do more"
  }
}

# Must-have 17: alerts stand on errors, throttles, failed checks and deliveries.
run "alerts_stand" {
  command = plan
  assert {
    condition     = length(google_monitoring_alert_policy.failed) == 2 && length(google_monitoring_alert_policy.errors) == 2
    error_message = "an alert is missing"
  }
}

# The first apply: Monitoring does not know a metric that was just made.
run "no_alert_names_a_metric_of_ours" {
  command = plan
  assert {
    condition     = alltrue(flatten([for p in concat(values(google_monitoring_alert_policy.failed), values(google_monitoring_alert_policy.errors)) : [for c in p.conditions : [for t in c.condition_threshold : !strcontains(t.filter, "logging.googleapis.com/user/")]]]))
    error_message = "an alert policy names a log metric, which is refused with 404 until it is known"
  }
  assert {
    condition     = alltrue([for f, p in google_monitoring_alert_policy.failed : p.conditions[0].condition_matched_log[0].filter == google_logging_metric.failed[f].filter && length(p.alert_strategy[0].notification_rate_limit) == 1])
    error_message = "an alert is about other lines than its metric, or has no limit"
  }
}

# Must-have 17: a run without a failure raises nothing.
run "only_failures_are_counted" {
  command = plan
  assert {
    condition     = alltrue([for m in google_logging_metric.failed : endswith(m.filter, "jsonPayload.value>0")])
    error_message = "a run without a failure is counted"
  }
}

# Must-have 1: the functions' names are apart from the tenants'.
run "the_account_is_not_named_like_a_tenants" {
  command = plan
  variables {
    account_id = "carnet-t-vend"
  }
  expect_failures = [var.account_id]
}

# Must-have 12: its token is for the service's own URI, and is its own account's.
run "the_schedulers_token_is_for_the_service" {
  command = apply
  override_resource {
    target = google_service_account.scheduler
    values = {
      name  = "projects/operator-prod/serviceAccounts/carnet-f-scheduler@operator-prod.iam.gserviceaccount.com"
      email = "carnet-f-scheduler@operator-prod.iam.gserviceaccount.com"
    }
  }
  assert {
    condition = alltrue([for j in google_cloud_scheduler_job.run :
      j.http_target[0].oidc_token[0].audience == "https://carnet-schedule-x.a.run.app" && j.http_target[0].uri == "https://carnet-schedule-x.a.run.app" && j.http_target[0].oidc_token[0].service_account_email == "carnet-f-scheduler@operator-prod.iam.gserviceaccount.com"
    ])
    error_message = "the audience is not the service's URI"
  }
  assert {
    condition     = google_service_account.scheduler.account_id != google_service_account.runtime.account_id
    error_message = "the scheduler is the runtime"
  }
}
