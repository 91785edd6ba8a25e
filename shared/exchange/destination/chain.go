package destination

import (
	"slices"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// lead lists the principals before the destination: those that the file's chain
// names, or the tenant's identity on the runtime's cloud and then the one on the
// destination's, where it has them.
func (l *Linker) lead(t *catalog.Tenant, d *catalog.Destination) exchange.Chain {
	if len(d.Chain) > 0 {
		var chain exchange.Chain
		for _, link := range d.Chain {
			chain = append(chain, l.entered(link.Role, link.ServiceAccount, 0)...)
		}
		return chain
	}
	role, account := l.entered(t.Identities.AWS, nil, 0), l.entered(nil, t.Identities.GCP, 0)
	toAWS, toGCP := d.End.Role != nil, d.End.ServiceAccount != nil
	switch {
	case role == nil || account == nil:
		return append(role, account...)
	case toGCP && d.End.ServiceAccount.Provider != "":
		return role // a customer's own pool is entered from the role
	case l.onAWS() && toGCP:
		return append(role, account...)
	case l.onAWS():
		return role
	case toAWS:
		return append(account, role...)
	}
	return account
}

// onAWS tells on which cloud this process runs.
func (l *Linker) onAWS() bool {
	_, onAWS := l.Runtime.(*awsid.Identity)
	return onAWS
}

// last is the destination's own identity, if its kind has one.
func (l *Linker) last(d *catalog.Destination) exchange.Chain {
	return l.entered(d.End.Role, d.End.ServiceAccount, d.Lifetime)
}

// entered is the one of the two that there is, nil where there is neither.
func (l *Linker) entered(r *catalog.Role, a *catalog.ServiceAccount, lifetime time.Duration) exchange.Chain {
	switch {
	case r != nil:
		return exchange.Chain{l.role(*r, lifetime)}
	case a != nil:
		return exchange.Chain{l.Account(*a, lifetime)}
	}
	return nil
}

func (l *Linker) role(r catalog.Role, lifetime time.Duration) awsid.Role {
	return awsid.Role{Cloud: l.AWS, ARN: r.ARN, ExternalID: r.ExternalID, NextExternalID: r.NextExternalID, Lifetime: lifetime}
}

// Account is a service account as this process enters it.
func (l *Linker) Account(a catalog.ServiceAccount, lifetime time.Duration) gcpid.ServiceAccount {
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

func names(c exchange.Chain) []string {
	var names []string
	for _, p := range c {
		names = append(names, p.String())
	}
	return names
}
