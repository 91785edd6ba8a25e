# The four lines to fill in.

variable "project_id" {
  type        = string
  description = "Your Google Cloud project."

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, such as operator-prod, and not its number or its name."
  }
}

variable "region" {
  type        = string
  description = "Where carnet runs, such as europe-west1."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region of Google Cloud, such as europe-west1."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "A name for the catalog's bucket that nobody has yet."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.catalog_bucket))
    error_message = "catalog_bucket is 3 to 56 of a-z, 0-9 and -."
  }
}

variable "callers" {
  type        = set(string)
  description = "The accounts of your sync jobs: serviceAccount:EMAIL."

  validation {
    condition     = alltrue([for c in var.callers : can(regex("^(serviceAccount:([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com|principal://[!-~]+|principalSet://[!-~]+)$", c)) && !endswith(c, "/*")])
    error_message = "callers are service accounts (serviceAccount:EMAIL) or federated principals, one by one: never everybody, nor a whole pool."
  }
}

# What may be changed.

variable "notification_channels" {
  type        = list(string)
  description = "Channels that alerts tell. None: the alerts stand and tell nobody."
  default     = []
}

variable "log_retention_days" {
  type        = number
  description = "How long logs, the audit records among them, are kept."
  default     = 400
}

variable "kms_key" {
  type        = string
  description = "Key that encrypts the buckets, the secrets, the functions and their images. docs/deploy-gcp.md says who must be let use it. None: Google's own keys."
  default     = null
}

variable "vpc_connector" {
  type        = string
  description = "Connector into a network whose Cloud NAT has a fixed address that customers can let in. None: Google's own network."
  default     = null
}

variable "token_door_instances" {
  type        = number
  description = "Opens the token door: everybody is let through to carnet, which verifies a token, on so many instances at most. None: it stays shut."
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

variable "log_bucket_id" {
  type        = string
  description = "Id of the log bucket. A deleted one keeps its id for 7 days: to deploy again before, give another."
  default     = "carnet"
}

variable "aws_region" {
  type        = string
  description = "The AWS Region whose STS is called for destinations on AWS."
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a Region, such as eu-west-1."
  }
}

variable "zip" {
  type        = string
  description = "What scripts/package made."
  default     = "../../../dist/gcpfunc.zip"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' identities and the catalog's bucket from being deleted: false for trials only."
  default     = true
}
