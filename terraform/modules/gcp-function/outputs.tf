output "service_account" {
  description = "The runtime: what carnet.yaml has as runtime.gcp.service_account, and the tenants' accounts let in."
  value       = local.email
  # Known when planning, and yet made before who lets it in: Google binds no member that does
  # not stand.
  depends_on = [google_service_account.runtime]
}

output "nobody_service_account" {
  description = "Who asks in vain: carnet.yaml's nobody.gcp.service_account. Null without nobody_account_id."
  value       = var.nobody_account_id == null ? null : "${var.nobody_account_id}@${var.project_id}.iam.gserviceaccount.com"
}

output "unique_id" {
  description = "Its numeric id: one of the tenants' roles' google_subjects."
  value       = google_service_account.runtime.unique_id
}

output "url" {
  description = "Where the function vends."
  value       = google_cloudfunctions2_function.function["vend"].service_config[0].uri
}

output "catalog" {
  description = "Where the functions read the catalog."
  value       = "gs://${google_storage_bucket.catalog.name}/${local.prefix}"
}

output "function_names" {
  description = "The functions' names, by what they do."
  value       = { for f, g in google_cloudfunctions2_function.function : f => g.name }
}
