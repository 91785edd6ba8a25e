package awslab

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A condition is one key under one operator.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
type condition struct {
	set      string // ForAllValues or ForAnyValue, or neither
	operator string
	ifExists bool
	key      string // lower case: keys match in any case
	values   []string
}

// userID is the one policy variable that this lab evaluates, where it is the whole
// value.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
const userID = "${aws:userid}"

func parseConditions(raw map[string]map[string]texts) ([]condition, error) {
	var all []condition
	for name, keys := range raw {
		for key, values := range keys {
			c := condition{operator: name, key: strings.ToLower(key), values: values}
			if set, op, ok := strings.Cut(name, ":"); ok {
				c.set, c.operator = set, op
			}
			c.operator, c.ifExists = strings.CutSuffix(c.operator, "IfExists")
			if err := c.known(); err != nil {
				return nil, err
			}
			all = append(all, c)
		}
	}
	return all, nil
}

func (c condition) known() error {
	switch c.set {
	case "", "ForAllValues", "ForAnyValue":
	default:
		return fmt.Errorf("no set operator %q", c.set)
	}
	switch c.operator {
	case "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
		"ArnEquals", "ArnLike", "Null", "Bool", "NumericEquals", "NumericLessThanEquals", "DateLessThan", "DateGreaterThan":
	default:
		return fmt.Errorf("condition operator %q is not one that this lab evaluates", c.operator)
	}
	for _, v := range c.values {
		if v != userID && strings.Contains(v, "${") {
			return fmt.Errorf("%q has a policy variable, which this lab does not evaluate", v)
		}
	}
	return nil
}

// holds evaluates the condition. A key that is missing makes it false, but for
// negated operators, ...IfExists, Null, and ForAllValues, which is true of nothing.
func (c condition) holds(context map[string][]string) bool {
	got, present := context[c.key]
	c = c.filled(context)
	present = present && len(got) > 0
	switch {
	case c.operator == "Null":
		return contains(c.values, strconv.FormatBool(!present))
	case !present:
		return c.ifExists || c.set == "ForAllValues" || c.negated()
	case c.set == "ForAllValues":
		for _, g := range got {
			if c.matches(g) == c.negated() {
				return false
			}
		}
		return true
	}
	for _, g := range got {
		if c.matches(g) {
			return !c.negated()
		}
	}
	return c.negated()
}

// filled puts the request's own user id where the policy has the variable.
func (c condition) filled(context map[string][]string) condition {
	if i := slices.Index(c.values, userID); i >= 0 {
		c.values = slices.Concat(c.values[:i], context["aws:userid"], c.values[i+1:])
	}
	return c
}

func (c condition) negated() bool { return strings.HasPrefix(c.operator, "StringNot") }

// matches compares one value of the request to the policy's, any of which will do.
// For negated operators it tells whether the plain one would match.
func (c condition) matches(got string) bool {
	for _, want := range c.values {
		if compare(strings.Replace(c.operator, "StringNot", "String", 1), want, got) {
			return true
		}
	}
	return false
}

func compare(operator, want, got string) bool {
	switch operator {
	case "StringEquals":
		return want == got
	case "StringEqualsIgnoreCase", "Bool":
		return strings.EqualFold(want, got)
	case "StringLike", "ArnLike", "ArnEquals":
		return wildcard(want, got, false)
	case "NumericEquals", "NumericLessThanEquals":
		w, errW := strconv.ParseFloat(want, 64)
		g, errG := strconv.ParseFloat(got, 64)
		return errW == nil && errG == nil && (g == w || operator == "NumericLessThanEquals" && g < w)
	}
	w, errW := time.Parse(time.RFC3339, want)
	g, errG := time.Parse(time.RFC3339, got)
	before := operator == "DateLessThan" && g.Before(w) || operator == "DateGreaterThan" && g.After(w)
	return errW == nil && errG == nil && before
}
