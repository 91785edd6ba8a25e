mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws", dns_suffix = "amazonaws.com" }
  }
  # Where the provider takes ARNs alone. OpenTofu makes up what is mocked when it plans, Terraform
  # when it applies.
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::111122223333:policy/carnet-f-vend-tenants-0" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::111122223333:role/carnet-f-vend" }
  }
  mock_resource "aws_lambda_alias" {
    defaults = { arn = "arn:aws:lambda:eu-west-1:111122223333:function:carnet-schedule:schedule" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-west-1:111122223333:carnet-dead-letters", url = "https://sqs.eu-west-1.amazonaws.com/111122223333/carnet-dead-letters" }
  }
  mock_resource "aws_secretsmanager_secret" {
    defaults = { arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/ledger-AbCdEf" }
  }
}

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
    condition = [for key, p in aws_iam_policy.enter : jsondecode(p.policy).Statement if startswith(key, "tenants-")] == [[{
      Sid      = "Enter"
      Effect   = "Allow"
      Action   = ["sts:AssumeRole"]
      Resource = ["arn:aws:iam::111122223333:role/carnet-t-acme"]
    }]]
    error_message = jsonencode(aws_iam_policy.enter)
  }
  assert {
    condition     = alltrue([for s in jsondecode(aws_iam_role_policy.function.policy).Statement : !contains(s.Resource, "*") && !contains(s.Action, "sts:AssumeRole")])
    error_message = "a statement is for everything, or enters roles"
  }
}

# Must-have 9: a tenant's place in the lists comes from its own name, so that one tenant more
# changes one list.
run "one_tenant_more_changes_one_list" {
  command = plan
  variables {
    tenant_role_arns = [for i in range(41) : "arn:aws:iam::111122223333:role/carnet-t-${i}"]
  }
  assert {
    condition = alltrue([for key, p in aws_iam_policy.enter : alltrue([for r in jsondecode(p.policy).Statement[0].Resource :
      key == "tenants-${parseint(substr(sha256(r), 0, 8), 16) % 10}"
    ])])
    error_message = "a role is in another list than its own"
  }
  assert {
    condition     = length(flatten([for p in aws_iam_policy.enter : jsondecode(p.policy).Statement[0].Resource])) == 41 && length(aws_iam_role_policy_attachment.enter) <= 10
    error_message = "a role is in no list, or there are more lists than a role takes"
  }
}

run "a_thousand_tenants_have_room" {
  command = plan
  variables {
    tenant_role_arns = [for i in range(1000) : "arn:aws:iam::111122223333:role/carnet-t-t${1000 + i}"]
  }
  assert {
    condition     = alltrue([for p in aws_iam_policy.enter : length(p.policy) <= 6144])
    error_message = "a list is longer than a policy takes"
  }
}

run "a_list_that_is_too_long_is_refused" {
  command = plan
  variables {
    enter_policies   = 1
    tenant_role_arns = [for i in range(200) : "arn:aws:iam::111122223333:role/carnet-t-${i}"]
  }
  expect_failures = [aws_iam_policy.enter]
}

# Must-have 9: who is nobody asks for listed destinations, and the function alone enters it.
run "nobody_asks_for_destinations_and_nothing_else" {
  command = plan
  variables {
    destination_role_arns = ["arn:aws:iam::999988887777:role/acme-share"]
  }
  assert {
    condition     = [for key, p in aws_iam_policy.enter : jsondecode(p.policy).Statement[0].Resource if startswith(key, "nobody-")] == [["arn:aws:iam::999988887777:role/acme-share"]]
    error_message = jsonencode(aws_iam_policy.enter)
  }
  assert {
    condition     = alltrue([for key, a in aws_iam_role_policy_attachment.enter : a.role == (startswith(key, "nobody-") ? "carnet-nobody" : "carnet-f-vend")])
    error_message = "a list hangs on another role"
  }
  assert {
    condition     = output.nobody_role_arn == "arn:aws:iam::111122223333:role/carnet-nobody"
    error_message = "nobody's name is not known when planning"
  }
}

run "nobody_is_not_named_like_a_tenant" {
  command = plan
  variables {
    nobody_role_name = "carnet-t-nobody"
  }
  expect_failures = [var.nobody_role_name]
}

run "a_pattern_of_destinations_is_refused" {
  command = plan
  variables {
    destination_role_arns = ["arn:aws:iam::999988887777:role/*"]
  }
  expect_failures = [var.destination_role_arns]
}

# Must-have 9: tokens for written audiences, and never for none.
run "outbound_tokens_are_for_written_audiences" {
  command = plan
  variables {
    jwt_audiences = ["https://pool.example"]
  }
  assert {
    condition = [for s in jsondecode(aws_iam_role_policy.function.policy).Statement : s.Condition if s.Sid == "ProveItself"] == [{
      "ForAllValues:StringEquals" = { "sts:IdentityTokenAudience" = ["https://pool.example"] }
      Null                        = { "sts:IdentityTokenAudience" = "false" }
    }]
    error_message = aws_iam_role_policy.function.policy
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
    condition     = [for u in aws_lambda_function_url.door : u.authorization_type] == ["AWS_IAM"] && aws_lambda_function_url.door["iam"].invoke_mode == "BUFFERED"
    error_message = "the URL is not AWS_IAM and BUFFERED"
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

# An account as a caller is its root's ARN, as Lambda keeps it: a plan after the apply is empty.
run "an_account_as_a_caller_is_its_root" {
  command = plan
  variables {
    callers = ["444455556666", "arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:role/sync-worker"]
  }
  assert {
    condition     = toset([for p in concat(values(aws_lambda_permission.iam_url), values(aws_lambda_permission.iam_invoke)) : p.principal]) == toset(["arn:aws:iam::444455556666:root", "arn:aws:iam::111122223333:role/sync-worker"])
    error_message = "the permission is replaced at every plan, and in between nobody gets in"
  }
}

# GovCloud and China: nothing is named by the partition of the others.
run "every_arn_is_of_the_providers_partition" {
  command = plan
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov", dns_suffix = "amazonaws.com" }
  }
  variables {
    region                = "us-gov-west-1"
    tenant_role_arns      = ["arn:aws-us-gov:iam::111122223333:role/carnet-t-acme"]
    destination_role_arns = ["arn:aws-us-gov:iam::999988887777:role/acme-share"]
    callers               = ["444455556666"]
    key_secrets           = ["carnet/ledger"]
  }
  assert {
    condition = !strcontains(join(" ", concat(
      [output.role_arn, output.nobody_role_arn, aws_iam_role_policy.function.policy, aws_iam_role_policy.scheduler.policy, aws_iam_role.scheduler.assume_role_policy],
      [aws_iam_role.nobody[0].assume_role_policy, aws_s3_bucket_policy.catalog.policy, aws_secretsmanager_secret_policy.read["carnet/ledger"].policy],
      [for p in aws_lambda_permission.iam_url : p.principal], [for p in aws_iam_policy.enter : p.policy],
    )), "arn:aws:")
    error_message = "an ARN is of another partition: ${aws_iam_role_policy.function.policy} ${aws_s3_bucket_policy.catalog.policy}"
  }
}

run "an_iam_door_for_nobody_is_refused" {
  command = plan
  variables {
    callers = []
  }
  expect_failures = [aws_lambda_function.function]
}

# A file that somebody changed in the bucket is seen, and put back.
run "the_catalogs_files_are_compared" {
  command = plan
  variables {
    catalog_files = { "tenants/acme.yaml" = "versions.tf" }
  }
  assert {
    condition     = aws_s3_object.tenant["tenants/acme.yaml"].etag == filemd5("versions.tf") && aws_s3_object.operator.etag == md5("region: eu-west-1\n")
    error_message = "a change in the bucket would not be seen"
  }
}

# With a key the ETag is another one at each upload: it would be changed at every plan.
run "what_a_key_encrypts_is_not_compared" {
  command = apply
  variables {
    catalog_files = { "tenants/acme.yaml" = "versions.tf" }
    kms_key_arn   = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  assert {
    condition     = aws_s3_object.operator.etag != md5("region: eu-west-1\n") && aws_s3_object.tenant["tenants/acme.yaml"].etag != filemd5("versions.tf")
    error_message = "an ETag is compared with an MD5 that it is not"
  }
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
  assert {
    condition     = length(aws_scheduler_schedule.run["check"].target[0].dead_letter_config) == 1 && length(aws_lambda_function_event_invoke_config.schedule.destination_config[0].on_failure) == 1
    error_message = "what fails goes nowhere"
  }
  assert {
    condition     = toset(keys(aws_scheduler_schedule.run)) == toset(["check", "deliver"])
    error_message = "check and deliver do not run before the jobs"
  }
}

# As the bucket: nothing goes over a wire without TLS.
run "the_queue_and_the_bucket_take_tls_alone" {
  command = plan
  assert {
    condition     = alltrue([for p in [aws_sqs_queue_policy.dead_letters.policy, aws_s3_bucket_policy.catalog.policy] : [for s in jsondecode(p).Statement : [s.Effect, s.Condition.Bool]] == [["Deny", { "aws:SecureTransport" = "false" }]]])
    error_message = aws_sqs_queue_policy.dead_letters.policy
  }
  assert {
    condition     = jsondecode(aws_sqs_queue_policy.dead_letters.policy).Statement[0].Resource == ["arn:aws:sqs:eu-west-1:111122223333:carnet-dead-letters"]
    error_message = aws_sqs_queue_policy.dead_letters.policy
  }
}

# Least privilege: what was added to a role by hand is taken away.
run "no_role_has_another_inline_policy" {
  command = plan
  variables {
    key_secrets = ["carnet/ledger"]
  }
  assert {
    condition     = jsonencode({ for n, r in aws_iam_role_policies_exclusive.role : n => r.policy_names }) == jsonencode({ function = ["carnet", "secrets"], nobody = [], scheduler = ["invoke-the-schedule"] })
    error_message = jsonencode({ for n, r in aws_iam_role_policies_exclusive.role : n => r.policy_names })
  }
  assert {
    condition     = length(aws_iam_role_policy_attachments_exclusive.scheduler.policy_arns) == 0
    error_message = "a policy may be attached to the scheduler's role"
  }
}

run "a_schedule_says_what_it_runs_for" {
  command = plan
  variables {
    schedules = {
      check = { expression = "rate(1 day)", input = { action = "check", refusals = true } }
      some  = { expression = "rate(1 hour)", input = { action = "deliver", tenants = ["acme"], shard = "1/2" } }
    }
  }
  assert {
    condition     = { for n, s in aws_scheduler_schedule.run : n => jsondecode(s.target[0].input) } == { check = { action = "check", tenants = "all", refusals = true }, some = { action = "deliver", tenants = ["acme"], shard = "1/2" } }
    error_message = jsonencode({ for n, s in aws_scheduler_schedule.run : n => s.target[0].input })
  }
}

run "a_delivery_tries_no_refusals" {
  command = plan
  variables {
    schedules = { deliver = { expression = "rate(1 hour)", input = { action = "deliver", refusals = true } } }
  }
  expect_failures = [var.schedules]
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
    condition     = alltrue([for r in [aws_iam_role.function, aws_iam_role.scheduler, aws_iam_role.nobody[0]] : r.permissions_boundary == "arn:aws:iam::111122223333:policy/bound" && r.max_session_duration == 3600])
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

# Must-have 13: containers here, and no value in any state; a key is read by the function alone.
run "containers_for_secrets_with_the_key" {
  command = plan
  variables {
    key_secrets       = ["carnet/ledger"]
    delivered_secrets = ["carnet/lake"]
    kms_key_arn       = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  assert {
    condition     = aws_secretsmanager_secret.read["carnet/ledger"].kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k" && aws_secretsmanager_secret.deliver["carnet/lake"].kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k"
    error_message = "a secret without the key"
  }
  assert {
    condition     = length(aws_secretsmanager_secret_policy.read) == 1 && aws_secretsmanager_secret_policy.read["carnet/ledger"].block_public_policy
    error_message = "a key that others may read"
  }
  assert {
    condition     = strcontains(aws_secretsmanager_secret_policy.read["carnet/ledger"].policy, "\"aws:PrincipalArn\":\"arn:aws:iam::111122223333:role/carnet-f-vend\"")
    error_message = aws_secretsmanager_secret_policy.read["carnet/ledger"].policy
  }
}

# What is taken down can be restored; a trial can be put up again under the same names.
run "deleted_secrets_can_be_restored" {
  command = plan
  variables {
    key_secrets       = ["carnet/ledger"]
    delivered_secrets = ["carnet/lake"]
  }
  assert {
    condition     = aws_secretsmanager_secret.read["carnet/ledger"].recovery_window_in_days == 30 && aws_secretsmanager_secret.deliver["carnet/lake"].recovery_window_in_days == 30
    error_message = "a deleted secret is gone at once"
  }
}

run "a_trials_secrets_leave_their_names" {
  command = plan
  variables {
    key_secrets       = ["carnet/ledger"]
    delivered_secrets = ["carnet/lake"]
    force_destroy     = true
  }
  assert {
    condition     = aws_secretsmanager_secret.read["carnet/ledger"].recovery_window_in_days == 0 && aws_secretsmanager_secret.deliver["carnet/lake"].recovery_window_in_days == 0
    error_message = "a trial that is taken down cannot be put up again for 30 days"
  }
}

run "a_name_with_a_suffix_is_refused" {
  command = plan
  variables {
    key_secrets = ["carnet/ledger-Xk3fQz"]
  }
  expect_failures = [var.key_secrets]
}

run "a_secret_is_read_or_filled" {
  command = plan
  variables {
    key_secrets       = ["one"]
    delivered_secrets = ["one"]
  }
  expect_failures = [var.delivered_secrets]
}

# Must-have 13: with a key, whoever writes to what is encrypted may use it.
run "the_scheduler_may_use_the_key" {
  command = plan
  variables {
    kms_key_arn = "arn:aws:kms:eu-west-1:111122223333:key/k"
  }
  assert {
    condition     = contains([for s in jsondecode(aws_iam_role_policy.scheduler.policy).Statement : s.Resource], ["arn:aws:kms:eu-west-1:111122223333:key/k"])
    error_message = aws_iam_role_policy.scheduler.policy
  }
  assert {
    condition     = alltrue([for g in aws_cloudwatch_log_group.function : g.kms_key_id == "arn:aws:kms:eu-west-1:111122223333:key/k" && g.retention_in_days == 400])
    error_message = "logs without the key, or without an end"
  }
}

# Must-have 17: outputs are ids and URLs, and are known when planning where others are planned
# on them.
run "the_runtime_is_known_when_planning" {
  command = plan
  assert {
    condition     = output.role_arn == "arn:aws:iam::111122223333:role/carnet-f-vend"
    error_message = "not known"
  }
}
