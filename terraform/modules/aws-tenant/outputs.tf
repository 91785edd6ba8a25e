output "role_arn" {
  description = "The role's ARN."
  value       = local.role.arn
}

output "role_name" {
  description = "The role's name."
  value       = local.name
}

output "unique_id" {
  description = "The role's unique id, AROA…: what third parties' trust policies hold in the place of its name."
  value       = local.role.unique_id
}

output "sts_arn" {
  description = "The role as Google Cloud sees it: without its path and the session."
  value       = local.sts_arn
}

output "trust_policy" {
  description = "Who may enter, as it was written."
  value       = local.trust
}
