output "tenants" {
  description = "Every tenant's file, decoded, by name."
  value       = local.tenants

  precondition {
    condition     = length(local.misnamed) == 0
    error_message = "These files do not carry the name that stands in them as `tenant:`: ${join(", ", local.misnamed)}. Rename the file or the tenant."
  }
  precondition {
    condition     = length(local.unnamable) == 0
    error_message = "These are no names for tenants: ${join(", ", local.unnamable)}. A tenant's file is called by 1 to 32 of a-z, 0-9 and -."
  }
  precondition {
    condition     = length(local.shared) == 0
    error_message = "One identity in two tenants: ${join("; ", local.shared)}. Google knows no ExternalId, so the identity itself keeps tenants apart: give each its own."
  }
  precondition {
    condition     = length(local.runtimes) == 0
    error_message = "The function's own identity stands as a tenant's: ${join("; ", local.runtimes)}. A chain never ends where it began."
  }
  precondition {
    condition     = length(local.clashes) == 0
    error_message = "Two tenants would have one name in a cloud: ${join(", ", local.clashes)}. Rename one of them."
  }
  precondition {
    condition     = length(local.offrule) == 0
    error_message = "The operator's own identities follow the tenant's name: ${join("; ", local.offrule)}."
  }
  precondition {
    condition     = length(local.unbound) == 0
    error_message = "These tenants' roles have no external_id: ${join(", ", local.unbound)}. Make one with `carnet catalog add`."
  }
  precondition {
    condition     = length(local.twice_bound) == 0
    error_message = "One external_id in two tenants: ${join("; ", local.twice_bound)}. It binds a role to one tenant: make another."
  }
}

output "files" {
  description = "What to upload beside carnet.yaml: name in the bucket → file here."
  value       = { for f in local.files : f => "${var.catalog_dir}/${f}" }
}

output "operator" {
  description = "carnet.yaml, decoded; {} where there is none."
  value       = local.operator
}

output "operator_file" {
  description = "The text of carnet.yaml as the functions read it: what people wrote, with the runtime and the providers."
  value       = local.operator_file
}

output "names" {
  description = "The names that a tenant's identities have in the operator's account and project: role_name and account_id, by tenant."
  value       = { for t in keys(local.tenants) : t => { role_name = local.role_names[t], account_id = local.account_ids[t] } }
}

output "aws_tenants" {
  description = "Tenants whose role is the operator's to make, by name: role_arn, external_id, next_external_id, enter_role_arns, jwt_audiences, service_account (the tenant's own, or null)."
  value       = local.aws_tenants
}

output "gcp_tenants" {
  description = "Tenants whose account is the operator's to make, by name: service_account, entry, tenant_role_arn (the tenant's own, or null)."
  value       = local.gcp_tenants
}

output "role_arns" {
  description = "Every role that the function itself enters: what its policy lists, exact."
  value       = local.role_arns
}

output "service_accounts" {
  description = "Every service account that the function itself enters."
  value       = local.service_accounts
}

output "destination_role_arns" {
  description = "Every role of a destination: what `nobody` asks for in vain."
  value       = local.destination_roles
}
