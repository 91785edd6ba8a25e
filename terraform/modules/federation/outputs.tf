output "providers" {
  description = "The providers as carnet.yaml has them: name, kind, account."
  value       = local.providers
}

output "aws_pool" {
  description = "Pool of the signed request, by project number; null without account_id."
  value       = local.aws_pool
}

output "jwt_pool" {
  description = "Pool of the outbound token, by project number; null without outbound_jwt."
  value       = local.jwt_pool
}

output "jwt_audience" {
  description = "The audience that an outbound token for Google Cloud must have: one of aws-tenant's jwt_audiences, and the function's."
  value       = local.jwt_audience
}

output "pass_role" {
  description = "Full name of the custom role: gcp-tenant's pass_role."
  value       = local.pass_role
}
