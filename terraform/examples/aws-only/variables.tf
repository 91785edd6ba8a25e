# The four lines to fill in.

variable "account_id" {
  type        = string
  description = "Your AWS account, 12 digits in quotes."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "region" {
  type        = string
  description = "Where carnet runs, such as eu-west-1."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a Region, such as eu-west-1."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "A name for the catalog's bucket that nobody has yet."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.catalog_bucket))
    error_message = "catalog_bucket is 3 to 63 of a-z, 0-9 and -."
  }
}

variable "callers" {
  type        = set(string)
  description = "The roles of your sync jobs."

  validation {
    condition     = alltrue([for c in var.callers : can(regex("^([0-9]{12}|arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(root|(role|user)/[!-~]+))$", c)) && !can(regex("[*?]", c))])
    error_message = "callers are ARNs of roles or users, or account ids: never a wildcard, which would be everybody."
  }
}

# What may be changed.

variable "alarm_topic_arns" {
  type        = list(string)
  description = "SNS topics that alarms tell. None: the alarms stand and tell nobody."
  default     = []
}

variable "log_retention_days" {
  type        = number
  description = "How long logs, the audit records among them, are kept."
  default     = 400
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the bucket, the logs, the secrets, the schedules and the queue. docs/deploy-aws.md says what its policy must allow. None: AWS's own keys."
  default     = null
}

variable "permissions_boundary" {
  type        = string
  description = "Policy that bounds every role, where the account insists on one."
  default     = null
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets behind a NAT gateway, for a fixed address that customers can let in. None: Lambda's own network."
  default     = []
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups in those subnets, which let HTTPS out."
  default     = []
}

variable "token_door_concurrency" {
  type        = number
  description = "Opens the token door, a URL for everybody behind which carnet verifies a token, to so many requests at a time. None: it stays shut."
  default     = null
}

variable "key_secrets" {
  type        = set(string)
  description = "Names of secrets to make for private keys (`secret:` of Snowflake destinations)."
  default     = []
}

variable "delivered_secrets" {
  type        = set(string)
  description = "Names of secrets to make for the schedule to fill (`deliver:` of the tenants' files)."
  default     = []
}

variable "outbound_tokens" {
  type        = bool
  description = "Turn on the account's outbound tokens (sts:GetWebIdentityToken), which Snowflake destinations need. One switch for the whole account: where it is on already, import it."
  default     = false
}

variable "zip" {
  type        = string
  description = "What scripts/package made."
  default     = "../../../dist/awslambda-arm64.zip"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' identities and the catalog's bucket from being deleted: false for trials only."
  default     = true
}
