package destination

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A Probe is an attempt that a destination must refuse. Should it be let in, what it holds
// may do nothing: a session under a policy that denies all, a token of a minute whose scope
// is its own account's email.
type Probe struct {
	Name string // what is left out or false, such as "without the ExternalId"
	As   string // who tries
	At   string // whose refusal counts: the destination's role, account, or Snowflake account
	try  func(context.Context) error
}

// A Verdict says what became of a probe.
type Verdict string

const (
	// ProbeRefused: by the destination itself, as it must be.
	ProbeRefused Verdict = "refused"
	// ProbeLetIn: the destination is unsafe.
	ProbeLetIn Verdict = "let_in"
	// ProbeUnclear: something before the destination failed, so that it was not asked.
	ProbeUnclear Verdict = "unclear"
)

// Try makes the attempt. The error says why it was refused, or why that is not clear.
func (p Probe) Try(ctx context.Context) (Verdict, error) {
	err := p.try(ctx)
	var edge *exchange.EdgeError
	switch {
	case err == nil:
		return ProbeLetIn, nil
	case errors.As(err, &edge) && edge.Reason == exchange.Refused && edge.Edge.To == p.At && !callersOwn(edge):
		return ProbeRefused, err
	}
	return ProbeUnclear, err
}

// callersOwn tells of a refusal that never reached the destination's own policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func callersOwn(e *exchange.EdgeError) bool {
	if e.Err == nil {
		return false
	}
	for _, own := range []string{"identity-based policy", "permissions boundary", "session policy", "service control policy", "VPC endpoint policy"} {
		if strings.Contains(e.Err.Error(), own) {
			return true
		}
	}
	return false
}

const (
	denyAll    = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`
	emailScope = "https://www.googleapis.com/auth/userinfo.email"
)

// Probes lists what a destination must refuse, from where this process runs. It makes no
// call. A service account has no ExternalId: what it must refuse is everybody else.
func (l *Linker) Probes(t *catalog.Tenant, d *catalog.Destination) ([]Probe, error) {
	from, err := l.before(t, d)
	if err != nil {
		return nil, err
	}
	switch {
	case d.Role != nil:
		return l.roleProbes(d.Role, from)
	case d.ServiceAccount != nil:
		return l.accountProbes(d.ServiceAccount, from)
	}
	return l.snowflakeProbes(d, from)
}

// before is the identity that the destination is entered from. Of a snowflake destination
// it is the chain's end.
func (l *Linker) before(t *catalog.Tenant, d *catalog.Destination) (exchange.Identity, error) {
	chain := l.lead(t, d)
	if len(chain) == 0 {
		return l.Runtime, nil
	}
	return chain.Link(l.Runtime)
}

func (l *Linker) roleProbes(r *catalog.Role, from exchange.Identity) ([]Probe, error) {
	var list []Probe
	if _, onAWS := from.(*awsid.Identity); onAWS {
		list = append(list, l.roleProbe("without the ExternalId", r.ARN, "", from),
			l.roleProbe("with another ExternalId", r.ARN, rand.Text(), from))
	} else { // a token has an audience, or is none
		list = append(list, l.roleProbe("with a token for another audience", r.ARN, rand.Text(), from))
	}
	others, err := l.others(from)
	for _, o := range others {
		if _, role := o.identity.(*awsid.Identity); role && o.identity == l.Runtime {
			continue // its own policies let it into the tenants' roles alone: this would tell nothing
		}
		list = append(list, l.roleProbe("as "+o.name, r.ARN, r.ExternalID, o.identity))
	}
	return list, err
}

func (l *Linker) roleProbe(name, arn, id string, from exchange.Identity) Probe {
	return Probe{Name: name, As: from.Principal(), At: arn, try: func(ctx context.Context) error {
		to, err := awsid.Role{Cloud: l.AWS, ARN: arn, ExternalID: id}.Enter(from)
		if err != nil {
			return err
		}
		_, err = to.(*awsid.Identity).Session(ctx, awsid.Ask{Policy: denyAll, Lifetime: awsid.ShortestSession})
		return err
	}}
}

func (l *Linker) accountProbes(a *catalog.ServiceAccount, from exchange.Identity) ([]Probe, error) {
	others, err := l.others(from)
	var list []Probe
	for _, o := range others {
		list = append(list, Probe{Name: "as " + o.name, As: o.identity.Principal(), At: a.Email, try: func(ctx context.Context) error {
			to, err := l.account(*a, 0).Enter(o.identity)
			if err != nil {
				return err
			}
			_, err = to.(*gcpid.Identity).AccessToken(ctx, gcpid.Ask{Scopes: []string{emailScope}, Lifetime: time.Minute})
			return err
		}})
	}
	return list, err
}

// An other is somebody whom no destination trusts.
type other struct {
	name     string
	identity exchange.Identity
}

// others are the runtime itself, past the tenant, and nobody.
func (l *Linker) others(from exchange.Identity) ([]other, error) {
	var list []other
	if from.Principal() != l.Runtime.Principal() {
		list = append(list, other{"the runtime, past the tenant", l.Runtime})
	}
	nobody, err := l.nobody()
	if nobody != nil {
		list = append(list, other{"nobody", nobody})
	}
	return list, err
}

func (l *Linker) nobody() (exchange.Identity, error) {
	var p exchange.Principal
	_, onAWS := l.Runtime.(*awsid.Identity)
	switch n := l.Operator.Nobody; {
	case onAWS && n.AWS != "":
		p = awsid.Role{Cloud: l.AWS, ARN: n.AWS}
	case !onAWS && n.GCP != "":
		p = gcpid.ServiceAccount{Cloud: l.GCP, Email: n.GCP, Entry: gcpid.User}
	default:
		return nil, nil
	}
	return exchange.Chain{p}.Link(l.Runtime)
}

func (l *Linker) snowflakeProbes(d *catalog.Destination, from exchange.Identity) ([]Probe, error) {
	at := d.Snowflake
	if at.Login == catalog.SnowflakeKeyPair {
		return []Probe{l.otherKey(at)}, nil
	}
	other := at
	other.Login, other.ExternalID = catalog.SnowflakeOIDC, rand.Text()
	list := []Probe{l.loginProbe("with a token for another audience", at, other, from)}
	others, err := l.others(from)
	for _, o := range others {
		list = append(list, l.loginProbe("as "+o.name, at, at, o.identity))
	}
	return list, err
}

// loginProbe mints as one place says and shows it as the other expects.
func (l *Linker) loginProbe(name string, at, minted catalog.SnowflakePlace, from exchange.Identity) Probe {
	return Probe{Name: name, As: from.Principal(), At: at.Account, try: func(ctx context.Context) error {
		cred, err := snowflake{end: from, at: minted}.mint(ctx, exchange.Grant{}, 5*time.Minute)
		if err != nil {
			return err
		}
		real := snowflake{end: from, at: at, http: l.HTTP}
		login := *cred.Login
		login.Provider = real.provider()
		cred.Login = &login
		return real.try(ctx, cred)
	}}
}

// otherKey signs with a key that nobody knows.
func (l *Linker) otherKey(at catalog.SnowflakePlace) Probe {
	return Probe{Name: "with another key", As: at.Secret, At: at.Account, try: func(ctx context.Context) error {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return err
		}
		token, err := keyPairJWT(key, at.Account, at.User, time.Now().Truncate(time.Second), 5*time.Minute)
		if err != nil {
			return fmt.Errorf("signing with another key: %w", err)
		}
		d := snowflake{at: at, http: l.HTTP}
		return d.try(ctx, &exchange.Credential{Login: &exchange.Login{User: at.User, Token: exchange.NewSecret(token), Authenticator: "SNOWFLAKE_JWT"}})
	}}
}
