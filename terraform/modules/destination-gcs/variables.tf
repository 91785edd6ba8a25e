variable "project_id" {
  type        = string
  description = "The project in which the account and its grants stand."

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, not its number."
  }
}

variable "account_id" {
  type        = string
  description = "Name of the service account that is made: the part of `service_account:` before the @."
  default     = "carnet-share"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.account_id))
    error_message = "account_id is 6 to 30 of a-z, 0-9 and -, beginning with a letter (Google's limit)."
  }
}

variable "existing_service_account" {
  type        = string
  description = "Email of an account that stands already, such as the one of another destination: it is granted the place, and nothing about who enters it is changed unless enter_existing. None: make one."
  default     = null

  validation {
    condition     = var.existing_service_account == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com$", var.existing_service_account))
    error_message = "existing_service_account is the email of a service account."
  }
}

variable "enter_existing" {
  type        = bool
  description = "Let the tenant enter existing_service_account: true for the one destination that does, false where another one of this account did."
  default     = false
}

variable "tenant_service_account" {
  type        = string
  description = "Email of the tenant's service account: the one account that may enter."
  default     = null

  validation {
    condition     = var.tenant_service_account == null || can(regex("^([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com$", var.tenant_service_account))
    error_message = "tenant_service_account is the email of one service account: a group, a domain or the public cannot stand here."
  }
}

variable "tenant_role_arn" {
  type        = string
  description = "The tenant's role on AWS, where it enters straight from there through tenant_pool."
  default     = null

  validation {
    condition     = var.tenant_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.tenant_role_arn))
    error_message = "tenant_role_arn is the ARN of one role, without a wildcard: arn:aws:iam::111122223333:role/carnet-t-acme. An account, :root or * would let in every tenant of the operator."
  }
}

variable "tenant_pool" {
  type        = string
  description = "The pool through which tenant_role_arn comes: the operator's, or one of your own (`provider:` in the tenant's file). By project number."
  default     = null

  validation {
    condition     = var.tenant_pool == null || can(regex("^projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}$", var.tenant_pool))
    error_message = "tenant_pool is projects/NUMBER/locations/global/workloadIdentityPools/POOL, with the project's number: a principalSet does not take its id."
  }
}

variable "standard_role" {
  type        = bool
  description = "Grant roles/iam.workloadIdentityUser on the account in place of a custom role of getAccessToken alone: where custom roles are not wanted. It also lets the tenant get ID tokens."
  default     = false
}

variable "create_custom_roles" {
  type        = bool
  description = "Make the custom roles. False where another destination of the same project did."
  default     = true
}

variable "enter_role_id" {
  type        = string
  description = "Id of the custom role that holds iam.serviceAccounts.getAccessToken alone."
  default     = "carnetEnter"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]{3,64}$", var.enter_role_id))
    error_message = "a role id is 3 to 64 of letters, digits, _ and ."
  }
}

variable "write_role_id" {
  type        = string
  description = "Id of the custom role that creates and deletes objects and reads none, for access = write."
  default     = "carnetWrite"

  validation {
    condition     = can(regex("^[A-Za-z0-9_.]{3,64}$", var.write_role_id))
    error_message = "a role id is 3 to 64 of letters, digits, _ and ."
  }
}

variable "bucket" {
  type        = string
  description = "The bucket, with uniform bucket-level access: conditions and boundaries do not see an object's own ACL. It exists already."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$", var.bucket))
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
