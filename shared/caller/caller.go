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
	"regexp"
	"strings"

	"carnet.dev/carnet/shared/exchange"
)

// ErrUnverified wraps why a proof does not count. The reason is for the operator's log:
// a caller learns that it is unauthenticated.
var ErrUnverified = errors.New("unverified caller")

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
	m := regexp.MustCompile(`^arn:(aws|aws-cn|aws-us-gov):(sts|iam)::([0-9]{12}):(assumed-role|user)/([!-~]+)$`).FindStringSubmatch(arn)
	if m == nil {
		return exchange.Caller{}, unverified("%q is neither a role's session nor a user", arn)
	}
	partition, service, account, kind, name := m[1], m[2], m[3], m[4], m[5]
	switch {
	case kind == "assumed-role" && service == "sts":
		role, session, ok := strings.Cut(name, "/")
		if !ok || role == "" || session == "" || strings.Contains(session, "/") {
			return exchange.Caller{}, unverified("%q is no role's session", arn)
		}
		name, kind = role, "role"
	case kind == "user" && service == "iam":
		name = name[strings.LastIndex(name, "/")+1:]
	default:
		return exchange.Caller{}, unverified("%q is neither a role's session nor a user", arn)
	}
	if name == "" {
		return exchange.Caller{}, unverified("%q has no name", arn)
	}
	return exchange.Caller{Issuer: AWS, Subject: "arn:" + partition + ":iam::" + account + ":" + kind + "/" + name}, nil
}
