# The five lines to fill in.

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

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id, such as operator-prod, and not its number or its name."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "A name for the catalog's buckets, one on each cloud, that nobody has yet."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.catalog_bucket))
    error_message = "catalog_bucket is 3 to 56 of a-z, 0-9 and -."
  }
}

variable "aws_callers" {
  type        = set(string)
  description = "The roles of your sync jobs on AWS."

  validation {
    condition     = alltrue([for c in var.aws_callers : can(regex("^([0-9]{12}|arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(root|(role|user)/[!-~]+))$", c)) && !can(regex("[*?]", c))])
    error_message = "aws_callers are ARNs of roles or users, or account ids: never a wildcard, which would be everybody."
  }
}

variable "gcp_callers" {
  type        = set(string)
  description = "The accounts of your sync jobs on Google Cloud: serviceAccount:EMAIL."

  validation {
    condition     = alltrue([for c in var.gcp_callers : can(regex("^(serviceAccount:([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com|principal://[!-~]+|principalSet://[!-~]+)$", c)) && !endswith(c, "/*")])
    error_message = "gcp_callers are service accounts (serviceAccount:EMAIL) or federated principals, one by one: never everybody, nor a whole pool."
  }
}

# What may be changed.

variable "aws_region" {
  type        = string
  description = "Where carnet runs on AWS."
  default     = "eu-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region is a Region, such as eu-west-1."
  }
}

variable "gcp_region" {
  type        = string
  description = "Where carnet runs on Google Cloud."
  default     = "europe-west1"

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.gcp_region))
    error_message = "gcp_region is a region of Google Cloud, such as europe-west1."
  }
}

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

variable "aws_kms_key_arn" {
  type        = string
  description = "Key that encrypts the bucket, the logs, the secrets, the schedules and the queue on AWS. docs/deploy-aws.md says what its policy must allow. None: AWS's own keys."
  default     = null
}

variable "permissions_boundary" {
  type        = string
  description = "Policy that bounds every role on AWS, where the account insists on one."
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
  description = "Opens the token door on AWS, a URL for everybody behind which carnet verifies a token, to so many requests at a time. None: it stays shut."
  default     = null
}

variable "notification_channels" {
  type        = list(string)
  description = "Channels that alerts tell. None: the alerts stand and tell nobody."
  default     = []
}

variable "gcp_kms_key" {
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

variable "aws_key_secrets" {
  type        = set(string)
  description = "Names of secrets to make for private keys (`secret:` of Snowflake destinations)."
  default     = []
}

variable "aws_delivered_secrets" {
  type        = set(string)
  description = "Names of secrets to make for the schedule to fill (`deliver:` of the tenants' files)."
  default     = []
}

variable "gcp_key_secrets" {
  type        = set(string)
  description = "Names of secrets to make for private keys (`secret:` of Snowflake destinations)."
  default     = []
}

variable "gcp_delivered_secrets" {
  type        = set(string)
  description = "Names of secrets to make for the schedule to fill (`deliver:` of the tenants' files)."
  default     = []
}

variable "outbound_tokens" {
  type        = bool
  description = "Turn on the account's outbound tokens (sts:GetWebIdentityToken) and a pool that takes them. One switch for the whole account: where it is on already, import it."
  default     = false
}

variable "pool_id" {
  type        = string
  description = "Id of the pool for the signed request. A deleted pool keeps its id for 30 days: to deploy again before, give another."
  default     = "carnet-aws"
}

variable "jwt_pool_id" {
  type        = string
  description = "Id of the pool for the outbound token, likewise."
  default     = "carnet-jwt"
}

variable "log_bucket_id" {
  type        = string
  description = "Id of the log bucket on Google Cloud. A deleted one keeps its id for 7 days: to deploy again before, give another."
  default     = "carnet"
}

variable "dist" {
  type        = string
  description = "Where scripts/package put what it made."
  default     = "../../../dist"
}

variable "prevent_destroy" {
  type        = bool
  description = "Keep the tenants' identities and the catalog's bucket from being deleted: false for trials only."
  default     = true
}
