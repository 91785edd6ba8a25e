# Lets the account's roles get tokens for parties outside AWS (sts:GetWebIdentityToken).
# One switch per account: where it is on already, import it.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_outbound.html
resource "aws_iam_outbound_web_identity_federation" "this" {}
