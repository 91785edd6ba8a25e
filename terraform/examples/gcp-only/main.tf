# carnet on Google Cloud alone: the functions, and an account for each tenant of the catalog.

locals {
  service_account = "carnet-f-vend@${var.project_id}.iam.gserviceaccount.com"

  # carnet.yaml: what people wrote, and what only Terraform knows.
  operator_file = yamlencode(merge(module.catalog.operator, {
    runtime = { gcp = { service_account = local.service_account } }
    region  = var.aws_region
  }))
}

module "catalog" {
  source      = "../../modules/catalog"
  catalog_dir = "${path.root}/catalog"
  project_id  = var.project_id
}

module "federation" {
  source         = "../../modules/federation"
  project_id     = var.project_id
  project_number = var.project_number
}

module "function" {
  source                = "../../modules/gcp-function"
  project_id            = var.project_id
  region                = var.region
  zip                   = var.zip
  zip_hash              = fileexists(var.zip) ? filesha256(var.zip) : "not-packaged-yet"
  catalog_bucket        = var.catalog_bucket
  catalog_files         = module.catalog.files
  operator_file         = local.operator_file
  callers               = var.callers
  notification_channels = var.notification_channels

  schedules = {
    check   = { cron = "30 4 * * *", input = { action = "check", tenants = "all", refusals = true } }
    deliver = { cron = "*/30 * * * *", input = { action = "deliver", tenants = "all" } }
  }
}

module "tenant" {
  source                  = "../../modules/gcp-tenant"
  for_each                = module.catalog.gcp_tenants
  tenant                  = each.key
  service_account         = each.value.service_account
  entry                   = each.value.entry
  runtime_service_account = local.service_account
  pass_role               = module.federation.pass_role
  prevent_destroy         = var.prevent_destroy

  depends_on = [module.function] # a member has to stand before it is bound
}
