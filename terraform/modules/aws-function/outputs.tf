output "role_arn" {
  description = "The runtime: what carnet.yaml has as runtime.aws.role, and the tenants' roles trust."
  value       = local.role_arn
  # Known when planning, and yet made before who trusts it: IAM takes no principal that does
  # not stand.
  depends_on = [aws_iam_role.function]
}

output "nobody_role_arn" {
  description = "Who asks in vain: carnet.yaml's nobody.aws.role. Null without nobody_role_name."
  value       = var.nobody_role_name == null ? null : "arn:${local.partition}:iam::${var.account_id}:role/${var.nobody_role_name}"
}

output "secret_arns" {
  description = "The secrets that were made here, by name: what to write as `secret:` or `deliver:` into a tenant's file."
  value       = { for n, s in merge(aws_secretsmanager_secret.read, aws_secretsmanager_secret.deliver) : n => s.arn }
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
