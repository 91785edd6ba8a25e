variable "account_id" {
  type        = string
  description = "Your AWS account, 12 digits in quotes."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "project_id" {
  type        = string
  description = "Your Google Cloud project."
}

variable "project_number" {
  type        = string
  description = "Its number, in quotes."

  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "project_number is digits, in quotes."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "A name for the catalog's buckets, one on each cloud, that nobody has yet."
}

variable "aws_callers" {
  type        = list(string)
  description = "The roles of your sync jobs on AWS."
}

variable "gcp_callers" {
  type        = set(string)
  description = "The accounts of your sync jobs on Google Cloud: serviceAccount:EMAIL."
}

variable "aws_region" {
  type        = string
  description = "Where carnet runs on AWS."
  default     = "eu-west-1"
}

variable "gcp_region" {
  type        = string
  description = "Where carnet runs on Google Cloud."
  default     = "europe-west1"
}

variable "dist" {
  type        = string
  description = "Where scripts/package put what it made."
  default     = "../../../dist"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' identities from being deleted: false for trials only."
  default     = true
}
