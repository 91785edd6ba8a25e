locals {
  failures = toset(["checks_failed", "deliveries_failed"])
}

# The schedule writes a line for each run, with how many failed; these count the runs in which
# something did.
resource "google_logging_metric" "failed" {
  for_each = local.failures
  project  = var.project_id
  name     = "${var.name}/${each.key}"
  filter   = "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${var.name}-schedule\" AND jsonPayload.metric=\"${each.key}\" AND jsonPayload.value>0"

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

resource "google_monitoring_alert_policy" "failed" {
  for_each              = local.failures
  project               = var.project_id
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = "${each.key} above nothing"
    condition_threshold {
      filter          = "resource.type=\"cloud_run_revision\" AND metric.type=\"logging.googleapis.com/user/${google_logging_metric.failed[each.key].name}\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "3600s"
        per_series_aligner = "ALIGN_SUM"
      }
    }
  }
}

# Errors and throttles: 5xx of either service, and 429 that Cloud Run itself answers.
resource "google_monitoring_alert_policy" "errors" {
  for_each              = { errors = "5xx", throttles = "4xx" }
  project               = var.project_id
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels

  conditions {
    display_name = each.key
    condition_threshold {
      filter          = each.key == "errors" ? "resource.type=\"cloud_run_revision\" AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code_class=\"5xx\" AND resource.labels.service_name=monitoring.regex.full_match(\"${var.name}-(vend|schedule)\")" : "resource.type=\"cloud_run_revision\" AND metric.type=\"run.googleapis.com/request_count\" AND metric.labels.response_code=\"429\" AND resource.labels.service_name=\"${var.name}-vend\""
      comparison      = "COMPARISON_GT"
      threshold_value = 0
      duration        = "0s"
      aggregations {
        alignment_period   = "300s"
        per_series_aligner = "ALIGN_SUM"
      }
    }
  }
}
