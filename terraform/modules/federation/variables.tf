variable "project_id" {
  type        = string
  description = "The operator's project."

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id."
  }
}

variable "project_number" {
  type        = string
  description = "Its number, which principalSets and audiences have in the place of the id."

  validation {
    condition     = can(regex("^[0-9]{6,20}$", var.project_number))
    error_message = "project_number is the number of the project, not its id: gcloud projects describe PROJECT --format='value(projectNumber)'."
  }
}

variable "account_id" {
  type        = string
  description = "The AWS account whose roles come in, 12 digits. None where nothing runs on AWS: then there is no pool, only the custom role."
  default     = null

  validation {
    condition     = var.account_id == null || can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "partition" {
  type        = string
  description = "The account's partition: aws, or aws-us-gov or aws-cn."
  default     = "aws"

  validation {
    condition     = contains(["aws", "aws-cn", "aws-us-gov"], var.partition)
    error_message = "partition is aws, aws-cn or aws-us-gov."
  }
}

variable "role_prefix" {
  type        = string
  description = "What the name of a role begins with that may come in. Nothing else in the account may have such a name."
  default     = "carnet-"

  validation {
    condition     = can(regex("^carnet-[a-z0-9-]*$", var.role_prefix))
    error_message = "role_prefix begins with carnet-, the prefix that is reserved for functions (carnet-f-) and tenants (carnet-t-): without one the provider would trust the whole account."
  }
}

variable "only_role" {
  type        = string
  description = "Where one role alone may come in: its name. It is pinned up to the slash, so that no other name that begins alike gets in."
  default     = null

  validation {
    condition     = var.only_role == null || can(regex("^carnet-[A-Za-z0-9_+=,.@-]{1,57}$", var.only_role))
    error_message = "only_role is the name of a role that begins with carnet-."
  }
}

variable "pool_id" {
  type        = string
  description = "Id of the pool for the signed request. The id of a deleted pool stays reserved for 30 days."
  default     = "carnet-aws"

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.pool_id)) && !startswith(var.pool_id, "gcp-")
    error_message = "pool_id is 4 to 32 of a-z, 0-9 and -, and does not begin with gcp-, which Google reserves."
  }
}

variable "provider_id" {
  type        = string
  description = "Id of its provider."
  default     = "aws-roles"

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.provider_id)) && !startswith(var.provider_id, "gcp-")
    error_message = "provider_id is 4 to 32 of a-z, 0-9 and -, and does not begin with gcp-."
  }
}

variable "outbound_jwt" {
  type        = bool
  description = "Also let in the outbound token of sts:GetWebIdentityToken, through a pool of its own."
  default     = false
}

variable "outbound_issuer" {
  type        = string
  description = "The account's issuer of outbound tokens: aws-outbound's issuer. Needed with outbound_jwt."
  default     = null

  validation {
    condition     = var.outbound_issuer == null || can(regex("^https://[a-z0-9-]+[.]tokens[.]sts[.]global[.]api[.]aws$", var.outbound_issuer))
    error_message = "outbound_issuer is https://….tokens.sts.global.api.aws."
  }
}

variable "jwt_pool_id" {
  type        = string
  description = "Id of the pool for the outbound token. The id of a deleted pool stays reserved for 30 days."
  default     = "carnet-jwt"

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.jwt_pool_id)) && !startswith(var.jwt_pool_id, "gcp-")
    error_message = "jwt_pool_id is 4 to 32 of a-z, 0-9 and -, and does not begin with gcp-."
  }
}

variable "jwt_provider_id" {
  type        = string
  description = "Id of its provider."
  default     = "outbound"

  validation {
    condition     = can(regex("^[a-z0-9-]{4,32}$", var.jwt_provider_id)) && !startswith(var.jwt_provider_id, "gcp-")
    error_message = "jwt_provider_id is 4 to 32 of a-z, 0-9 and -, and does not begin with gcp-."
  }
}

variable "pass_role_id" {
  type        = string
  description = "Id of the custom role. Terraform undeletes one that was deleted within 7 days; after that its id stays reserved until the 37th."
  default     = "carnetPass"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]{3,64}$", var.pass_role_id))
    error_message = "a role id is 3 to 64 of letters, digits, _ and ."
  }
}
