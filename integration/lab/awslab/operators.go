package awslab

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// operatorOf takes the Not out of an operator, and tells whether this lab evaluates it.
func operatorOf(name string) (plain string, negated, known bool) {
	switch name {
	case "StringNotEquals", "StringNotEqualsIgnoreCase", "StringNotLike", "ArnNotEquals", "ArnNotLike", "NotIpAddress",
		"NumericNotEquals", "DateNotEquals":
		return strings.Replace(name, "Not", "", 1), true, true
	case "StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike", "Null", "Bool", "BinaryEquals", "IpAddress",
		"NumericEquals", "NumericLessThan", "NumericLessThanEquals", "NumericGreaterThan", "NumericGreaterThanEquals",
		"DateEquals", "DateLessThan", "DateLessThanEquals", "DateGreaterThan", "DateGreaterThanEquals":
		return name, false, true
	}
	return name, false, false
}

// compare holds a value of the request against one of the policy, and tells whether both can
// be read as what the operator compares.
func compare(operator, want, got string) (matches, readable bool) {
	switch operator {
	case "StringEquals":
		return want == got, true
	case "StringEqualsIgnoreCase":
		return strings.EqualFold(want, got), true
	case "StringLike":
		return wildcard(want, got, false), true
	case "ArnLike", "ArnEquals":
		return compareARNs(want, got)
	case "Bool", "Null":
		return strings.EqualFold(want, got), boolean(want) && boolean(got)
	case "BinaryEquals":
		w, errW := base64.StdEncoding.DecodeString(want)
		g, errG := base64.StdEncoding.DecodeString(got)
		return bytes.Equal(w, g), errW == nil && errG == nil
	case "IpAddress":
		return compareAddresses(want, got)
	}
	if rest, ok := strings.CutPrefix(operator, "Numeric"); ok {
		return compareAs(number, rest, want, got)
	}
	return compareAs(date, strings.TrimPrefix(operator, "Date"), want, got)
}

func boolean(s string) bool { return strings.EqualFold(s, "true") || strings.EqualFold(s, "false") }

// compareARNs: each of the six parts is matched by itself.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_ARN
func compareARNs(want, got string) (matches, readable bool) {
	w, g := strings.SplitN(want, ":", 6), strings.SplitN(got, ":", 6)
	if len(w) != 6 || len(g) != 6 || w[0] != "arn" || g[0] != "arn" {
		return false, false
	}
	for i := range w {
		if !wildcard(w[i], g[i], false) {
			return false, true
		}
	}
	return true, true
}

// compareAddresses: a policy has an address or a range, the request an address. In a
// policy's own value, which is held against itself, a range stands for both.
func compareAddresses(want, got string) (matches, readable bool) {
	within, err := netip.ParsePrefix(want)
	if err != nil {
		one, err := netip.ParseAddr(want)
		if err != nil {
			return false, false
		}
		within = netip.PrefixFrom(one, one.BitLen())
	}
	if got == want {
		return true, true
	}
	address, err := netip.ParseAddr(got)
	return err == nil && within.Masked().Contains(address), err == nil
}

// compareAs compares what a reader makes of both values.
func compareAs(read func(string) (*big.Rat, bool), relation, want, got string) (matches, readable bool) {
	w, okW := read(want)
	g, okG := read(got)
	if !okW || !okG {
		return false, false
	}
	order := g.Cmp(w)
	switch relation {
	case "Equals":
		matches = order == 0
	case "LessThan":
		matches = order < 0
	case "LessThanEquals":
		matches = order <= 0
	case "GreaterThan":
		matches = order > 0
	case "GreaterThanEquals":
		matches = order >= 0
	}
	return matches, true
}

// number reads an integer or a decimal, and keeps every digit: a service account's id has 21.
func number(s string) (*big.Rat, bool) {
	if len(s) > 64 || !regexp.MustCompile(`^[+-]?\d+(\.\d+)?$`).MatchString(s) {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

// date reads the W3C's forms of ISO 8601, and seconds since 1970. Four digits are seconds as
// well, which is iam-simulate's reading alone: the W3C has them for a year.
// https://www.w3.org/TR/NOTE-datetime
func date(s string) (*big.Rat, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil {
		return new(big.Rat).SetInt64(seconds), true
	}
	for _, layout := range []string{"2006-01", time.DateOnly, "2006-01-02T15:04Z07:00", time.RFC3339Nano} {
		if at, err := time.Parse(layout, s); err == nil {
			return big.NewRat(at.UnixMilli(), 1000), true
		}
	}
	return nil, false
}
