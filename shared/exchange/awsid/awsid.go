// Package awsid knows how to be somebody on AWS.
//
// A [Cloud] is a Region's STS. The process's own role is its [Cloud.Runtime]; any
// other is a [Role], which is entered in one of two ways, and [Role.Enter] is the
// only place that decides which: from one of this package's identities by
// AssumeRole with the role's ExternalId, from anybody else's by
// AssumeRoleWithWebIdentity with a subject token whose audience is that same id.
//
// An [Identity] at the end of a chain is asked for a [Session], and its last
// AssumeRole carries the session policy. The session without a policy, which the
// role's whole permission stands behind, is used inside to enter onwards and never
// leaves this package.
package awsid

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/clock"
	"carnet.dev/carnet/shared/exchange/keep"
)

const (
	// ShortestSession is the least that AssumeRole gives: 900 s.
	// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
	ShortestSession = 15 * time.Minute
	// LongestChained is the most that a role gives to a role: one hour, whatever
	// its MaxSessionDuration says.
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining
	LongestChained = time.Hour

	// alive is how much life a session needs to sign one more request.
	alive = time.Minute
)

// Config says which Region's STS is used, and over what.
type Config struct {
	Region string       // such as eu-west-1; required: the global endpoint's tokens do not work everywhere
	HTTP   *http.Client // required
}

// A Cloud is AWS as seen from this process.
type Cloud struct {
	region string
	http   *http.Client
	clock  clock.Skew
	signer *v4.Signer // keeps the keys that it derives, by day
}

// New returns AWS as seen through one Region's STS.
func New(c Config) *Cloud {
	return &Cloud{region: c.Region, http: c.HTTP, signer: v4.NewSigner()}
}

// Region is the Region whose STS is called.
func (c *Cloud) Region() string { return c.region }

// An Ask says what a session is for.
type Ask struct {
	Policy   string        // the session policy, as JSON; empty only inside
	Lifetime time.Duration // how long it should live; 0: the identity's Longest
}

// A Session is what a role gives for a while.
type Session struct {
	exchange.Session
	ARN     string // arn:aws:sts::ACCOUNT:assumed-role/ROLE/MINT
	Expires time.Time
	Trail   exchange.Trail

	kept bool // from an earlier call
}

// An Identity is a role that this process can act as.
type Identity struct {
	cloud   *Cloud
	arn     string
	longest time.Duration
	assume  func(context.Context, Ask) (Session, error)
	onward  keep.Value[Session]
}

// Runtime is the process's own role, whose credentials the platform provides. from is asked
// each time that the role signs, and keeps what took a call to get.
func (c *Cloud) Runtime(roleARN string, from aws.CredentialsProvider) *Identity {
	own := func(ctx context.Context, _ Ask) (Session, error) {
		edge := exchange.Edge{From: "platform", To: roleARN, Op: "credentials"}
		creds, err := from.Retrieve(ctx)
		if err != nil {
			return Session{}, exchange.AtEdge(err, edge, nil)
		}
		s := Session{ARN: roleARN, Expires: creds.Expires, Session: exchange.Session{
			AccessKeyID:     creds.AccessKeyID,
			SecretAccessKey: exchange.NewSecret(creds.SecretAccessKey),
			SessionToken:    exchange.NewSecret(creds.SessionToken),
		}}
		if !creds.CanExpire {
			// Lambda's environment does not say when its credentials end; Lambda
			// replaces the sandbox before they do.
			s.Expires = time.Now().Add(time.Hour)
		}
		return s, nil
	}
	return &Identity{cloud: c, arn: roleARN, assume: own}
}

// Principal implements [exchange.Identity]: the role's ARN.
func (i *Identity) Principal() string { return i.arn }

// Format implements [fmt.Formatter]: an identity prints as its name, whatever the
// verb, and what it keeps does not print at all.
func (i *Identity) Format(s fmt.State, _ rune) { fmt.Fprint(s, i.arn) }

// Longest is how long a session of this identity can live at the most; 0 for the
// runtime's own, which gives none away.
func (i *Identity) Longest() time.Duration { return i.longest }

// Session mints a session that is narrowed by a policy. A session without one is
// the role itself, and is refused.
func (i *Identity) Session(ctx context.Context, ask Ask) (Session, error) {
	switch {
	case i.longest == 0:
		return Session{}, fmt.Errorf("%s is the runtime's own role: it is used to enter others and never handed out", i.arn)
	case ask.Policy == "":
		return Session{}, fmt.Errorf("a session of %s needs a session policy: without one it would be all that the role may do", i.arn)
	}
	return i.assume(ctx, ask)
}

// self returns the session that enters onwards, from the cache if it lives.
func (i *Identity) self(ctx context.Context) (Session, error) { return i.selfFor(ctx, alive) }

func (i *Identity) selfFor(ctx context.Context, life time.Duration) (Session, error) {
	if i.longest == 0 {
		return i.assume(ctx, Ask{}) // what the platform gives, its provider keeps
	}
	s, fresh, err := i.onward.Get(ctx, life, func(ctx context.Context) (Session, time.Time, error) {
		s, err := i.assume(ctx, Ask{})
		return s, s.Expires, err
	})
	if err == nil && !fresh {
		s.Trail, s.kept = s.Trail.Again(), true
	}
	return s, err
}

// signed has the session that enters onwards sign a call. One that was kept and is good no
// longer is dropped, and a fresh one has a try: sessions end before their time when they are
// taken back, or when their role is made anew.
func (i *Identity) signed(ctx context.Context, life time.Duration, call func(Session) error) error {
	s, err := i.selfFor(ctx, life)
	if err != nil {
		return err
	}
	err = call(s)
	if !s.kept || !spent(err) {
		return err
	}
	i.onward.Drop(func(kept Session) bool { return kept.AccessKeyID == s.AccessKeyID })
	if s, err = i.selfFor(ctx, life); err != nil {
		return err
	}
	return call(s)
}

func (s Session) sdk() aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     s.AccessKeyID,
		SecretAccessKey: s.SecretAccessKey.Reveal(),
		SessionToken:    s.SessionToken.Reveal(),
		CanExpire:       true,
		Expires:         s.Expires,
	}
}

// Host is where a service of the cloud's Region answers.
func (c *Cloud) Host(service string) string { return host(service, c.region) }

func host(service, region string) string { return service + "." + region + "." + DNSSuffix(region) }
