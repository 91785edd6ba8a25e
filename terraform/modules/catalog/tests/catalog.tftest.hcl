variables {
  catalog_dir = "./tests/good"
  account_id  = "111122223333"
  project_id  = "operator-prod"
}

# The operator's own identities, and what they enter, straight from the files.
run "a_tenants_role_enters_what_its_file_says" {
  command = plan
  assert {
    condition     = keys(output.aws_tenants) == ["acme"]
    error_message = "a role of another account would be made here"
  }
  assert {
    condition     = output.aws_tenants["acme"].enter_role_arns == tolist(["arn:aws:iam::999988887777:role/acme-hub", "arn:aws:iam::999988887777:role/acme-share"])
    error_message = jsonencode(output.aws_tenants["acme"].enter_role_arns)
  }
  assert {
    condition     = output.aws_tenants["acme"].jwt_audiences == tolist(["6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26"])
    error_message = jsonencode(output.aws_tenants["acme"].jwt_audiences)
  }
}

# Must-have 9: the function's policy lists every role that it enters, and no others.
run "the_function_enters_listed_roles" {
  command = plan
  assert {
    condition     = output.role_arns == tolist(["arn:aws:iam::111122223333:role/carnet-t-acme", "arn:aws:iam::777766665555:role/theirs"])
    error_message = jsonencode(output.role_arns)
  }
}

# Must-have 1: derived names obey each cloud's limit.
run "names_obey_the_limits" {
  command = plan
  assert {
    condition     = alltrue([for n in values(output.names) : length(n.role_name) <= 64 && can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", n.account_id))])
    error_message = jsonencode(output.names)
  }
  assert {
    condition     = output.names["acme"].account_id == "carnet-t-acme" && length(output.names["a-name-of-32-characters-and-more"].account_id) == 30
    error_message = jsonencode(output.names)
  }
}

# Must-have 15: no identity stands in two tenants' files.
run "shared_account_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/shared-account"
    account_id  = null # so that no rule for names speaks
    project_id  = null
  }
  expect_failures = [output.tenants]
}

# Must-have 15 and 2: a path does not make it another role.
run "shared_role_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/shared-role"
    account_id  = null # so that no rule for names speaks
    project_id  = null
  }
  expect_failures = [output.tenants]
}

# Must-have 15: nor as a link of an explicit chain.
run "shared_link_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/shared-link"
    account_id  = null # so that no rule for names speaks
    project_id  = null
  }
  expect_failures = [output.tenants]
}

# Must-have 9: an ExternalId of its own.
run "shared_binding_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/shared-binding"
  }
  expect_failures = [output.tenants]
}

run "unbound_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/unbound"
  }
  expect_failures = [output.tenants]
}

# The file's name is the tenant's.
run "misnamed_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/misnamed"
    account_id  = null
    project_id  = null
  }
  expect_failures = [output.tenants]
}

run "unnamable_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/unnamable"
  }
  expect_failures = [output.tenants]
}

# Must-have 1: the reserved prefix, and a name that no other tenant has.
run "off_rule_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/off-rule"
  }
  expect_failures = [output.tenants]
}

# The function's own identity is nobody's tenant.
run "runtime_is_refused" {
  command = plan
  variables {
    catalog_dir = "./tests/runtime"
    account_id  = null # so that no rule for names speaks
    project_id  = null
  }
  expect_failures = [output.tenants]
}

# Must-have 9: one that takes over is an ExternalId too.
run "shared_binding_while_one_is_rotated_is_refused" {
  command = plan
  variables {
    catalog_dir = "tests/rotated-binding"
  }
  expect_failures = [output.tenants]
}

# The function's own identity is no link of a chain either, though Terraform alone knows it.
run "a_chain_through_the_runtime_is_refused" {
  command = plan
  variables {
    catalog_dir      = "tests/through-runtime"
    runtime_role_arn = "arn:aws:iam::111122223333:role/carnet-f-vend"
  }
  expect_failures = [output.tenants]
}

run "one_that_takes_over_is_passed_on" {
  command = plan
  variables {
    catalog_dir = "tests/given"
  }
  assert {
    condition     = output.aws_tenants["acme"].next_external_id == "0f1e2d3c-4b5a-4697-8879-6a5b4c3d2e1f"
    error_message = jsonencode(output.aws_tenants)
  }
}

# What only Terraform knows stands in carnet.yaml beside what people wrote.
run "the_operators_file_is_completed" {
  command = plan
  variables {
    catalog_dir            = "tests/given"
    runtime_role_arn       = "arn:aws:iam::111122223333:role/carnet-f-vend"
    nobody_role_arn        = "arn:aws:iam::111122223333:role/carnet-nobody"
    nobody_service_account = "carnet-nobody@operator-prod.iam.gserviceaccount.com"
    aws_region             = "eu-west-1"
    pool_providers         = [{ name = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q", kind = "aws", account = "111122223333" }]
  }
  assert {
    condition = jsonencode(yamldecode(output.operator_file)) == jsonencode({
      google_audience = "https://carnet.example"
      nobody          = { aws = { role = "arn:aws:iam::111122223333:role/carnet-nobody" }, gcp = { service_account = "carnet-nobody@operator-prod.iam.gserviceaccount.com" } }
      providers       = [{ account = "111122223333", kind = "aws", name = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q" }]
      region          = "eu-west-1"
      runtime         = { aws = { region = "eu-west-1", role = "arn:aws:iam::111122223333:role/carnet-f-vend" } }
    })
    error_message = output.operator_file
  }
}
