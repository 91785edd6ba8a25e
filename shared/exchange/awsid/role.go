package awsid

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// A Role is the name of an IAM role, with what binds it to whoever enters it.
type Role struct {
	Cloud *Cloud
	ARN   string
	// ExternalID is the ExternalId where a role enters, and the audience of the
	// token (accounts.google.com:oaud) where another cloud's identity does. AWS
	// lets roles be entered without; a foreign identity needs it here.
	ExternalID string
	// NextExternalID takes over from ExternalID: while both stand, it goes first, and
	// ExternalID is shown where the role does not know it yet. Empty: no change is under way.
	NextExternalID string
	// Lifetime is how long the role's sessions may live, where its
	// MaxSessionDuration was raised; 0: one hour. Chained roles never live longer
	// than LongestChained.
	Lifetime time.Duration
}

// String returns the ARN.
func (r Role) String() string { return r.ARN }

// Enter links the role to the identity it is entered from: one of ours assumes
// it, anybody else shows a web identity.
func (r Role) Enter(from exchange.Identity) (exchange.Identity, error) {
	own, ours := from.(*Identity)
	if !ours && r.ExternalID == "" && r.NextExternalID == "" {
		return nil, fmt.Errorf("%s has no external_id, which is the audience of the token that another cloud's identity shows: without one a token made for anybody would do", r.ARN)
	}
	id := &Identity{cloud: r.Cloud, arn: r.ARN, longest: cmp.Or(r.Lifetime, time.Hour)}
	if ours {
		id.longest = min(id.longest, LongestChained)
	}
	rotation := rotation{role: r.ARN, next: r.NextExternalID, old: r.ExternalID}
	id.assume = func(ctx context.Context, ask Ask) (Session, error) {
		life := min(cmp.Or(ask.Lifetime, id.longest), id.longest)
		return rotation.cross(func(binding string) (Session, error) {
			if ours {
				return r.assumeFrom(ctx, own, binding, life, ask.Policy)
			}
			return r.assumeWith(ctx, from, binding, life, ask.Policy)
		})
	}
	return id, nil
}

func (r Role) assumeFrom(ctx context.Context, from *Identity, externalID string, life time.Duration, policy string) (Session, error) {
	edge := exchange.Edge{From: from.arn, To: r.ARN, Op: "sts:AssumeRole", Mint: exchange.NewMint()}
	var entered Session
	err := from.signed(ctx, alive, func(by Session) (err error) {
		var answer assumed
		edge.RequestID, err = r.Cloud.sts(ctx, &by, "AssumeRole", r.ask(edge.Mint, life, policy, "ExternalId", externalID), &answer)
		if err != nil {
			return Failed(err, edge, by.Trail)
		}
		entered, err = r.session(answer, edge, by.Trail)
		return err
	})
	return entered, exchange.AtEdge(err, edge, nil)
}

func (r Role) assumeWith(ctx context.Context, from exchange.Identity, audience string, life time.Duration, policy string) (Session, error) {
	edge := exchange.Edge{From: from.Principal(), To: r.ARN, Op: "sts:AssumeRoleWithWebIdentity", Mint: exchange.NewMint()}
	// AWS accepts RS and ES tokens of 256, 384 and 512 bits; Google signs RS256.
	proof, err := from.SubjectToken(ctx, exchange.RelyingParty{Audience: audience, Accepts: []exchange.Form{exchange.RS256}})
	if err != nil {
		return Session{}, exchange.AtEdge(err, edge, nil)
	}
	var answer assumed
	edge.RequestID, err = r.Cloud.sts(ctx, nil, "AssumeRoleWithWebIdentity", r.ask(edge.Mint, life, policy, "WebIdentityToken", proof.Value.Reveal()), &answer)
	if err != nil {
		return Session{}, Failed(err, edge, proof.Trail)
	}
	return r.session(answer, edge, proof.Trail)
}

// ask is what both ways of assuming a role are asked with; empty is left out.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func (r Role) ask(mint string, life time.Duration, policy, binding, value string) url.Values {
	args := url.Values{"RoleArn": {r.ARN}, "RoleSessionName": {mint}, "DurationSeconds": {strconv.Itoa(int(life / time.Second))}}
	if policy != "" {
		args.Set("Policy", policy)
	}
	if value != "" {
		args.Set(binding, value)
	}
	return args
}

// An assumed role is what both operations answer.
type assumed struct {
	Credentials struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      time.Time
	}
	AssumedRoleUser struct{ Arn string }
}

// session takes STS's answer for what it says, after a look at whether it is for
// the role that was asked for.
func (r Role) session(a assumed, edge exchange.Edge, crossed exchange.Trail) (Session, error) {
	c := a.Credentials
	if c.AccessKeyID == "" || c.SecretAccessKey == "" || c.SessionToken == "" || c.Expiration.IsZero() {
		return Session{}, exchange.AtEdge(fmt.Errorf("the answer has no complete credentials"), edge, crossed)
	}
	if !isSessionOf(a.AssumedRoleUser.Arn, r.ARN) {
		return Session{}, exchange.AtEdge(fmt.Errorf("the answer is for another role"), edge, crossed)
	}
	account, _ := accountOf(r.ARN)
	return Session{
		Session: exchange.Session{
			AccessKeyID:     c.AccessKeyID,
			SecretAccessKey: exchange.NewSecret(c.SecretAccessKey),
			SessionToken:    exchange.NewSecret(c.SessionToken),
			AccountID:       account,
		},
		ARN:     a.AssumedRoleUser.Arn,
		Expires: r.Cloud.clock.Ours(c.Expiration),
		Trail:   crossed.Then(edge),
	}, nil
}

// isSessionOf tells whether arn:P:sts::ACCOUNT:assumed-role/NAME/SESSION is a
// session of arn:P:iam::ACCOUNT:role/[PATH/]NAME. STS leaves the path out.
func isSessionOf(session, role string) bool {
	there, as := accountOf(session)
	account, name := accountOf(role)
	name = name[strings.LastIndex(name, "/")+1:]
	rest, ok := strings.CutPrefix(as, "assumed-role/")
	return ok && name != "" && there == account && strings.HasPrefix(rest, name+"/")
}

// accountOf takes arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE apart.
func accountOf(arn string) (account, resource string) {
	for range 4 {
		_, arn, _ = strings.Cut(arn, ":")
	}
	account, resource, _ = strings.Cut(arn, ":")
	return account, resource
}
