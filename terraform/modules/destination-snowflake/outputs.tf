output "sql" {
  description = "What to run as an administrator, once."
  value       = local.sql

  precondition {
    condition     = var.login == "key_pair" || var.tenant_role_arn != null || var.tenant_google_subject != null
    error_message = "Nobody could log in: give tenant_role_arn, tenant_google_subject or both."
  }
  precondition {
    condition     = var.login == "key_pair" || var.tenant_role_arn == null || var.aws_issuer != null
    error_message = "tenant_role_arn needs aws_issuer, the issuer of the operator's outbound tokens."
  }
  precondition {
    condition     = var.login != "oidc" || var.external_id != null
    error_message = "login = oidc needs external_id: without an audience of its own the token would be good for any user of Snowflake's that trusts the identity."
  }
  precondition {
    condition     = var.login != "key_pair" || var.public_key != null
    error_message = "login = key_pair needs public_key."
  }
}
