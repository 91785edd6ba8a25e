output "issuer" {
  description = "The account's issuer: federation's outbound_issuer, and ISSUER of a Snowflake user."
  value       = aws_iam_outbound_web_identity_federation.this.issuer_identifier
}
