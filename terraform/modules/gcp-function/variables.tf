variable "project_id" {
  type        = string
  description = "The operator's Google Cloud project."

  validation {
    condition     = can(regex("^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id is the project's id."
  }
}

variable "region" {
  type        = string
  description = "Where the functions run, such as europe-west1."

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region is a region of Google Cloud, such as europe-west1."
  }
}

variable "name" {
  type        = string
  description = "Name of the functions (NAME-vend, NAME-schedule) and of what belongs to them. A second deployment in one project has another one, and another account_id and nobody_account_id."
  default     = "carnet"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name is 2 to 31 of a-z, 0-9 and -, beginning with a letter."
  }
}

variable "account_id" {
  type        = string
  description = "Name of the functions' service account: the runtime, which every tenant's account lets in. carnet-f- keeps it apart from the tenants' carnet-t-."
  default     = "carnet-f-vend"

  validation {
    condition     = can(regex("^carnet-f-[a-z0-9-]{0,20}[a-z0-9]$", var.account_id))
    error_message = "account_id begins with carnet-f- and has 30 characters at most (Google's limit)."
  }
}

variable "nobody_account_id" {
  type        = string
  description = "Name of the account with which refusals are tried, carnet-nobody by convention. None: the daily check does without."
  default     = "carnet-nobody"

  validation {
    condition     = var.nobody_account_id == null || can(regex("^carnet-nobody([a-z0-9-]{0,16}[a-z0-9])?$", var.nobody_account_id))
    error_message = "nobody_account_id begins with carnet-nobody, apart from functions (carnet-f-) and tenants (carnet-t-), and has 30 characters at most (Google's limit)."
  }
}

variable "zip" {
  type        = string
  description = "The source that scripts/package makes: dist/gcpfunc.zip."
}

variable "zip_hash" {
  type        = string
  description = "Its hash, so that a new one is deployed: filesha256(zip)."
}

variable "runtime" {
  type        = string
  description = "The functions' runtime."
  default     = "go126"

  validation {
    condition     = can(regex("^go[0-9]{3}$", var.runtime))
    error_message = "runtime is a Go runtime of Cloud Functions, such as go126."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "Name of the catalog's bucket, which is made here; NAME-source beside it holds the functions' source."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,54}[a-z0-9]$", var.catalog_bucket))
    error_message = "catalog_bucket is 3 to 56 of a-z, 0-9 and -."
  }
}

variable "bucket_location" {
  type        = string
  description = "Location of the buckets. None: the region."
  default     = null
}

variable "catalog_files" {
  type        = map(string)
  description = "The tenants' files: name in the bucket → file here, as the catalog module's `files` says."
}

variable "operator_file" {
  type        = string
  description = "The text of carnet.yaml, with what only Terraform knows in it."
}

variable "read_secrets" {
  type        = set(string)
  description = "Names of secrets that are made here for private keys (`secret:` of Snowflake destinations, projects/P/secrets/NAME/versions/latest): empty, and for the function alone to read."
  default     = []

  validation {
    condition     = alltrue([for s in var.read_secrets : can(regex("^[A-Za-z0-9_-]{1,255}$", s))])
    error_message = "read_secrets are names of secrets in the project, one by one."
  }
}

variable "deliver_secrets" {
  type        = set(string)
  description = "Names of secrets that are made here for the schedule to fill (`deliver:` of the tenants' files, projects/P/secrets/NAME): who reads them is the jobs' to be granted."
  default     = []

  validation {
    condition     = alltrue([for s in var.deliver_secrets : can(regex("^[A-Za-z0-9_-]{1,255}$", s))])
    error_message = "deliver_secrets are names of secrets in the project, one by one."
  }

  validation {
    condition     = length(setintersection(var.deliver_secrets, var.read_secrets)) == 0
    error_message = "a secret is read or delivered into: take the name out of deliver_secrets or read_secrets."
  }
}

variable "doors" {
  type        = set(string)
  description = "The ways in: iam (Cloud Run checks its invokers first), token (everybody is let through to the function, which verifies a token). The caller's own token is verified at either."
  default     = ["iam"]

  validation {
    condition     = length(var.doors) > 0 && alltrue([for d in var.doors : contains(["iam", "token"], d)])
    error_message = "doors are iam, token, or both."
  }
}

variable "callers" {
  type        = set(string)
  description = "Who may invoke the service: serviceAccount:EMAIL, or principal://… and principalSet://… of one attribute."
  default     = []

  validation {
    condition     = alltrue([for c in var.callers : can(regex("^(serviceAccount:([a-z][a-z0-9-]{4,28}[a-z0-9]@[a-z0-9][a-z0-9.-]*[.]iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))[.]gserviceaccount[.]com|principal://[!-~]+|principalSet://[!-~]+)$", c)) && !endswith(c, "/*")])
    error_message = "callers are service accounts or federated principals, one by one: never everybody, nor a whole pool."
  }
}

variable "token_door_instances" {
  type        = number
  description = "How many instances serve at most while the token door is open to everybody. Needed with that door."
  default     = null

  validation {
    condition     = var.token_door_instances == null || try(var.token_door_instances >= 1 && var.token_door_instances <= 100, false)
    error_message = "token_door_instances is 1 to 100."
  }
}

variable "schedules" {
  type = map(object({
    cron     = string
    timezone = optional(string, "Etc/UTC")
    input    = object({ action = string, tenants = optional(list(string)), shard = optional(string), refusals = optional(bool) })
  }))
  description = "What runs before the jobs: name → cron, timezone and input: the action, tenants by name (none: all), a shard of them (i/n). Refusals are tried by one schedule a day: third parties see them."
  default = {
    check   = { cron = "30 4 * * *", input = { action = "check", refusals = true } }
    deliver = { cron = "*/30 * * * *", input = { action = "deliver" } }
  }

  validation {
    condition     = alltrue([for s in values(var.schedules) : contains(["check", "deliver"], s.input.action)])
    error_message = "a schedule's input has the action check or deliver."
  }

  validation {
    condition     = alltrue([for s in values(var.schedules) : s.input.action == "check" || s.input.refusals == null])
    error_message = "refusals are tried by a check: take refusals out of the others."
  }

  validation {
    condition     = alltrue([for s in values(var.schedules) : s.input.shard == null || can(regex("^[1-9][0-9]*/[1-9][0-9]*$", s.input.shard))])
    error_message = "a shard is i/n, such as 1/4."
  }
}

variable "vpc_connector" {
  type        = string
  description = "Connector into a network whose Cloud NAT has a fixed address, which third parties can let in. None: Google's own network."
  default     = null
}

variable "kms_key" {
  type        = string
  description = "Key that encrypts the buckets, the log bucket, the secrets, the functions and their images. None: Google's own keys."
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$", var.kms_key))
    error_message = "kms_key is projects/P/locations/L/keyRings/R/cryptoKeys/K."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How long logs, the audit records among them, are kept."
  default     = 400

  validation {
    condition     = var.log_retention_days >= 1 && var.log_retention_days <= 3650
    error_message = "log_retention_days is 1 to 3650 (Cloud Logging's limits)."
  }
}

variable "log_bucket_id" {
  type        = string
  description = "Id of the log bucket. None: the name. A deleted log bucket keeps its id for 7 days: to deploy again before, give another."
  default     = null

  validation {
    condition     = var.log_bucket_id == null || can(regex("^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$", var.log_bucket_id))
    error_message = "log_bucket_id is 1 to 100 of letters, digits, _ . and -, and begins with a letter or digit (Cloud Logging's limits)."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Delete the catalog's bucket with all versions in it when it is destroyed: for trials."
  default     = false
}

variable "notification_channels" {
  type        = list(string)
  description = "Channels that alerts tell. None: the alerts stand and tell nobody."
  default     = []
}

variable "labels" {
  type        = map(string)
  description = "Labels of what takes them."
  default     = {}
}
