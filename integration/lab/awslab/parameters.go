package awslab

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A rule is what an operation of STS asks of one parameter, as its service model has it. A
// name with a * in it is that of each member of a list.
// https://github.com/boto/botocore/blob/1.44.8/botocore/data/sts/2011-06-15/service-2.json.gz
type rule struct {
	name      string
	low, high int // of its length, or of its value
	number    bool
	pattern   string
	required  bool
	secret    bool // not repeated in the error
	reserved  bool // what begins with aws: is AWS's own
}

const (
	word      = `^[\w+=,.@-]*$`
	anyText   = `^[\t\n\r\x20-\x7E\x{85}\x{A0}-\x{D7FF}\x{E000}-\x{FFFD}\x{10000}-\x{10FFFF}]+$`
	policyish = `^[\t\n\r\x20-\x{FF}]+$`
	tagText   = `^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`
	scopes    = `^[\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+( [\x21\x23-\x2B\x2D-\x5B\x5D-\x7E]+)*$`
)

func assumeRoleRules() []rule {
	return append(bothAssumeRules(),
		rule{name: "ExternalId", low: 2, high: 1224, pattern: `^[\w+=,.@:/-]*$`},
		rule{name: "SerialNumber", low: 9, high: 256, pattern: `^[\w+=/:,.@-]*$`},
		rule{name: "TokenCode", low: 6, high: 6, pattern: `^[\d]*$`},
		rule{name: "SourceIdentity", low: 2, high: 256, pattern: word, reserved: true},
		rule{name: "ProvidedContexts.member", low: 1, high: 5},
		rule{name: "ProvidedContexts.member.*.ProviderArn", low: 20, high: 2048, pattern: anyText},
		rule{name: "ProvidedContexts.member.*.ContextAssertion", low: 4, high: 3072},
		rule{name: "TransitiveTagKeys.member", high: 50},
		rule{name: "TransitiveTagKeys.member.*", low: 1, high: 128, pattern: tagText},
		rule{name: "Tags.member", high: 50},
		rule{name: "Tags.member.*.Key", low: 1, high: 128, pattern: tagText, reserved: true},
		rule{name: "Tags.member.*.Value", high: 256, pattern: tagText},
	)
}

func webIdentityRules() []rule {
	return append(bothAssumeRules(),
		rule{name: "WebIdentityToken", low: 4, high: 20_000, required: true, secret: true},
		rule{name: "ProviderId", low: 4, high: 2048},
	)
}

// bothAssumeRules: the model has the 2,048 characters of a policy at the second operation
// alone; the guide has them for both.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func bothAssumeRules() []rule {
	return []rule{
		{name: "RoleArn", low: 20, high: 2048, pattern: anyText, required: true},
		{name: "RoleSessionName", low: 2, high: 64, pattern: word, required: true},
		{name: "DurationSeconds", low: 900, high: 43200, number: true},
		{name: "Policy", low: 1, high: 2048, pattern: policyish, secret: true},
		{name: "PolicyArns.member.*.arn", low: 20, high: 2048, pattern: anyText},
		{name: "MinimumSessionTokenSize", high: 4096, number: true},
	}
}

func outboundRules() []rule {
	return []rule{
		{name: "Audience.member", low: 1, high: 10, required: true},
		{name: "Audience.member.*", low: 1, high: 1000},
		{name: "DurationSeconds", low: 60, high: 3600, number: true},
		{name: "SigningAlgorithm", low: 5, high: 5, required: true},
		{name: "Scope", low: 1, high: 256, pattern: scopes},
		{name: "SubjectMode", low: 1, high: 14, pattern: `^(AWSIdentity|OriginIdentity)$`},
		{name: "Tags.member", high: 50},
		{name: "Tags.member.*.Key", low: 1, high: 128, pattern: tagText, reserved: true},
		{name: "Tags.member.*.Value", high: 256, pattern: tagText},
	}
}

// check holds a request's parameters against an operation's rules, and answers with all that
// is wrong, as AWS does.
func check(args url.Values, rules []rule) *fault {
	var wrong []string
	for _, r := range rules {
		wrong = append(wrong, r.broken(args)...)
	}
	switch len(wrong) {
	case 0:
		return nil
	case 1:
		return invalid("1 validation error detected: %s", wrong[0])
	}
	return invalid("%d validation errors detected: %s", len(wrong), strings.Join(wrong, "; "))
}

func (r rule) broken(args url.Values) []string {
	if list, ok := strings.CutSuffix(r.name, ".member"); ok {
		return r.count(args, list)
	}
	var wrong []string
	found := false
	for _, name := range slices.Sorted(maps.Keys(args)) {
		if starred(name) != r.name {
			continue
		}
		found = true
		if why := r.against(args.Get(name)); why != "" {
			wrong = append(wrong, r.says(name, args.Get(name), why))
		}
	}
	if !found && r.required {
		wrong = append(wrong, fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", shown(r.name)))
	}
	return wrong
}

// count is of a list's members, whose numbers stand behind its name.
func (r rule) count(args url.Values, list string) []string {
	last, any := 0, false
	for name := range args {
		rest, ok := strings.CutPrefix(name, list+".member.")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil {
			last, any = max(last, n), true
		}
	}
	switch {
	case !any && r.required:
		return []string{fmt.Sprintf("Value null at '%s' failed to satisfy constraint: Member must not be null", shown(list))}
	case last > r.high:
		return []string{fmt.Sprintf("Value at '%s' failed to satisfy constraint: Member must have length less than or equal to %d", shown(list), r.high)}
	}
	return nil
}

func (r rule) against(value string) string {
	n, what := utf8.RuneCountInString(value), "length"
	if r.number {
		var err error
		if n, err = strconv.Atoi(value); err != nil {
			return "Member must be a number"
		}
		what = "value"
	}
	switch {
	case n < r.low:
		return fmt.Sprintf("Member must have %s greater than or equal to %d", what, r.low)
	case n > r.high:
		return fmt.Sprintf("Member must have %s less than or equal to %d", what, r.high)
	case r.reserved && strings.HasPrefix(strings.ToLower(value), "aws:"):
		return "Member must not begin with aws:"
	case r.pattern != "" && !regexp.MustCompile(r.pattern).MatchString(value):
		return "Member must satisfy regular expression pattern: " + strings.Trim(r.pattern, "^$")
	}
	return ""
}

func (r rule) says(name, value, why string) string {
	if r.secret {
		return fmt.Sprintf("Value at '%s' failed to satisfy constraint: %s", shown(name), why)
	}
	return fmt.Sprintf("Value '%s' at '%s' failed to satisfy constraint: %s", value, shown(name), why)
}

// shown is a parameter's name as AWS's errors have it.
func shown(name string) string { return strings.ToLower(name[:1]) + name[1:] }

// starred puts a * for the number of a list's member.
func starred(name string) string {
	return regexp.MustCompile(`\.member\.\d+`).ReplaceAllString(name, ".member.*")
}

// members are those of a list, in order; fields are one field of each.
func members(args url.Values, prefix string) []string { return fields(args, prefix, "") }

func fields(args url.Values, prefix, suffix string) []string {
	var list []string
	for i := 1; args.Has(fmt.Sprint(prefix, i, suffix)); i++ {
		list = append(list, args.Get(fmt.Sprint(prefix, i, suffix)))
	}
	return list
}
