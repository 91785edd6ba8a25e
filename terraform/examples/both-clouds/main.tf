# carnet on both clouds: the same catalog, the same tenants, a function on each, and the pool
# through which the roles enter Google Cloud.

locals {
  role_arn        = "arn:aws:iam::${var.account_id}:role/carnet-f-vend"
  service_account = "carnet-f-vend@${var.project_id}.iam.gserviceaccount.com"
  lambda_zip      = "${var.dist}/awslambda-arm64.zip"
  source_zip      = "${var.dist}/gcpfunc.zip"

  # carnet.yaml: what people wrote, and what only Terraform knows.
  operator_file = yamlencode(merge(module.catalog.operator, {
    runtime = {
      aws = { role = local.role_arn, region = var.aws_region }
      gcp = { service_account = local.service_account }
    }
    region    = var.aws_region
    providers = module.federation.providers
  }))
}

module "catalog" {
  source      = "../../modules/catalog"
  catalog_dir = "${path.root}/catalog"
  account_id  = var.account_id
  project_id  = var.project_id
}

module "federation" {
  source         = "../../modules/federation"
  project_id     = var.project_id
  project_number = var.project_number
  account_id     = var.account_id
}

module "aws_function" {
  source            = "../../modules/aws-function"
  account_id        = var.account_id
  region            = var.aws_region
  zip               = local.lambda_zip
  zip_sha256_base64 = fileexists(local.lambda_zip) ? filebase64sha256(local.lambda_zip) : null
  catalog_bucket    = var.catalog_bucket
  catalog_files     = module.catalog.files
  operator_file     = local.operator_file
  tenant_role_arns  = module.catalog.role_arns
  callers           = var.aws_callers
}

module "gcp_function" {
  source         = "../../modules/gcp-function"
  project_id     = var.project_id
  region         = var.gcp_region
  zip            = local.source_zip
  zip_hash       = fileexists(local.source_zip) ? filesha256(local.source_zip) : "not-packaged-yet"
  catalog_bucket = var.catalog_bucket
  catalog_files  = module.catalog.files
  operator_file  = local.operator_file
  callers        = var.gcp_callers
}

module "gcp_tenant" {
  source                  = "../../modules/gcp-tenant"
  for_each                = module.catalog.gcp_tenants
  tenant                  = each.key
  service_account         = each.value.service_account
  entry                   = each.value.entry
  tenant_role_arn         = each.value.tenant_role_arn
  runtime_service_account = local.service_account
  runtime_role_arn        = local.role_arn
  aws_pool                = module.federation.aws_pool
  pass_role               = module.federation.pass_role
  prevent_destroy         = var.prevent_destroy

  depends_on = [module.gcp_function] # a member has to stand before it is bound
}

module "aws_tenant" {
  source           = "../../modules/aws-tenant"
  for_each         = module.catalog.aws_tenants
  tenant           = each.key
  role_arn         = each.value.role_arn
  external_id      = each.value.external_id
  enter_role_arns  = each.value.enter_role_arns
  jwt_audiences    = each.value.jwt_audiences
  runtime_role_arn = local.role_arn
  google_subjects = concat(
    [module.gcp_function.unique_id],
    each.value.service_account == null ? [] : [module.gcp_tenant[each.key].unique_id],
  )
  prevent_destroy = var.prevent_destroy

  depends_on = [module.aws_function] # IAM takes no role as a principal that does not stand yet
}
