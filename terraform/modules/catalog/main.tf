# The catalog as the functions read it, for Terraform: no resource, only data and
# what must hold of all files together. `carnet catalog lint` checks each file more
# closely; this refuses what would make wrong trust.

locals {
  files    = fileset(var.catalog_dir, "tenants/*.yaml")
  decoded  = { for f in local.files : f => yamldecode(file("${var.catalog_dir}/${f}")) }
  tenants  = { for f, t in local.decoded : trimsuffix(basename(f), ".yaml") => t }
  operator = fileexists("${var.catalog_dir}/carnet.yaml") ? yamldecode(file("${var.catalog_dir}/carnet.yaml")) : null

  # The rule for names. A role has room for every name of a tenant: carnet-t- and 32
  # characters, of 64. A service account has 30, so 21 for the tenant: a name of up to
  # 20 that ends in no dash stands as it is; any other becomes its first 8 characters,
  # a dash and 12 digits of its SHA-256, always 21 long. So a short name never meets a
  # long one; that two long ones agree in 48 bits and 8 characters is refused below.
  # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
  # https://cloud.google.com/iam/docs/service-accounts-create#creating
  role_names = { for t in keys(local.tenants) : t => "carnet-t-${t}" }
  account_ids = { for t in keys(local.tenants) : t =>
    "carnet-t-${length(t) <= 20 && !endswith(t, "-") ? t : "${substr(t, 0, 8)}-${substr(sha256(t), 0, 12)}"}"
  }

  roles    = { for n, t in local.tenants : n => t.identities.aws.role if can(t.identities.aws.role) }
  accounts = { for n, t in local.tenants : n => lower(t.identities.gcp.service_account) if can(t.identities.gcp.service_account) }
  ids      = { for n, t in local.tenants : n => t.identities.aws.external_id if can(t.identities.aws.external_id) }
  next_ids = { for n, t in local.tenants : n => t.identities.aws.next_external_id if can(t.identities.aws.next_external_id) }

  # The links of explicit chains count as identities too. A role is known by account
  # and name: its path is no part of what Google sees, and names are unique without it.
  links = flatten([for n, t in local.tenants : [for d in values(try(t.destinations, {})) : [for l in try(d.chain, []) : { tenant = n, link = l }]]])
  uses = distinct(concat(
    [for n, r in local.roles : { tenant = n, identity = "${split(":", r)[4]}:${basename(r)}" }],
    [for n, a in local.accounts : { tenant = n, identity = a }],
    [for l in local.links : { tenant = l.tenant, identity = "${split(":", l.link.role)[4]}:${basename(l.link.role)}" } if can(l.link.role)],
    [for l in local.links : { tenant = l.tenant, identity = lower(l.link.service_account) } if can(l.link.service_account)],
  ))
  users = { for u in local.uses : u.identity => u.tenant... }

  # Who runs, and who is nobody: given here, or written into carnet.yaml by hand.
  functions = compact([var.runtime_role_arn, var.nobody_role_arn, try(local.operator.runtime.aws.role, "")])
  own_runtime = concat(
    [for r in local.functions : "${split(":", r)[4]}:${basename(r)}"],
    [for a in compact([var.runtime_service_account, var.nobody_service_account, try(local.operator.runtime.gcp.service_account, "")]) : lower(a)],
  )

  # carnet.yaml: what people wrote, and what only Terraform knows, which wins. A conditional
  # would want both its sides of one type, so what is not given is filtered out.
  on_aws = { for k, r in { runtime = var.runtime_role_arn, nobody = var.nobody_role_arn } : k => {
    aws = { for key, v in { role = r, region = k == "runtime" ? var.aws_region : null } : key => v if v != null }
  } if r != null }
  on_google = { for k, a in { runtime = var.runtime_service_account, nobody = var.nobody_service_account } : k => {
    gcp = { service_account = a }
  } if a != null }
  operator_file = yamlencode(merge(
    local.operator,
    { for k, v in { region = var.aws_region } : k => v if v != null },
    { for k, v in { providers = var.pool_providers } : k => v if length(v) > 0 },
    { for k in distinct(concat(keys(local.on_aws), keys(local.on_google))) : k => merge(lookup(local.on_aws, k, null), lookup(local.on_google, k, null)) },
  ))

  own_roles    = { for n, r in local.roles : n => r if var.account_id != null && split(":", r)[4] == coalesce(var.account_id, "none") }
  own_accounts = { for n, a in local.accounts : n => a if var.project_id != null && split("@", a)[1] == "${coalesce(var.project_id, "none")}.iam.gserviceaccount.com" }

  # What must be empty.
  misnamed  = [for f, t in local.decoded : f if try(t.tenant, "") != trimsuffix(basename(f), ".yaml")]
  unnamable = [for n in keys(local.tenants) : n if !can(regex("^[a-z0-9-]{1,32}$", n))]
  shared    = [for i, ts in local.users : "${i} in ${join(" and ", ts)}" if length(ts) > 1]
  runtimes  = [for i, ts in local.users : "${i} in ${join(" and ", ts)}" if contains(local.own_runtime, i)]
  by_id     = { for n, a in local.account_ids : a => n... }
  clashes   = [for a, ns in local.by_id : "${join(" and ", ns)} (${a})" if length(ns) > 1]
  offrule = concat(
    [for n, r in local.own_roles : "${n}'s role is ${basename(r)}, write ${local.role_names[n]}" if basename(r) != local.role_names[n]],
    [for n, a in local.own_accounts : "${n}'s account is ${split("@", a)[0]}, write ${local.account_ids[n]}" if split("@", a)[0] != local.account_ids[n]],
  )
  unbound     = [for n in keys(local.roles) : n if !(can(regex("^[A-Za-z0-9_+=,.@:/-]{2,}$", local.ids[n])) && try(length(local.ids[n]), 0) <= 1224)]
  bindings    = concat([for n, i in local.ids : { id = i, tenant = n }], [for n, i in local.next_ids : { id = i, tenant = n }])
  by_binding  = { for b in local.bindings : b.id => b.tenant... }
  twice_bound = [for i, ns in local.by_binding : join(" and ", ns) if length(ns) > 1]

  # Which roles the tenant's own role enters: the destination's, or the next of an
  # explicit chain in which it stands.
  ways = { for n, t in local.tenants : n => [for d in values(try(t.destinations, {})) : concat(
    can(d.chain) ? [for l in d.chain : try(l.role, "")] : [lookup(local.roles, n, "")],
    [try(d.role, "")],
  )] }
  enters = { for n, r in local.roles : n => sort(distinct(compact(flatten([for w in local.ways[n] : [for i, x in w : try(w[i + 1], "") if x == r]])))) }

  # Whoever shows itself to Snowflake gets a token for it; while an ExternalId is
  # replaced, for both.
  snowflake = { for n, t in local.tenants : n => sort(distinct(compact(flatten([for d in values(try(t.destinations, {})) :
    try(d.kind, "") != "snowflake" ? [] : try(d.login, "oidc") == "oidc" ? [try(d.external_id, ""), try(d.next_external_id, "")] : d.login == "workload_identity" ? ["snowflakecomputing.com"] : []
  ])))) }

  aws_tenants = { for n, r in local.own_roles : n => {
    role_arn         = r
    external_id      = lookup(local.ids, n, "")
    next_external_id = lookup(local.next_ids, n, null)
    enter_role_arns  = local.enters[n]
    jwt_audiences    = local.snowflake[n]
    service_account  = lookup(local.accounts, n, null)
  } }
  gcp_tenants = { for n, a in local.own_accounts : n => {
    service_account = a
    entry           = try(local.tenants[n].identities.gcp.entry, "delegate")
    tenant_role_arn = lookup(local.roles, n, null)
  } }

  # Every role of a destination that somebody else owns: who is nobody must be able to ask
  # for it, or its refusal would be our own.
  destination_roles = sort(distinct(compact(flatten([for n, t in local.tenants : [for d in values(try(t.destinations, {})) : try(d.role, "")]]))))

  first            = flatten([for n, t in local.tenants : [for d in values(try(t.destinations, {})) : d.chain[0] if can(d.chain[0])]])
  role_arns        = sort(distinct(concat(values(local.roles), [for l in local.first : l.role if can(l.role)])))
  service_accounts = sort(distinct(concat(values(local.accounts), [for l in local.first : l.service_account if can(l.service_account)])))
}
