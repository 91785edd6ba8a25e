package destination

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
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
	At   string // whose refusal counts: the destination's role or account, or the place itself

	Attempt func(context.Context) error
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
	err := p.Attempt(ctx)
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
	policies := []string{"identity-based policy", "permissions boundary", "session policy", "service control policy", "VPC endpoint policy"}
	return e.Err != nil && slices.ContainsFunc(policies, func(own string) bool { return strings.Contains(e.Err.Error(), own) })
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
	others, err := l.others(from)
	if err != nil {
		return nil, err
	}
	end := d.End
	switch prober, own := d.Place.(Prober); {
	case own:
		return prober.Probes(l.at(d, from), others), nil
	case end.Role != nil:
		return l.roleProbes(end.Role, from, others), nil
	case end.ServiceAccount != nil:
		return l.accountProbes(end.ServiceAccount, others), nil
	}
	return nil, nil
}

// before is the identity that the destination is entered from. Of a place without an identity
// of its own it is the chain's end.
func (l *Linker) before(t *catalog.Tenant, d *catalog.Destination) (exchange.Identity, error) {
	chain := l.lead(t, d)
	if len(chain) == 0 {
		return l.Runtime, nil
	}
	return chain.Link(l.Runtime)
}

func (l *Linker) roleProbes(r *catalog.Role, from exchange.Identity, others []Other) []Probe {
	var list []Probe
	if _, onAWS := from.(*awsid.Identity); onAWS {
		list = append(list, l.roleProbe("without the ExternalId", r.ARN, "", from),
			l.roleProbe("with another ExternalId", r.ARN, rand.Text(), from))
	} else { // a token has an audience, or is none
		list = append(list, l.roleProbe("with a token for another audience", r.ARN, rand.Text(), from))
	}
	for _, o := range others {
		if _, role := o.Identity.(*awsid.Identity); role && o.Identity == l.Runtime {
			continue // its own policies let it into the tenants' roles alone: this would tell nothing
		}
		list = append(list, l.roleProbe("as "+o.Name, r.ARN, r.ExternalID, o.Identity))
	}
	return list
}

func (l *Linker) roleProbe(name, arn, id string, from exchange.Identity) Probe {
	return Probe{Name: name, As: from.Principal(), At: arn, Attempt: func(ctx context.Context) error {
		to, err := awsid.Role{Cloud: l.AWS, ARN: arn, ExternalID: id}.Enter(from)
		if err != nil {
			return err
		}
		_, err = to.(*awsid.Identity).Session(ctx, awsid.Ask{Policy: denyAll, Lifetime: awsid.ShortestSession})
		return err
	}}
}

func (l *Linker) accountProbes(a *catalog.ServiceAccount, others []Other) []Probe {
	var list []Probe
	for _, o := range others {
		list = append(list, Probe{Name: "as " + o.Name, As: o.Identity.Principal(), At: a.Email, Attempt: func(ctx context.Context) error {
			to, err := l.Account(*a, 0).Enter(o.Identity)
			if err != nil {
				return err
			}
			_, err = to.(*gcpid.Identity).AccessToken(ctx, gcpid.Ask{Scopes: []string{emailScope}, Lifetime: time.Minute})
			return err
		}})
	}
	return list
}

// An Other is an identity that no destination trusts.
type Other struct {
	Name     string
	Identity exchange.Identity
}

// others are the runtime itself, past the tenant, and nobody.
func (l *Linker) others(from exchange.Identity) ([]Other, error) {
	var list []Other
	if from.Principal() != l.Runtime.Principal() {
		list = append(list, Other{"the runtime, past the tenant", l.Runtime})
	}
	nobody, err := l.nobody()
	if nobody != nil {
		list = append(list, Other{"nobody", nobody})
	}
	return list, err
}

func (l *Linker) nobody() (exchange.Identity, error) {
	var p exchange.Principal
	switch n := l.Operator.Nobody; {
	case l.onAWS() && n.AWS != "":
		p = awsid.Role{Cloud: l.AWS, ARN: n.AWS}
	case !l.onAWS() && n.GCP != "":
		p = gcpid.ServiceAccount{Cloud: l.GCP, Email: n.GCP, Entry: gcpid.User}
	default:
		return nil, nil
	}
	return exchange.Chain{p}.Link(l.Runtime)
}
