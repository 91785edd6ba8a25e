variable "tenant" {
  type        = string
  description = "The tenant's name, as its file has it."

  validation {
    condition     = can(regex("^[a-z0-9-]{1,32}$", var.tenant))
    error_message = "tenant is 1 to 32 of a-z, 0-9 and -, as in the catalog."
  }
}

variable "service_account" {
  type        = string
  description = "The tenant's account as its file names it (identities.gcp.service_account), in the operator's project: it is made under exactly that name."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z][a-z0-9-]{4,28}[a-z0-9][.]iam[.]gserviceaccount[.]com$", var.service_account))
    error_message = "service_account is NAME@PROJECT.iam.gserviceaccount.com with a name of 6 to 30 characters (Google's limit)."
  }
}

variable "entry" {
  type        = string
  description = "As in the tenant's file: delegate (pass through it, and ask for its ID token), or user (roles/iam.workloadIdentityUser)."
  default     = "delegate"

  validation {
    condition     = contains(["delegate", "user"], var.entry)
    error_message = "entry is delegate or user."
  }
}

variable "pass_role" {
  type        = string
  description = "Full name of the custom role that holds implicitDelegation alone: federation's pass_role."

  validation {
    condition     = can(regex("^(projects|organizations)/[a-z0-9:.-]+/roles/[A-Za-z0-9_.]{3,64}$", var.pass_role))
    error_message = "pass_role is a custom role, projects/PROJECT/roles/ID: the one predefined role with implicitDelegation, that of token creators, would also sign as the account."
  }
}

variable "runtime_service_account" {
  type        = string
  description = "The function's account: the one account that may enter. None where carnet runs on AWS alone. Known when planning: write the email, not another resource's attribute."
  default     = null

  validation {
    condition     = var.runtime_service_account == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com$", var.runtime_service_account))
    error_message = "runtime_service_account is the email of one service account."
  }
}

variable "runtime_role_arn" {
  type        = string
  description = "The function's role on AWS, where carnet runs there."
  default     = null

  validation {
    condition     = var.runtime_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.runtime_role_arn))
    error_message = "runtime_role_arn is the ARN of one role, without a wildcard."
  }
}

variable "tenant_role_arn" {
  type        = string
  description = "The tenant's own role on AWS, where it has one."
  default     = null

  validation {
    condition     = var.tenant_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.tenant_role_arn))
    error_message = "tenant_role_arn is the ARN of one role, without a wildcard."
  }
}

variable "aws_pool" {
  type        = string
  description = "Pool of the signed request: federation's aws_pool. Needed with a role."
  default     = null

  validation {
    condition     = var.aws_pool == null || can(regex("^projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}$", var.aws_pool))
    error_message = "aws_pool is projects/NUMBER/locations/global/workloadIdentityPools/POOL, with the project's number: a principalSet does not take its id."
  }
}

variable "jwt_pool" {
  type        = string
  description = "Pool of the outbound token: federation's jwt_pool. None: the signed request alone."
  default     = null

  validation {
    condition     = var.jwt_pool == null || can(regex("^projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}$", var.jwt_pool))
    error_message = "jwt_pool is projects/NUMBER/locations/global/workloadIdentityPools/POOL, with the project's number."
  }
}

variable "prevent_destroy" {
  type        = bool
  description = "Refuse every plan that would delete or replace the account: a new one of the same name has another unique id, and every third party's trust in the old one is broken. False for trials only."
  default     = true
}
