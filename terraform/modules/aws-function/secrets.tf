# Containers for secrets. What is in them never passes through Terraform: people put private
# keys in (`aws secretsmanager put-secret-value`), and the schedule what it delivers. A root
# that must put a value in writes aws_secretsmanager_secret_version with secret_string_wo,
# which no state holds.

locals {
  # A deleted secret keeps its name while it can be restored: 7 to 30 days, or 0, at once.
  # https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
  recovery_days = var.force_destroy ? 0 : 30
}

resource "aws_secretsmanager_secret" "read" {
  for_each                = var.key_secrets
  name                    = each.key
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = local.recovery_days
  tags                    = var.tags
}

# Nobody else of the account reads a key, whatever its own policies say.
resource "aws_secretsmanager_secret_policy" "read" {
  for_each            = var.key_secrets
  secret_arn          = aws_secretsmanager_secret.read[each.key].arn
  block_public_policy = true
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TheFunctionAlone"
      Effect    = "Deny"
      Principal = { AWS = local.root_arn }
      Action    = "secretsmanager:GetSecretValue"
      Resource  = "*"
      Condition = { ArnNotEquals = { "aws:PrincipalArn" = local.role_arn } }
    }]
  })
}

resource "aws_secretsmanager_secret" "deliver" {
  for_each                = var.delivered_secrets
  name                    = each.key
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = local.recovery_days
  tags                    = var.tags
}

locals {
  read_arns    = concat(sort(var.read_secret_arns), [for s in values(aws_secretsmanager_secret.read) : s.arn])
  deliver_arns = concat(sort(var.deliver_secret_arns), [for s in values(aws_secretsmanager_secret.deliver) : s.arn])
  secrets = concat(
    length(local.read_arns) == 0 ? [] : [{ Sid = "ReadKeys", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = local.read_arns }],
    length(local.deliver_arns) == 0 ? [] : [{ Sid = "Deliver", Effect = "Allow", Action = ["secretsmanager:PutSecretValue", "secretsmanager:DescribeSecret"], Resource = local.deliver_arns }],
  )
}

# Whether there is anything to read or fill, from the variables alone: an import knows no more.
resource "aws_iam_role_policy" "secrets" {
  count  = length(var.key_secrets) + length(var.delivered_secrets) + length(var.read_secret_arns) + length(var.deliver_secret_arns) == 0 ? 0 : 1
  name   = "secrets"
  role   = aws_iam_role.function.name
  policy = jsonencode({ Version = "2012-10-17", Statement = local.secrets })
}
