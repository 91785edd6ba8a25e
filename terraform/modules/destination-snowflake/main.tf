# The SQL that lets one tenant in as a service user of a Snowflake account. Nothing is
# made: an administrator runs it.

locals {
  # IAM takes a quote and a backslash in a role's path, and both end or escape a literal of SQL.
  role_arn = try(replace(replace(var.tenant_role_arn, "\\", "\\\\"), "'", "''"), null)

  # What the user proves itself with: the tenant's identity on either cloud, or one on
  # each. An ExternalId as the audience binds the token to this user; Snowflake's own
  # audience is one for all of its accounts.
  # https://docs.snowflake.com/en/sql-reference/sql/alter-user-add-workload-identity
  oidc = "OIDC_AUDIENCE_LIST = ('${coalesce(var.external_id, "none")}')"
  identities = var.login == "key_pair" ? {} : merge(
    { for r in compact([local.role_arn]) : "carnet_aws" => var.login == "oidc"
      ? "TYPE = OIDC ISSUER = '${coalesce(var.aws_issuer, "none")}' SUBJECT = '${r}' ${local.oidc}"
    : "TYPE = AWS ARN = '${r}' ISSUER = '${coalesce(var.aws_issuer, "none")}'" },
    { for s in var.tenant_google_subject == null ? [] : [var.tenant_google_subject] : "carnet_google" => var.login == "oidc"
      ? "TYPE = OIDC ISSUER = 'https://accounts.google.com' SUBJECT = '${s}' ${local.oidc}"
    : "TYPE = GCP SUBJECT = '${s}'" },
  )

  sql = templatefile("${path.module}/user.sql.tftpl", {
    user           = upper(var.user)
    role           = upper(var.role)
    identities     = local.identities
    public_key     = var.login == "key_pair" ? coalesce(var.public_key, "none") : ""
    database       = upper(var.database)
    schema         = upper(var.schema)
    warehouse      = upper(var.warehouse)
    network_policy = upper(coalesce(var.network_policy, " "))
    reads          = var.access != "write"
    writes         = var.access != "read"
  })
}
