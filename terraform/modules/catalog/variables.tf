variable "catalog_dir" {
  type        = string
  description = "The catalog's folder, with tenants/*.yaml."

  validation {
    condition     = length(var.catalog_dir) > 0
    error_message = "catalog_dir is a folder."
  }
}

variable "account_id" {
  type        = string
  description = "The operator's AWS account: roles of it are made here, others are somebody else's."
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "project_id" {
  type        = string
  description = "The operator's Google Cloud project: service accounts of it are made here, others are somebody else's."
  default     = null

  validation {
    condition     = var.project_id == null || can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id."
  }
}

variable "runtime_role_arn" {
  type        = string
  description = "The function's role on AWS: `runtime.aws.role` of carnet.yaml. Known when planning. None where nothing runs on AWS."
  default     = null

  validation {
    condition     = var.runtime_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.runtime_role_arn))
    error_message = "runtime_role_arn is the ARN of one role, without a wildcard."
  }
}

variable "runtime_service_account" {
  type        = string
  description = "The function's account on Google Cloud: `runtime.gcp.service_account` of carnet.yaml. None where nothing runs there."
  default     = null

  validation {
    condition     = var.runtime_service_account == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com$", var.runtime_service_account))
    error_message = "runtime_service_account is the email of one service account."
  }
}

variable "nobody_role_arn" {
  type        = string
  description = "The role that no tenant's destination trusts, with which refusals are tried: `nobody.aws.role`."
  default     = null

  validation {
    condition     = var.nobody_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.nobody_role_arn))
    error_message = "nobody_role_arn is the ARN of one role, without a wildcard."
  }
}

variable "nobody_service_account" {
  type        = string
  description = "The account that no destination trusts: `nobody.gcp.service_account`."
  default     = null

  validation {
    condition     = var.nobody_service_account == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com$", var.nobody_service_account))
    error_message = "nobody_service_account is the email of one service account."
  }
}

variable "aws_region" {
  type        = string
  description = "The Region whose STS is called: `region` of carnet.yaml."
  default     = null

  validation {
    condition     = var.aws_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a Region, such as eu-west-1."
  }
}

variable "pool_providers" {
  type        = list(object({ name = string, kind = string, account = string }))
  description = "The pools' providers: the federation module's `providers`."
  default     = []

  validation {
    condition     = alltrue([for p in var.pool_providers : contains(["aws", "oidc"], p.kind)])
    error_message = "a provider's kind is aws or oidc."
  }
}
