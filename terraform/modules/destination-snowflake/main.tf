# The SQL that lets one tenant in as a service user of a Snowflake account. Nothing is
# made: an administrator runs it.

locals {
  on_aws = var.tenant_role_arn != null

  # What the user proves itself with. An ExternalId as the audience binds the token to
  # this user; Snowflake's own audience is one for all of its accounts.
  # https://docs.snowflake.com/en/user-guide/workload-identity-federation
  issuer  = local.on_aws ? coalesce(var.aws_issuer, "none") : "https://accounts.google.com"
  subject = local.on_aws ? coalesce(var.tenant_role_arn, "none") : coalesce(var.tenant_google_subject, "none")
  identity = {
    oidc              = "TYPE = OIDC ISSUER = '${local.issuer}' SUBJECT = '${local.subject}' OIDC_AUDIENCE_LIST = ('${coalesce(var.external_id, "none")}')"
    workload_identity = local.on_aws ? "TYPE = AWS ARN = '${local.subject}' ISSUER = '${local.issuer}'" : "TYPE = GCP SUBJECT = '${local.subject}'"
    key_pair          = ""
  }[var.login]

  sql = templatefile("${path.module}/user.sql.tftpl", {
    user           = upper(var.user)
    role           = upper(var.role)
    identity       = local.identity
    public_key     = coalesce(var.public_key, "none")
    database       = upper(var.database)
    schema         = upper(var.schema)
    warehouse      = upper(var.warehouse)
    network_policy = upper(coalesce(var.network_policy, " "))
    reads          = var.access != "write"
    writes         = var.access != "read"
  })
}
