package mend

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/trust"
)

// A Remedy says of a cause what is wrong, how to tell, and what to type.
type Remedy struct {
	What  func(Fault) string
	Tell  string
	Text  func(Fault) string
	After string // how long until it counts
	Where string // empty: in the account or project of what refused
}

// Where a cause is mended, if not in the account or project of what refused.
const (
	TenantsFile = "the tenant's file"
	process     = "the process that asks"
	passes      = "the cloud itself: it passes"
)

var blank = regexp.MustCompile(`\b(FROM|TO|AT|ROLE|PROJECT|ACCOUNT|REGION)\b`)

// filled writes names into the blanks of a text.
func (f Fault) filled(text string) string {
	words := map[string]string{"FROM": f.From, "TO": f.To, "AT": f.at(), "ROLE": name(f.at()), "PROJECT": f.project(), "ACCOUNT": cmp.Or(awsid.AccountOf(f.at()), "ACCOUNT"), "REGION": cmp.Or(f.Operator.Region, f.Operator.Runtime.AWS.Region)}
	return blank.ReplaceAllStringFunc(text, func(word string) string { return words[word] })
}

const (
	IAMSpreads    = "A change of a policy on AWS counts within seconds, at times after a minute. `--wait 2m` looks again until it does."
	googleSpreads = "A new binding on Google Cloud counts after two minutes as a rule, at times after seven or more. `--wait 7m` looks again until it does."
)

// Says writes a sentence about the edge.
func Says(format string, parts ...string) func(Fault) string {
	return func(f Fault) string {
		words := map[string]string{"from": f.From, "to": f.To, "at": f.at(), "dest": f.Tenant.Name + "/" + f.dest, "project": f.project(), "said": f.said, "says": f.Says}
		args := make([]any, len(parts))
		for i, p := range parts {
			args[i] = words[p]
		}
		return fmt.Sprintf(format, args...)
	}
}

// Steps are a text with names in its blanks.
func Steps(text string) func(Fault) string {
	return func(f Fault) string { return f.filled(text) }
}

// name is a role's, without its path.
func name(arn string) string { return arn[strings.LastIndex(arn, "/")+1:] }

// theirs writes what the owner of what is entered applies; own, what the owner of who
// enters does.
func theirs(f Fault) string { return f.Applied(f.Owner, f.To, nil) }

func own(f Fault) string {
	return f.Applied(f.Owner, f.From, (*trust.Sheet).WithoutTrust)
}

// tightened writes the whole of what should be there. On Google Cloud more
// than that may be there already, which nobody here can see.
func tightened(f Fault) string {
	if f.Place().End().ServiceAccount != nil {
		return Steps("gcloud iam service-accounts get-iam-policy TO\n# Take out every member but the ones below, and allUsers and allAuthenticatedUsers first.\n")(f) + theirs(f)
	}
	return theirs(f)
}

// LetIn says who was let in that must not be.
func LetIn(f Fault) string {
	return Says("%s let us in where it must refuse: %s. Whoever makes the operator's functions act for another customer gets in too.", "to", "says")(f)
}

func updated(f Fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string { return p.Update(k, f.issuer()) })
}

func enabled(f Fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string { return p.Enable(k) })
}

func created(f Fault) string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string {
		return "# A pool or provider that was deleted keeps its name for 30 days: undelete brings it back.\n" + p.Create(k, f.issuer()) + p.Update(k, f.issuer())
	})
}

func projectAPI(f Fault) string {
	return "gcloud services enable iamcredentials.googleapis.com --project " + f.project() + "\n"
}

func accountOn(f Fault) string {
	return "gcloud iam service-accounts enable " + f.at() + " --project " + f.project() + "\n"
}

// reader lets the runtime read the secret.
func reader(f Fault) string {
	if strings.HasPrefix(f.To, "arn:") {
		return f.Applied(exchange.Operator, f.From, (*trust.Sheet).WithoutTrust)
	}
	secret, _, _ := strings.Cut(f.To, "/versions/")
	return f.Applied(exchange.Operator, secret, nil)
}

// remedies by the code of the cause. What a cloud's page says of it stands in docs/diagnose.md.
var remedies = map[string]Remedy{
	"trust_policy": {
		Says("%s does not let %s in with the ExternalId or audience of %s, or there is no such role.", "to", "from", "dest"),
		"In the account of TO: `aws iam get-role --role-name ROLE` shows the trust policy. If it reads as below, this is not the cause, unless the role that it names was deleted and created again: the new one has another internal id, so apply the policy once more.",
		theirs, IAMSpreads, "",
	},
	"caller_policy": {
		Says("No policy of %s allows sts:AssumeRole on %s.", "from", "to"),
		"In the account of FROM: `aws iam simulate-principal-policy --policy-source-arn FROM --action-names sts:AssumeRole --resource-arns TO` answers allowed if it is not this.",
		own, IAMSpreads, "",
	},
	"explicit_deny": {
		Says("A policy of %s denies sts:AssumeRole on %s. A deny counts before every allow.", "from", "to"), "",
		Steps("aws iam simulate-principal-policy --policy-source-arn FROM --action-names sts:AssumeRole --resource-arns TO\n# names the statement that denies, in matchedStatements: take that out, or narrow it.\n# After an emergency, `carnet catalog enable` and docs/emergency.md say how a deny is lifted.\n"), IAMSpreads, "",
	},
	"role_denies": {
		Says("The trust policy of %s denies %s.", "to", "from"), "",
		theirs, IAMSpreads, "",
	},
	"permissions_boundary": {
		Says("The permissions boundary of %s does not allow sts:AssumeRole on %s.", "from", "to"), "",
		Steps("aws iam get-role --role-name ROLE --query Role.PermissionsBoundary\n# names the boundary, a policy of the account of FROM. It needs this statement beside its own:\n# {\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Resource\":\"TO\"}\n"), IAMSpreads, "",
	},
	"organization_policy": {
		Says("A service control policy above %s forbids sts:AssumeRole on %s.", "from", "to"), "",
		Steps("# In the organization's management account:\naws organizations list-policies-for-target --target-id ACCOUNT --filter SERVICE_CONTROL_POLICY\n# and the same for the units above it. The one that denies sts:AssumeRole lets this role be with\n# {\"Condition\":{\"ArnNotEquals\":{\"aws:PrincipalArn\":\"FROM\"}}}\n# in its statement; one that only allows needs sts:AssumeRole among its actions.\n"), IAMSpreads, "",
	},
	"organization_policy_far": {
		Says("A resource control policy above %s forbids that %s assumes it.", "to", "from"),
		"The trust policy reads as it should, and is refused all the same, if it is this.",
		Steps("# In the management account of the organization of TO:\naws organizations list-policies-for-target --target-id ACCOUNT --filter RESOURCE_CONTROL_POLICY\n# and the same for the units above it. The one that keeps others out of sts:AssumeRole or sts:AssumeRoleWithWebIdentity lets this role be with\n# {\"NotResource\":\"TO\"}\n# in the place of its Resource: https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps_syntax.html\n"), IAMSpreads, "",
	},
	"endpoint_policy": {
		Says("The VPC endpoint for STS does not allow sts:AssumeRole on %s.", "to"), "",
		Steps("aws ec2 describe-vpc-endpoints --filters Name=service-name,Values=com.amazonaws.REGION.sts --query 'VpcEndpoints[].PolicyDocument'\n# shows the policy. It needs this statement:\n# {\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"FROM\"},\"Action\":\"sts:AssumeRole\",\"Resource\":\"TO\"}\n"), IAMSpreads, "the network of the process that asks",
	},
	"session_duration": {
		Says("The file of %s asks for sessions that are longer than the MaxSessionDuration of %s.", "dest", "to"), "",
		func(f Fault) string {
			return fmt.Sprintf("aws iam update-role --role-name %s --max-session-duration %d\n# or a shorter lifetime: in the tenant's file.\n", name(f.To), int(f.file.Lifetime.Seconds()))
		}, IAMSpreads, "",
	},
	"chained_duration": {
		Says("%s is entered from a role, and so gives one hour at the most.", "to"), "",
		Steps("# In the tenant's file: take lifetime: out, or write 1h or less.\n"), "", TenantsFile,
	},
	"malformed_policy": {
		Says("AWS does not read the session policy for %s: %s", "dest", "said"), "",
		Steps("# Look at bucket, prefixes and kms_key in the tenant's file, and report the audit record of this request_id as a defect of carnet.\n"), "", TenantsFile,
	},
	"packed_policy": {
		Says("The session policy for %s is too large when packed: %s", "dest", "said"), "",
		Steps("# In the tenant's file: fewer or shorter prefixes, or the folder above them.\n"), "", TenantsFile,
	},
	"region_disabled": {
		Says("The token service of this Region is switched off in the account of %s.", "to"), "",
		Steps("# In the account of TO, in the IAM console: Account settings, Security Token Service, REGION: activate.\n# Where the whole Region is off:\naws account enable-region --region-name REGION\n# Or the region: of carnet.yaml to one that is on there.\n"), "Switching a Region on takes minutes to hours.", "",
	},
	"session_expired": {
		Says("The credentials of %s, which sign the call, have expired.", "from"), "",
		Steps("# On a function: deploy once more, so that Lambda takes fresh ones. In a pod: restart it. By hand: get new credentials.\n# If it comes back at once, the sessions of FROM were taken back (aws:TokenIssueTime in one of its policies): docs/emergency.md.\n"), "", process,
	},
	"session_invalid": {
		Says("AWS does not know the credentials of %s, which sign the call.", "from"), "",
		Steps("# Look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of this process: they belong together, and to the role FROM.\n"), "", process,
	},
	"clock": {
		Says("This machine's clock is off: %s", "said"),
		"Compare `date -u` here with `curl -sI https://sts.amazonaws.com | grep -i ^date`: more than five minutes apart, and it is this.",
		Steps("# Set the clock by NTP: `timedatectl set-ntp true`. carnet learns an offset of up to 20 minutes by itself; this one is larger, or changes.\n"), "", process,
	},
	"proof_expired": {
		Says("The token that proves %s had expired when %s looked at it.", "from", "to"), "",
		Steps("# Look at the clock of this machine (`date -u`), and set it by NTP.\n"), "", process,
	},
	"issuer_unknown": {
		Says("%s does not take tokens of this issuer: %s", "to", "said"), "",
		func(f Fault) string {
			if strings.HasPrefix(f.To, "//") {
				return updated(f)
			}
			return theirs(f)
		}, IAMSpreads, "",
	},
	"wrong_audience": {
		Says("%s takes tokens for another audience: %s", "to", "said"), "",
		func(f Fault) string {
			if strings.HasPrefix(f.To, "//") {
				return updated(f)
			}
			return theirs(f)
		}, IAMSpreads, "",
	},
	"issuer_keys": {
		Says("%s could not check the token's signature: %s", "to", "said"), "",
		Steps("# The issuer's keys are fetched over its discovery document. Wait a minute and look again; if it stays, the issuer in the provider is another than the one that signs.\n"), "", passes,
	},
	"issuer_unreachable": {
		Says("%s could not reach the issuer of the token: %s", "to", "said"), "",
		Steps("# Wait a minute and look again: carnet check --wait 5m. Nothing has to be changed.\n"), "", passes,
	},
	"proof_rejected": {
		Says("%s takes the token for no good: %s", "to", "said"),
		"The other cause is a clock: compare `date -u` with the Date of an answer.",
		Steps("# Look again in a minute. If it stays, report the audit record of this request_id.\n"), "", process,
	},
	"outbound_disabled": {
		Says("Outbound identity federation is not switched on in the account of %s.", "from"), "",
		Steps("# In the account of FROM:\naws iam enable-outbound-web-identity-federation\n"), "", "",
	},
	"outbound_not_allowed": {
		Says("No policy of %s allows sts:GetWebIdentityToken for the audience %s.", "from", "to"), "",
		own, IAMSpreads, "",
	},
	"session_too_short": {
		Says("The session of %s ends before the token that was asked for would.", "from"), "",
		Steps("# In the tenant's file: a shorter lifetime: for this destination.\n"), "", TenantsFile,
	},
	"provider_disabled": {
		Says("The provider %s, or its pool, is disabled.", "to"),
		"`gcloud iam workload-identity-pools providers describe` with the names below says state: ACTIVE and no disabled: true if it is not this.",
		enabled, googleSpreads, "",
	},
	"provider_missing": {
		Says("There is no provider %s.", "to"),
		"The same command says NOT_FOUND, or state: DELETED, if it is this. The number is the project's: `gcloud projects describe PROJECT --format='value(projectId)'` says which project that is.",
		created, googleSpreads, "",
	},
	"attribute_condition": {
		Says("The attribute condition of %s does not hold for %s.", "to", "from"),
		"The identity is in the account that the provider trusts, if it is this.",
		updated, googleSpreads, "",
	},
	"other_account": {
		Says("The provider %s trusts another AWS account than that of %s.", "to", "from"),
		"`gcloud iam workload-identity-pools providers describe` shows aws.accountId.",
		updated, googleSpreads, "",
	},
	"mapping": {
		Says("The provider %s maps %s to a google.subject of more than 127 bytes.", "to", "from"), "",
		updated, googleSpreads, "",
	},
	"mapping_value": {
		Says("The attribute mapping of %s names what the proof of %s does not have: %s", "to", "from", "said"), "",
		updated, googleSpreads, "",
	},
	"wrong_form": {
		Says("The provider %s takes another form of proof: %s", "to", "said"), "",
		Steps("# In carnet.yaml, at this provider: kind: aws is for a provider of an AWS account, kind: oidc for one of the account's outbound issuer.\n"), "", "carnet.yaml",
	},
	"aws_refused_proof": {
		Says("AWS did not take the signed request that proves %s: %s", "from", "said"), "",
		Steps("# Look at the Region in carnet.yaml: its token service is asked. Then report the audit record of this request_id.\n"), "", process,
	},
	"pass_binding":     {Says("%s may not pass through %s.", "from", "to"), "", theirs, googleSpreads, ""},
	"token_binding":    {Says("%s may not have access tokens of %s, or there is no such account.", "from", "to"), "", theirs, googleSpreads, ""},
	"id_token_binding": {Says("%s may not have ID tokens of %s, or there is no such account.", "from", "to"), "", theirs, googleSpreads, ""},
	"account_disabled": {
		Says("%s is disabled.", "at"),
		"`gcloud iam service-accounts describe AT --format='value(disabled)'` says True if it is this one.",
		accountOn, googleSpreads, "",
	},
	"account_missing": {Says("There is no service account %s.", "to"), "", theirs, googleSpreads, ""},
	"api_disabled": {
		Says("The IAM Service Account Credentials API is not switched on in project %s.", "project"), "",
		projectAPI, googleSpreads, "",
	},
	"organization_constraint": {
		Says("A constraint of the organization forbids it: %s", "said"), "",
		Steps("gcloud org-policies list --project PROJECT\n# The answer above names the constraint: except this project, or this account.\n"), googleSpreads, "",
	},
	"service_perimeter": {
		Says("A service perimeter around the project of %s keeps the call of %s out: %s", "to", "from", "said"), "",
		Steps("# The administrator of the organization of TO lets FROM in by an ingress rule for iamcredentials.googleapis.com (and storage or bigquery):\ngcloud access-context-manager perimeters update PERIMETER --policy POLICY --set-ingress-policies=ingress.yaml\n# The unique identifier above finds the denial: https://cloud.google.com/vpc-service-controls/docs/troubleshooting\n"), googleSpreads, "",
	},
	"lifetime_extension": {
		Says("Tokens of %s live for an hour, and the file of %s asks for longer.", "to", "dest"), "",
		Steps("# In the tenant's file: take lifetime: out. Or list AT in the organization's constraints/iam.allowServiceAccountCredentialLifetimeExtension.\n"), googleSpreads, "",
	},
	"insufficient_scope": {
		Says("The token of %s has too narrow a scope to enter another account.", "from"), "",
		Steps("# The instance or node needs the scope https://www.googleapis.com/auth/cloud-platform: functions have it, an instance is stopped and given it with\n# gcloud compute instances set-service-account --scopes cloud-platform\n"), "", process,
	},
	"token_refused": {
		Says("Google did not take the token that %s showed.", "from"), "",
		Steps("# Look again in a minute: a token that was kept is dropped. If it stays, the pool or the account of FROM was disabled meanwhile.\n"), "", process,
	},
	"access_boundary": {
		Says("Google does not read the access boundary for %s: %s", "dest", "said"), "",
		Steps("# Look at bucket and prefixes in the tenant's file, and report the audit record of this request_id.\n"), "", TenantsFile,
	},
	"runtime_identity": {
		Says("The platform gives this process no credentials of %s: %s", "to", "said"), "",
		Steps("# carnet.yaml names TO as the runtime. Run this where the function runs, or as it: on Lambda the function's role, on Cloud Run the service's account, in a pod by IRSA, Pod Identity or GKE workload identity (deploy/kubernetes).\n"), "", process,
	},
	"secret_missing": {
		Says("There is no secret %s with a version that can be read.", "to"),
		"`gcloud secrets versions list` (or `aws secretsmanager describe-secret`) shows none if it is this.",
		Steps("# Store the private key as docs/destinations/snowflake.md says, under the name that the tenant's file has, or write the file's secret: anew.\n"), "", "",
	},
	"secret_not_allowed": {Says("%s may not read %s.", "from", "to"), "The secret and its version are there, if it is this.", reader, IAMSpreads, ""},
	"secret_api_disabled": {
		Says("The Secret Manager API is not switched on in the project of %s.", "to"), "",
		func(f Fault) string {
			return "gcloud services enable secretmanager.googleapis.com --project " + f.project() + "\n"
		}, googleSpreads, "",
	},
	"secret_key": {
		Says("%s may not use the KMS key of %s: %s", "from", "to", "said"), "",
		Steps("aws secretsmanager describe-secret --secret-id TO --query KmsKeyId\n# names the key: FROM needs kms:Decrypt on it, in its own policy and in the key's.\n"), IAMSpreads, "",
	},
	"throttled": {
		Says("The cloud asks for fewer requests: %s", "said"), "",
		Steps("# Look again in a minute: carnet check --wait 5m. If schedules bring it, spread them in shards (docs/operate.md).\n"), "", passes,
	},
	"unavailable": {
		Says("No useful answer came: %s", "said"), "",
		Steps("# Look again in a minute: carnet check --wait 5m, and at the cloud's status page.\n"), "", passes,
	},
	"deadline": {
		Says("No answer came in time from %s.", "to"), "",
		Steps("# The host cannot be reached from here, or is slow: look at the way out of this network (VPC endpoints, NAT, firewall), then at the cloud's status page.\n"), "", process,
	},
	"file": {
		Says("%s", "said"), "",
		Steps("# `carnet catalog lint` looks at all the files.\n"), "", TenantsFile,
	},
	"unsafe": {
		LetIn, "",
		tightened, "", "",
	},
	"unknown": {
		Says("%s refused %s in a way that is in no list of carnet's: %s", "to", "from", "said"), "",
		Steps("# The audit record of this request_id has the cloud's code and its id of the call: show it to the owner of TO.\n"), "", "",
	},
}
