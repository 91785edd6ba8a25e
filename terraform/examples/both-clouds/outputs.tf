output "aws_urls" {
  description = "Where the function on AWS vends, by door."
  value       = module.aws_function.urls
}

output "gcp_url" {
  description = "Where the function on Google Cloud vends."
  value       = module.gcp_function.url
}

output "providers" {
  description = "The pool's providers, as carnet.yaml has them."
  value       = module.federation.providers
}

output "secrets" {
  description = "The secrets that were made on AWS, by name: what to write as `secret:` or `deliver:` into a tenant's file."
  value       = module.aws_function.secret_arns
}

output "tenant_roles" {
  description = "What the customers' roles trust, by tenant."
  value       = { for t, m in module.aws_tenant : t => m.role_arn }
}

output "tenant_accounts" {
  description = "What the customers' accounts let in, by tenant, with the numeric id that their roles on AWS name."
  value       = { for t, m in module.gcp_tenant : t => { service_account = m.email, unique_id = m.unique_id } }
}

output "operator_file" {
  description = "carnet.yaml as the functions read it. scripts/deploy puts it into the catalog's folder, where the carnet command finds the names in it."
  value       = module.catalog.operator_file
}
