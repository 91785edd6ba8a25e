package mend

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/trust"
)

// A remedy says of a cause what is wrong, how to tell, and what to type.
type remedy struct {
	what  func(fault) string
	tell  string
	text  func(fault) string
	after string // how long until it counts
}

// elsewhere says where a cause is mended, if not in the account or project of what refused.
func elsewhere(code string) string {
	switch code {
	case "chained_duration", "malformed_policy", "packed_policy", "session_too_short", "access_boundary", "file", "snowflake_account", "database_missing":
		return "the tenant's file"
	case "wrong_form":
		return "carnet.yaml"
	case "endpoint_policy":
		return "the network of the process that asks"
	case "clock", "session_expired", "session_invalid", "runtime_identity", "insufficient_scope", "token_refused", "proof_expired", "proof_rejected", "aws_refused_proof", "deadline":
		return "the process that asks"
	case "throttled", "unavailable", "issuer_unreachable", "issuer_keys":
		return "the cloud itself: it passes"
	}
	return ""
}

func (r remedy) tellIn(f fault) string { return f.filled(r.tell) }

// accountOf is the number of an ARN's account.
func accountOf(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return "ACCOUNT"
}

var blank = regexp.MustCompile(`\b(FROM|TO|AT|ROLE|PROJECT|ACCOUNT|REGION)\b`)

// filled writes names into the blanks of a text.
func (f fault) filled(text string) string {
	words := map[string]string{"FROM": f.from, "TO": f.to, "AT": f.at(), "ROLE": name(f.at()), "PROJECT": f.project(), "ACCOUNT": accountOf(f.at()), "REGION": cmp.Or(f.Operator.Region, f.Operator.Runtime.AWS.Region)}
	return blank.ReplaceAllStringFunc(text, func(word string) string { return words[word] })
}

const (
	iamSpreads    = "A change of a policy on AWS counts within seconds, at times after a minute. `--wait 2m` looks again until it does."
	googleSpreads = "A new binding on Google Cloud counts after two minutes as a rule, at times after seven or more. `--wait 7m` looks again until it does."
)

// says writes a sentence about the edge.
func says(format string, parts ...string) func(fault) string {
	return func(f fault) string {
		words := map[string]string{"from": f.from, "to": f.to, "at": f.at(), "dest": f.Tenant.Name + "/" + f.dest, "project": f.project(), "said": f.said, "says": f.Says}
		args := make([]any, len(parts))
		for i, p := range parts {
			args[i] = words[p]
		}
		return fmt.Sprintf(format, args...)
	}
}

func steps(text string) func(fault) string {
	return func(f fault) string { return f.filled(text) }
}

// name is a role's, without its path.
func name(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// theirs writes what the owner of what is entered applies; own, what the owner of who
// enters does.
func theirs(f fault) string { return f.applied(f.Owner, f.to, nil) }

func own(f fault) string {
	return f.applied(f.Owner, f.from, (*trust.Sheet).WithoutTrust)
}

// switchedOn also lets in a user that was disabled.
func switchedOn(f fault) string {
	return f.sql() + "\n-- Where the user was disabled:\nALTER USER " + trust.SnowflakeName(f.file.Snowflake.User) + " SET DISABLED = FALSE;\n"
}

// tightened writes the whole of what should be there. On Google Cloud and in Snowflake more
// than that may be there already, which nobody here can see.
func tightened(f fault) string {
	switch {
	case f.file.Role != nil:
		return theirs(f)
	case f.file.ServiceAccount != nil:
		return steps("gcloud iam service-accounts get-iam-policy TO\n# Take out every member but the ones below, and allUsers and allAuthenticatedUsers first.\n")(f) + theirs(f)
	}
	return "-- DESCRIBE USER shows the workload identities: take out each that is not below.\n" + f.sql()
}

func updated(f fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string { return p.Update(k, f.issuer()) })
}

func enabled(f fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string { return p.Enable(k) })
}

func created(f fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string {
		return "# A pool or provider that was deleted keeps its name for 30 days: undelete brings it back.\n" + p.Create(k, f.issuer()) + p.Update(k, f.issuer())
	})
}

func projectAPI(f fault) string {
	return "gcloud services enable iamcredentials.googleapis.com --project " + f.project() + "\n"
}

func accountOn(f fault) string {
	return "gcloud iam service-accounts enable " + f.at() + " --project " + f.project() + "\n"
}

// reader lets the runtime read the secret.
func reader(f fault) string {
	if strings.HasPrefix(f.to, "arn:") {
		return f.applied(exchange.Operator, f.from, (*trust.Sheet).WithoutTrust)
	}
	secret, _, _ := strings.Cut(f.to, "/versions/")
	return f.applied(exchange.Operator, secret, nil)
}

// remedies by the code of the cause. What a cloud's page says of it stands in docs/diagnose.md.
var remedies = map[string]remedy{
	"trust_policy": {
		says("%s does not let %s in with the ExternalId or audience of %s, or there is no such role.", "to", "from", "dest"),
		"In the account of TO: `aws iam get-role --role-name ROLE` shows the trust policy. If it reads as below, this is not the cause, unless the role that it names was deleted and created again: the new one has another internal id, so apply the policy once more.",
		theirs, iamSpreads,
	},
	"caller_policy": {
		says("No policy of %s allows sts:AssumeRole on %s.", "from", "to"),
		"In the account of FROM: `aws iam simulate-principal-policy --policy-source-arn FROM --action-names sts:AssumeRole --resource-arns TO` answers allowed if it is not this.",
		own, iamSpreads,
	},
	"explicit_deny": {
		says("A policy of %s denies sts:AssumeRole on %s. A deny counts before every allow.", "from", "to"), "",
		steps("aws iam simulate-principal-policy --policy-source-arn FROM --action-names sts:AssumeRole --resource-arns TO\n# names the statement that denies, in matchedStatements: take that out, or narrow it.\n# After an emergency, `carnet catalog enable` and docs/emergency.md say how a deny is lifted.\n"), iamSpreads,
	},
	"role_denies": {
		says("The trust policy of %s denies %s.", "to", "from"), "",
		theirs, iamSpreads,
	},
	"permissions_boundary": {
		says("The permissions boundary of %s does not allow sts:AssumeRole on %s.", "from", "to"), "",
		steps("aws iam get-role --role-name ROLE --query Role.PermissionsBoundary\n# names the boundary, a policy of the account of FROM. It needs this statement beside its own:\n# {\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"TO\"}\n"), iamSpreads,
	},
	"organization_policy": {
		says("A service control policy above %s forbids sts:AssumeRole on %s.", "from", "to"), "",
		steps("# In the organization's management account:\naws organizations list-policies-for-target --target-id ACCOUNT --filter SERVICE_CONTROL_POLICY\n# and the same for the units above it. The one that denies sts:AssumeRole lets this role be with\n# {\"Condition\":{\"ArnNotEquals\":{\"aws:PrincipalArn\":\"FROM\"}}}\n# in its statement; one that only allows needs sts:AssumeRole among its actions.\n"), iamSpreads,
	},
	"organization_policy_far": {
		says("A resource control policy above %s forbids that %s assumes it.", "to", "from"),
		"The trust policy reads as it should, and is refused all the same, if it is this.",
		steps("# In the management account of the organization of TO:\naws organizations list-policies-for-target --target-id ACCOUNT --filter RESOURCE_CONTROL_POLICY\n# and the same for the units above it. The one that keeps others out of sts:AssumeRole or sts:AssumeRoleWithWebIdentity lets this role be with\n# {\"NotResource\":\"TO\"}\n# in the place of its Resource: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html\n"), iamSpreads,
	},
	"endpoint_policy": {
		says("The VPC endpoint for STS does not allow sts:AssumeRole on %s.", "to"), "",
		steps("aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws.REGION.sts --query 'VpcEndpoints[].PolicyDocument'\n# shows the policy. It needs this statement:\n# {\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"FROM\"},\"Action\":\"sts:AssumeRole\",\"Resource\":\"TO\"}\n"), iamSpreads,
	},
	"session_duration": {
		says("The file of %s asks for sessions that are longer than the MaxSessionDuration of %s.", "dest", "to"), "",
		func(f fault) string {
			return fmt.Sprintf("aws iam update-role --role-name %s --max-session-duration %d\n# or a shorter lifetime: in the tenant's file.\n", name(f.to), int(f.file.Lifetime.Seconds()))
		}, iamSpreads,
	},
	"chained_duration": {
		says("%s is entered from a role, and so gives one hour at the most.", "to"), "",
		steps("# In the tenant's file: take lifetime: out, or write 1h or less.\n"), "",
	},
	"malformed_policy": {
		says("AWS does not read the session policy for %s: %s", "dest", "said"), "",
		steps("# Look at bucket, prefixes and kms_key in the tenant's file, and report the audit record of this request_id as a defect of carnet.\n"), "",
	},
	"packed_policy": {
		says("The session policy for %s is too large when packed: %s", "dest", "said"), "",
		steps("# In the tenant's file: fewer or shorter prefixes, or the folder above them.\n"), "",
	},
	"region_disabled": {
		says("The token service of this Region is switched off in the account of %s.", "to"), "",
		steps("# In the account of TO, in the IAM console: Account settings, Security Token Service, REGION: activate.\n# Where the whole Region is off:\naws account enable-region --region-name REGION\n# Or the region: of carnet.yaml to one that is on there.\n"), "Switching a Region on takes minutes to hours.",
	},
	"session_expired": {
		says("The credentials of %s, which sign the call, have expired.", "from"), "",
		steps("# On a function: deploy once more, so that Lambda takes fresh ones. In a pod: restart it. By hand: get new credentials.\n# If it comes back at once, the sessions of FROM were taken back (aws:TokenIssueTime in one of its policies): docs/emergency.md.\n"), "",
	},
	"session_invalid": {
		says("AWS does not know the credentials of %s, which sign the call.", "from"), "",
		steps("# Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of this process: they belong together, and to the role FROM.\n"), "",
	},
	"clock": {
		says("This machine's clock is off: %s", "said"),
		"Compare `date -u` here with `curl -sI https://sts.amazonaws.com | grep -i ^date`: more than five minutes apart, and it is this.",
		steps("# Set the clock by NTP: `timedatectl set-ntp true`. carnet learns an offset of up to 20 minutes by itself; this one is larger, or changes.\n"), "",
	},
	"proof_expired": {
		says("The token that proves %s had expired when %s looked at it.", "from", "to"), "",
		steps("# Look at the clock of this machine (`date -u`), and set it by NTP.\n"), "",
	},
	"issuer_unknown": {
		says("%s does not take tokens of this issuer: %s", "to", "said"), "",
		func(f fault) string {
			if strings.HasPrefix(f.to, "//") {
				return updated(f)
			}
			return theirs(f)
		}, iamSpreads,
	},
	"wrong_audience": {
		says("%s takes tokens for another audience: %s", "to", "said"), "",
		func(f fault) string {
			if strings.HasPrefix(f.to, "//") {
				return updated(f)
			}
			return theirs(f)
		}, iamSpreads,
	},
	"issuer_keys": {
		says("%s could not check the token's signature: %s", "to", "said"), "",
		steps("# The issuer's keys are fetched over its discovery document. Wait a minute and look again; if it stays, the issuer in the provider is another than the one that signs.\n"), "",
	},
	"issuer_unreachable": {
		says("%s could not reach the issuer of the token: %s", "to", "said"), "",
		steps("# Wait a minute and look again: carnet check --wait 5m. Nothing has to be changed.\n"), "",
	},
	"proof_rejected": {
		says("%s takes the token for no good: %s", "to", "said"),
		"The other cause is a clock: compare `date -u` with the Date of an answer.",
		steps("# Look again in a minute. If it stays, report the audit record of this request_id.\n"), "",
	},
	"outbound_disabled": {
		says("Outbound identity federation is not switched on in the account of %s.", "from"), "",
		steps("# In the account of FROM:\naws iam enable-outbound-web-identity-federation\n"), "",
	},
	"outbound_not_allowed": {
		says("No policy of %s allows sts:GetWebIdentityToken for the audience %s.", "from", "to"), "",
		own, iamSpreads,
	},
	"session_too_short": {
		says("The session of %s ends before the token that was asked for would.", "from"), "",
		steps("# In the tenant's file: a shorter lifetime: for this destination.\n"), "",
	},
	"provider_disabled": {
		says("The provider %s, or its pool, is disabled.", "to"),
		"`gcloud iam workload-identity-pools providers describe` with the names below says state: ACTIVE and no disabled: true if it is not this.",
		enabled, googleSpreads,
	},
	"provider_missing": {
		says("There is no provider %s.", "to"),
		"The same command says NOT_FOUND, or state: DELETED, if it is this. The number is the project's: `gcloud projects describe PROJECT --format='value(projectId)'` says which project that is.",
		created, googleSpreads,
	},
	"attribute_condition": {
		says("The attribute condition of %s does not hold for %s.", "to", "from"),
		"The identity is in the account that the provider trusts, if it is this.",
		updated, googleSpreads,
	},
	"other_account": {
		says("The provider %s trusts another AWS account than that of %s.", "to", "from"),
		"`gcloud iam workload-identity-pools providers describe` shows aws.accountId.",
		updated, googleSpreads,
	},
	"mapping": {
		says("The provider %s maps %s to a google.subject of more than 127 bytes.", "to", "from"), "",
		updated, googleSpreads,
	},
	"mapping_value": {
		says("The attribute mapping of %s names what the proof of %s does not have: %s", "to", "from", "said"), "",
		updated, googleSpreads,
	},
	"wrong_form": {
		says("The provider %s takes another form of proof: %s", "to", "said"), "",
		steps("# In carnet.yaml, at this provider: kind: aws is for a provider of an AWS account, kind: oidc for one of the account's outbound issuer.\n"), "",
	},
	"aws_refused_proof": {
		says("AWS did not take the signed request that proves %s: %s", "from", "said"), "",
		steps("# Look at the Region in carnet.yaml: its token service is asked. Then report the audit record of this request_id.\n"), "",
	},
	"pass_binding":     {says("%s may not pass through %s.", "from", "to"), "", theirs, googleSpreads},
	"token_binding":    {says("%s may not have access tokens of %s, or there is no such account.", "from", "to"), "", theirs, googleSpreads},
	"id_token_binding": {says("%s may not have ID tokens of %s, or there is no such account.", "from", "to"), "", theirs, googleSpreads},
	"account_disabled": {
		says("%s is disabled.", "at"),
		"`gcloud iam service-accounts describe AT --format='value(disabled)'` says True if it is this one.",
		accountOn, googleSpreads,
	},
	"account_missing": {says("There is no service account %s.", "to"), "", theirs, googleSpreads},
	"api_disabled": {
		says("The IAM Service Account Credentials API is not switched on in project %s.", "project"), "",
		projectAPI, googleSpreads,
	},
	"organization_constraint": {
		says("A constraint of the organization forbids it: %s", "said"), "",
		steps("gcloud org-policies list --project PROJECT\n# The answer above names the constraint: except this project, or this account.\n"), googleSpreads,
	},
	"service_perimeter": {
		says("A service perimeter around the project of %s keeps the call of %s out: %s", "to", "from", "said"), "",
		steps("# The administrator of the organization of TO lets FROM in by an ingress rule for iamcredentials.googleapis.com (and storage or bigquery):\ngcloud access-context-manager perimeters update PERIMETER --policy POLICY --set-ingress-policies=ingress.yaml\n# The unique identifier above finds the denial: https://cloud.google.com/vpc-service-controls/docs/troubleshooting\n"), googleSpreads,
	},
	"lifetime_extension": {
		says("Tokens of %s live for an hour, and the file of %s asks for longer.", "to", "dest"), "",
		steps("# In the tenant's file: take lifetime: out. Or list AT in the organization's constraints/iam.allowServiceAccountCredentialLifetimeExtension.\n"), googleSpreads,
	},
	"insufficient_scope": {
		says("The token of %s has too narrow a scope to enter another account.", "from"), "",
		steps("# The instance or node needs the scope https://www.googleapis.com/auth/cloud-platform: functions have it, an instance is stopped and given it with\n# gcloud compute instances set-service-account --scopes cloud-platform\n"), "",
	},
	"token_refused": {
		says("Google did not take the token that %s showed.", "from"), "",
		steps("# Look again in a minute: a token that was kept is dropped. If it stays, the pool or the account of FROM was disabled meanwhile.\n"), "",
	},
	"access_boundary": {
		says("Google does not read the access boundary for %s: %s", "dest", "said"), "",
		steps("# Look at bucket and prefixes in the tenant's file, and report the audit record of this request_id.\n"), "",
	},
	"runtime_identity": {
		says("The platform gives this process no credentials of %s: %s", "to", "said"), "",
		steps("# carnet.yaml names TO as the runtime. Run this where the function runs, or as it: on Lambda the function's role, on Cloud Run the service's account, in a pod by IRSA, Pod Identity or GKE workload identity (deploy/kubernetes).\n"), "",
	},
	"secret_missing": {
		says("There is no secret %s with a version that can be read.", "to"),
		"`gcloud secrets versions list` (or `aws secretsmanager describe-secret`) shows none if it is this.",
		steps("# Store the private key as docs/destinations/snowflake.md says, under the name that the tenant's file has, or write the file's secret: anew.\n"), "",
	},
	"secret_not_allowed": {says("%s may not read %s.", "from", "to"), "The secret and its version are there, if it is this.", reader, iamSpreads},
	"secret_api_disabled": {
		says("The Secret Manager API is not switched on in the project of %s.", "to"), "",
		func(f fault) string {
			return "gcloud services enable secretmanager.googleapis.com --project " + f.project() + "\n"
		}, googleSpreads,
	},
	"secret_key": {
		says("%s may not use the KMS key of %s: %s", "from", "to", "said"), "",
		steps("aws secretsmanager describe-secret --secret-id TO --query KmsKeyId\n# names the key: FROM needs kms:Decrypt on it, in its own policy and in the key's.\n"), iamSpreads,
	},
	"database_missing": {
		says("There is no such cluster or workgroup for %s: %s", "dest", "said"),
		"`aws redshift describe-clusters` (or `aws redshift-serverless list-workgroups`) in the Region of the file does not list it if it is this.",
		steps("# In the tenant's file: cluster: or workgroup:, and region:, as the third party's administrator names them.\n"), "",
	},
	"login_not_allowed": {
		says("%s may not ask for the login of %s.", "to", "dest"), "",
		func(f fault) string {
			return f.applied(exchange.ThirdParty, f.to, (*trust.Sheet).WithoutTrust)
		}, iamSpreads,
	},
	"user_unknown": {
		says("The user of %s in %s does not take the proof of %s: Snowflake does not say whether the issuer, the subject or the audience is another, or the user is disabled.", "dest", "to", "from"), "",
		switchedOn, "",
	},
	"key_unknown": {
		says("The user of %s in %s does not know the key that signed.", "dest", "to"),
		"`DESCRIBE USER` shows RSA_PUBLIC_KEY_FP: compare it with that of the key in the secret.",
		func(f fault) string { return f.sql() }, "",
	},
	"snowflake_account": {
		says("There is no Snowflake account %s at its host.", "to"), "",
		steps("# In the tenant's file: account: (ORG-ACCOUNT) and, if it is not made of that, host:. SELECT CURRENT_ORGANIZATION_NAME() || '-' || CURRENT_ACCOUNT_NAME() prints it.\n"), "",
	},
	"network_policy": {
		says("A network policy of %s refuses the address that the call comes from.", "to"), "",
		steps("-- In the Snowflake account: allow the operator's fixed egress address, which Terraform's output egress_ips names.\nSHOW NETWORK POLICIES;\n"), "",
	},
	"throttled": {
		says("The cloud asks for fewer requests: %s", "said"), "",
		steps("# Look again in a minute: carnet check --wait 5m. If schedules bring it, spread them in shards (docs/operate.md).\n"), "",
	},
	"unavailable": {
		says("No useful answer came: %s", "said"), "",
		steps("# Look again in a minute: carnet check --wait 5m, and at the cloud's status page.\n"), "",
	},
	"deadline": {
		says("No answer came in time from %s.", "to"), "",
		steps("# The host cannot be reached from here, or is slow: look at the way out of this network (VPC endpoints, NAT, firewall), then at the cloud's status page.\n"), "",
	},
	"file": {
		says("%s", "said"), "",
		steps("# `carnet catalog lint` looks at all the files.\n"), "",
	},
	"unsafe": {
		says("%s let us in where it must refuse: %s. Whoever makes the operator's functions act for another customer gets in too.", "to", "says"), "",
		tightened, "",
	},
	"unknown": {
		says("%s refused %s in a way that is in no list of carnet's: %s", "to", "from", "said"), "",
		steps("# The audit record of this request_id has the cloud's code and its id of the call: show it to the owner of TO.\n"), "",
	},
}
