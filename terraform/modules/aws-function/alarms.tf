locals {
  alarms = merge(
    { for f in local.functions : "${f}-errors" => { namespace = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = "${var.name}-${f}" }, period = 300 } },
    { for f in local.functions : "${f}-throttles" => { namespace = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = "${var.name}-${f}" }, period = 300 } },
    { for m in ["checks_failed", "deliveries_failed"] : replace(m, "_", "-") => { namespace = "carnet", metric = m, dimensions = { function = "${var.name}-schedule" }, period = 3600 } },
    { dead-letters = { namespace = "AWS/SQS", metric = "ApproximateNumberOfMessagesVisible", dimensions = { QueueName = "${var.name}-dead-letters" }, period = 300 } },
  )
}

resource "aws_cloudwatch_metric_alarm" "carnet" {
  for_each            = local.alarms
  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = "carnet: ${each.value.metric} is above nothing; docs/operate.md says what to do"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  period              = each.value.period
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
  tags                = var.tags
}
