output "providers" {
  description = "The providers as carnet.yaml has them: name, kind, account."
  value       = local.providers
}

output "aws_pool" {
  description = "Pool of the signed request, by project number; null without account_id."
  value       = local.aws_pool
  # Known when planning, and yet made before who refers to it.
  depends_on = [google_iam_workload_identity_pool_provider.aws]
}

output "jwt_pool" {
  description = "Pool of the outbound token, by project number; null without outbound_jwt."
  value       = local.jwt_pool
  # Known when planning, and yet made before who refers to it.
  depends_on = [google_iam_workload_identity_pool_provider.jwt]
}

output "jwt_audience" {
  description = "The audience that an outbound token for Google Cloud must have: one of aws-tenant's jwt_audiences, and the function's."
  value       = local.jwt_audience
}

output "pass_role" {
  description = "Full name of the custom role: gcp-tenant's pass_role."
  value       = local.pass_role
  # Known when planning, and yet made before who refers to it.
  depends_on = [google_project_iam_custom_role.pass]
}
