package destination

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A Linker makes tenants out of their files. It makes no call.
type Linker struct {
	AWS      *awsid.Cloud
	GCP      *gcpid.Cloud
	Runtime  exchange.Identity // *awsid.Identity or *gcpid.Identity
	Operator *catalog.Operator
	// HTTP reaches places of their own, to try what was minted for them: probes and checks alone
	// do. Not needed otherwise.
	HTTP *http.Client
	// Unverified links destinations that are not served yet, for whoever looks at them.
	Unverified bool

	mu        sync.Mutex
	providers map[string]*gcpid.Provider // by resource name; shared by all tenants
}

// Link links every destination of a tenant. Its identities are linked once and
// shared by the destinations, so that they enter the tenant's account once. A
// destination that cannot be linked says why to whoever asks for it.
func (l *Linker) Link(t *catalog.Tenant) *exchange.Tenant {
	linked := &exchange.Tenant{Name: t.Name, Destinations: map[string]exchange.Destination{}, Deliveries: map[string]exchange.Delivery{}}
	for _, c := range t.Callers {
		linked.Rules = append(linked.Rules, exchange.Rule{Caller: c.Caller, Destinations: c.Destinations})
	}
	if t.Disabled {
		return linked
	}
	trunk := &trunk{entered: map[arrow]exchange.Identity{}, runtime: l.Runtime}
	for name, d := range t.Destinations {
		if d.Disabled {
			continue
		}
		p, err := l.served(t, d, trunk)
		if d.Deliver != nil { // one that cannot be linked must not be missing from the schedule's failures
			linked.Deliveries[name] = delivery(d.Deliver, p)
		}
		if err != nil {
			err = fmt.Errorf("tenant %s, destination %s: %w", t.Name, name, err)
			linked.Destinations[name] = unlinkable{d.Kind, err}
			continue
		}
		linked.Destinations[name] = p
	}
	return linked
}

// Fresh returns a linker that shares nothing with this one but the runtime and the clouds,
// and that leaves no destination out: what it links proves every edge anew.
func (l *Linker) Fresh() *Linker {
	return &Linker{AWS: l.AWS, GCP: l.GCP, Runtime: l.Runtime, Operator: l.Operator, HTTP: l.HTTP, Unverified: true}
}

// served links a destination that has been seen to refuse us without its binding.
func (l *Linker) served(t *catalog.Tenant, d *catalog.Destination, trunk *trunk) (*place, error) {
	if d.Verified.IsZero() && !l.Unverified && !l.Operator.ServeUnverified {
		return nil, fmt.Errorf("%w: `carnet check --probe` tries whether it refuses us without its binding, and writes verified: if it does; serve_unverified: true in carnet.yaml serves it all the same", exchange.ErrUnverified)
	}
	return l.place(t, d, trunk)
}

func delivery(d *catalog.Delivery, p *place) exchange.Delivery {
	out := exchange.Delivery{Secret: d.Secret, Every: d.Every, Format: d.Format}
	if p != nil {
		out.Lifetime = p.does.Longest
	}
	return out
}

// An unlinkable destination cannot be reached from this runtime. It refuses alone: the
// tenant's others are as good as ever.
type unlinkable struct {
	kind string
	err  error
}

func (u unlinkable) Kind() string                  { return u.kind }
func (u unlinkable) Chain() []string               { return nil }
func (u unlinkable) OwnerOf(string) exchange.Owner { return exchange.Operator }

func (u unlinkable) Vend(context.Context, exchange.Request) (*exchange.Credential, error) {
	return nil, u.err
}

// A trunk holds the linked prefixes of a tenant's chains, so that destinations
// behind the same identities share them and what they cache.
type trunk struct {
	runtime exchange.Identity
	entered map[arrow]exchange.Identity
}

// An arrow tells apart not only who is entered, but how: by which ExternalId, provider, entry.
type arrow struct {
	from exchange.Identity
	to   exchange.Principal
}

// link is Chain.Link with the shared part linked once.
func (t *trunk) link(c exchange.Chain) (exchange.Identity, error) {
	end, err := c.Link(t.runtime)
	if err != nil || len(c) < 2 {
		return end, err
	}
	shared := t.runtime
	for _, p := range c[:len(c)-1] {
		next := arrow{shared, p}
		if t.entered[next] == nil {
			if t.entered[next], err = p.Enter(shared); err != nil {
				return nil, err
			}
		}
		shared = t.entered[next]
	}
	return c[len(c)-1].Enter(shared)
}

// place links one destination.
func (l *Linker) place(t *catalog.Tenant, d *catalog.Destination, trunk *trunk) (*place, error) {
	chain := append(l.lead(t, d), l.last(d)...)
	end, err := trunk.link(chain)
	if err != nil {
		return nil, err
	}
	p := &place{kind: d.Kind, end: end, chain: names(chain), owners: l.owners(t, d, chain), grant: d.Grant, minTTL: d.MinTTL}
	p.renew = p.mintWhole
	at := l.at(d, end)
	if secret := d.End.Secret; secret != "" {
		p.chain = []string{secret} // no identity is entered
		if at.Secret, err = l.secret(secret); err != nil {
			return nil, err
		}
	}
	if p.does, err = d.Place.(Place).Link(at); err != nil {
		return nil, err
	}
	if p.minTTL > p.most() {
		return nil, fmt.Errorf("min_ttl is %s, and this chain gives credentials of %s: write min_ttl: %s or less", p.minTTL, p.does.Longest, p.most())
	}
	return p, l.deliverable(d, p)
}

func (l *Linker) at(d *catalog.Destination, end exchange.Identity) At {
	return At{End: end, Lifetime: d.Lifetime, AWS: l.AWS, HTTP: l.HTTP}
}

// deliverable refuses a delivery that leaves a gap: what is put there must live until the
// next one comes, and it is the runtime that puts it there.
func (l *Linker) deliverable(d *catalog.Destination, p *place) error {
	if d.Deliver == nil {
		return nil
	}
	if most := p.does.Longest - exchange.DefaultMinTTL; d.Deliver.Every > most {
		return fmt.Errorf("deliver comes every %s, and this chain's credentials live for %s: write every: %s or less", d.Deliver.Every, p.does.Longest, most)
	}
	_, err := l.secret(d.Deliver.Secret)
	return err
}

// secret reads a secret as the runtime, which alone may: it has to be kept on the
// runtime's own cloud.
func (l *Linker) secret(name string) (SecretReader, error) {
	own, ok := l.Runtime.(interface {
		Secret(context.Context, string) (exchange.Secret, exchange.Trail, error)
	})
	if ok && l.onAWS() == strings.HasPrefix(name, "arn:") {
		return func(ctx context.Context) (exchange.Secret, exchange.Trail, error) { return own.Secret(ctx, name) }, nil
	}
	return nil, fmt.Errorf("secret %s is on the other cloud: a runtime reads its own cloud's secrets, so keep the key on the cloud that carnet runs on", name)
}
