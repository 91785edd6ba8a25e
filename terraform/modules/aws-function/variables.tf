variable "account_id" {
  type        = string
  description = "The operator's AWS account."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "region" {
  type        = string
  description = "The Region that the provider is set to."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is a Region, such as eu-west-1."
  }
}

variable "name" {
  type        = string
  description = "Name of the functions (NAME-vend, NAME-schedule) and of what belongs to them. A second deployment in one account has another one, and another role_name and nobody_role_name."
  default     = "carnet"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "name is 2 to 31 of a-z, 0-9 and -, beginning with a letter."
  }
}

variable "role_name" {
  type        = string
  description = "Name of the functions' role: the runtime, which every tenant's role trusts. carnet-f- keeps it apart from the tenants' carnet-t-."
  default     = "carnet-f-vend"

  validation {
    condition     = can(regex("^carnet-f-[A-Za-z0-9_+=,.@-]{1,55}$", var.role_name))
    error_message = "role_name begins with carnet-f- and has 64 characters at most (IAM quotas)."
  }
}

variable "zip" {
  type        = string
  description = "The artefact that scripts/package makes: dist/awslambda-arm64.zip."
}

variable "zip_sha256_base64" {
  type        = string
  description = "Its hash, so that a new one is deployed: filebase64sha256(zip). None: it is not looked at."
  default     = null
}

variable "architecture" {
  type        = string
  description = "arm64 or x86_64, whichever the zip is for."
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture is arm64 or x86_64."
  }
}

variable "catalog_bucket" {
  type        = string
  description = "Name of the catalog's bucket, which is made here."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.catalog_bucket))
    error_message = "catalog_bucket is 3 to 63 of a-z, 0-9 and -: a name with a dot matches no certificate as a host."
  }
}

variable "catalog_files" {
  type        = map(string)
  description = "The tenants' files: name in the bucket → file here, as the catalog module's `files` says."
}

variable "operator_file" {
  type        = string
  description = "The text of carnet.yaml, with what only Terraform knows in it."
}

variable "tenant_role_arns" {
  type        = list(string)
  description = "The roles that the function enters: the catalog module's `role_arns`. Each is listed; there is no wildcard."
  default     = []

  validation {
    condition     = alltrue([for r in var.tenant_role_arns : can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", r)) && !can(regex("[*?$]", r))])
    error_message = "tenant_role_arns are ARNs of single roles, without a wildcard."
  }
}

variable "destination_role_arns" {
  type        = list(string)
  description = "The destinations' roles, which nobody asks for in vain: the catalog module's `destination_role_arns`."
  default     = []

  validation {
    condition     = alltrue([for r in var.destination_role_arns : can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", r)) && !can(regex("[*?$]", r))])
    error_message = "destination_role_arns are ARNs of single roles, without a wildcard."
  }
}

variable "nobody_role_name" {
  type        = string
  description = "Name of the role with which refusals are tried, carnet-nobody by convention. None: the daily check does without."
  default     = "carnet-nobody"

  validation {
    condition     = var.nobody_role_name == null || can(regex("^carnet-nobody[A-Za-z0-9_+=,.@-]{0,51}$", var.nobody_role_name))
    error_message = "nobody_role_name begins with carnet-nobody, apart from functions (carnet-f-) and tenants (carnet-t-), and has 64 characters at most (IAM quotas)."
  }
}

variable "enter_policies" {
  type        = number
  description = "Over how many policies the lists of roles are spread: about 120 tenants each. A role takes 10, or 25 where its quota of managed policies is raised."
  default     = 10

  validation {
    condition     = var.enter_policies >= 1 && var.enter_policies <= 25 && floor(var.enter_policies) == var.enter_policies
    error_message = "enter_policies is 1 to 25 (IAM quotas)."
  }
}

variable "jwt_audiences" {
  type        = list(string)
  description = "Audiences for which the function itself may get an outbound token: the federation module's `jwt_audience`, where its pool is entered that way."
  default     = []

  validation {
    condition     = alltrue([for a in var.jwt_audiences : !can(regex("[*?$]", a))])
    error_message = "every audience is written out, without a wildcard."
  }
}

variable "read_secret_arns" {
  type        = list(string)
  description = "Secrets with private keys that the function reads (`secret:` of Snowflake destinations)."
  default     = []

  validation {
    condition     = alltrue([for s in var.read_secret_arns : can(regex("^arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?]+$", s))])
    error_message = "read_secret_arns are ARNs of single secrets, without a wildcard."
  }
}

variable "deliver_secret_arns" {
  type        = list(string)
  description = "Secrets that the schedule fills (`deliver:` of the tenants' files)."
  default     = []

  validation {
    condition     = alltrue([for s in var.deliver_secret_arns : can(regex("^arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[^*?]+$", s))])
    error_message = "deliver_secret_arns are ARNs of single secrets, without a wildcard."
  }
}

variable "key_secrets" {
  type        = set(string)
  description = "Names of secrets that are made here for private keys (`secret:` of Snowflake destinations): empty, and for the function alone to read. The output secret_arns says what to write into the tenant's file."
  default     = []

  validation {
    condition     = alltrue([for s in var.key_secrets : can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", s)) && !can(regex("-[A-Za-z0-9]{6}$", s))])
    error_message = "key_secrets are names of letters, digits and /_+=.@-, which do not end in a dash and six characters: Secrets Manager adds that itself."
  }
}

variable "delivered_secrets" {
  type        = set(string)
  description = "Names of secrets that are made here for the schedule to fill (`deliver:` of the tenants' files): who reads them is the jobs' policy to say. The output secret_arns says what to write into the tenant's file."
  default     = []

  validation {
    condition     = alltrue([for s in var.delivered_secrets : can(regex("^[A-Za-z0-9/_+=.@-]{1,512}$", s)) && !can(regex("-[A-Za-z0-9]{6}$", s))])
    error_message = "delivered_secrets are names of letters, digits and /_+=.@-, which do not end in a dash and six characters: Secrets Manager adds that itself."
  }

  validation {
    condition     = length(setintersection(var.delivered_secrets, var.key_secrets)) == 0
    error_message = "a secret is read or delivered into: take the name out of delivered_secrets or key_secrets."
  }
}

variable "doors" {
  type        = set(string)
  description = "The ways in: iam (the URL checks a signature), token (the URL is open, and the function verifies a token). Each is a URL of its own."
  default     = ["iam"]

  validation {
    condition     = length(var.doors) > 0 && alltrue([for d in var.doors : contains(["iam", "token"], d)])
    error_message = "doors are iam, token, or both."
  }
}

variable "callers" {
  type        = set(string)
  description = "Who may call the URL with a signature: ARNs of roles or users, or accounts, of this or another account."
  default     = []

  validation {
    condition     = alltrue([for c in var.callers : can(regex("^([0-9]{12}|arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(root|(role|user)/[!-~]+))$", c)) && !can(regex("[*?]", c))])
    error_message = "callers are ARNs of roles or users, or account ids: never a wildcard, which would be everybody."
  }
}

variable "token_door_concurrency" {
  type        = number
  description = "How many requests at a time the function takes while its token door is open to everybody. Needed with that door: strangers could otherwise use up the account's concurrency."
  default     = null

  validation {
    condition     = var.token_door_concurrency == null || try(var.token_door_concurrency >= 1 && var.token_door_concurrency <= 1000, false)
    error_message = "token_door_concurrency is 1 to 1000."
  }
}

variable "schedules" {
  type = map(object({
    expression = string
    timezone   = optional(string, "UTC")
    input      = object({ action = string, tenants = optional(list(string)), shard = optional(string), refusals = optional(bool) })
  }))
  description = "What runs before the jobs: name → expression (cron or rate), timezone and input: the action, tenants by name (none: all), a shard of them (i/n). Refusals are tried by one schedule a day: third parties see them."
  default = {
    check   = { expression = "cron(30 4 * * ? *)", input = { action = "check", refusals = true } }
    deliver = { expression = "rate(30 minutes)", input = { action = "deliver" } }
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

variable "memory" {
  type        = number
  description = "Megabytes of memory; the CPU grows with it."
  default     = 256

  validation {
    condition     = var.memory >= 128 && var.memory <= 10240
    error_message = "memory is 128 to 10240 MB (Lambda's limits)."
  }
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets behind a NAT gateway, for a fixed address that third parties can let in. None: Lambda's own network."
  default     = []
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups in those subnets, which let HTTPS out."
  default     = []

  validation {
    condition     = (length(var.security_group_ids) > 0) == (length(var.subnet_ids) > 0)
    error_message = "security_group_ids and subnet_ids go together."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "Key that encrypts the bucket, the logs, the environment, the secrets, the schedules and the queue. None: AWS's own keys."
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn is the ARN of a key."
  }
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds every role made here, where the account insists on one."
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::([0-9]{12}|aws):policy/[!-~]+$", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of an IAM policy."
  }
}

variable "log_retention_days" {
  type        = number
  description = "How long logs, the audit records among them, are kept."
  default     = 400

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days is one of the periods that CloudWatch Logs knows; 0, for ever, is none of them here."
  }
}

variable "alarm_topic_arns" {
  type        = list(string)
  description = "Topics that alarms tell. None: the alarms stand and tell nobody."
  default     = []
}

variable "force_destroy" {
  type        = bool
  description = "When destroyed, delete the catalog's bucket with all versions in it, and the secrets at once: for trials."
  default     = false
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
  default     = {}
}
