output "service_account" {
  description = "The runtime: what carnet.yaml has as runtime.gcp.service_account, and the tenants' accounts let in."
  value       = local.email
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
