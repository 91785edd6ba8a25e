# Logs, the audit records among them, in a bucket that keeps them as long as is said here: the
# project's own keeps what it likes. A sink may write to a log bucket of its own project.
# https://cloud.google.com/logging/docs/export/configure_export_v2#dest-auth

resource "google_logging_project_bucket_config" "carnet" {
  project        = var.project_id
  location       = var.region
  bucket_id      = coalesce(var.log_bucket_id, var.name)
  retention_days = var.log_retention_days
  depends_on     = [google_project_service.api]
}

resource "google_logging_project_sink" "carnet" {
  project                = var.project_id
  name                   = var.name
  destination            = "logging.googleapis.com/projects/${var.project_id}/locations/${var.region}/buckets/${google_logging_project_bucket_config.carnet.bucket_id}"
  filter                 = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=(\"${var.name}-vend\" OR \"${var.name}-schedule\")"
  unique_writer_identity = true
}
