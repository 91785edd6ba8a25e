package check

import (
	"cmp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/exchange"
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

// A side says whose a cause is, seen from the edge.
type side int

const (
	far  side = iota // the owner of what is entered
	near             // the owner of who enters
	ours             // the operator
)

// A kind of cause, with its side and its sentence.
type kind struct {
	code string
	side side
	says string
}

// The causes, by what has to change.
var (
	trustPolicy     = kind{"trust_policy", far, "the role does not let this identity in with this ExternalId or audience, or there is no such role"}
	callerPolicy    = kind{"caller_policy", near, "no policy of the identity that enters allows it to assume the role"}
	explicitDeny    = kind{"explicit_deny", near, "a policy of the identity that enters denies it"}
	roleDenies      = kind{"role_denies", far, "the role's trust policy denies it"}
	boundaryLimit   = kind{"permissions_boundary", near, "the permissions boundary of the identity that enters does not allow it"}
	organization    = kind{"organization_policy", near, "a policy of the organization (service control policy) forbids it"}
	theirOrg        = kind{"organization_policy_far", far, "a policy of the other side's organization (resource control policy) forbids it"}
	endpointPolicy  = kind{"endpoint_policy", ours, "the policy of the VPC endpoint that the call goes through does not allow it"}
	sessionDuration = kind{"session_duration", far, "the file's lifetime is longer than the role's MaxSessionDuration"}
	chainedDuration = kind{"chained_duration", ours, "a role that a role enters gives one hour at the most, and more was asked for"}
	malformed       = kind{"malformed_policy", ours, "the cloud does not read the session policy: the grant of the file is the likely reason"}
	packed          = kind{"packed_policy", ours, "the session policy is too large when packed: grant fewer prefixes"}
	regionOff       = kind{"region_disabled", far, "this Region's token service is switched off in the account"}
	ownExpired      = kind{"session_expired", ours, "the credentials that sign the call have expired, or were taken back"}
	ownInvalid      = kind{"session_invalid", ours, "the credentials that sign the call are none that AWS knows"}
	clockOff        = kind{"clock", ours, "this process's clock is off"}
	proofExpired    = kind{"proof_expired", ours, "the token that proves the identity had expired when it was shown: a clock is off"}
	proofUnknown    = kind{"issuer_unknown", far, "the account knows no such issuer"}
	proofAudience   = kind{"wrong_audience", far, "the token is for another audience than the account expects"}
	proofKeys       = kind{"issuer_keys", ours, "the cloud could not get the issuer's keys, or none of them signed the token"}
	issuerAway      = kind{"issuer_unreachable", ours, "the cloud could not reach the issuer of the token"}
	proofRejected   = kind{"proof_rejected", ours, "the issuer takes the token for no good, or for one that was taken back"}
	outboundOff     = kind{"outbound_disabled", near, "outbound identity federation is not switched on in the account of the role that proves itself"}
	outboundDenied  = kind{"outbound_not_allowed", near, "no policy lets the role have a token for this audience"}
	shortSession    = kind{"session_too_short", ours, "the token was asked to outlive the session that asks for it"}
	providerGone    = kind{"provider_missing", far, "there is no such pool or provider, or it was deleted"}
	providerOff     = kind{"provider_disabled", far, "the pool or its provider is disabled"}
	condition       = kind{"attribute_condition", far, "the provider's attribute condition does not hold for this identity"}
	otherAccount    = kind{"other_account", far, "the provider trusts another AWS account than the identity is of"}
	mapping         = kind{"mapping", far, "the provider maps this identity to more characters than fit"}
	mappingValue    = kind{"mapping_value", far, "the provider's mapping names what this identity's proof does not have"}
	wrongForm       = kind{"wrong_form", ours, "the provider takes another form of proof than carnet.yaml says"}
	awsRefused      = kind{"aws_refused_proof", ours, "AWS did not take the signed request that proves the identity"}
	passBinding     = kind{"pass_binding", far, "no binding lets this identity pass through the account (iam.serviceAccounts.implicitDelegation), or it is so new that it does not count yet"}
	tokenBinding    = kind{"token_binding", far, "no binding lets this identity have the account's access token (iam.serviceAccounts.getAccessToken), or it is so new that it does not count yet, or there is no such account"}
	idTokenBinding  = kind{"id_token_binding", far, "no binding lets this identity have the account's ID token (iam.serviceAccounts.getOpenIdToken), or it is so new that it does not count yet, or there is no such account"}
	accountOff      = kind{"account_disabled", far, "the account is disabled"}
	accountGone     = kind{"account_missing", far, "there is no account of that email"}
	apiOff          = kind{"api_disabled", far, "the IAM Service Account Credentials API is not switched on in the project"}
	orgPolicy       = kind{"organization_constraint", far, "a constraint of the organization forbids it"}
	perimeter       = kind{"service_perimeter", far, "a service perimeter (VPC Service Controls) keeps the call out"}
	extension       = kind{"lifetime_extension", far, "tokens of more than an hour are not allowed for this account"}
	scope           = kind{"insufficient_scope", ours, "the runtime's own token has too narrow a scope"}
	tokenRefused    = kind{"token_refused", ours, "the token that was shown had expired, or its pool was disabled meanwhile"}
	boundary        = kind{"access_boundary", ours, "the cloud does not read the access boundary: the grant of the file is the likely reason"}
	noMetadata      = kind{"runtime_identity", ours, "the platform gives this process no credentials of the identity that carnet.yaml names"}
	secretGone      = kind{"secret_missing", ours, "there is no such secret, or it has no version"}
	secretDenied    = kind{"secret_not_allowed", ours, "the runtime may not read the secret"}
	secretAPI       = kind{"secret_api_disabled", ours, "the Secret Manager API is not switched on in the project"}
	secretKey       = kind{"secret_key", ours, "the secret cannot be decrypted: the runtime may not use its KMS key"}
	databaseGone    = kind{"database_missing", far, "there is no such cluster or workgroup, or it is not available"}
	loginDenied     = kind{"login_not_allowed", far, "the role may not ask for this login"}
	userUnknown     = kind{"user_unknown", far, "the Snowflake user does not know this identity with this audience, is disabled, or is not there"}
	keyUnknown      = kind{"key_unknown", far, "the Snowflake user does not know the public key, or is not there"}
	accountUnknown  = kind{"snowflake_account", ours, "there is no such Snowflake account at this host"}
	networkPolicy   = kind{"network_policy", far, "a network policy of the Snowflake account refuses the address that the call comes from"}
	throttled       = kind{"throttled", ours, "the cloud asks for fewer requests"}
	away            = kind{"unavailable", ours, "the cloud gave no useful answer"}
	deadline        = kind{"deadline", ours, "no answer came in time: the host cannot be reached, or is slow"}
	file            = kind{"file", ours, "the tenant's file asks for what cannot be from this runtime"}
	other           = kind{"unknown", far, "the cloud refused in a way that is in no list of carnet's"}
)

const passPermission = "iam.serviceAccounts.implicitDelegation"

// A rule says what an answer means. ops is the beginning of the call's name; code is the
// cloud's, any where empty; says has to be in its message.
type rule struct {
	ops, code, says string
	means           []kind
}

// rules are tried from the first on. Where each comes from:
//
//	sts:*           https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
//	                https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html (and the other two operations)
//	                https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html
//	sts.token       https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation
//	iamcredentials  https://cloud.google.com/iam/docs/troubleshoot-service-account-impersonation, and google.rpc's codes
//	redshift*       the errors of each operation in its API reference
//	secret*         the same
//	snowflake       https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting, gosnowflake's errors.go
var rules = []rule{
	{"platform", "", "", []kind{noMetadata}},

	{"sts:AssumeRole", "AccessDenied", "no identity-based policy", []kind{callerPolicy}},
	{"sts:AssumeRole", "AccessDenied", "explicit deny in an identity-based policy", []kind{explicitDeny}},
	{"sts:AssumeRole", "AccessDenied", "permissions boundary", []kind{boundaryLimit}},
	{"sts:AssumeRole", "AccessDenied", "session policy", []kind{callerPolicy}},
	{"sts:AssumeRole", "AccessDenied", "service control policy", []kind{organization}},
	{"sts:AssumeRole", "AccessDenied", "resource control policy", []kind{theirOrg}},
	{"sts:AssumeRole", "AccessDenied", "VPC endpoint policy", []kind{endpointPolicy}},
	{"sts:AssumeRole", "AccessDenied", "explicit deny in the role trust policy", []kind{roleDenies}},
	{"sts:AssumeRole", "AccessDenied", "no role trust policy", []kind{trustPolicy}},
	{"sts:AssumeRoleWithWebIdentity", "AccessDenied", "", []kind{trustPolicy, theirOrg}},
	{"sts:AssumeRole", "AccessDenied", "", []kind{trustPolicy, callerPolicy}},
	{"sts:", "ValidationError", "role chaining", []kind{chainedDuration}},
	{"sts:", "ValidationError", "MaxSessionDuration", []kind{sessionDuration}},
	{"sts:", "ValidationError", "", []kind{malformed}},
	{"sts:", "MalformedPolicyDocument", "", []kind{malformed}},
	{"sts:", "PackedPolicyTooLarge", "", []kind{packed}},
	{"sts:", "RegionDisabledException", "", []kind{regionOff}},
	{"sts:", "OptInRequired", "", []kind{regionOff}},
	{"sts:AssumeRoleWithWebIdentity", "ExpiredToken", "", []kind{proofExpired}},
	{"sts:", "ExpiredToken", "", []kind{ownExpired}},
	{"sts:", "InvalidClientTokenId", "", []kind{ownInvalid}},
	{"sts:", "UnrecognizedClientException", "", []kind{ownInvalid}},
	{"sts:", "SignatureDoesNotMatch", "Signature ", []kind{clockOff}},
	{"sts:", "RequestExpired", "", []kind{clockOff}},
	{"sts:", "RequestTimeTooSkewed", "", []kind{clockOff}},
	{"sts:", "SignatureDoesNotMatch", "", []kind{ownInvalid}},
	{"sts:", "IncompleteSignature", "", []kind{ownInvalid}},
	{"sts:", "InvalidIdentityToken", "audience", []kind{proofAudience}},
	{"sts:", "InvalidIdentityToken", "No OpenIDConnect provider", []kind{proofUnknown}},
	{"sts:", "InvalidIdentityToken", "verification key", []kind{proofKeys}},
	{"sts:", "InvalidIdentityToken", "", []kind{proofRejected, clockOff}},
	{"sts:", "IDPRejectedClaim", "", []kind{proofRejected}},
	{"sts:", "IDPCommunicationError", "", []kind{issuerAway}},
	{"sts:GetWebIdentityToken", "OutboundWebIdentityFederationDisabled", "", []kind{outboundOff}},
	{"sts:GetWebIdentityToken", "SessionDurationEscalation", "", []kind{shortSession}},
	{"sts:GetWebIdentityToken", "AccessDenied", "", []kind{outboundDenied}},

	{"sts.token (access boundary)", "", "", []kind{boundary}},
	{"sts.token", "invalid_target", "", []kind{providerOff, providerGone}},
	{"sts.token", "unauthorized_client", "attribute condition", []kind{condition}},
	{"sts.token", "unauthorized_client", "", []kind{otherAccount, condition}},
	{"sts.token", "invalid_request", "bytes limit", []kind{mapping}},
	{"sts.token", "invalid_request", "Could not obtain a value", []kind{mappingValue}},
	{"sts.token", "invalid_request", "must not be empty", []kind{mappingValue}},
	{"sts.token", "invalid_request", "subject_token_type", []kind{wrongForm}},
	{"sts.token", "invalid_request", "audience", []kind{providerGone}},
	{"sts.token", "invalid_grant", "AWS response of type ExpiredToken", []kind{ownExpired}},
	{"sts.token", "invalid_grant", "AWS response of type SignatureDoesNotMatch", []kind{clockOff, ownInvalid}},
	{"sts.token", "invalid_grant", "AWS response of type InvalidClientTokenId", []kind{ownInvalid}},
	{"sts.token", "invalid_grant", "AWS response", []kind{awsRefused}},
	{"sts.token", "invalid_grant", "Error connecting", []kind{issuerAway}},
	{"sts.token", "invalid_grant", "audience", []kind{proofAudience}},
	{"sts.token", "invalid_grant", "issuer in", []kind{proofUnknown}},
	{"sts.token", "invalid_grant", "signature", []kind{proofKeys}},
	{"sts.token", "invalid_grant", "stale", []kind{proofExpired}},
	{"sts.token", "invalid_grant", "", []kind{awsRefused}},

	{"iamcredentials", "SERVICE_DISABLED", "", []kind{apiOff}},
	{"iamcredentials", "", "constraints/iam.allowServiceAccountCredentialLifetimeExtension", []kind{extension}},
	{"iamcredentials", "", "constraints/", []kind{orgPolicy}},
	{"iamcredentials", "PERMISSION_DENIED", "vpcServiceControlsUniqueIdentifier", []kind{perimeter}},
	{"iamcredentials", "FAILED_PRECONDITION", "", []kind{accountOff}},
	{"iamcredentials", "NOT_FOUND", "", []kind{accountGone}},
	{"iamcredentials", "PERMISSION_DENIED", "scopes", []kind{scope}},
	{"iamcredentials", "PERMISSION_DENIED", passPermission, []kind{passBinding}},
	{"iamcredentials", "PERMISSION_DENIED", "iam.serviceAccounts.getOpenIdToken", []kind{idTokenBinding}},
	{"iamcredentials.generateIdToken", "PERMISSION_DENIED", "", []kind{idTokenBinding}},
	{"iamcredentials", "PERMISSION_DENIED", "", []kind{tokenBinding}},
	{"iamcredentials", "UNAUTHENTICATED", "", []kind{tokenRefused}},

	{"secretsmanager:", "ResourceNotFoundException", "", []kind{secretGone}},
	{"secretsmanager:", "InvalidRequestException", "", []kind{secretGone}},
	{"secretsmanager:", "DecryptionFailure", "", []kind{secretKey}},
	{"secretsmanager:", "AccessDenied", "KMS", []kind{secretKey}},
	{"secretsmanager:", "AccessDenied", "", []kind{secretDenied}},
	{"secretmanager.", "SERVICE_DISABLED", "", []kind{secretAPI}},
	{"secretmanager.", "NOT_FOUND", "", []kind{secretGone}},
	{"secretmanager.", "FAILED_PRECONDITION", "", []kind{secretGone}},
	{"secretmanager.", "PERMISSION_DENIED", "", []kind{secretDenied, secretGone}},

	{"redshift", "AccessDenied", "", []kind{loginDenied}},
	{"redshift", "UnauthorizedOperation", "", []kind{loginDenied}},
	{"redshift", "ClusterNotFound", "", []kind{databaseGone}},
	{"redshift", "ResourceNotFoundException", "", []kind{databaseGone}},
	{"redshift", "", "", []kind{loginDenied, databaseGone}},

	{"snowflake.login", "390201", "", []kind{accountUnknown}},
	{"snowflake.login", "390422", "", []kind{networkPolicy}},
	{"snowflake.login", "390144", "", []kind{keyUnknown, clockOff}},
	{"snowflake.login", "", "", []kind{userUnknown}},
}

// causes says what an error can mean.
func causes(e *exchange.EdgeError, ownerOf func(string) exchange.Owner) []Cause {
	var list []Cause
	for _, k := range kinds(e) {
		for _, at := range k.at(e) {
			list = append(list, Cause{Code: k.code, Owner: k.owner(at, ownerOf), Says: k.says, At: at})
		}
	}
	return list
}

func kinds(e *exchange.EdgeError) []kind {
	switch {
	case e.Reason == exchange.Throttled:
		return []kind{throttled}
	case e.Edge.From == "platform":
		return []kind{noMetadata}
	case e.Code == "deadline_exceeded":
		return []kind{deadline}
	}
	for _, r := range rules {
		if strings.HasPrefix(e.Edge.Op, r.ops) && strings.HasPrefix(e.Code, r.code) && mentions(e, r.says) {
			if e.Reason == exchange.Refused || r.code != "" {
				return r.means
			}
		}
	}
	if e.Reason == exchange.Unavailable {
		return []kind{away}
	}
	return []kind{other}
}

// at is where a cause is to be changed: a run of accounts may have it at any of them.
func (k kind) at(e *exchange.EdgeError) []string {
	switch {
	case k.side == near:
		return []string{e.Edge.From}
	case k.ofAny():
		return append(slices.Clone(e.Edge.Via), e.Edge.To)
	}
	return []string{e.Edge.To}
}

func (k kind) owner(at string, ownerOf func(string) exchange.Owner) exchange.Owner {
	if k.side == ours {
		return exchange.Operator
	}
	return cmp.Or(ownerOf(at), exchange.Operator)
}

// mentions tells whether the cloud's own words have a part. Empty: always.
func mentions(e *exchange.EdgeError, part string) bool {
	return part == "" || e.Err != nil && strings.Contains(e.Err.Error(), part)
}

// ofAnyAccount tells of a refusal that any account of a run can be the reason of.
func ofAnyAccount(e *exchange.EdgeError) bool {
	return slices.ContainsFunc(kinds(e), kind.ofAny)
}

func (k kind) ofAny() bool { return k == accountOff || k == apiOff || k == perimeter }

func permissionDenied(e *exchange.EdgeError) bool { return e.Code == "PERMISSION_DENIED" }
