mock_provider "aws" {
  mock_resource "aws_iam_outbound_web_identity_federation" {
    defaults = { issuer_identifier = "https://7c1d.tokens.sts.global.api.aws" }
  }
}

# The issuer is what federation takes.
run "issuer_is_given" {
  assert {
    condition     = output.issuer == "https://7c1d.tokens.sts.global.api.aws"
    error_message = output.issuer
  }
}
