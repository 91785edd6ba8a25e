variable "tenant" {
  type        = string
  description = "The tenant's name, as its file has it."

  validation {
    condition     = can(regex("^[a-z0-9-]{1,32}$", var.tenant))
    error_message = "tenant is 1 to 32 of a-z, 0-9 and -, as in the catalog."
  }
}

variable "role_arn" {
  type        = string
  description = "The tenant's role as its file names it (identities.aws.role), in the operator's account: it is made under exactly that name and path."

  validation {
    condition     = can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.role_arn))
    error_message = "role_arn is the ARN of a role: arn:aws:iam::111122223333:role/carnet-t-acme."
  }
}

variable "external_id" {
  type        = string
  description = "The ExternalId of the tenant's file: what a role shows as sts:ExternalId, and what a Google identity's token has as its audience (accounts.google.com:oaud)."

  validation {
    condition     = (can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && length(var.external_id) <= 1224)
    error_message = "external_id is 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / - (IAM quotas), and never empty or a wildcard: copy it from the tenant's file."
  }
}

variable "next_external_id" {
  type        = string
  description = "The ExternalId that takes over, while it is rotated: both are let in until it moves to external_id. None by default."
  default     = null

  validation {
    condition     = var.next_external_id == null || (can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.next_external_id)) && try(length(var.next_external_id), 0) <= 1224)
    error_message = "next_external_id is 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -."
  }
}

variable "runtime_role_arn" {
  type        = string
  description = "The function's role: the one role that may enter. None where carnet runs on Google Cloud alone."
  default     = null

  validation {
    condition     = var.runtime_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.runtime_role_arn))
    error_message = "runtime_role_arn is the ARN of one role, without a wildcard; the account, :root or * would let in whatever the account runs."
  }
}

variable "google_subjects" {
  type        = list(string)
  description = "Numeric unique ids of the Google identities that may enter: the function's own account, and the tenant's where it has one. Empty where carnet runs on AWS alone."
  default     = []

  validation {
    condition     = alltrue([for s in var.google_subjects : can(regex("^[0-9]{15,25}$", s))])
    error_message = "google_subjects are numeric unique ids (about 21 digits), not emails: an email can be taken again by another account."
  }

  validation {
    condition     = length(var.google_subjects) <= 2
    error_message = "google_subjects are the function's account and the tenant's: two at most."
  }
}

variable "enter_role_arns" {
  type        = list(string)
  description = "The destinations' roles that it may enter: catalog's aws_tenants[…].enter_role_arns."
  default     = []

  validation {
    condition     = alltrue([for r in var.enter_role_arns : can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", r)) && !can(regex("[*?$]", r))])
    error_message = "enter_role_arns are ARNs of single roles, without a wildcard."
  }
}

variable "jwt_audiences" {
  type        = list(string)
  description = "Audiences for which it may get an outbound token (sts:GetWebIdentityToken): the provider of the pool for outbound tokens, and what Snowflake expects. Empty: none."
  default     = []

  validation {
    condition     = alltrue([for a in var.jwt_audiences : can(regex("^[!-~]{1,1000}$", a)) && !can(regex("[*?$]", a))])
    error_message = "every audience is written out, without a wildcard."
  }
}

variable "prevent_destroy" {
  type        = bool
  description = "Refuse every plan that would delete or replace the role: a new role of the same name has another unique id, and every third party's trust in the old one is broken. False for trials only."
  default     = true
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds the role, where the account insists on one."
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::([0-9]{12}|aws):policy/[!-~]+$", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of an IAM policy."
  }
}

variable "max_session_duration" {
  type        = number
  description = "Longest session, in seconds. A role that another role enters gives 3600 at most, whatever stands here; one that a Google identity enters gives up to this."
  default     = 3600

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "max_session_duration is 3600 to 43200 seconds (IAM's own limits)."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
  default     = {}
}
