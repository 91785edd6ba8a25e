# carnet on AWS alone: the functions, and a role for each tenant of the catalog.

locals {
  role_arn = "arn:aws:iam::${var.account_id}:role/carnet-f-vend"

  # carnet.yaml: what people wrote, and what only Terraform knows.
  operator_file = yamlencode(merge(module.catalog.operator, {
    runtime = { aws = { role = local.role_arn, region = var.region } }
    region  = var.region
  }))
}

module "catalog" {
  source      = "../../modules/catalog"
  catalog_dir = "${path.root}/catalog"
  account_id  = var.account_id
}

module "function" {
  source               = "../../modules/aws-function"
  account_id           = var.account_id
  region               = var.region
  zip                  = var.zip
  zip_sha256_base64    = fileexists(var.zip) ? filebase64sha256(var.zip) : null
  catalog_bucket       = var.catalog_bucket
  catalog_files        = module.catalog.files
  operator_file        = local.operator_file
  tenant_role_arns     = module.catalog.role_arns
  callers              = var.callers
  alarm_topic_arns     = var.alarm_topic_arns
  permissions_boundary = var.permissions_boundary

  schedules = {
    check   = { expression = "cron(30 4 * * ? *)", input = { action = "check", tenants = "all", refusals = true } }
    deliver = { expression = "rate(30 minutes)", input = { action = "deliver", tenants = "all" } }
  }
}

module "tenant" {
  source               = "../../modules/aws-tenant"
  for_each             = module.catalog.aws_tenants
  tenant               = each.key
  role_arn             = each.value.role_arn
  external_id          = each.value.external_id
  enter_role_arns      = each.value.enter_role_arns
  runtime_role_arn     = local.role_arn
  prevent_destroy      = var.prevent_destroy
  permissions_boundary = var.permissions_boundary

  depends_on = [module.function] # IAM takes no role as a principal that does not stand yet
}
