# carnet on Google Cloud alone: the functions, and an account for each tenant of the catalog.

locals {
  # As strings, so that they are known when planning.
  service_account = "carnet-f-vend@${var.project_id}.iam.gserviceaccount.com"
  nobody          = "carnet-nobody@${var.project_id}.iam.gserviceaccount.com"
}

data "google_project" "this" {
  project_id = var.project_id
}

module "catalog" {
  source                  = "../../modules/catalog"
  catalog_dir             = "${path.root}/catalog"
  project_id              = var.project_id
  runtime_service_account = local.service_account
  nobody_service_account  = local.nobody
  aws_region              = var.aws_region
}

module "federation" {
  source         = "../../modules/federation"
  project_id     = var.project_id
  project_number = data.google_project.this.number
}

module "function" {
  source                = "../../modules/gcp-function"
  project_id            = var.project_id
  region                = var.region
  zip                   = var.zip
  zip_hash              = fileexists(var.zip) ? filesha256(var.zip) : "not-packaged-yet"
  catalog_bucket        = var.catalog_bucket
  catalog_files         = module.catalog.files
  operator_file         = module.catalog.operator_file
  callers               = var.callers
  doors                 = var.token_door_instances == null ? ["iam"] : ["iam", "token"]
  token_door_instances  = var.token_door_instances
  read_secrets          = var.key_secrets
  deliver_secrets       = var.delivered_secrets
  notification_channels = var.notification_channels
  log_retention_days    = var.log_retention_days
  log_bucket_id         = var.log_bucket_id
  kms_key               = var.kms_key
  vpc_connector         = var.vpc_connector
  force_destroy         = !var.prevent_destroy

  # Before the jobs: every chain is tried in the night, and secrets are filled all day.
  schedules = {
    check   = { cron = "30 4 * * *", input = { action = "check", refusals = true } }
    deliver = { cron = "*/30 * * * *", input = { action = "deliver" } }
  }
}

module "tenant" {
  source                  = "../../modules/gcp-tenant"
  for_each                = module.catalog.gcp_tenants
  tenant                  = each.key
  service_account         = each.value.service_account
  entry                   = each.value.entry
  runtime_service_account = module.function.service_account
  pass_role               = module.federation.pass_role
  prevent_destroy         = var.prevent_destroy
}
