package destination

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

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
	// HTTP reaches a Snowflake account, to try what was minted for it: Probe and Try alone
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
	trunk := &trunk{at: map[string]exchange.Identity{}, runtime: l.Runtime}
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
			linked.Destinations[name] = unlinkable{string(d.Kind), err}
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
		out.Lifetime = p.longest
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
	at      map[string]exchange.Identity // by the path of principals
}

// link is Chain.Link with the shared part linked once.
func (t *trunk) link(c exchange.Chain) (exchange.Identity, error) {
	end, err := c.Link(t.runtime)
	if err != nil || len(c) < 2 {
		return end, err
	}
	shared, path := t.runtime, ""
	for _, p := range c[:len(c)-1] {
		path += " → " + p.String()
		if t.at[path] == nil {
			if t.at[path], err = p.Enter(shared); err != nil {
				return nil, err
			}
		}
		shared = t.at[path]
	}
	return c[len(c)-1].Enter(shared)
}

// place links one destination. This switch is the list of kinds.
func (l *Linker) place(t *catalog.Tenant, d *catalog.Destination, trunk *trunk) (*place, error) {
	chain := append(l.lead(t, d), l.last(d)...)
	end, err := trunk.link(chain)
	if err != nil {
		return nil, err
	}
	p := &place{
		end:    end,
		kind:   string(d.Kind),
		chain:  names(chain),
		owners: l.owners(t, d, chain),
		grant:  exchange.Grant{Access: d.Access, Prefixes: d.Prefixes},
		minTTL: d.MinTTL,
	}
	p.renew = p.mintWhole
	switch d.Kind {
	case catalog.S3:
		role := end.(*awsid.Identity)
		p.longest = role.Longest()
		p.mint = s3{end: role, partition: partition(d.Role.ARN), region: d.Region, bucket: d.Bucket, kmsKey: d.KMSKey}.mint
	case catalog.GCS:
		account := end.(*gcpid.Identity)
		p.longest = account.Longest()
		p.mint = gcs{end: account, bucket: d.Bucket}.mint
	case catalog.BigQuery:
		account := end.(*gcpid.Identity)
		p.longest = account.Longest()
		p.mint = bigquery{end: account, project: d.Project, dataset: d.Dataset}.mint
	case catalog.Redshift:
		role := end.(*awsid.Identity)
		p.longest = role.Longest()
		if d.Redshift.Login == catalog.RedshiftPassword {
			p.longest = min(p.longest, longestLogin)
		}
		p.mint = redshift{end: role, cloud: l.AWS, role: d.Role.ARN, region: d.Region, at: d.Redshift}.mint
	case catalog.Snowflake:
		p.longest = cmp.Or(d.Lifetime, longestToken)
		if _, google := end.(*gcpid.Identity); google && d.Snowflake.Login != catalog.SnowflakeKeyPair {
			p.longest = longestToken // whatever is asked
		}
		s := snowflake{end: end, at: d.Snowflake, http: l.HTTP}
		if d.Snowflake.Login == catalog.SnowflakeKeyPair {
			if s.key, err = l.secret(d.Snowflake.Secret); err != nil {
				return nil, err
			}
			p.chain = []string{d.Snowflake.Secret} // no identity is entered
		}
		p.mint, p.try = s.mint, s.try
	default:
		return nil, fmt.Errorf("kind %s is not one of s3, gcs, bigquery, redshift, snowflake", d.Kind)
	}
	if p.minTTL > p.most() {
		return nil, fmt.Errorf("min_ttl is %s, and this chain gives credentials of %s: write min_ttl: %s or less", p.minTTL, p.longest, p.most())
	}
	return p, l.deliverable(d, p)
}

// deliverable refuses a delivery that leaves a gap: what is put there must live until the
// next one comes, and it is the runtime that puts it there.
func (l *Linker) deliverable(d *catalog.Destination, p *place) error {
	if d.Deliver == nil {
		return nil
	}
	if most := p.longest - exchange.DefaultMinTTL; d.Deliver.Every > most {
		return fmt.Errorf("deliver comes every %s, and this chain's credentials live for %s: write every: %s or less", d.Deliver.Every, p.longest, most)
	}
	_, err := l.secret(d.Deliver.Secret)
	return err
}

// secret reads a secret as the runtime, which alone may: it has to be kept on the
// runtime's own cloud.
func (l *Linker) secret(name string) (secret, error) {
	onAWS := strings.HasPrefix(name, "arn:")
	switch own := l.Runtime.(type) {
	case *awsid.Identity:
		if onAWS {
			return func(ctx context.Context) (exchange.Secret, exchange.Trail, error) { return own.Secret(ctx, name) }, nil
		}
	case *gcpid.Identity:
		if !onAWS {
			return func(ctx context.Context) (exchange.Secret, exchange.Trail, error) { return own.Secret(ctx, name) }, nil
		}
	}
	return nil, fmt.Errorf("secret %s is on the other cloud: a runtime reads its own cloud's secrets, so keep the key on the cloud that carnet runs on", name)
}

// lead lists the principals before the destination: those that the file's chain
// names, or the tenant's identity on the runtime's cloud and then the one on the
// destination's, where it has them.
func (l *Linker) lead(t *catalog.Tenant, d *catalog.Destination) exchange.Chain {
	if len(d.Chain) > 0 {
		var chain exchange.Chain
		for _, link := range d.Chain {
			chain = append(chain, l.principal(link))
		}
		return chain
	}
	ids := t.Identities
	switch {
	case ids.AWS == nil && ids.GCP == nil:
		return nil
	case ids.GCP == nil || d.ServiceAccount != nil && d.ServiceAccount.Provider != "" && ids.AWS != nil:
		return exchange.Chain{l.role(*ids.AWS, 0)} // a third party's own pool is entered from the role
	case ids.AWS == nil:
		return exchange.Chain{l.account(*ids.GCP, 0)}
	}
	return l.leadOfBoth(ids, d)
}

func (l *Linker) leadOfBoth(ids catalog.Identities, d *catalog.Destination) exchange.Chain {
	role, account := l.role(*ids.AWS, 0), l.account(*ids.GCP, 0)
	_, onAWS := l.Runtime.(*awsid.Identity)
	toAWS, toGCP := d.Role != nil, d.ServiceAccount != nil
	switch {
	case onAWS && toGCP:
		return exchange.Chain{role, account}
	case onAWS:
		return exchange.Chain{role}
	case toAWS:
		return exchange.Chain{account, role}
	}
	return exchange.Chain{account}
}

// last is the destination's own identity, if its kind has one.
func (l *Linker) last(d *catalog.Destination) exchange.Chain {
	switch {
	case d.Role != nil:
		return exchange.Chain{l.role(*d.Role, d.Lifetime)}
	case d.ServiceAccount != nil:
		return exchange.Chain{l.account(*d.ServiceAccount, d.Lifetime)}
	}
	return nil
}

func (l *Linker) principal(link catalog.ChainLink) exchange.Principal {
	if link.Role != nil {
		return l.role(*link.Role, 0)
	}
	return l.account(*link.ServiceAccount, 0)
}

func (l *Linker) role(r catalog.Role, lifetime time.Duration) awsid.Role {
	return awsid.Role{Cloud: l.AWS, ARN: r.ARN, ExternalID: r.ExternalID, NextExternalID: r.NextExternalID, Lifetime: lifetime}
}

func (l *Linker) account(a catalog.ServiceAccount, lifetime time.Duration) gcpid.ServiceAccount {
	return gcpid.ServiceAccount{
		Cloud: l.GCP, Email: a.Email, Entry: gcpid.Entry(a.Entry), Lifetime: lifetime,
		Provider: l.provider(a.Provider),
	}
}

// provider returns the provider of that name or, where a file names none, the
// operator's own, which its AWS identities enter through.
func (l *Linker) provider(name string) *gcpid.Provider {
	i := slices.IndexFunc(l.Operator.Providers, func(p catalog.Provider) bool { return name == "" || p.Name == name })
	if i < 0 && name == "" {
		return nil
	}
	accepts := exchange.SignedCallerIdentity
	if i >= 0 {
		name = l.Operator.Providers[i].Name
		if l.Operator.Providers[i].Kind == catalog.ProviderOIDC {
			accepts = exchange.RS256
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.providers == nil {
		l.providers = map[string]*gcpid.Provider{}
	}
	if l.providers[name] == nil {
		l.providers[name] = l.GCP.NewProvider(name, accepts)
	}
	return l.providers[name]
}

// owners says who can mend the edge into each principal: the operator where the
// identity lives in its account or project, the tenant where it does not, the
// third party at the destination.
func (l *Linker) owners(t *catalog.Tenant, d *catalog.Destination, chain exchange.Chain) map[string]exchange.Owner {
	owners := map[string]exchange.Owner{}
	for _, p := range chain {
		owners[p.String()] = exchange.TenantSide
		if l.operators(p.String()) {
			owners[p.String()] = exchange.Operator
		}
	}
	if last := l.last(d); len(last) > 0 {
		owners[last[0].String()] = exchange.ThirdParty
		if d.ServiceAccount != nil && d.ServiceAccount.Provider != "" {
			owners[d.ServiceAccount.Provider] = exchange.ThirdParty
		}
	}
	if d.Kind == catalog.Snowflake {
		owners[d.Snowflake.Account] = exchange.ThirdParty
	}
	if t.Identities.GCP != nil && t.Identities.GCP.Provider != "" {
		owners[t.Identities.GCP.Provider] = exchange.TenantSide
	}
	for _, p := range l.Operator.Providers {
		owners[p.Name] = exchange.Operator
	}
	return owners
}

// operators tells whether a principal lives where the operator's runtime does.
func (l *Linker) operators(principal string) bool {
	for _, own := range []string{l.Operator.Runtime.AWS.Role, l.Operator.Runtime.GCP.ServiceAccount} {
		if own != "" && home(own) == home(principal) {
			return true
		}
	}
	return false
}

// home is a role's account, or the domain of a service account's email, which
// names its project.
func home(principal string) string {
	if parts := strings.SplitN(principal, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return principal[strings.LastIndex(principal, "@")+1:]
}

func partition(arn string) string {
	return cmp.Or(strings.SplitN(arn, ":", 3)[1], "aws")
}

func names(c exchange.Chain) []string {
	var names []string
	for _, p := range c {
		names = append(names, p.String())
	}
	return names
}
