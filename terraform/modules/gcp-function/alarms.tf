locals {
  failures = toset(["checks_failed", "deliveries_failed"])
  failed = { for f in local.failures : f =>
    "resource.type=\"cloud_run_revision\" AND resource.labels.service_name=\"${var.name}-schedule\" AND jsonPayload.metric=\"${f}\" AND jsonPayload.value>0"
  }
}

# The schedule writes a line for each run, with how many failed; these count the runs in which
# something did.
resource "google_logging_metric" "failed" {
  for_each   = local.failures
  project    = var.project_id
  name       = "${var.name}/${each.key}"
  filter     = local.failed[each.key]
  depends_on = [google_project_service.api]

  metric_descriptor {
    metric_kind = "DELTA"
    value_type  = "INT64"
  }
}

# On the line itself and not on the metric: for up to ten minutes Monitoring does not know a
# metric that was just made, and refuses a policy that names it with 404.
# https://github.com/hashicorp/terraform-provider-google/issues/11102
# https://cloud.google.com/logging/docs/alerting/log-based-alerts
resource "google_monitoring_alert_policy" "failed" {
  for_each              = local.failures
  project               = var.project_id
  display_name          = "${var.name}: ${each.key}"
  combiner              = "OR"
  notification_channels = var.notification_channels
  depends_on            = [google_project_service.api]

  conditions {
    display_name = "${each.key} above nothing"
    condition_matched_log {
      filter = local.failed[each.key]
    }
  }

  # A condition on a log wants a limit.
  alert_strategy {
    auto_close = "3600s"
    notification_rate_limit {
      period = "3600s"
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
  depends_on            = [google_project_service.api]

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
