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
			chain = append(chain, l.principal(link))
		}
		return chain
	}
	ids, end := t.Identities, d.End
	switch {
	case ids.AWS == nil && ids.GCP == nil:
		return nil
	case ids.GCP == nil || end.ServiceAccount != nil && end.ServiceAccount.Provider != "" && ids.AWS != nil:
		return exchange.Chain{l.role(*ids.AWS, 0)} // a customer's own pool is entered from the role
	case ids.AWS == nil:
		return exchange.Chain{l.Account(*ids.GCP, 0)}
	}
	return l.leadOfBoth(ids, end)
}

func (l *Linker) leadOfBoth(ids catalog.Identities, end catalog.End) exchange.Chain {
	role, account := l.role(*ids.AWS, 0), l.Account(*ids.GCP, 0)
	_, onAWS := l.Runtime.(*awsid.Identity)
	toAWS, toGCP := end.Role != nil, end.ServiceAccount != nil
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
	switch end := d.End; {
	case end.Role != nil:
		return exchange.Chain{l.role(*end.Role, d.Lifetime)}
	case end.ServiceAccount != nil:
		return exchange.Chain{l.Account(*end.ServiceAccount, d.Lifetime)}
	}
	return nil
}

func (l *Linker) principal(link catalog.ChainLink) exchange.Principal {
	if link.Role != nil {
		return l.role(*link.Role, 0)
	}
	return l.Account(*link.ServiceAccount, 0)
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
