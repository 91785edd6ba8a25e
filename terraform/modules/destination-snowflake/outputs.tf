output "sql" {
  description = "What to run as an administrator, once."
  value       = local.sql
}
