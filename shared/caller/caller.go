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
	role, isRole := cutService(arn, "sts", "assumed-role/")
	user, isUser := cutService(arn, "iam", "user/")
	switch {
	case isRole:
		name, session, ok := strings.Cut(role.name, "/")
		if ok && name != "" && session != "" && !strings.Contains(session, "/") {
			return role.caller("role", name), nil
		}
	case isUser:
		if name := user.name[strings.LastIndex(user.name, "/")+1:]; name != "" {
			return user.caller("user", name), nil
		}
	}
	return exchange.Caller{}, unverified("%q is neither a role's session nor a user", arn)
}

// A principal is an ARN taken apart.
type principal struct{ partition, account, name string }

// cutService takes apart arn:PARTITION:SERVICE::ACCOUNT:KIND/NAME.
func cutService(arn, service, kind string) (p principal, ok bool) {
	var account string
	p.partition, account, ok = strings.Cut(strings.TrimPrefix(arn, "arn:"), ":"+service+"::")
	if !ok || !strings.HasPrefix(arn, "arn:") {
		return p, false
	}
	switch p.partition {
	case "aws", "aws-cn", "aws-us-gov":
	default:
		return p, false
	}
	p.account, p.name, ok = strings.Cut(account, ":"+kind)
	ok = ok && len(p.account) == 12 && strings.Trim(p.account, "0123456789") == ""
	return p, ok && p.name != "" && !strings.ContainsFunc(p.name, unprintable)
}

// unprintable: what stands in an ARN is ASCII without blanks.
func unprintable(r rune) bool { return r < '!' || r > '~' }

func (p principal) caller(kind, name string) exchange.Caller {
	return exchange.Caller{Issuer: AWS, Subject: "arn:" + p.partition + ":iam::" + p.account + ":" + kind + "/" + name}
}
