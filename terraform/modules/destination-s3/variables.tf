variable "role_name" {
  type        = string
  description = "Name of the role that is made: the last part of `role:` in the tenant's file."

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.role_name))
    error_message = "role_name is 1 to 64 letters, digits or _+=,.@- (IAM's limit)."
  }
}

variable "tenant_role_arn" {
  type        = string
  description = "The tenant's role on AWS: the one role that may enter. None where the tenant comes from Google Cloud alone."
  default     = null

  validation {
    condition     = var.tenant_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.tenant_role_arn))
    error_message = "tenant_role_arn is the ARN of one role, without a wildcard: arn:aws:iam::111122223333:role/carnet-t-acme. An account, :root or * would let in every tenant of the operator."
  }
}

variable "tenant_google_subject" {
  type        = string
  description = "The numeric unique id of the tenant's service account: the one Google identity that may enter. None where the tenant comes from AWS alone."
  default     = null

  validation {
    condition     = var.tenant_google_subject == null || can(regex("^[0-9]{15,25}$", var.tenant_google_subject))
    error_message = "tenant_google_subject is the numeric unique id of the service account (about 21 digits), not its email: an email can be taken again by another account once the first is deleted."
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

variable "bucket" {
  type        = string
  description = "The bucket. It exists already; nothing of it is changed."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket is the name of one bucket, without a path or a wildcard."
  }
}

variable "prefixes" {
  type        = list(string)
  description = "The folders that the credential reaches, each with its final slash. Empty means nothing: for all of the bucket write whole_bucket."
  default     = []

  validation {
    condition     = alltrue([for p in var.prefixes : can(regex("^[^/]", p)) && endswith(p, "/") && !can(regex("[*?$'\"`\\\\{}[:cntrl:]]|//", p))])
    error_message = "a prefix begins without a slash, ends in one (acme must not reach acme-2), and has no wildcard, quote, dollar or brace in it, which mean something in a policy."
  }
}

variable "whole_bucket" {
  type        = bool
  description = "All of the bucket, in place of prefixes."
  default     = false
}

variable "access" {
  type        = string
  description = "read, write (replaces and deletes too, since a sync that cannot overwrite is of little use) or read_write."

  validation {
    condition     = contains(["read", "write", "read_write"], var.access)
    error_message = "access is read, write or read_write."
  }
}

variable "kms_key" {
  type        = string
  description = "ARN of the KMS key that encrypts the bucket, where it has one of its own. Its key policy must let the account's IAM policies speak."
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key))
    error_message = "kms_key is the ARN of one key, not an alias: arn:aws:kms:eu-west-1:111122223333:key/ID."
  }
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

variable "partition" {
  type        = string
  description = "aws, aws-cn or aws-us-gov. None: the provider's own."
  default     = null

  validation {
    condition     = var.partition == null || contains(["aws", "aws-cn", "aws-us-gov"], coalesce(var.partition, "none"))
    error_message = "partition is aws, aws-cn or aws-us-gov."
  }
}
