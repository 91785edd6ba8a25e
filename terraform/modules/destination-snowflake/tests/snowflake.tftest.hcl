variables {
  user                  = "CARNET"
  role                  = "CARNET_WRITER"
  external_id           = "6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26"
  tenant_role_arn       = "arn:aws:iam::111122223333:role/carnet-t-acme"
  aws_issuer            = "https://7c1d.tokens.sts.global.api.aws"
  tenant_google_subject = "100000000000000000002"
  database              = "SYNC"
  schema                = "SHARED"
  warehouse             = "LOADING"
}

# The ExternalId is the audience, so that a token is good for this user alone.
run "one_identity_on_each_cloud_for_one_audience" {
  command = plan
  assert {
    condition = alltrue([for line in [
      "ALTER USER CARNET ADD WORKLOAD IDENTITY carnet_aws TYPE = OIDC ISSUER = 'https://7c1d.tokens.sts.global.api.aws' SUBJECT = 'arn:aws:iam::111122223333:role/carnet-t-acme' OIDC_AUDIENCE_LIST = ('6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26');",
      "ALTER USER CARNET ADD WORKLOAD IDENTITY carnet_google TYPE = OIDC ISSUER = 'https://accounts.google.com' SUBJECT = '100000000000000000002' OIDC_AUDIENCE_LIST = ('6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26');",
    ] : strcontains(output.sql, line)])
    error_message = output.sql
  }
}

run "snowflakes_own_audience_where_it_is_wanted" {
  command = plan
  variables {
    login           = "workload_identity"
    external_id     = null
    tenant_role_arn = null
  }
  assert {
    condition     = strcontains(output.sql, "TYPE = GCP SUBJECT = '100000000000000000002';") && !strcontains(output.sql, "OIDC")
    error_message = output.sql
  }
}

run "read_grants_no_writing" {
  command = plan
  variables {
    access = "read"
  }
  assert {
    condition     = !strcontains(output.sql, "INSERT") && !strcontains(output.sql, "CREATE TABLE")
    error_message = output.sql
  }
}

run "the_users_addresses_can_be_limited" {
  command = plan
  variables {
    network_policy = "operator_addresses"
  }
  assert {
    condition     = strcontains(output.sql, "ALTER USER CARNET SET NETWORK_POLICY = OPERATOR_ADDRESSES;")
    error_message = output.sql
  }
}

# Must-have 8, here: no token without an audience of its own, no email, no pattern.
run "no_external_id_is_refused" {
  command = plan
  variables {
    external_id = null
  }
  expect_failures = [output.sql]
}

run "no_issuer_is_refused" {
  command = plan
  variables {
    aws_issuer = null
  }
  expect_failures = [output.sql]
}

run "nobody_is_refused" {
  command = plan
  variables {
    tenant_role_arn       = null
    tenant_google_subject = null
  }
  expect_failures = [output.sql]
}

run "an_email_for_the_subject_is_refused" {
  command = plan
  variables {
    tenant_google_subject = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
  }
  expect_failures = [var.tenant_google_subject]
}

run "an_administrators_role_is_refused" {
  command = plan
  variables {
    role = "accountadmin"
  }
  expect_failures = [var.role]
}

run "syntax_in_a_name_is_refused" {
  command = plan
  variables {
    user = "X; DROP USER Y"
  }
  expect_failures = [var.user]
}

run "a_quote_in_the_external_id_is_refused" {
  command = plan
  variables {
    external_id = "x') SUBJECT = ('y"
  }
  expect_failures = [var.external_id]
}

run "a_path_does_not_end_a_literal" {
  command = plan
  variables {
    tenant_role_arn = "arn:aws:iam::111122223333:role/a\\'/carnet-t-acme"
  }
  assert {
    condition     = strcontains(output.sql, "SUBJECT = 'arn:aws:iam::111122223333:role/a\\\\''/carnet-t-acme'")
    error_message = output.sql
  }
}
