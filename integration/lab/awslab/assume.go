package awslab

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"time"
	"unicode/utf8"
)

const (
	shortest        = 15 * time.Minute
	longestChained  = time.Hour
	maxPolicyLength = 2048
)

// assumeRole lets a role's session enter a role.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (c *Cloud) assumeRole(s *session, args url.Values) (any, *fault) {
	arn := args.Get("RoleArn")
	ask, f := readAsk(args)
	if f != nil {
		return nil, f
	}
	actions, context, f := s.asksFor(args)
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
	opened := c.open(to, args.Get("RoleSessionName"), ask.policy, ask.life)
	return assumed{opened.credentials(), opened.user()}, nil
}

// asksFor lists the actions that a call of AssumeRole needs, and what their policies can look
// at: tags and a source identity take a permission each.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func (s *session) asksFor(args url.Values) (actions []string, context map[string][]string, f *fault) {
	actions, context = []string{"sts:AssumeRole"}, s.context()
	context["sts:rolesessionname"] = []string{args.Get("RoleSessionName")}
	if id := args.Get("ExternalId"); id != "" {
		if len(id) > 1224 || !regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`).MatchString(id) {
			return nil, nil, invalid("1 validation error detected: Value at 'externalId' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@:\\/-]*")
		}
		context["sts:externalid"] = []string{id}
	}
	if args.Get("Tags.member.1.Key") != "" {
		actions = append(actions, "sts:TagSession")
	}
	if id := args.Get("SourceIdentity"); id != "" {
		actions = append(actions, "sts:SetSourceIdentity")
		context["sts:sourceidentity"] = []string{id}
	}
	return actions, context, nil
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

// mayEnter: across accounts both sides must allow it; within one account a trust
// policy that names the role itself is enough, unless something limits the session.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-cross-account.html
func (s *session) mayEnter(to *role, req request) bool {
	trust, own := to.trust.decide(req), s.permits(req)
	if trust == denied || own == denied || trust == silent {
		return false
	}
	free := s.role.boundary == nil && s.policy == nil
	return own >= allowed || trust == named && to.account == s.role.account && free
}

// why names the type of policy that refused, where it is on the caller's side: the other
// account's trust policy has been seen to be named nowhere (aws/aws-cli#7216), though the
// guide has words for it, and a world can have it so.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (c *Cloud) why(s *session, to *role, req request) string {
	kind := "identity-based policy"
	if b := s.role.boundary; b != nil {
		if d := b.decide(req); d == silent || d == denied {
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

// context is what every request of a session says of it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
func (s *session) context() map[string][]string {
	return map[string][]string{
		"aws:principalarn":     {s.role.arn},
		"aws:principalaccount": {s.role.account},
		"aws:userid":           {s.role.id + ":" + s.name},
		"aws:tokenissuetime":   {s.issued.UTC().Format(time.RFC3339)},
		"aws:securetransport":  {"true"},
	}
}

// An ask is what both ways of assuming a role have in common.
type ask struct {
	life   time.Duration
	policy *policy
}

func readAsk(args url.Values) (ask, *fault) {
	a := ask{life: time.Hour}
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
	if !regexp.MustCompile(`^[\w+=,.@-]{2,64}$`).MatchString(args.Get("RoleSessionName")) {
		return a, invalid("1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*", args.Get("RoleSessionName"))
	}
	if d := args.Get("DurationSeconds"); d != "" {
		n, err := strconv.Atoi(d)
		if err != nil || time.Duration(n)*time.Second < shortest {
			return a, invalid("1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", d)
		}
		a.life = time.Duration(n) * time.Second
	}
	text := args.Get("Policy")
	if text == "" {
		return a, nil
	}
	if n := utf8.RuneCountInString(text); n > maxPolicyLength {
		return a, invalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyLength)
	}
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	if !regexp.MustCompile(`^[\x{0009}\x{000A}\x{000D}\x{0020}-\x{00FF}]+$`).MatchString(text) {
		return a, invalid("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+")
	}
	var err error
	if a.policy, err = parsePolicy([]byte(text), identityPolicy); err != nil {
		return a, &fault{http.StatusBadRequest, "MalformedPolicyDocument", "The policy is not in the valid JSON format: " + err.Error()}
	}
	return a, nil
}

func (r *role) gives(life time.Duration) *fault {
	if life > r.maxSession {
		return invalid("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return nil
}
