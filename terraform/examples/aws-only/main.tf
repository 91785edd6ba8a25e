# carnet on AWS alone: the functions, and a role for each tenant of the catalog.

# aws, aws-us-gov or aws-cn, as the Region is.
data "aws_partition" "current" {}

locals {
  # As strings, so that they are known when planning.
  role_arn   = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/carnet-f-vend"
  nobody_arn = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/carnet-nobody"
}

module "catalog" {
  source           = "../../modules/catalog"
  catalog_dir      = "${path.root}/catalog"
  account_id       = var.account_id
  runtime_role_arn = local.role_arn
  nobody_role_arn  = local.nobody_arn
  aws_region       = var.region
}

module "outbound" {
  source = "../../modules/aws-outbound"
  count  = var.outbound_tokens ? 1 : 0
}

module "function" {
  source                 = "../../modules/aws-function"
  account_id             = var.account_id
  region                 = var.region
  zip                    = var.zip
  zip_sha256_base64      = fileexists(var.zip) ? filebase64sha256(var.zip) : null
  catalog_bucket         = var.catalog_bucket
  catalog_files          = module.catalog.files
  operator_file          = module.catalog.operator_file
  tenant_role_arns       = module.catalog.role_arns
  destination_role_arns  = module.catalog.destination_role_arns
  callers                = var.callers
  doors                  = var.token_door_concurrency == null ? ["iam"] : ["iam", "token"]
  token_door_concurrency = var.token_door_concurrency
  key_secrets            = var.key_secrets
  delivered_secrets      = var.delivered_secrets
  alarm_topic_arns       = var.alarm_topic_arns
  log_retention_days     = var.log_retention_days
  kms_key_arn            = var.kms_key_arn
  permissions_boundary   = var.permissions_boundary
  subnet_ids             = var.subnet_ids
  security_group_ids     = var.security_group_ids
  force_destroy          = !var.prevent_destroy

  # Before the jobs: every chain is tried in the night, and secrets are filled all day.
  schedules = {
    check   = { expression = "cron(30 4 * * ? *)", input = { action = "check", refusals = true } }
    deliver = { expression = "rate(30 minutes)", input = { action = "deliver" } }
  }
}

module "tenant" {
  source               = "../../modules/aws-tenant"
  for_each             = module.catalog.aws_tenants
  tenant               = each.key
  role_arn             = each.value.role_arn
  external_id          = each.value.external_id
  next_external_id     = each.value.next_external_id
  enter_role_arns      = each.value.enter_role_arns
  jwt_audiences        = each.value.jwt_audiences
  runtime_role_arn     = module.function.role_arn
  prevent_destroy      = var.prevent_destroy
  permissions_boundary = var.permissions_boundary
}
