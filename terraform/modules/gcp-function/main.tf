locals {
  functions = toset(["vend", "schedule"])
  email     = "${var.account_id}@${var.project_id}.iam.gserviceaccount.com"
  prefix    = "live"
  # A name of its own for each deployment of a project. carnet's own have no suffix; a name of up
  # to 10 that ends in no dash stands as it is, any other becomes 11 digits of its SHA-256, so that
  # the longest has Google's 30 characters and a short name never meets a long one.
  # https://cloud.google.com/iam/docs/service-accounts-create#creating
  suffix = var.name == "carnet" ? "" : "-${length(var.name) <= 10 && !endswith(var.name, "-") ? var.name : substr(sha256(var.name), 0, 11)}"
  apis = toset([
    "artifactregistry.googleapis.com", "cloudbuild.googleapis.com", "cloudfunctions.googleapis.com", "cloudscheduler.googleapis.com",
    "iam.googleapis.com", "iamcredentials.googleapis.com", "logging.googleapis.com", "monitoring.googleapis.com",
    "run.googleapis.com", "secretmanager.googleapis.com", "storage.googleapis.com", "sts.googleapis.com",
  ])
  public   = contains(var.doors, "token")
  location = coalesce(var.bucket_location, var.region)
}

resource "google_project_service" "api" {
  for_each           = local.apis
  project            = var.project_id
  service            = each.key
  disable_on_destroy = false
}

# The runtime: the one identity that the tenants' accounts let in.
resource "google_service_account" "runtime" {
  project      = var.project_id
  account_id   = var.account_id
  display_name = "carnet's functions"
  depends_on   = [google_project_service.api]
}

# Who asks for a destination in vain: no account lets it in. The function alone holds its token.
resource "google_service_account" "nobody" {
  count        = var.nobody_account_id == null ? 0 : 1
  project      = var.project_id
  account_id   = var.nobody_account_id
  display_name = "carnet's nobody: asks in vain"
  depends_on   = [google_project_service.api]
}

resource "google_service_account_iam_member" "nobody" {
  count              = var.nobody_account_id == null ? 0 : 1
  service_account_id = google_service_account.nobody[0].name
  role               = "roles/iam.workloadIdentityUser"
  member             = "serviceAccount:${google_service_account.runtime.email}"
}

# Builds the source, and is nobody else.
resource "google_service_account" "build" {
  project      = var.project_id
  account_id   = "carnet-f-build${local.suffix}"
  display_name = "builds carnet's functions"
  depends_on   = [google_project_service.api]
}

# Invokes the schedule, and nothing else.
resource "google_service_account" "scheduler" {
  project      = var.project_id
  account_id   = "carnet-f-scheduler${local.suffix}"
  display_name = "Cloud Scheduler, to invoke carnet's schedule"
  depends_on   = [google_project_service.api]
}

resource "google_storage_bucket" "source" {
  project                     = var.project_id
  name                        = "${var.catalog_bucket}-source"
  location                    = local.location
  force_destroy               = true # what it holds is made by scripts/package
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  labels                      = var.labels
  depends_on                  = [google_project_service.api]

  dynamic "encryption" {
    for_each = var.kms_key == null ? [] : [1]
    content {
      default_kms_key_name = var.kms_key
    }
  }
}

resource "google_storage_bucket_object" "source" {
  bucket = google_storage_bucket.source.name
  name   = "gcpfunc-${substr(var.zip_hash, 0, 16)}.zip"
  source = var.zip
}

resource "google_storage_bucket_iam_member" "build_reads" {
  bucket = google_storage_bucket.source.name
  role   = "roles/storage.objectViewer"
  member = "serviceAccount:${google_service_account.build.email}"
}

resource "google_project_iam_member" "build" { # on the project: it reaches no data
  for_each = toset(["roles/logging.logWriter", "roles/artifactregistry.writer"])
  project  = var.project_id
  role     = each.key
  member   = "serviceAccount:${google_service_account.build.email}"
}

# With a key of one's own the images have to lie in a repository that has the same one.
# https://cloud.google.com/functions/docs/securing/cmek
resource "google_artifact_registry_repository" "images" {
  count         = var.kms_key == null ? 0 : 1
  project       = var.project_id
  location      = var.region
  repository_id = "${var.name}-images"
  format        = "DOCKER"
  kms_key_name  = var.kms_key
  labels        = var.labels
  depends_on    = [google_project_service.api]
}

# One source, two functions. Which one a service is follows from its entry point: the platform
# serves no other.
resource "google_cloudfunctions2_function" "function" {
  for_each     = local.functions
  project      = var.project_id
  location     = var.region
  name         = "${var.name}-${each.key}"
  kms_key_name = var.kms_key
  labels       = var.labels

  build_config {
    runtime           = var.runtime
    docker_repository = one(google_artifact_registry_repository.images[*].id)
    entry_point       = each.key == "vend" ? "Vend" : "Schedule"
    service_account   = google_service_account.build.id
    source {
      storage_source {
        bucket = google_storage_bucket.source.name
        object = google_storage_bucket_object.source.name
      }
    }
  }

  service_config {
    service_account_email            = google_service_account.runtime.email
    available_memory                 = "256M"
    available_cpu                    = "1"
    max_instance_request_concurrency = each.key == "vend" ? 80 : 1
    max_instance_count               = each.key == "vend" ? (local.public ? var.token_door_instances : 20) : 1
    timeout_seconds                  = each.key == "vend" ? 30 : 1800
    ingress_settings                 = "ALLOW_ALL"
    all_traffic_on_latest_revision   = true
    vpc_connector                    = var.vpc_connector
    vpc_connector_egress_settings    = var.vpc_connector == null ? null : "ALL_TRAFFIC"
    environment_variables = {
      CARNET_CATALOG = "gs://${google_storage_bucket.catalog.name}/${local.prefix}"
      CARNET_RUNTIME = "gcp"
      CARNET_DOORS   = join(",", sort(var.doors))
    }
  }

  lifecycle {
    precondition {
      condition     = !local.public || var.token_door_instances != null
      error_message = "The token door is open to everybody: set token_door_instances, or strangers decide how many instances you pay for."
    }
    precondition {
      condition     = local.public || length(var.callers) > 0
      error_message = "Nobody may invoke the service: name the jobs' accounts in callers, or open the token door."
    }
    precondition {
      condition     = var.kms_key == null || (try(split("/", var.kms_key)[3], "") == var.region && lower(local.location) == var.region)
      error_message = "A function's key and the buckets with it are of the function's own region: write a kms_key of locations/${var.region}, and leave bucket_location out."
    }
  }

  depends_on = [google_project_service.api, google_storage_bucket_iam_member.build_reads, google_project_iam_member.build]
}

# A function of the second generation is a Cloud Run service, and is invoked as one.
resource "google_cloud_run_v2_service_iam_member" "caller" {
  for_each = var.callers
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.function["vend"].name
  role     = "roles/run.invoker"
  member   = each.key
}

resource "google_cloud_run_v2_service_iam_member" "everybody" {
  count    = local.public ? 1 : 0
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.function["vend"].name
  role     = "roles/run.invoker"
  member   = "allUsers" # public: the token door
}

resource "google_cloud_run_v2_service_iam_member" "scheduler" {
  project  = var.project_id
  location = var.region
  name     = google_cloudfunctions2_function.function["schedule"].name
  role     = "roles/run.invoker"
  member   = "serviceAccount:${google_service_account.scheduler.email}"
}

resource "google_cloud_scheduler_job" "run" {
  for_each         = var.schedules
  project          = var.project_id
  region           = var.region
  name             = "${var.name}-${each.key}"
  schedule         = each.value.cron
  time_zone        = each.value.timezone
  attempt_deadline = "1800s" # the most

  retry_config {
    retry_count          = 3
    min_backoff_duration = "30s"
  }

  http_target {
    uri         = google_cloudfunctions2_function.function["schedule"].service_config[0].uri
    http_method = "POST"
    headers     = { "Content-Type" = "application/json" }
    body        = base64encode(jsonencode(merge({ tenants = "all" }, { for k, v in each.value.input : k => v if v != null })))

    oidc_token {
      service_account_email = google_service_account.scheduler.email
      audience              = google_cloudfunctions2_function.function["schedule"].service_config[0].uri
    }
  }
}
