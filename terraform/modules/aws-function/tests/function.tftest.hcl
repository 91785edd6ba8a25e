mock_provider "aws" {}

variables {
  account_id       = "111122223333"
  region           = "eu-west-1"
  zip              = "bootstrap.zip"
  catalog_bucket   = "operator-carnet-catalog"
  catalog_files    = {}
  operator_file    = "region: eu-west-1\n"
  tenant_role_arns = ["arn:aws:iam::111122223333:role/carnet-t-acme"]
  callers          = ["arn:aws:iam::111122223333:role/sync-worker"]
}

# Must-have 9: the function enters roles that are listed, and none by a pattern.
run "the_function_enters_listed_roles" {
  command = plan
  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s if s.Sid == "EnterTenants"][0] == {
      Sid      = "EnterTenants"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = ["arn:aws:iam::111122223333:role/carnet-t-acme"]
    }
    error_message = aws_iam_role_policy.function.policy
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.function.policy).Statement : !contains(s.Resource, "*")])
    error_message = "a statement is for everything"
  }
}

run "a_pattern_of_roles_is_refused" {
  command = plan
  variables {
    tenant_role_arns = ["arn:aws:iam::111122223333:role/carnet-t-*"]
  }
  expect_failures = [var.tenant_role_arns]
}

# Must-have 10: IAM at the URL by default, streamed, and both permissions.
run "the_url_is_iams_by_default" {
  command = plan
  assert {
    condition     = [for u in aws_lambda_function_url.door : u.authorization_type] == ["AWS_IAM"] && aws_lambda_function_url.door["iam"].invoke_mode == "RESPONSE_STREAM"
    error_message = "the URL is not AWS_IAM and RESPONSE_STREAM"
  }
  assert {
    condition     = length(aws_lambda_permission.token_url) == 0 && length(aws_lambda_permission.token_invoke) == 0
    error_message = "a public permission without the token door"
  }
  assert {
    condition     = alltrue([for p in aws_lambda_permission.iam_url : p.action == "lambda:InvokeFunctionUrl" && p.function_url_auth_type == "AWS_IAM"])
    error_message = "the URL's permission"
  }
  assert {
    condition     = alltrue([for p in aws_lambda_permission.iam_invoke : p.action == "lambda:InvokeFunction" && p.invoked_via_function_url])
    error_message = "InvokeFunction is granted without the URL: a caller could write its own event"
  }
}

# Must-have 10: the token door only beside a cap.
run "the_token_door_wants_a_cap" {
  command = plan
  variables {
    doors = ["token"]
  }
  expect_failures = [aws_lambda_function.function]
}

run "the_token_door_with_its_cap" {
  command = plan
  variables {
    doors                  = ["token"]
    callers                = []
    token_door_concurrency = 20
  }
  assert {
    condition     = aws_lambda_function.function["vend"].reserved_concurrent_executions == 20 && aws_lambda_function_url.door["token"].authorization_type == "NONE"
    error_message = "the cap is not on the function"
  }
}

run "everybody_is_no_caller" {
  command = plan
  variables {
    callers = ["*"]
  }
  expect_failures = [var.callers]
}

run "an_iam_door_for_nobody_is_refused" {
  command = plan
  variables {
    callers = []
  }
  expect_failures = [aws_lambda_function.function]
}

# Must-have 11: the scheduler's role is for this account's schedules of this group, and for
# one function.
run "the_scheduler_is_held_to_its_group" {
  command = plan
  assert {
    condition = jsondecode(aws_iam_role.scheduler.assume_role_policy).Statement[0].Condition == { StringEquals = {
      "aws:SourceAccount" = "111122223333"
      "aws:SourceArn"     = "arn:aws:scheduler:eu-west-1:111122223333:schedule-group/carnet"
    } }
    error_message = aws_iam_role.scheduler.assume_role_policy
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.scheduler.policy).Statement[0].Resource == ["arn:aws:lambda:eu-west-1:111122223333:function:carnet-schedule:schedule"]
    error_message = aws_iam_role_policy.scheduler.policy
  }
  assert {
    condition     = aws_scheduler_schedule.run["check"].target[0].retry_policy[0].maximum_retry_attempts == 3
    error_message = "no retry policy"
  }
}

run "a_schedule_knows_two_actions" {
  command = plan
  variables {
    schedules = { vend = { expression = "rate(1 hour)", input = { action = "vend" } } }
  }
  expect_failures = [var.schedules]
}

# Must-have 16: two functions of one artefact, the URL on vend alone.
run "two_functions_one_url" {
  command = plan
  assert {
    condition     = toset(keys(aws_lambda_function.function)) == toset(["vend", "schedule"]) && alltrue([for f in aws_lambda_function.function : f.filename == "bootstrap.zip" && f.runtime == "provided.al2023"])
    error_message = "not two functions of one artefact"
  }
  assert {
    condition     = alltrue([for u in aws_lambda_function_url.door : u.function_name == "carnet-vend"])
    error_message = "a URL on the schedule"
  }
  assert {
    condition     = aws_lambda_function.function["schedule"].environment[0].variables.CARNET_FUNCTION == "schedule"
    error_message = "the schedule does not know what it is"
  }
}

# Must-have 16: a fixed egress as an option.
run "a_network_of_ones_own" {
  command = plan
  variables {
    subnet_ids         = ["subnet-1"]
    security_group_ids = ["sg-1"]
  }
  assert {
    condition     = aws_lambda_function.function["vend"].vpc_config[0].subnet_ids == toset(["subnet-1"])
    error_message = "not in the network"
  }
}

run "subnets_want_security_groups" {
  command = plan
  variables {
    subnet_ids = ["subnet-1"]
  }
  expect_failures = [var.security_group_ids]
}

# Must-have 17: logs end, alarms stand.
run "logs_do_not_stay_for_ever" {
  command = plan
  variables {
    log_retention_days = 0
  }
  expect_failures = [var.log_retention_days]
}

run "alarms_stand_on_errors_throttles_and_failed_checks" {
  command = plan
  assert {
    condition     = alltrue([for a in ["vend-errors", "schedule-errors", "vend-throttles", "checks-failed", "deliveries-failed", "dead-letters"] : contains(keys(aws_cloudwatch_metric_alarm.carnet), a)])
    error_message = "an alarm is missing"
  }
}

# Must-have 9: every role has a boundary where the account wants one.
run "the_boundary_is_on_every_role" {
  command = plan
  variables {
    permissions_boundary = "arn:aws:iam::111122223333:policy/bound"
  }
  assert {
    condition     = aws_iam_role.function.permissions_boundary == "arn:aws:iam::111122223333:policy/bound" && aws_iam_role.scheduler.permissions_boundary == "arn:aws:iam::111122223333:policy/bound"
    error_message = "a role without the boundary"
  }
}

# Must-have 13: secrets one by one.
run "secrets_are_listed" {
  command = plan
  variables {
    read_secret_arns = ["arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"]
  }
  expect_failures = [var.read_secret_arns]
}
