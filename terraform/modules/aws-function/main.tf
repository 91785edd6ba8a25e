# aws, aws-us-gov or aws-cn, as the provider's Region is.
data "aws_partition" "current" {}

locals {
  functions = toset(["vend", "schedule"])
  partition = data.aws_partition.current.partition
  root_arn  = "arn:${local.partition}:iam::${var.account_id}:root"
  role_arn  = "arn:${local.partition}:iam::${var.account_id}:role/${var.role_name}"
  arn       = { for f in local.functions : f => "arn:${local.partition}:lambda:${var.region}:${var.account_id}:function:${var.name}-${f}" }
  bucket    = "arn:${local.partition}:s3:::${var.catalog_bucket}"
  queue     = "arn:${local.partition}:sqs:${var.region}:${var.account_id}:${var.name}-dead-letters"
  prefix    = "live"

  # Lambda keeps an account as its root's ARN: with the id in its place every plan would replace
  # the permission, and in between nobody gets in.
  # https://github.com/hashicorp/terraform-provider-aws/issues/30722
  callers = contains(var.doors, "iam") ? toset([for c in var.callers : can(regex("^[0-9]{12}$", c)) ? "arn:${local.partition}:iam::${c}:root" : c]) : toset([])

  environment = {
    CARNET_CATALOG = "s3://${aws_s3_bucket.catalog.bucket}/${local.prefix}"
    CARNET_RUNTIME = "aws"
    CARNET_DOORS   = join(",", sort(var.doors))
  }

  statements = concat(
    [
      { Sid = "Catalog", Effect = "Allow", Action = ["s3:GetObject"], Resource = ["${local.bucket}/${local.prefix}/*"] },
      # Without it S3 says AccessDenied of a missing file, and not that it is missing.
      { Sid = "CatalogMisses", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [local.bucket] },
      { Sid = "Logs", Effect = "Allow", Action = ["logs:CreateLogStream", "logs:PutLogEvents"], Resource = [for f in sort(local.functions) : "arn:${local.partition}:logs:${var.region}:${var.account_id}:log-group:/aws/lambda/${var.name}-${f}:*"] },
      { Sid = "DeadLetters", Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.queue] },
    ],
    var.kms_key_arn == null ? [] : [{ Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [var.kms_key_arn] }],
  )

  # Statements with a condition are of another shape, and so are put beside the others as text.
  outbound = length(var.jwt_audiences) == 0 ? [] : [jsonencode({
    Sid = "ProveItself", Effect = "Allow", Action = ["sts:GetWebIdentityToken"], Resource = ["*"]
    # ForAllValues holds of no values at all, so Null stands beside it.
    Condition = {
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = sort(var.jwt_audiences) }
      Null                        = { "sts:IdentityTokenAudience" = "false" }
    }
  })]
  network = length(var.subnet_ids) == 0 ? [] : [jsonencode({
    # What Lambda needs to put a function into a network; EC2 takes no resource for these.
    Sid    = "Network", Effect = "Allow", Resource = ["*"]
    Action = ["ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
  })]
  policy = "{\"Version\":\"2012-10-17\",\"Statement\":[${join(",", concat([for s in local.statements : jsonencode(s)], local.outbound, local.network))}]}"
}

# The runtime: the one identity that the tenants' roles trust. Both functions have it, since
# one vends and the other delivers; who may invoke which is told apart below.
# Lambda is lambda.amazonaws.com in every partition, China's too.
# https://github.com/aws/aws-cdk/issues/2198
resource "aws_iam_role" "function" {
  name                 = var.role_name
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Principal = { Service = "lambda.amazonaws.com" }, Action = "sts:AssumeRole" }]
  })
}

resource "aws_iam_role_policy" "function" {
  name   = "carnet"
  role   = aws_iam_role.function.name
  policy = local.policy

  lifecycle {
    precondition {
      condition     = length(local.policy) <= 8192
      error_message = "The function's policy has ${length(local.policy)} characters, and a role's inline policies 10,240 together (IAM quotas): name fewer audiences in jwt_audiences."
    }
  }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each          = local.functions
  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# One artefact, two functions: whoever may invoke the schedule can write no event that vend
# would take for a caller's, since vend answers its URL alone.
resource "aws_lambda_function" "function" {
  for_each         = local.functions
  function_name    = "${var.name}-${each.key}"
  role             = aws_iam_role.function.arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.zip
  source_code_hash = var.zip_sha256_base64
  memory_size      = var.memory
  timeout          = each.key == "vend" ? 30 : 900
  publish          = true
  kms_key_arn      = var.kms_key_arn
  tags             = var.tags

  # The cap keeps strangers at the token door from using up the account's concurrency.
  reserved_concurrent_executions = each.key == "vend" && contains(var.doors, "token") ? var.token_door_concurrency : -1

  environment {
    variables = merge(local.environment, { CARNET_FUNCTION = each.key })
  }

  dynamic "vpc_config" {
    for_each = length(var.subnet_ids) == 0 ? [] : [1]
    content {
      subnet_ids         = var.subnet_ids
      security_group_ids = var.security_group_ids
    }
  }

  lifecycle {
    precondition {
      condition     = !contains(var.doors, "token") || var.token_door_concurrency != null
      error_message = "The token door is open to everybody: set token_door_concurrency, or strangers can use up the account's concurrency."
    }
    precondition {
      condition     = !contains(var.doors, "iam") || length(var.callers) > 0
      error_message = "Nobody may call the iam door: name the jobs' roles in callers, or open the token door alone."
    }
  }

  depends_on = [aws_iam_role_policy.function, aws_iam_role_policy_attachment.enter, aws_cloudwatch_log_group.function]
}

# A URL belongs to a function or to an alias of it: an alias for each door, and one for the
# schedule.
resource "aws_lambda_alias" "door" {
  for_each         = var.doors
  name             = each.key
  function_name    = aws_lambda_function.function["vend"].function_name
  function_version = aws_lambda_function.function["vend"].version
}

resource "aws_lambda_alias" "schedule" {
  name             = "schedule"
  function_name    = aws_lambda_function.function["schedule"].function_name
  function_version = aws_lambda_function.function["schedule"].version
}

resource "aws_lambda_function_url" "door" {
  for_each           = var.doors # and not the aliases: an import knows no more than the variables
  function_name      = aws_lambda_alias.door[each.key].function_name
  qualifier          = aws_lambda_alias.door[each.key].name
  authorization_type = each.key == "iam" ? "AWS_IAM" : "NONE" # public: the token door
  # An answer is a few kilobytes, and streaming it takes more work. The function's own default.
  invoke_mode = "BUFFERED"
}

# Since October 2025 a URL wants both permissions; InvokeFunction only by way of the URL, so
# that no caller can send an event that it has written itself.
# https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
resource "aws_lambda_permission" "iam_url" {
  for_each               = local.callers
  statement_id           = "url-${substr(sha256(each.key), 0, 16)}"
  function_name          = aws_lambda_alias.door["iam"].function_name
  qualifier              = aws_lambda_alias.door["iam"].name
  action                 = "lambda:InvokeFunctionUrl"
  principal              = each.key
  function_url_auth_type = "AWS_IAM"
}

resource "aws_lambda_permission" "iam_invoke" {
  for_each                 = local.callers
  statement_id             = "invoke-${substr(sha256(each.key), 0, 16)}"
  function_name            = aws_lambda_alias.door["iam"].function_name
  qualifier                = aws_lambda_alias.door["iam"].name
  action                   = "lambda:InvokeFunction"
  principal                = each.key
  invoked_via_function_url = true
}

resource "aws_lambda_permission" "token_url" {
  count                  = contains(var.doors, "token") ? 1 : 0
  statement_id           = "url-everybody"
  function_name          = aws_lambda_alias.door["token"].function_name
  qualifier              = aws_lambda_alias.door["token"].name
  action                 = "lambda:InvokeFunctionUrl"
  principal              = "*"    # public: the token door
  function_url_auth_type = "NONE" # public: the token door
}

resource "aws_lambda_permission" "token_invoke" {
  count                    = contains(var.doors, "token") ? 1 : 0
  statement_id             = "invoke-everybody"
  function_name            = aws_lambda_alias.door["token"].function_name
  qualifier                = aws_lambda_alias.door["token"].name
  action                   = "lambda:InvokeFunction"
  principal                = "*" # public: the token door
  invoked_via_function_url = true
}
