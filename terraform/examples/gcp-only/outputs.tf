output "url" {
  description = "Where the function vends."
  value       = module.function.url
}

output "catalog" {
  description = "Where the function reads the catalog."
  value       = module.function.catalog
}

output "tenant_accounts" {
  description = "What the customers' accounts let in, by tenant, with the numeric id that their roles on AWS name."
  value       = { for t, m in module.tenant : t => { service_account = m.email, unique_id = m.unique_id } }
}

output "operator_file" {
  description = "carnet.yaml as the functions read it. scripts/deploy puts it into the catalog's folder, where the carnet command finds the names in it."
  value       = module.catalog.operator_file
}
