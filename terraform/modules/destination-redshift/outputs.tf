output "role_arn" {
  description = "The role's ARN: `role:` in the tenant's file."
  value       = aws_iam_role.this.arn
}

output "role_name" {
  description = "The role's name."
  value       = aws_iam_role.this.name
}

output "trust_policy" {
  description = "Who may enter, as it was written."
  value       = local.trust
}

output "sql" {
  description = "What to run in the database as an administrator, once."
  value       = local.sql
}
