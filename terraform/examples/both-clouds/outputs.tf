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

output "operator_file" {
  description = "carnet.yaml as the functions read it."
  value       = local.operator_file
}
