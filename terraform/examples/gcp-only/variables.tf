variable "project_id" {
  type        = string
  description = "Your Google Cloud project."
}

variable "project_number" {
  type        = string
  description = "Its number, in quotes: gcloud projects describe PROJECT --format 'value(projectNumber)'."

  validation {
    condition     = can(regex("^[0-9]+$", var.project_number))
    error_message = "project_number is digits, in quotes."
  }
}

variable "region" {
  type        = string
  description = "Where carnet runs, such as europe-west1."
}

variable "catalog_bucket" {
  type        = string
  description = "A name for the catalog's bucket that nobody has yet."
}

variable "callers" {
  type        = set(string)
  description = "The accounts of your sync jobs: serviceAccount:EMAIL."
}

variable "notification_channels" {
  type        = list(string)
  description = "Channels that alerts tell."
  default     = []
}

variable "aws_region" {
  type        = string
  description = "The AWS Region whose STS is called for destinations on AWS."
  default     = "eu-west-1"
}

variable "zip" {
  type        = string
  description = "What scripts/package made."
  default     = "../../../dist/gcpfunc.zip"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' accounts from being deleted: false for trials only."
  default     = true
}
