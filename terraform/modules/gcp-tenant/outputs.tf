output "email" {
  description = "The account's email."
  value       = local.email
}

output "unique_id" {
  description = "Its numeric unique id: the :sub that AWS roles trust."
  value       = local.account.unique_id
}

output "members" {
  description = "Who may enter, as it was written."
  value       = local.members
}
