package check

import (
	"cmp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// A Cause is one thing that a failure can mean.
type Cause struct {
	Code  string         `json:"code"` // stable; docs/diagnose.md lists them
	Owner exchange.Owner `json:"owner"`
	Says  string         `json:"says"` // what is wrong, without anybody's name
	// At is the principal, or the provider or secret, at which it is to be changed. It is
	// for the operator alone.
	At string `json:"-"`
}

// The causes, by what has to change.
var (
	trustPolicy    = cause.Far("trust_policy", "the role does not let this identity in with this ExternalId or audience, or there is no such role")
	callerPolicy   = cause.Near("caller_policy", "no policy of the identity that enters allows it to assume the role")
	theirOrg       = cause.Far("organization_policy_far", "a policy of the other side's organization (resource control policy) forbids it")
	malformed      = cause.Ours("malformed_policy", "the cloud does not read the session policy: the grant of the file is the likely reason")
	regionOff      = cause.Far("region_disabled", "this Region's token service is switched off in the account")
	ownExpired     = cause.Ours("session_expired", "the credentials that sign the call have expired, or were taken back")
	ownInvalid     = cause.Ours("session_invalid", "the credentials that sign the call are none that AWS knows")
	clockOff       = cause.Clock()
	proofExpired   = cause.Ours("proof_expired", "the token that proves the identity had expired when it was shown: a clock is off")
	proofUnknown   = cause.Far("issuer_unknown", "the account knows no such issuer")
	proofAudience  = cause.Far("wrong_audience", "the token is for another audience than the account expects")
	proofKeys      = cause.Ours("issuer_keys", "the cloud could not get the issuer's keys, or none of them signed the token")
	issuerAway     = cause.Ours("issuer_unreachable", "the cloud could not reach the issuer of the token")
	proofRejected  = cause.Ours("proof_rejected", "the issuer takes the token for no good, or for one that was taken back")
	providerGone   = cause.Far("provider_missing", "there is no such pool or provider, or it was deleted")
	condition      = cause.Far("attribute_condition", "the provider's attribute condition does not hold for this identity")
	mappingValue   = cause.Far("mapping_value", "the provider's mapping names what this identity's proof does not have")
	awsRefused     = cause.Ours("aws_refused_proof", "AWS did not take the signed request that proves the identity")
	idTokenBinding = cause.Far("id_token_binding", "no binding lets this identity have the account's ID token (iam.serviceAccounts.getOpenIdToken), or it is so new that it does not count yet, or there is no such account")
	accountOff     = cause.Far("account_disabled", "the account is disabled")
	apiOff         = cause.Far("api_disabled", "the IAM Service Account Credentials API is not switched on in the project")
	perimeter      = cause.Far("service_perimeter", "a service perimeter (VPC Service Controls) keeps the call out")
	boundary       = cause.Ours("access_boundary", "the cloud does not read the access boundary: the grant of the file is the likely reason")
	noMetadata     = cause.Ours("runtime_identity", "the platform gives this process no credentials of the identity that carnet.yaml names")
	secretGone     = cause.Ours("secret_missing", "there is no such secret, or it has no version")
	secretDenied   = cause.Ours("secret_not_allowed", "the runtime may not read the secret")
	secretKey      = cause.Ours("secret_key", "the secret cannot be decrypted: the runtime may not use its KMS key")
	throttled      = cause.Ours("throttled", "the cloud asks for fewer requests")
	away           = cause.Ours("unavailable", "the cloud gave no useful answer")
	deadline       = cause.Ours("deadline", "no answer came in time: the host cannot be reached, or is slow")
	file           = cause.Ours("file", "the tenant's file asks for what cannot be from this runtime")
	other          = cause.Far("unknown", "the cloud refused in a way that is in no list of carnet's")
)

const passPermission = "iam.serviceAccounts.implicitDelegation"

func on(ops, code, says string, means ...cause.Cause) cause.Rule {
	return cause.Rule{Ops: ops, Code: code, Says: says, Means: means}
}

// rules are tried from the first on. Where each comes from:
//
//	sts:*           https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
//	                https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (and the other two operations)
//	                https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
//	sts.token       https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation
//	iamcredentials  https://cloud.google.com/iam/docs/troubleshoot-service-account-impersonation, and google.rpc's codes
//	secret*         the errors of each operation in its API reference
//
// A kind of destination has those of its own calls.
var rules = []cause.Rule{
	on("platform", "", "", noMetadata),

	on("sts:AssumeRole", "AccessDenied", "no identity-based policy", callerPolicy),
	on("sts:AssumeRole", "AccessDenied", "explicit deny in an identity-based policy", cause.Near("explicit_deny", "a policy of the identity that enters denies it")),
	on("sts:AssumeRole", "AccessDenied", "permissions boundary", cause.Near("permissions_boundary", "the permissions boundary of the identity that enters does not allow it")),
	on("sts:AssumeRole", "AccessDenied", "session policy", callerPolicy),
	on("sts:AssumeRole", "AccessDenied", "service control policy", cause.Near("organization_policy", "a policy of the organization (service control policy) forbids it")),
	on("sts:AssumeRole", "AccessDenied", "resource control policy", theirOrg),
	on("sts:AssumeRole", "AccessDenied", "VPC endpoint policy", cause.Ours("endpoint_policy", "the policy of the VPC endpoint that the call goes through does not allow it")),
	on("sts:AssumeRole", "AccessDenied", "explicit deny in the role trust policy", cause.Far("role_denies", "the role's trust policy denies it")),
	on("sts:AssumeRole", "AccessDenied", "no role trust policy", trustPolicy),
	on("sts:AssumeRoleWithWebIdentity", "AccessDenied", "", trustPolicy, theirOrg),
	on("sts:AssumeRole", "AccessDenied", "", trustPolicy, callerPolicy),
	on("sts:", "ValidationError", "role chaining", cause.Ours("chained_duration", "a role that a role enters gives one hour at the most, and more was asked for")),
	on("sts:", "ValidationError", "MaxSessionDuration", cause.Far("session_duration", "the file's lifetime is longer than the role's MaxSessionDuration")),
	on("sts:", "ValidationError", "", malformed),
	on("sts:", "MalformedPolicyDocument", "", malformed),
	on("sts:", "PackedPolicyTooLarge", "", cause.Ours("packed_policy", "the session policy is too large when packed: grant fewer prefixes")),
	on("sts:", "RegionDisabledException", "", regionOff),
	on("sts:", "OptInRequired", "", regionOff),
	on("sts:AssumeRoleWithWebIdentity", "ExpiredToken", "", proofExpired),
	on("sts:", "ExpiredToken", "", ownExpired),
	on("sts:", "InvalidClientTokenId", "", ownInvalid),
	on("sts:", "UnrecognizedClientException", "", ownInvalid),
	on("sts:", "SignatureDoesNotMatch", "Signature ", clockOff),
	on("sts:", "RequestExpired", "", clockOff),
	on("sts:", "RequestTimeTooSkewed", "", clockOff),
	on("sts:", "SignatureDoesNotMatch", "", ownInvalid),
	on("sts:", "IncompleteSignature", "", ownInvalid),
	on("sts:", "InvalidIdentityToken", "audience", proofAudience),
	on("sts:", "InvalidIdentityToken", "No OpenIDConnect provider", proofUnknown),
	on("sts:", "InvalidIdentityToken", "verification key", proofKeys),
	on("sts:", "InvalidIdentityToken", "", proofRejected, clockOff),
	on("sts:", "IDPRejectedClaim", "", proofRejected),
	on("sts:", "IDPCommunicationError", "", issuerAway),
	on("sts:GetWebIdentityToken", "OutboundWebIdentityFederationDisabled", "", cause.Near("outbound_disabled", "outbound identity federation is not switched on in the account of the role that proves itself")),
	on("sts:GetWebIdentityToken", "SessionDurationEscalation", "", cause.Ours("session_too_short", "the token was asked to outlive the session that asks for it")),
	on("sts:GetWebIdentityToken", "AccessDenied", "", cause.Near("outbound_not_allowed", "no policy lets the role have a token for this audience")),

	on("sts.token (access boundary)", "", "", boundary),
	on("sts.token", "invalid_target", "", cause.Far("provider_disabled", "the pool or its provider is disabled"), providerGone),
	on("sts.token", "unauthorized_client", "attribute condition", condition),
	on("sts.token", "unauthorized_client", "", cause.Far("other_account", "the provider trusts another AWS account than the identity is of"), condition),
	on("sts.token", "invalid_request", "bytes limit", cause.Far("mapping", "the provider maps this identity to more characters than fit")),
	on("sts.token", "invalid_request", "Could not obtain a value", mappingValue),
	on("sts.token", "invalid_request", "must not be empty", mappingValue),
	on("sts.token", "invalid_request", "subject_token_type", cause.Ours("wrong_form", "the provider takes another form of proof than carnet.yaml says")),
	on("sts.token", "invalid_request", "audience", providerGone),
	on("sts.token", "invalid_grant", "AWS response of type ExpiredToken", ownExpired),
	on("sts.token", "invalid_grant", "AWS response of type SignatureDoesNotMatch", clockOff, ownInvalid),
	on("sts.token", "invalid_grant", "AWS response of type InvalidClientTokenId", ownInvalid),
	on("sts.token", "invalid_grant", "AWS response", awsRefused),
	on("sts.token", "invalid_grant", "Error connecting", issuerAway),
	on("sts.token", "invalid_grant", "audience", proofAudience),
	on("sts.token", "invalid_grant", "issuer in", proofUnknown),
	on("sts.token", "invalid_grant", "signature", proofKeys),
	on("sts.token", "invalid_grant", "stale", proofExpired),
	on("sts.token", "invalid_grant", "", awsRefused),

	on("iamcredentials", "SERVICE_DISABLED", "", apiOff),
	on("iamcredentials", "", "constraints/iam.allowServiceAccountCredentialLifetimeExtension", cause.Far("lifetime_extension", "tokens of more than an hour are not allowed for this account")),
	on("iamcredentials", "", "constraints/", cause.Far("organization_constraint", "a constraint of the organization forbids it")),
	on("iamcredentials", "PERMISSION_DENIED", "vpcServiceControlsUniqueIdentifier", perimeter),
	on("iamcredentials", "FAILED_PRECONDITION", "", accountOff),
	on("iamcredentials", "NOT_FOUND", "", cause.Far("account_missing", "there is no account of that email")),
	on("iamcredentials", "PERMISSION_DENIED", "scopes", cause.Ours("insufficient_scope", "the runtime's own token has too narrow a scope")),
	on("iamcredentials", "PERMISSION_DENIED", passPermission, cause.Far("pass_binding", "no binding lets this identity pass through the account (iam.serviceAccounts.implicitDelegation), or it is so new that it does not count yet")),
	on("iamcredentials", "PERMISSION_DENIED", "iam.serviceAccounts.getOpenIdToken", idTokenBinding),
	on("iamcredentials.generateIdToken", "PERMISSION_DENIED", "", idTokenBinding),
	on("iamcredentials", "PERMISSION_DENIED", "", cause.Far("token_binding", "no binding lets this identity have the account's access token (iam.serviceAccounts.getAccessToken), or it is so new that it does not count yet, or there is no such account")),
	on("iamcredentials", "UNAUTHENTICATED", "", cause.Ours("token_refused", "the token that was shown had expired, or its pool was disabled meanwhile")),

	on("secretsmanager:", "ResourceNotFoundException", "", secretGone),
	on("secretsmanager:", "InvalidRequestException", "", secretGone),
	on("secretsmanager:", "DecryptionFailure", "", secretKey),
	on("secretsmanager:", "AccessDenied", "KMS", secretKey),
	on("secretsmanager:", "AccessDenied", "", secretDenied),
	on("secretmanager.", "SERVICE_DISABLED", "", cause.Ours("secret_api_disabled", "the Secret Manager API is not switched on in the project")),
	on("secretmanager.", "NOT_FOUND", "", secretGone),
	on("secretmanager.", "FAILED_PRECONDITION", "", secretGone),
	on("secretmanager.", "PERMISSION_DENIED", "", secretDenied, secretGone),
}

// A diagnosis knows what answers mean: those of both clouds, and those of the kinds.
type diagnosis []cause.Rule

func diagnosisOf(kinds destination.Kinds) diagnosis {
	return append(rules[:len(rules):len(rules)], kinds.Answers()...)
}

// causes says what an error can mean.
func (d diagnosis) causes(e *exchange.EdgeError, ownerOf func(string) exchange.Owner) []Cause {
	var list []Cause
	for _, k := range d.means(e) {
		for _, at := range places(k, e) {
			list = append(list, Cause{Code: k.Code, Owner: ownerAt(k, at, ownerOf), Says: k.Says, At: at})
		}
	}
	return list
}

func (d diagnosis) means(e *exchange.EdgeError) []cause.Cause {
	switch {
	case e.Reason == exchange.Throttled:
		return []cause.Cause{throttled}
	case e.Edge.From == "platform":
		return []cause.Cause{noMetadata}
	case e.Code == "deadline_exceeded":
		return []cause.Cause{deadline}
	}
	for _, r := range d {
		if strings.HasPrefix(e.Edge.Op, r.Ops) && strings.HasPrefix(e.Code, r.Code) && mentions(e, r.Says) {
			if e.Reason == exchange.Refused || r.Code != "" {
				return r.Means
			}
		}
	}
	if e.Reason == exchange.Unavailable {
		return []cause.Cause{away}
	}
	return []cause.Cause{other}
}

// places are where a cause is to be changed: a run of accounts may have it at any of them.
func places(k cause.Cause, e *exchange.EdgeError) []string {
	switch {
	case k.Side == cause.NearSide:
		return []string{e.Edge.From}
	case ofAny(k):
		return append(slices.Clone(e.Edge.Via), e.Edge.To)
	}
	return []string{e.Edge.To}
}

func ownerAt(k cause.Cause, at string, ownerOf func(string) exchange.Owner) exchange.Owner {
	if k.Side == cause.OurSide {
		return exchange.Operator
	}
	return cmp.Or(ownerOf(at), exchange.Operator)
}

// mentions tells whether the cloud's own words have a part. Empty: always.
func mentions(e *exchange.EdgeError, part string) bool {
	return part == "" || e.Err != nil && strings.Contains(e.Err.Error(), part)
}

// ofAnyAccount tells of a refusal that any account of a run can be the reason of.
func (d diagnosis) ofAnyAccount(e *exchange.EdgeError) bool {
	return slices.ContainsFunc(d.means(e), ofAny)
}

func ofAny(k cause.Cause) bool { return k == accountOff || k == apiOff || k == perimeter }

func permissionDenied(e *exchange.EdgeError) bool { return e.Code == "PERMISSION_DENIED" }
