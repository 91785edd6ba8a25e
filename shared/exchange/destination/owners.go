package destination

import (
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

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
	end := d.End
	owners[d.Where] = exchange.ThirdParty
	owners[end.Principal()] = exchange.ThirdParty
	if end.ServiceAccount != nil && end.ServiceAccount.Provider != "" {
		owners[end.ServiceAccount.Provider] = exchange.ThirdParty
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
	if account := awsid.AccountOf(principal); account != "" {
		return account
	}
	return principal[strings.LastIndex(principal, "@")+1:]
}
