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
}

variable "callers" {
  type        = list(string)
  description = "The roles of your sync jobs."
}

variable "alarm_topic_arns" {
  type        = list(string)
  description = "Topics that alarms tell."
  default     = []
}

variable "zip" {
  type        = string
  description = "What scripts/package made."
  default     = "../../../dist/awslambda-arm64.zip"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' roles from being deleted: false for trials only."
  default     = true
}

variable "permissions_boundary" {
  type        = string
  description = "Policy that bounds every role, where the account insists on one."
  default     = null
}
