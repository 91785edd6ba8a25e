package awslab

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A condition is one key under one operator.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	set       string // ForAllValues or ForAnyValue, or neither
	operator  string // without Not, and without IfExists
	negated   bool
	ifExists  bool
	key       string // lower case: keys match in any case
	values    []string
	variables bool // the policy's version knows them
}

// userID is the one policy variable that this lab evaluates, where it is the whole
// value.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
const userID = "${aws:userid}"

func parseConditions(raw json.RawMessage, variables bool) ([]condition, error) {
	if raw == nil {
		return nil, nil
	}
	operators, err := elements(raw)
	if err != nil {
		return nil, fmt.Errorf("condition: %w", err)
	}
	var all []condition
	for _, operator := range operators {
		keys, err := elements(operator.Value)
		if err != nil {
			return nil, fmt.Errorf("condition: %w", err)
		}
		for _, key := range keys {
			c, err := newCondition(operator.Key, key.Key, variables)
			if err != nil {
				return nil, err
			}
			if c.values, err = texts(key.Value); err != nil {
				return nil, err
			}
			if err := c.readable(); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func newCondition(name, key string, variables bool) (condition, error) {
	c := condition{operator: name, key: strings.ToLower(key), variables: variables}
	if set, operator, ok := strings.Cut(name, ":"); ok {
		c.set, c.operator = set, operator
		if set != "ForAllValues" && set != "ForAnyValue" {
			return c, fmt.Errorf("no set operator %q", set)
		}
	}
	known := false
	c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
	c.operator, c.negated, known = operatorOf(c.operator)
	if !known || c.operator == "Null" && (c.ifExists || c.set != "") {
		return c, fmt.Errorf("condition operator %q is not one that this lab evaluates", name)
	}
	return c, nil
}

// readable refuses values that are none of the operator's: a date that cannot be read would
// otherwise be a Deny that is lost.
func (c condition) readable() error {
	for _, v := range c.values {
		variable := c.variables && strings.Contains(v, "${")
		if variable && (v != userID || !strings.HasPrefix(c.operator, "String")) {
			return fmt.Errorf("%q has a policy variable, which this lab does not evaluate", v)
		}
		if _, ok := compare(c.operator, v, v); !ok {
			return fmt.Errorf("%q is no value for %s", v, c.operator)
		}
	}
	return nil
}

// holds evaluates the condition. ForAllValues is true of no values, and of the empty string;
// ForAnyValue is false of none, negated or not; …IfExists is true without the key. Whether
// ForAnyValue:…IfExists is true then, AWS does not say: here it is, by the sentence about
// IfExists (iam-simulate reads it otherwise). Several values under a plain operator match
// nothing, which is iam-simulate's reading alone.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html
func (c condition) holds(context map[string][]string) bool {
	got := context[c.key]
	takes := func(g string) bool { return c.takes(g, context) }
	switch {
	case c.operator == "Null":
		return slices.ContainsFunc(c.values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(len(got) == 0)) })
	case len(got) == 0:
		return c.ifExists || c.set == "ForAllValues" || c.set == "" && c.negated
	case c.set == "ForAllValues":
		return !slices.ContainsFunc(got, func(g string) bool { return g != "" && !takes(g) })
	case c.set == "ForAnyValue":
		return slices.ContainsFunc(got, takes)
	}
	return len(got) == 1 && takes(got[0])
}

// takes compares one value of the request to the policy's: any of them must match, and none
// under a negated operator. A value of the request that cannot be read satisfies neither.
func (c condition) takes(got string, context map[string][]string) bool {
	for _, want := range c.values {
		if c.variables && want == userID {
			if want = strings.Join(context["aws:userid"], ""); want == "" {
				continue
			}
		}
		matches, readable := compare(c.operator, want, got)
		if !readable || matches {
			return matches && !c.negated
		}
	}
	return c.negated
}
