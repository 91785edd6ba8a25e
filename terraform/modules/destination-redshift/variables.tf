variable "role_name" {
  type        = string
  description = "Name of the role that is made: the last part of `role:` in the tenant's file."

  validation {
    condition     = can(regex("^[A-Za-z0-9_+=,.@-]{1,64}$", var.role_name))
    error_message = "role_name is 1 to 64 letters, digits or _+=,.@- (IAM's limit)."
  }
}

variable "tenant_role_arn" {
  type        = string
  description = "The tenant's role on AWS: the one role that may enter. None where the tenant comes from Google Cloud alone."
  default     = null

  validation {
    condition     = var.tenant_role_arn == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-.0-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$", var.tenant_role_arn))
    error_message = "tenant_role_arn is the ARN of one role, without a wildcard: arn:aws:iam::111122223333:role/carnet-t-acme. An account, :root or * would let in every tenant of the operator."
  }
}

variable "tenant_google_subject" {
  type        = string
  description = "The numeric unique id of the tenant's service account: the one Google identity that may enter. None where the tenant comes from AWS alone."
  default     = null

  validation {
    condition     = var.tenant_google_subject == null || can(regex("^[0-9]{15,25}$", var.tenant_google_subject))
    error_message = "tenant_google_subject is the numeric unique id of the service account (about 21 digits), not its email: an email can be taken again by another account once the first is deleted."
  }
}

variable "external_id" {
  type        = string
  description = "The ExternalId of the tenant's file: what a role shows as sts:ExternalId, and what a Google identity's token has as its audience (accounts.google.com:oaud)."

  validation {
    condition     = (can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.external_id)) && length(var.external_id) <= 1224)
    error_message = "external_id is 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / - (IAM quotas), and never empty or a wildcard: copy it from the tenant's file."
  }
}

variable "next_external_id" {
  type        = string
  description = "The ExternalId that takes over, while it is rotated: both are let in until it moves to external_id. None by default."
  default     = null

  validation {
    condition     = var.next_external_id == null || (can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", var.next_external_id)) && try(length(var.next_external_id), 0) <= 1224)
    error_message = "next_external_id is 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -."
  }
}

variable "account_id" {
  type        = string
  description = "The account of the cluster or workgroup, 12 digits."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id is 12 digits, in quotes."
  }
}

variable "region" {
  type        = string
  description = "Its Region."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region is an AWS Region: eu-west-1."
  }
}

variable "partition" {
  type        = string
  description = "aws, aws-cn or aws-us-gov. None: the provider's own."
  default     = null

  validation {
    condition     = var.partition == null || contains(["aws", "aws-cn", "aws-us-gov"], coalesce(var.partition, "none"))
    error_message = "partition is aws, aws-cn or aws-us-gov."
  }
}

variable "cluster" {
  type        = string
  description = "Name of a provisioned cluster."
  default     = null

  validation {
    condition     = var.cluster == null || can(regex("^[a-z][a-z0-9-]{0,62}$", var.cluster))
    error_message = "cluster is the name of one cluster."
  }
}

variable "workgroup" {
  type        = string
  description = "Name of a serverless workgroup, in place of a cluster."
  default     = null

  validation {
    condition     = var.workgroup == null || can(regex("^[a-z0-9-]{3,64}$", var.workgroup))
    error_message = "workgroup is the name of one workgroup."
  }
}

variable "workgroup_id" {
  type        = string
  description = "Id of the workgroup, which its ARN has in place of the name: aws redshift-serverless get-workgroup prints it."
  default     = null

  validation {
    condition     = var.workgroup_id == null || can(regex("^[A-Za-z0-9-]{8,64}$", var.workgroup_id))
    error_message = "workgroup_id is the last part of the workgroup's ARN; a wildcard would reach every workgroup of the account."
  }
}

variable "database" {
  type        = string
  description = "The database."

  validation {
    condition     = can(regex("^[A-Za-z][A-Za-z0-9_.@+-]{0,63}$", var.database))
    error_message = "database is one name, without a wildcard."
  }
}

variable "schema" {
  type        = string
  description = "The schema that the SQL grants on."
  default     = "public"

  validation {
    condition     = can(regex("^[A-Za-z_][A-Za-z0-9_$]{0,126}$", var.schema))
    error_message = "schema is one plain name."
  }
}

variable "access" {
  type        = string
  description = "What the SQL grants on the schema: read, write or read_write."
  default     = "read_write"

  validation {
    condition     = contains(["read", "write", "read_write"], var.access)
    error_message = "access is read, write or read_write."
  }
}

variable "user" {
  type        = string
  description = "Log in as this user of a cluster's database (GetClusterCredentials). None: as the role's own user, IAMR:ROLE (GetClusterCredentialsWithIAM, or GetCredentials of a workgroup)."
  default     = null

  validation {
    condition     = var.user == null || can(regex("^[A-Za-z][A-Za-z0-9_.@+-]{0,63}$", var.user))
    error_message = "user is one name that begins with a letter, without a wildcard."
  }
}

variable "groups" {
  type        = list(string)
  description = "Groups that the user joins for the session."
  default     = []

  validation {
    condition     = alltrue([for g in var.groups : can(regex("^[a-z][a-z0-9_.@+-]{0,63}$", g))])
    error_message = "every group is one name in lower case, without a wildcard."
  }
}

variable "create_user" {
  type        = bool
  description = "Let the login make the user where it does not exist yet."
  default     = false
}

variable "describe" {
  type        = bool
  description = "Let the role ask where the cluster is. Not needed where the tenant's file has `host:` or `custom_domain:`."
  default     = true
}

variable "data_api" {
  type        = bool
  description = "`login: data_api` in the tenant's file: also run statements through the Data API; results are given to the session's own statements alone."
  default     = false
}

variable "permissions_boundary" {
  type        = string
  description = "ARN of the policy that bounds the role, where the account insists on one."
  default     = null

  validation {
    condition     = var.permissions_boundary == null || can(regex("^arn:aws(-cn|-us-gov)?:iam::([0-9]{12}|aws):policy/[!-~]+$", var.permissions_boundary))
    error_message = "permissions_boundary is the ARN of an IAM policy."
  }
}

variable "max_session_duration" {
  type        = number
  description = "Longest session, in seconds. A role that another role enters gives 3600 at most, whatever stands here; one that a Google identity enters gives up to this."
  default     = 3600

  validation {
    condition     = var.max_session_duration >= 3600 && var.max_session_duration <= 43200
    error_message = "max_session_duration is 3600 to 43200 seconds (IAM's own limits)."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags of every resource."
  default     = {}
}
