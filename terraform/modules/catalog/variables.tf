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
