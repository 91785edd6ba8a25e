output "role_arn" {
  description = "The runtime: what carnet.yaml has as runtime.aws.role, and the tenants' roles trust."
  value       = aws_iam_role.function.arn
}

output "urls" {
  description = "The functions' URLs, by door."
  value       = { for d, u in aws_lambda_function_url.door : d => u.function_url }
}

output "catalog" {
  description = "Where the functions read the catalog."
  value       = "s3://${aws_s3_bucket.catalog.bucket}/${local.prefix}"
}

output "function_names" {
  description = "The functions' names, by what they do."
  value       = { for f, l in aws_lambda_function.function : f => l.function_name }
}

output "log_groups" {
  description = "Where logs and audit records are, by function."
  value       = { for f, g in aws_cloudwatch_log_group.function : f => g.name }
}

output "dead_letter_queue" {
  description = "URL of the queue with what the schedule could not do."
  value       = aws_sqs_queue.dead_letters.url
}
