output "urls" {
  description = "Where the function vends, by door."
  value       = module.function.urls
}

output "catalog" {
  description = "Where the function reads the catalog."
  value       = module.function.catalog
}

output "tenant_roles" {
  description = "What the customers' roles trust, by tenant."
  value       = { for t, m in module.tenant : t => m.role_arn }
}
