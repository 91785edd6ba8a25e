package awslab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/strict"
)

// A policyKind says which elements a policy may have.
type policyKind int

const (
	identityPolicy policyKind = iota // no Principal; session policies are of this kind too
	trustPolicy                      // a Principal and no Resource
	resourcePolicy                   // both
)

// The versions of the policy language. The old one knows no variables.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
const (
	oldVersion = "2008-10-17"
	newVersion = "2012-10-17"
)

// elements reads a JSON object of a policy, each key once and as the grammar spells it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func elements(text []byte, known ...string) (strict.Object, error) {
	o, err := strict.Parse(text)
	if err != nil {
		return nil, err
	}
	for _, m := range o {
		if known != nil && !slices.Contains(known, m.Key) {
			return nil, fmt.Errorf("there is no element %q that this lab evaluates", m.Key)
		}
	}
	return o, nil
}

// texts reads one string, boolean or number, or a list of them: IAM lets a list of one be
// written without its brackets. A number stays as it is written.
func texts(value json.RawMessage) ([]string, error) {
	if value == nil {
		return nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(value))
	dec.UseNumber()
	var read any
	if err := dec.Decode(&read); err != nil {
		return nil, err
	}
	list, ok := read.([]any)
	if !ok {
		list = []any{read}
	}
	var all []string
	for _, one := range list {
		switch one.(type) {
		case string, bool, json.Number:
			all = append(all, fmt.Sprint(one))
		default:
			return nil, fmt.Errorf("%s is neither a string nor a list of strings", value)
		}
	}
	return all, nil
}

func text(o strict.Object, key string) (string, error) {
	value, ok := o.Get(key)
	if !ok {
		return "", nil
	}
	var s string
	if json.Unmarshal(value, &s) != nil {
		return "", fmt.Errorf("%s is no string", key)
	}
	return s, nil
}

// parsePolicy reads a policy, and refuses what IAM refuses and what this lab does not
// evaluate, NotPrincipal among it.
func parsePolicy(document []byte, kind policyKind) (*policy, error) {
	o, err := elements(document, "Version", "Id", "Statement")
	if err != nil {
		return nil, err
	}
	version, err := text(o, "Version")
	if _, given := o.Get("Version"); err != nil || given && version != oldVersion && version != newVersion {
		return nil, fmt.Errorf("version is %q: write %s", version, newVersion)
	}
	raw, err := statementsOf(o)
	if err != nil {
		return nil, err
	}
	p, ids := new(policy), map[string]bool{"": true}
	for i, one := range raw {
		s, id, err := parseStatement(one, kind, version == newVersion)
		if err == nil && id != "" && ids[id] {
			err = errors.New("statement IDs (SID) in a single policy must be unique")
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", i+1, err)
		}
		ids[id] = true
		p.statements = append(p.statements, s)
	}
	return p, nil
}

// statementsOf: there is one, or a list of one or more.
func statementsOf(o strict.Object) ([]json.RawMessage, error) {
	value, _ := o.Get("Statement")
	var list []json.RawMessage
	if !bytes.HasPrefix(value, []byte("[")) {
		list = append(list, value)
	} else if err := json.Unmarshal(value, &list); err != nil {
		return nil, err
	}
	if value == nil || len(list) == 0 {
		return nil, errors.New("it has no statement")
	}
	return list, nil
}

func parseStatement(raw []byte, kind policyKind, variables bool) (s statement, id string, err error) {
	o, err := elements(raw, "Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition")
	if err != nil {
		return s, "", err
	}
	effect, err := text(o, "Effect")
	if err != nil || effect != "Allow" && effect != "Deny" {
		return s, "", fmt.Errorf("effect is %q", effect)
	}
	s.allow = effect == "Allow"
	if id, err = readID(o, kind); err != nil {
		return s, "", err
	}
	if err := errors.Join(s.readActions(o, kind), s.readResources(o, kind)); err != nil {
		return s, "", err
	}
	for _, r := range slices.Concat(s.resources, s.actions) {
		if variables && strings.Contains(r, "${") {
			return s, "", fmt.Errorf("%q has a policy variable, which this lab does not evaluate", r)
		}
	}
	principal, given := o.Get("Principal")
	if given == (kind == identityPolicy) {
		return s, "", errors.New("a principal stands where none may, or none where one must")
	}
	if err := s.readPrincipal(principal); err != nil {
		return s, "", err
	}
	condition, _ := o.Get("Condition")
	s.conditions, err = parseConditions(condition, variables)
	return s, id, err
}

// readID: IAM takes letters and digits alone, S3 blanks as well.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_sid.html
func readID(o strict.Object, kind policyKind) (string, error) {
	id, err := text(o, "Sid")
	if err == nil && kind != resourcePolicy && !regexp.MustCompile(`^[0-9A-Za-z]*$`).MatchString(id) {
		err = errors.New("statement IDs (SID) must be alpha-numeric: check that your input satisfies the regular expression [0-9A-Za-z]*")
	}
	return id, err
}

// either reads the one of two elements that is there: what a statement speaks of, or what it
// leaves out.
func either(o strict.Object, plain, not string) (list []string, inverted bool, err error) {
	value, has := o.Get(plain)
	other, inverted := o.Get(not)
	if has && inverted {
		return nil, false, fmt.Errorf("both %s and %s", plain, not)
	}
	if inverted {
		value = other
	}
	if list, err = texts(value); err == nil && (has || inverted) && len(list) == 0 {
		err = fmt.Errorf("%s is empty", plain)
	}
	return list, inverted, err
}

// readActions: an action is that of a service, which stands before a colon, or all of them.
func (s *statement) readActions(o strict.Object, kind policyKind) (err error) {
	if s.actions, s.notActions, err = either(o, "Action", "NotAction"); err != nil {
		return err
	}
	if len(s.actions) == 0 {
		return errors.New("policy statement must contain actions")
	}
	for _, a := range s.actions {
		switch {
		case a != "*" && !regexp.MustCompile(`^[\w*?-]+:[\w*?-]+$`).MatchString(a):
			return fmt.Errorf("%q: actions/conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc", a)
		case kind == trustPolicy && !strings.HasPrefix(strings.ToLower(a), "sts:"):
			return fmt.Errorf("%q: AssumeRole policy may only specify STS AssumeRole actions", a)
		}
	}
	return nil
}

// readResources: a resource is an ARN of six parts, whose partition and service are named, or
// all of them.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
func (s *statement) readResources(o strict.Object, kind policyKind) (err error) {
	if s.resources, s.notResources, err = either(o, "Resource", "NotResource"); err != nil {
		return err
	}
	if (kind == trustPolicy) == (len(s.resources) > 0) {
		return errors.New("a resource stands where none may, or none where one must")
	}
	for _, r := range s.resources {
		if r != "*" && !regexp.MustCompile(`^arn:[\w*-]+:[\w-]+:[^:]*:[^:]*:(?s:.+)$`).MatchString(r) {
			return fmt.Errorf("resource %s must be in ARN format or \"*\"", r)
		}
	}
	return nil
}

// readPrincipal: "*" and {"AWS": "*"} are the same, and no other name has a wildcard.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func (s *statement) readPrincipal(raw json.RawMessage) error {
	if raw == nil {
		return nil
	}
	s.principals = map[string][]string{}
	if bytes.HasPrefix(raw, []byte(`"`)) {
		if string(raw) != `"*"` {
			return fmt.Errorf("principal is %s", raw)
		}
		s.principals["AWS"] = []string{"*"}
		return nil
	}
	byType, err := elements(raw, "AWS", "Federated", "Service")
	if err != nil {
		return fmt.Errorf("principal: %w", err)
	}
	for _, m := range byType {
		names, err := texts(m.Value)
		if err != nil {
			return fmt.Errorf("principal: %w", err)
		}
		for _, n := range names {
			if strings.ContainsAny(n, "*?") && (m.Key != "AWS" || n != "*") {
				return fmt.Errorf("invalid principal in policy: %q: %q", m.Key, n)
			}
		}
		s.principals[m.Key] = names
	}
	return nil
}
