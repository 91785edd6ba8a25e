// Package caller finds out who asks.
//
// There are three kinds of proof. On AWS the platform can check a signature before the
// function runs, and then says which IAM principal it was ([FromARN]). On Google Cloud,
// and wherever an OIDC issuer is trusted, the caller shows a JSON Web Token, which a
// [Verifier] checks here, in full. What the platform says of a token, or a token that has
// lost its signature on the way, is no proof.
//
// Issuers and their keys come from the operator's file. A token is only ever asked which
// of them it claims to be from; it names no host, no key and no algorithm that counts.
package caller

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// ErrUnverified wraps why a proof does not count. The reason is for the operator's log:
// a caller learns that it is unauthenticated.
var ErrUnverified = errors.New("unverified caller")

// ErrNoKeys wraps why an issuer's keys could not be had. It says nothing of the token, and
// is worth another try.
var ErrNoKeys = errors.New("no keys to verify a caller with")

func unverified(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrUnverified}, args...)...)
}

// The issuers of an [exchange.Caller] that are not URLs.
const (
	AWS    = "aws"
	Google = "google"
)

// FromARN returns the caller that a function URL of auth type AWS_IAM has verified, of
// whatever account. A role counts as itself in every session; its path counts for
// nothing, since STS leaves it out (role names are unique in an account without it), and
// the catalog leaves it out of `callers:` likewise. The account's root, federated users
// and services are refused.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html#urls-payloads
func FromARN(arn string) (exchange.Caller, error) {
	// arn:PARTITION:SERVICE:REGION:ACCOUNT:KIND/NAME
	part := strings.SplitN(arn, ":", 6)
	if len(part) < 6 || part[0] != "arn" || !slices.Contains([]string{"aws", "aws-cn", "aws-us-gov"}, part[1]) ||
		part[3] != "" || len(part[4]) != 12 || strings.Trim(part[4], "0123456789") != "" || strings.ContainsFunc(arn, unprintable) {
		return exchange.Caller{}, unverified("%q is neither a role's session nor a user", arn)
	}
	path := strings.Split(part[5], "/")
	kind, name := "", path[len(path)-1]
	switch {
	case part[2] == "sts" && path[0] == "assumed-role" && len(path) == 3 && path[2] != "": // the session
		kind, name = "role", path[1]
	case part[2] == "iam" && path[0] == "user" && len(path) > 1:
		kind = "user"
	}
	if kind == "" || name == "" {
		return exchange.Caller{}, unverified("%q is neither a role's session nor a user", arn)
	}
	return exchange.Caller{Issuer: AWS, Subject: "arn:" + part[1] + ":iam::" + part[4] + ":" + kind + "/" + name}, nil
}

// unprintable: what stands in an ARN is ASCII without blanks.
func unprintable(r rune) bool { return r < '!' || r > '~' }
