output "service_account" {
  description = "The account's email: `service_account:` in the tenant's file."
  value       = local.email
}

output "members" {
  description = "Who may enter, as it was written."
  value       = local.members
}
