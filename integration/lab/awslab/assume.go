package awslab

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const longestChained = time.Hour

// assumeRole lets a role's session enter a role.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *Cloud) assumeRole(s *session, args url.Values) (any, *fault) {
	arn := args.Get("RoleArn")
	ask, f := c.readAsk(args, assumeRoleRules())
	if f != nil {
		return nil, f
	}
	actions, context, f := s.asksFor(args, ask)
	if f != nil {
		return nil, f
	}
	to := c.roles[arn]
	if f := c.packed(args.Get("Policy")); f != nil {
		return nil, f
	}
	for _, action := range actions {
		if why, in := c.lets(s, to, request{action: action, resource: arn, context: context, who: principal{role: s.role, session: s.arn()}}); !in {
			return nil, accessDenied("User: %s is not authorized to perform: %s on resource: %s%s", s.arn(), action, arn, why)
		}
	}
	// Every session here is a role's, so every role that it assumes is chained.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	if ask.life > longestChained {
		return nil, invalid("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	}
	if f := to.gives(ask.life); f != nil {
		return nil, f
	}
	opened := c.open(to, ask)
	return assumed{opened.credentials(), opened.user(), opened.size(), args.Get("SourceIdentity")}, nil
}

// asksFor lists the actions that a call of AssumeRole needs, and what their policies can look
// at: tags and a source identity take a permission each.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func (s *session) asksFor(args url.Values, a ask) (actions []string, context map[string][]string, f *fault) {
	actions, context = []string{"sts:AssumeRole"}, s.context()
	context["sts:rolesessionname"] = []string{a.name}
	if id := args.Get("ExternalId"); id != "" {
		context["sts:externalid"] = []string{id}
	}
	tagged(context, args, a.tags)
	if len(a.tags) > 0 {
		actions = append(actions, "sts:TagSession")
	}
	if id := args.Get("SourceIdentity"); id != "" {
		actions = append(actions, "sts:SetSourceIdentity")
		context["sts:sourceidentity"] = []string{id}
	}
	switch {
	case args.Has("TokenCode") || args.Has("SerialNumber"): // a role has no device
		return nil, nil, accessDenied("MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.")
	case args.Has("ProvidedContexts.member.1.ProviderArn") || args.Has("ProvidedContexts.member.1.ContextAssertion"):
		return nil, nil, &fault{http.StatusBadRequest, "InvalidContextAssertion", "The context assertion that was provided is invalid."}
	}
	return actions, context, nil
}

// tagged puts the tags that a request passes where conditions look for them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-requesttag
func tagged(context map[string][]string, args url.Values, tags map[string]string) {
	for key, value := range tags {
		context["aws:requesttag/"+key] = []string{value}
	}
	if keys := fields(args, "Tags.member.", ".Key"); len(keys) > 0 {
		context["aws:tagkeys"] = keys
	}
	if keys := members(args, "TransitiveTagKeys.member."); len(keys) > 0 {
		context["sts:transitivetagkeys"] = keys
	}
}

// lets tells whether a session may enter a role, and which type of policy refuses.
func (c *Cloud) lets(s *session, to *role, req request) (why string, in bool) {
	why = c.above(req, to)
	switch {
	case why != "":
	case to == nil || !s.mayEnter(to, req):
		why = c.why(s, to, req)
	default:
		return "", true
	}
	if c.world.Terse {
		why = ""
	}
	return why, false
}

// mayEnter: unlike other resources, a role is entered only by whom its trust policy speaks of.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-cross-account.html
func (s *session) mayEnter(to *role, req request) bool {
	return to.trust.decide(req).allows() && s.reaches(req, to.trust, to.account)
}

// why names the type of policy that refused, where it is on the caller's side: the other
// account's trust policy has been seen to be named nowhere (aws/aws-cli#7216), though the
// guide has words for it, and a world can have it so.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (c *Cloud) why(s *session, to *role, req request) string {
	kind := "identity-based policy"
	if b := s.role.boundary; b != nil {
		if d := b.decide(req); !d.allows() {
			kind = "permissions boundary"
		}
	}
	switch d := s.permits(req); {
	case d == denied && kind == "identity-based policy":
		return " with an explicit deny in an " + kind
	case d == denied:
		return " with an explicit deny in a " + kind
	case d == silent:
		return " because no " + kind + " allows the " + req.action + " action"
	case c.world.NamesTrust && to != nil && to.trust.decide(req) == denied:
		return " with an explicit deny in the role trust policy"
	case c.world.NamesTrust:
		return " because no role trust policy allows the " + req.action + " action"
	}
	return ""
}

// context is what every request of a session says of it. All of the lab is on loopback, and
// no session was opened with a second factor.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (s *session) context() map[string][]string {
	now := s.now().UTC()
	context := map[string][]string{
		"aws:principalarn":           {s.role.arn},
		"aws:principalaccount":       {s.role.account},
		"aws:principaltype":          {"AssumedRole"},
		"aws:principalisawsservice":  {"false"},
		"aws:viaawsservice":          {"false"},
		"aws:multifactorauthpresent": {"false"},
		"aws:userid":                 {s.role.id + ":" + s.name},
		"aws:tokenissuetime":         {s.issued.UTC().Format(time.RFC3339)},
		"aws:currenttime":            {now.Format(time.RFC3339)},
		"aws:epochtime":              {strconv.FormatInt(now.Unix(), 10)},
		"aws:sourceip":               {"127.0.0.1"},
		"aws:securetransport":        {"true"},
	}
	for key, value := range s.tags {
		context["aws:principaltag/"+key] = []string{value}
	}
	return context
}

// An ask is what both ways of assuming a role have in common.
type ask struct {
	name     string
	life     time.Duration
	least    int // bytes of the session token
	policies []*policy
	tags     map[string]string // by key in lower case
}

func (c *Cloud) readAsk(args url.Values, rules []rule) (ask, *fault) {
	a := ask{name: args.Get("RoleSessionName"), life: time.Hour}
	if f := check(args, rules); f != nil {
		return a, f
	}
	if n, err := strconv.Atoi(args.Get("DurationSeconds")); err == nil {
		a.life = time.Duration(n) * time.Second
	}
	if n, err := strconv.Atoi(args.Get("MinimumSessionTokenSize")); err == nil {
		a.least = n
	}
	var f *fault
	if a.tags, f = readTags(args); f != nil {
		return a, f
	}
	if text := args.Get("Policy"); text != "" {
		p, err := parsePolicy([]byte(text), identityPolicy)
		if err != nil {
			return a, &fault{http.StatusBadRequest, "MalformedPolicyDocument", "Syntax errors in policy: " + err.Error()}
		}
		a.policies = append(a.policies, p)
	}
	return a, c.readManaged(&a, args)
}

// readManaged: managed policies narrow a session too, up to ten of them, of the role's own
// account. With which code AWS refuses one that is not there is not documented.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *Cloud) readManaged(a *ask, args url.Values) *fault {
	arns := fields(args, "PolicyArns.member.", ".arn")
	if len(arns) > 10 {
		return invalid("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to 10")
	}
	for _, arn := range arns {
		p := c.managed[arn]
		if p == nil || accountIn(arn) != accountIn(args.Get("RoleArn")) {
			return &fault{http.StatusBadRequest, "MalformedPolicyDocument", fmt.Sprintf("Policy %s does not exist or is not attachable.", arn)}
		}
		a.policies = append(a.policies, p)
	}
	return nil
}

// readTags: keys differ by more than their case.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html#id_session-tags_know
func readTags(args url.Values) (map[string]string, *fault) {
	tags := map[string]string{}
	for i, key := range fields(args, "Tags.member.", ".Key") {
		lower := strings.ToLower(key)
		if _, twice := tags[lower]; twice {
			return nil, &fault{http.StatusBadRequest, "InvalidParameterValue", "Duplicate tag keys found. Please note that Tag keys are case insensitive."}
		}
		tags[lower] = args.Get(fmt.Sprintf("Tags.member.%d.Value", i+1))
	}
	return tags, nil
}

func (r *role) gives(life time.Duration) *fault {
	if life > r.maxSession {
		return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}
