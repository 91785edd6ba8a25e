# What runs before the jobs.

resource "aws_scheduler_schedule_group" "carnet" {
  name = var.name
  tags = var.tags
}

resource "aws_iam_role" "scheduler" {
  name                 = "carnet-f-scheduler-${var.name}"
  max_session_duration = 3600
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "scheduler.amazonaws.com" }
      Action    = "sts:AssumeRole"
      # This account's schedules of this group: the service also acts for everybody else.
      Condition = { StringEquals = {
        "aws:SourceAccount" = var.account_id
        "aws:SourceArn"     = "arn:${local.partition}:scheduler:${var.region}:${var.account_id}:schedule-group/${var.name}"
      } }
    }]
  })
}

resource "aws_iam_role_policy" "scheduler" {
  name = "invoke-the-schedule"
  role = aws_iam_role.scheduler.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        { Effect = "Allow", Action = ["lambda:InvokeFunction"], Resource = ["${local.arn["schedule"]}:schedule"] },
        { Effect = "Allow", Action = ["sqs:SendMessage"], Resource = [local.queue] },
      ],
      # It reads its own schedule's input, and writes to the queue.
      # https://docs.aws.amazon.com/scheduler/latest/UserGuide/encryption-rest.html
      [for k in compact([var.kms_key_arn]) : { Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = [k] }],
    )
  })
}

resource "aws_sqs_queue" "dead_letters" {
  name                      = "${var.name}-dead-letters"
  message_retention_seconds = 1209600 # 14 days, the most
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_sqs_queue_policy" "dead_letters" {
  queue_url = aws_sqs_queue.dead_letters.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLSAlone"
      Effect    = "Deny"
      Principal = { AWS = [local.root_arn] }
      Action    = "sqs:*"
      Resource  = [local.queue]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })
}

resource "aws_scheduler_schedule" "run" {
  for_each                     = var.schedules
  name                         = each.key
  group_name                   = aws_scheduler_schedule_group.carnet.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = each.value.timezone
  kms_key_arn                  = var.kms_key_arn

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_alias.schedule.arn
    role_arn = aws_iam_role.scheduler.arn
    input    = jsonencode(merge({ tenants = "all" }, { for k, v in each.value.input : k => v if v != null }))

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters.arn
    }
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }
  }
}

# The invocation is asynchronous: this is about runs that fail, the schedule's own policy about
# invocations that do.
resource "aws_lambda_function_event_invoke_config" "schedule" {
  function_name                = aws_lambda_alias.schedule.function_name
  qualifier                    = aws_lambda_alias.schedule.name
  maximum_event_age_in_seconds = 3600
  maximum_retry_attempts       = 2

  destination_config {
    on_failure {
      destination = aws_sqs_queue.dead_letters.arn
    }
  }
}
