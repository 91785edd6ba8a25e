# Logs, the audit records among them, in a bucket that keeps them as long as is said here: the
# project's own keeps what it likes. A sink may write to a log bucket of its own project.
# https://cloud.google.com/logging/docs/export/configure_export_v2#dest-auth

resource "google_logging_project_bucket_config" "carnet" {
  project        = var.project_id
  location       = var.region
  bucket_id      = coalesce(var.log_bucket_id, var.name)
  retention_days = var.log_retention_days

  # Logging itself uses the key: docs/deploy-gcp.md says who must be let.
  # https://cloud.google.com/logging/docs/routing/managed-encryption-storage
  dynamic "cmek_settings" {
    for_each = var.kms_key == null ? [] : [1]
    content {
      kms_key_name = var.kms_key
    }
  }

  depends_on = [google_project_service.api]
}

resource "google_logging_project_sink" "carnet" {
  project                = var.project_id
  name                   = var.name
  destination            = "logging.googleapis.com/projects/${var.project_id}/locations/${var.region}/buckets/${google_logging_project_bucket_config.carnet.bucket_id}"
  filter                 = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${var.name}-vend\" OR \"${var.name}-schedule\")"
  unique_writer_identity = true
}
