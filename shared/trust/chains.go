package trust

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A chain is one way to one destination.
type chain struct {
	name    string // of the destination
	to      *catalog.Destination
	runtime string
	path    []string // principals, the runtime's first; it alone where a key pair is shown
}

func (c chain) end() string { return c.path[len(c.path)-1] }

// runtimes lists those that carnet.yaml names, of those that were asked for.
func runtimes(op *catalog.Operator, asked []string) ([]string, error) {
	var list []string
	for runtime, own := range map[string]string{"aws": op.Runtime.AWS.Role, "gcp": op.Runtime.GCP.ServiceAccount} {
		switch {
		case own != "" && (len(asked) == 0 || slices.Contains(asked, runtime)):
			list = append(list, runtime)
		case own == "" && slices.Contains(asked, runtime):
			return nil, fmt.Errorf("carnet.yaml names no runtime on %s: ask for the other one, or write who the functions are there", runtime)
		}
	}
	slices.Sort(list)
	return list, nil
}

// walk links the tenant's destinations as each runtime would, and lists every chain that matters
// for the sheet. Linking makes no call.
func (s *Sheet) walk() error {
	list, err := runtimes(s.op, s.ask.Runtimes)
	if err != nil {
		return err
	}
	s.owners = map[string]exchange.Owner{}
	for _, runtime := range list {
		s.from(runtime)
	}
	if len(s.chains) == 0 {
		return fmt.Errorf("%s/%s is reached from no runtime that was asked for: `carnet catalog list` shows its chains", s.Tenant, s.Destination)
	}
	return nil
}

func (s *Sheet) from(runtime string) {
	own, linked := link(runtime, s.op, s.ask.Tenant)
	s.owners[own] = exchange.Operator
	for name, d := range s.ask.Tenant.Destinations {
		if s.For == exchange.ThirdParty && name != s.Destination {
			continue
		}
		place := linked.Destinations[name]
		if place == nil || place.Chain() == nil {
			continue
		}
		c := chain{name: name, to: d, runtime: runtime, path: []string{own}}
		if d.End.Secret == "" {
			c.path = append(c.path, place.Chain()...)
		}
		for _, p := range c.path[1:] {
			s.owners[p] = place.OwnerOf(p)
		}
		s.chains = append(s.chains, c)
	}
	slices.SortStableFunc(s.chains, func(a, b chain) int {
		return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.runtime, b.runtime))
	})
}

// link gives the tenant as a process on that cloud has it.
func link(runtime string, op *catalog.Operator, t *catalog.Tenant) (string, *exchange.Tenant) {
	client := new(http.Client) // never used
	region := cmp.Or(op.Runtime.AWS.Region, op.Region)
	l := &destination.Linker{AWS: awsid.New(awsid.Config{Region: region, HTTP: client}), GCP: gcpid.New(client), Operator: op, Unverified: true}
	if runtime == "gcp" {
		l.Runtime = l.GCP.Runtime(op.Runtime.GCP.ServiceAccount, nil)
	} else {
		l.Runtime = l.AWS.Runtime(op.Runtime.AWS.Role, awsid.Environment())
	}
	able := *t
	able.Disabled = false // trust is there before a destination is switched on
	able.Destinations = map[string]*catalog.Destination{}
	for name, d := range t.Destinations {
		on := *d
		on.Disabled, on.Deliver = false, nil
		able.Destinations[name] = &on
	}
	return l.Runtime.Principal(), l.Link(&able)
}

// A Way is how one runtime reaches a destination.
type Way struct {
	Runtime string        `json:"runtime"`
	Chain   []string      `json:"chain"` // the runtime's identity first
	Longest time.Duration `json:"-"`     // the most life that a credential has
}

// Ways lists how each destination of a tenant is reached, disabled ones too. A destination
// that a runtime does not reach has no way from there.
func Ways(op *catalog.Operator, t *catalog.Tenant) (map[string][]Way, error) {
	list, err := runtimes(op, nil)
	ways := map[string][]Way{}
	for _, runtime := range list {
		own, linked := link(runtime, op, t)
		for name, place := range linked.Destinations {
			if place.Chain() == nil {
				continue
			}
			w := Way{Runtime: runtime, Chain: append([]string{own}, place.Chain()...)}
			if p, ok := place.(interface{ Longest() time.Duration }); ok {
				w.Longest = p.Longest()
			}
			ways[name] = append(ways[name], w)
		}
	}
	return ways, err
}

// account is how a destination's chain enters an account: two destinations may enter the
// same one by different providers.
func (s *Sheet) account(email string) *catalog.ServiceAccount {
	list := []*catalog.ServiceAccount{s.at.End.ServiceAccount}
	for _, l := range s.at.Chain {
		list = append(list, l.ServiceAccount)
	}
	for _, a := range append(list, s.ask.Tenant.Identities.GCP) {
		if a != nil && a.Email == email {
			return a
		}
	}
	return nil
}

// bindings are the ExternalIds that enter a role: more than one while one is rotated,
// or where two destinations share the role.
func (s *Sheet) bindings(arn string) []string {
	roles := []*catalog.Role{s.ask.Tenant.Identities.AWS}
	for _, d := range s.ask.Tenant.Destinations {
		roles = append(roles, d.End.Role)
		for _, l := range d.Chain {
			roles = append(roles, l.Role)
		}
	}
	var ids []string
	for _, r := range roles {
		if r != nil && r.ARN == arn {
			ids = with(ids, r.ExternalID, r.NextExternalID)
		}
	}
	return slices.DeleteFunc(ids, func(id string) bool { return id == "" })
}

// OnAWS tells whether a principal is a role, and not a service account.
func OnAWS(principal string) bool { return strings.HasPrefix(principal, "arn:") }

// along collects what this sheet's owner needs for each arrow of a chain.
func (s *Sheet) along(c chain) {
	s.at = c.to
	if c.to.End.Secret != "" {
		s.reads(c)
		return
	}
	for i := range c.path[1:] {
		from, to := c.path[i], c.path[i+1]
		if OnAWS(to) {
			s.intoRole(from, to)
		} else {
			s.intoAccount(from, to, c.needs(i+1))
		}
		if OnAWS(from) {
			s.outOfRole(from, to)
		}
	}
	if shown := c.to.End.Audiences; len(shown) > 0 && OnAWS(c.end()) {
		s.outbound(c.end(), shown...)
	}
}

// needs is the permission that is asked of whoever enters the account at i.
func (c chain) needs(i int) string {
	switch {
	case i+1 < len(c.path) && OnAWS(c.path[i+1]), i+1 == len(c.path) && len(c.to.End.Audiences) > 0:
		return getIDToken
	case i+1 < len(c.path):
		return passThrough
	}
	return getToken
}

// Ends are the identities that show themselves to the place, at the end of each chain. A key pair
// shows none.
func (s *Sheet) Ends() []string {
	var list []string
	for _, c := range s.chains {
		if c.name == s.Destination && c.to.End.Secret == "" && !slices.Contains(list, c.end()) {
			list = append(list, c.end())
		}
	}
	return list
}

func (s *Sheet) mine(principal string) bool { return s.owners[principal] == s.For }
