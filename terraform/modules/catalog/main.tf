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

  own_runtime = compact([
    try("${split(":", local.operator.runtime.aws.role)[4]}:${basename(local.operator.runtime.aws.role)}", ""),
    try(lower(local.operator.runtime.gcp.service_account), ""),
  ])

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
  by_binding  = { for n, i in local.ids : i => n... }
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
    role_arn        = r
    external_id     = lookup(local.ids, n, "")
    enter_role_arns = local.enters[n]
    jwt_audiences   = local.snowflake[n]
    service_account = lookup(local.accounts, n, null)
  } }
  gcp_tenants = { for n, a in local.own_accounts : n => {
    service_account = a
    entry           = try(local.tenants[n].identities.gcp.entry, "delegate")
    tenant_role_arn = lookup(local.roles, n, null)
  } }

  first            = flatten([for n, t in local.tenants : [for d in values(try(t.destinations, {})) : d.chain[0] if can(d.chain[0])]])
  role_arns        = sort(distinct(concat(values(local.roles), [for l in local.first : l.role if can(l.role)])))
  service_accounts = sort(distinct(concat(values(local.accounts), [for l in local.first : l.service_account if can(l.service_account)])))
}
