# Which roles the function enters: each is listed, never a pattern, so that a role which
# somebody makes tomorrow is not entered. A list takes 6,144 characters and a role ten lists,
# 25 where the quota is raised. A role's place comes from its own name, so that one tenant
# more changes one list.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html

locals {
  asked = merge(
    { for r in var.tenant_role_arns : "tenants ${r}" => { of = "tenants", arn = r } },
    { for r in var.destination_role_arns : "nobody ${r}" => { of = "nobody", arn = r } if var.nobody_role_name != null },
  )
  lists = { for a in local.asked : "${a.of}-${parseint(substr(sha256(a.arn), 0, 8), 16) % var.enter_policies}" => a.arn... }
  enter = { for key, arns in local.lists : key => jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Sid = "Enter", Effect = "Allow", Action = ["sts:AssumeRole"], Resource = sort(arns) }]
  }) }
}

resource "aws_iam_policy" "enter" {
  for_each = local.enter
  name     = "${var.role_name}-${each.key}"
  path     = "/"
  policy   = each.value
  tags     = var.tags

  lifecycle {
    precondition {
      condition     = length(each.value) <= 6144
      error_message = "A list of roles has ${length(each.value)} characters, and a policy 6,144 (IAM quotas): raise enter_policies, to 25 with the quota of managed policies per role; do without ${startswith(each.key, "nobody-") ? "nobody_role_name" : "so many tenants in one deployment"}."
    }
  }
}

resource "aws_iam_role_policy_attachment" "enter" {
  for_each   = local.enter
  role       = startswith(each.key, "tenants-") ? aws_iam_role.function.name : aws_iam_role.nobody[0].name
  policy_arn = aws_iam_policy.enter[each.key].arn
}

# Who asks for a destination in vain: no trust policy of a tenant or of a third party names
# it, so whatever lets it in is open to more than the tenant. It can ask for the destinations'
# roles and do nothing else, and the function alone enters it.
resource "aws_iam_role" "nobody" {
  count                = var.nobody_role_name == null ? 0 : 1
  name                 = var.nobody_role_name
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { AWS = local.role_arn }, Action = "sts:AssumeRole" }]
  })
  depends_on = [aws_iam_role.function] # IAM takes no principal that does not stand
}

# What somebody adds to these roles by hand is shown by the next plan, and taken away. The lists
# that are attached to the function's role and to nobody's come and go with the tenants: their
# attachments are left out, so that one tenant more touches nothing else.
resource "aws_iam_role_policies_exclusive" "role" {
  for_each = merge(
    { function = { role = aws_iam_role.function.name, policies = concat([aws_iam_role_policy.function.name], aws_iam_role_policy.secrets[*].name) } },
    { scheduler = { role = aws_iam_role.scheduler.name, policies = [aws_iam_role_policy.scheduler.name] } },
    { for n in compact([var.nobody_role_name]) : "nobody" => { role = aws_iam_role.nobody[0].name, policies = [] } },
  )
  role_name    = each.value.role
  policy_names = each.value.policies
}

resource "aws_iam_role_policy_attachments_exclusive" "scheduler" {
  role_name   = aws_iam_role.scheduler.name
  policy_arns = []
}
