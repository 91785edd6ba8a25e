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
