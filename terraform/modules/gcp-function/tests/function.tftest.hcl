mock_provider "google" {
  mock_resource "google_cloudfunctions2_function" {
    defaults = {
      service_config = [{ uri = "https://carnet-schedule-x.a.run.app" }]
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

# Must-have 5: no grant on the project for the runtime: the build's two are its own.
run "the_runtime_has_nothing_on_the_project" {
  command = plan
  assert {
    condition     = alltrue([for m in google_project_iam_member.build : contains(["roles/logging.logWriter", "roles/artifactregistry.writer"], m.role)])
    error_message = "a grant on the project"
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

# Must-have 1: the functions' names are apart from the tenants'.
run "the_account_is_not_named_like_a_tenants" {
  command = plan
  variables {
    account_id = "carnet-t-vend"
  }
  expect_failures = [var.account_id]
}
