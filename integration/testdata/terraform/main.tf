# What an operator and two customers apply for the lab's sample catalog: the modules as
# they stand, every destination of the sample. scripts/terraform-trust applies it with
# providers that know no cloud and keeps what Terraform shows in trust.json, which the
# trust tests load into the lab.

terraform {
  required_version = ">= 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.28, < 7"
    }
    google = {
      source  = "hashicorp/google"
      version = ">= 7, < 8"
    }
  }
}

provider "aws" {
  region = "eu-west-1"
}

provider "google" {
  project = "operator-prod"
}

module "catalog" {
  source                  = "../../../terraform/modules/catalog"
  catalog_dir             = "${path.module}/../../lab/sample/catalog"
  account_id              = "111122223333"
  project_id              = "operator-prod"
  runtime_role_arn        = "arn:aws:iam::111122223333:role/carnet-f-vend"
  runtime_service_account = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
  nobody_role_arn         = "arn:aws:iam::111122223333:role/carnet-nobody"
  nobody_service_account  = "carnet-nobody@operator-prod.iam.gserviceaccount.com"
  aws_region              = "eu-west-1"
  pool_providers          = [for p in module.federation.providers : p if p.kind == "aws"]
}

locals {
  tenants = module.catalog.tenants
  acme    = local.tenants["acme"]
  globex  = local.tenants["globex"]
}

module "aws_function" {
  source                = "../../../terraform/modules/aws-function"
  account_id            = "111122223333"
  region                = "eu-west-1"
  zip                   = "awslambda-arm64.zip"
  catalog_bucket        = "operator-carnet-catalog"
  catalog_files         = {}
  operator_file         = module.catalog.operator_file
  tenant_role_arns      = module.catalog.role_arns
  destination_role_arns = module.catalog.destination_role_arns
  jwt_audiences         = [module.federation.jwt_audience]
  read_secret_arns      = [local.acme.destinations.ledger.secret]
  callers               = ["arn:aws:iam::111122223333:role/sync-worker"]
}

module "gcp_function" {
  source         = "../../../terraform/modules/gcp-function"
  project_id     = "operator-prod"
  region         = "europe-west1"
  zip            = "gcpfunc.zip"
  zip_hash       = "not-packaged-yet"
  catalog_bucket = "operator-carnet-catalog"
  catalog_files  = {}
  operator_file  = module.catalog.operator_file
  callers        = ["serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"]
}

module "aws_outbound" {
  source = "../../../terraform/modules/aws-outbound"
}

module "federation" {
  source          = "../../../terraform/modules/federation"
  project_id      = "operator-prod"
  project_number  = "123456789012"
  account_id      = "111122223333"
  outbound_jwt    = true
  outbound_issuer = module.aws_outbound.issuer
}

module "gcp_tenant" {
  source                  = "../../../terraform/modules/gcp-tenant"
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
}

module "aws_tenant" {
  source           = "../../../terraform/modules/aws-tenant"
  for_each         = module.catalog.aws_tenants
  tenant           = each.key
  role_arn         = each.value.role_arn
  external_id      = each.value.external_id
  runtime_role_arn = module.aws_function.role_arn
  enter_role_arns  = each.value.enter_role_arns
  jwt_audiences    = concat([module.federation.jwt_audience], each.value.jwt_audiences)
  google_subjects = concat(
    [module.gcp_function.unique_id],
    each.value.service_account == null ? [] : [module.gcp_tenant[each.key].unique_id],
  )
}

# acme, on its own side.

module "acme_lake" {
  source                = "../../../terraform/modules/destination-s3"
  role_name             = "acme-share"
  tenant_role_arn       = local.acme.identities.aws.role
  tenant_google_subject = module.gcp_tenant["acme"].unique_id
  external_id           = local.acme.destinations.lake.external_id
  bucket                = local.acme.destinations.lake.bucket
  prefixes              = local.acme.destinations.lake.prefixes
  access                = local.acme.destinations.lake.access
}

module "acme_drop" {
  source                   = "../../../terraform/modules/destination-gcs"
  project_id               = "acme-prod"
  existing_service_account = local.acme.destinations.drop.service_account
  enter_existing           = true
  tenant_service_account   = local.acme.identities.gcp.service_account
  tenant_role_arn          = local.acme.identities.aws.role
  tenant_pool              = module.federation.aws_pool
  bucket                   = local.acme.destinations.drop.bucket
  prefixes                 = local.acme.destinations.drop.prefixes
  access                   = local.acme.destinations.drop.access
}

module "acme_warehouse" {
  source                   = "../../../terraform/modules/destination-bigquery"
  project_id               = "acme-prod"
  existing_service_account = module.acme_drop.service_account
  dataset                  = local.acme.destinations.warehouse.dataset
  access                   = local.acme.destinations.warehouse.access
}

module "acme_marts" {
  source                = "../../../terraform/modules/destination-redshift"
  role_name             = "acme-marts"
  tenant_role_arn       = local.acme.identities.aws.role
  tenant_google_subject = module.gcp_tenant["acme"].unique_id
  external_id           = local.acme.destinations.marts.external_id
  account_id            = "999988887777"
  region                = local.acme.destinations.marts.region
  cluster               = local.acme.destinations.marts.cluster
  database              = local.acme.destinations.marts.database
  describe              = false
}

module "acme_frost" {
  source                = "../../../terraform/modules/destination-snowflake"
  user                  = local.acme.destinations.frost.user
  role                  = "CARNET_WRITER"
  external_id           = local.acme.destinations.frost.external_id
  tenant_role_arn       = local.acme.identities.aws.role
  aws_issuer            = module.aws_outbound.issuer
  tenant_google_subject = module.gcp_tenant["acme"].unique_id
  database              = "SYNC"
  schema                = "SHARED"
  warehouse             = "LOADING"
}

# globex, on its own side.

module "globex_lake" {
  source                = "../../../terraform/modules/destination-s3"
  role_name             = "globex-share"
  tenant_google_subject = module.gcp_tenant["globex"].unique_id
  external_id           = local.globex.destinations.lake.external_id
  bucket                = local.globex.destinations.lake.bucket
  prefixes              = local.globex.destinations.lake.prefixes
  access                = local.globex.destinations.lake.access
}

module "globex_drop" {
  source                   = "../../../terraform/modules/destination-gcs"
  project_id               = "globex-data"
  existing_service_account = local.globex.destinations.drop.service_account
  enter_existing           = true
  tenant_service_account   = local.globex.identities.gcp.service_account
  bucket                   = local.globex.destinations.drop.bucket
  prefixes                 = local.globex.destinations.drop.prefixes
  access                   = local.globex.destinations.drop.access
}

module "globex_warehouse" {
  source                   = "../../../terraform/modules/destination-bigquery"
  project_id               = "globex-data"
  existing_service_account = module.globex_drop.service_account
  dataset                  = local.globex.destinations.warehouse.dataset
  access                   = local.globex.destinations.warehouse.access
}

module "globex_marts" {
  source                = "../../../terraform/modules/destination-redshift"
  role_name             = "globex-marts"
  tenant_google_subject = module.gcp_tenant["globex"].unique_id
  external_id           = local.globex.destinations.marts.external_id
  account_id            = "444455556666"
  region                = local.globex.destinations.marts.region
  workgroup             = local.globex.destinations.marts.workgroup
  workgroup_id          = "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"
  database              = local.globex.destinations.marts.database
  data_api              = true
}

module "globex_frost" {
  source                = "../../../terraform/modules/destination-snowflake"
  user                  = local.globex.destinations.frost.user
  role                  = "CARNET_WRITER"
  login                 = "workload_identity"
  tenant_google_subject = module.gcp_tenant["globex"].unique_id
  database              = "SYNC"
  schema                = "SHARED"
  warehouse             = "LOADING"
}

# Whose account a role stands in: Terraform knows it by the provider alone.
output "accounts" {
  value = {
    aws_function = "111122223333"
    aws_tenant   = "111122223333"
    aws_outbound = "111122223333"
    acme_lake    = "999988887777"
    acme_marts   = "999988887777"
    globex_lake  = "444455556666"
    globex_marts = "444455556666"
  }
}

output "snowflake" {
  value = {
    "ACME-PROD" = module.acme_frost.sql
    "GLOBEX-EU" = module.globex_frost.sql
  }
}

output "providers" {
  value = module.federation.providers
}

# carnet.yaml, as the functions read it.
output "operator_file" {
  value = module.catalog.operator_file
}

# Which identities stand in which tenant's file.
output "identities" {
  value = { for n, t in local.tenants : n => compact([try(t.identities.aws.role, ""), try(t.identities.gcp.service_account, "")]) }
}
