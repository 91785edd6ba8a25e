variable "user" {
  type        = string
  description = "The service user: `user:` in the tenant's file."

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.user))
    error_message = "user is one plain name."
  }
}

variable "role" {
  type        = string
  description = "The Snowflake role that the user gets, and its default."

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.role))
    error_message = "role is one plain name."
  }

  validation {
    condition     = !contains(["ACCOUNTADMIN", "SECURITYADMIN", "SYSADMIN", "ORGADMIN", "USERADMIN", "PUBLIC"], upper(var.role))
    error_message = "role is one made for this purpose, not one of Snowflake's own."
  }
}

variable "login" {
  type        = string
  description = "oidc (the default: an audience of its own), workload_identity (Snowflake's own audience, the same for every account of Snowflake's) or key_pair."
  default     = "oidc"

  validation {
    condition     = contains(["oidc", "workload_identity", "key_pair"], var.login)
    error_message = "login is oidc, workload_identity or key_pair."
  }
}

variable "external_id" {
  type        = string
  description = "The ExternalId of the tenant's file: the audience of its tokens. Needed with login = oidc."
  default     = null

  validation {
    condition     = var.external_id == null || (can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && try(length(var.external_id), 0) <= 1224)
    error_message = "external_id is 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -."
  }
}

variable "tenant_role_arn" {
  type        = string
  description = "The tenant's role, where the tenant comes from AWS."
  default     = null

  validation {
    condition     = var.tenant_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.tenant_role_arn))
    error_message = "tenant_role_arn is the ARN of one role."
  }
}

variable "aws_issuer" {
  type        = string
  description = "The issuer of the operator's outbound tokens, https://….tokens.sts.global.api.aws, with tenant_role_arn."
  default     = null

  validation {
    condition     = var.aws_issuer == null || can(regex("^https://[a-z0-9-]+[.]tokens[.]sts[.]global[.]api[.]aws$", var.aws_issuer))
    error_message = "aws_issuer is https://….tokens.sts.global.api.aws: ask the operator."
  }
}

variable "tenant_google_subject" {
  type        = string
  description = "The numeric unique id of the tenant's service account, where it comes from Google Cloud."
  default     = null

  validation {
    condition     = var.tenant_google_subject == null || can(regex("^[0-9]{15,25}$", var.tenant_google_subject))
    error_message = "tenant_google_subject is the numeric unique id, not the email."
  }
}

variable "public_key" {
  type        = string
  description = "With login = key_pair: the public key, base64 without its PEM lines."
  default     = null

  validation {
    condition     = var.public_key == null || can(regex("^[A-Za-z0-9+/=]{100,}$", var.public_key))
    error_message = "public_key is the base64 between the PEM lines, in one piece."
  }
}

variable "database" {
  type        = string
  description = "The database that the SQL grants on."

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.database))
    error_message = "database is one plain name."
  }
}

variable "schema" {
  type        = string
  description = "Its schema."

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.schema))
    error_message = "schema is one plain name."
  }
}

variable "warehouse" {
  type        = string
  description = "The warehouse that the user runs on."

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.warehouse))
    error_message = "warehouse is one plain name."
  }
}

variable "access" {
  type        = string
  description = "What the SQL grants on the schema: read, write or read_write."
  default     = "read_write"

  validation {
    condition     = contains(["read", "write", "read_write"], var.access)
    error_message = "access is read, write or read_write."
  }
}

variable "network_policy" {
  type        = string
  description = "A network policy of the account's to set on the user, such as the operator's fixed addresses."
  default     = null

  validation {
    condition     = var.network_policy == null || can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,254}$", var.network_policy))
    error_message = "network_policy is one plain name."
  }
}
