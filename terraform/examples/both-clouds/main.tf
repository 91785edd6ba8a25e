# carnet on both clouds: the same catalog, the same tenants, a function on each, and the pool
# through which the roles enter Google Cloud.

# aws, aws-us-gov or aws-cn, as the Region is.
data "aws_partition" "current" {}

locals {
  # As strings, so that they are known when planning.
  role_arn        = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/carnet-f-vend"
  nobody_arn      = "arn:${data.aws_partition.current.partition}:iam::${var.account_id}:role/carnet-nobody"
  service_account = "carnet-f-vend@${var.project_id}.iam.gserviceaccount.com"
  nobody          = "carnet-nobody@${var.project_id}.iam.gserviceaccount.com"
  lambda_zip      = "${var.dist}/awslambda-arm64.zip"
  source_zip      = "${var.dist}/gcpfunc.zip"

  # Once for all: module.gcp_tenant[…] would be read as a whole for each tenant.
  unique_ids = { for t, m in module.gcp_tenant : t => m.unique_id }
}

data "google_project" "this" {
  project_id = var.project_id
}

module "catalog" {
  source                  = "../../modules/catalog"
  catalog_dir             = "${path.root}/catalog"
  account_id              = var.account_id
  project_id              = var.project_id
  runtime_role_arn        = local.role_arn
  runtime_service_account = local.service_account
  nobody_role_arn         = local.nobody_arn
  nobody_service_account  = local.nobody
  aws_region              = var.aws_region
  pool_providers          = module.federation.providers
}

module "outbound" {
  source = "../../modules/aws-outbound"
  count  = var.outbound_tokens ? 1 : 0
}

module "federation" {
  source          = "../../modules/federation"
  project_id      = var.project_id
  project_number  = data.google_project.this.number
  account_id      = var.account_id
  partition       = data.aws_partition.current.partition
  pool_id         = var.pool_id
  jwt_pool_id     = var.jwt_pool_id
  outbound_jwt    = var.outbound_tokens
  outbound_issuer = one(module.outbound[*].issuer)
}

module "aws_function" {
  source                 = "../../modules/aws-function"
  account_id             = var.account_id
  region                 = var.aws_region
  zip                    = local.lambda_zip
  zip_sha256_base64      = fileexists(local.lambda_zip) ? filebase64sha256(local.lambda_zip) : null
  catalog_bucket         = var.catalog_bucket
  catalog_files          = module.catalog.files
  operator_file          = module.catalog.operator_file
  tenant_role_arns       = module.catalog.role_arns
  destination_role_arns  = module.catalog.destination_role_arns
  jwt_audiences          = var.outbound_tokens ? [module.federation.jwt_audience] : []
  callers                = var.aws_callers
  doors                  = var.token_door_concurrency == null ? ["iam"] : ["iam", "token"]
  token_door_concurrency = var.token_door_concurrency
  key_secrets            = var.aws_key_secrets
  delivered_secrets      = var.aws_delivered_secrets
  alarm_topic_arns       = var.alarm_topic_arns
  log_retention_days     = var.log_retention_days
  kms_key_arn            = var.aws_kms_key_arn
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

module "gcp_function" {
  source                = "../../modules/gcp-function"
  project_id            = var.project_id
  region                = var.gcp_region
  zip                   = local.source_zip
  zip_hash              = fileexists(local.source_zip) ? filesha256(local.source_zip) : "not-packaged-yet"
  catalog_bucket        = var.catalog_bucket
  catalog_files         = module.catalog.files
  operator_file         = module.catalog.operator_file
  callers               = var.gcp_callers
  doors                 = var.token_door_instances == null ? ["iam"] : ["iam", "token"]
  token_door_instances  = var.token_door_instances
  read_secrets          = var.gcp_key_secrets
  deliver_secrets       = var.gcp_delivered_secrets
  notification_channels = var.notification_channels
  log_retention_days    = var.log_retention_days
  log_bucket_id         = var.log_bucket_id
  kms_key               = var.gcp_kms_key
  vpc_connector         = var.vpc_connector
  force_destroy         = !var.prevent_destroy

  schedules = {
    check   = { cron = "30 4 * * *", input = { action = "check", refusals = true } }
    deliver = { cron = "*/30 * * * *", input = { action = "deliver" } }
  }
}

module "gcp_tenant" {
  source                  = "../../modules/gcp-tenant"
  for_each                = module.catalog.gcp_tenants
  tenant                  = each.key
  service_account         = each.value.service_account
  entry                   = each.value.entry
  tenant_role_arn         = each.value.tenant_role_arn
  runtime_service_account = module.gcp_function.service_account
  runtime_role_arn        = module.aws_function.role_arn
  aws_pool                = module.federation.aws_pool
  jwt_pool                = module.federation.jwt_pool
  pass_role               = module.federation.pass_role
  prevent_destroy         = var.prevent_destroy
}

module "aws_tenant" {
  source           = "../../modules/aws-tenant"
  for_each         = module.catalog.aws_tenants
  tenant           = each.key
  role_arn         = each.value.role_arn
  external_id      = each.value.external_id
  next_external_id = each.value.next_external_id
  enter_role_arns  = each.value.enter_role_arns
  jwt_audiences    = concat(var.outbound_tokens ? [module.federation.jwt_audience] : [], each.value.jwt_audiences)
  runtime_role_arn = module.aws_function.role_arn
  google_subjects = concat(
    [module.gcp_function.unique_id],
    each.value.service_account == null ? [] : [local.unique_ids[each.key]],
  )
  prevent_destroy      = var.prevent_destroy
  permissions_boundary = var.permissions_boundary
}
