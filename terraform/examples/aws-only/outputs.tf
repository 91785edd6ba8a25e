output "urls" {
  description = "Where the function vends, by door."
  value       = module.function.urls
}

output "catalog" {
  description = "Where the function reads the catalog."
  value       = module.function.catalog
}

output "secrets" {
  description = "The secrets that were made, by name: what to write as `secret:` or `deliver:` into a tenant's file."
  value       = module.function.secret_arns
}

output "tenant_roles" {
  description = "What the customers' roles trust, by tenant."
  value       = { for t, m in module.tenant : t => m.role_arn }
}

output "operator_file" {
  description = "carnet.yaml as the functions read it. scripts/deploy puts it into the catalog's folder, where the carnet command finds the names in it."
  value       = module.catalog.operator_file
}
