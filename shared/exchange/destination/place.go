// Package destination links the places where customers want their data.
//
// A destination is a chain and one method: it asks the identity at the chain's end
// for what its kind takes, narrowed to what the catalog grants. It does not know
// where the process runs, nor how the chain got there. A kind of place is a package of
// its own, below this one: [Kind] and [Place] say what it has, and package kinds lists
// them. [Linker] makes destinations of what a tenant's file says.
package destination

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/again"
	"carnet.dev/carnet/shared/exchange/keep"
)

// A place is a destination whose chain is linked.
type place struct {
	does   Linked
	kind   string
	end    exchange.Identity // at the chain's end
	chain  []string
	owners map[string]exchange.Owner
	grant  exchange.Grant
	minTTL time.Duration // the file's own, 0 where it has none

	// whole keeps the credential for the full grant. A narrowed one is minted
	// afresh, so nothing here ever has to ask what a kept one was for.
	whole keep.Value[*kept]
	renew keep.Mint[*kept] // mintWhole, made once: a look-up allocates nothing
}

// A kept credential, as it was minted and as it is given out again, which says that its
// edges were crossed before.
type kept struct{ minted, again *exchange.Credential }

// Kind implements [exchange.Destination].
func (p *place) Kind() string { return p.kind }

// Chain implements [exchange.Destination].
func (p *place) Chain() []string { return p.chain }

// Longest is the most life that a credential of this destination can have.
func (p *place) Longest() time.Duration { return p.does.Longest }

// End is the identity at the chain's end.
func (p *place) End() exchange.Identity { return p.end }

// Try shows a credential to the place, where its kind lets anybody log in and do nothing:
// an *exchange.EdgeError, or nil. Who is let in is decided by the cloud elsewhere.
func (p *place) Try(ctx context.Context, c *exchange.Credential) error {
	if p.does.Try == nil {
		return nil
	}
	return p.does.Try(ctx, c)
}

// OwnerOf implements [exchange.Destination]. What is in nobody's file is the
// operator's.
func (p *place) OwnerOf(principal string) exchange.Owner {
	if o, ok := p.owners[principal]; ok {
		return o
	}
	return exchange.Operator
}

// Vend implements [exchange.Destination].
func (p *place) Vend(ctx context.Context, req exchange.Request) (*exchange.Credential, error) {
	least, err := p.least(req.MinTTL)
	if err != nil {
		return nil, err
	}
	grant, narrowed, err := narrow(p.grant, req.Grant)
	if err != nil {
		return nil, err
	}
	var cred *exchange.Credential
	if narrowed || req.Fresh {
		cred, err = p.fresh(ctx, grant)
	} else {
		cred, err = p.keptWhole(ctx, least)
	}
	if err != nil {
		return nil, err
	}
	if left := time.Until(cred.Expires); left < least {
		return nil, fmt.Errorf("%s gave a credential with %s left where %s are the least", cred.Principal, left.Round(time.Second), least)
	}
	return cred, nil
}

// most is the most life that can be asked for. If more could be, hardly any kept credential
// would do, and every request would mint.
func (p *place) most() time.Duration { return p.does.Longest * 3 / 4 }

// least is how much life an answer must have: what is asked for, or what the file says if
// that is more. Without either it is the default, or less where the chain gives less.
func (p *place) least(asked time.Duration) (time.Duration, error) {
	if asked > p.most() {
		return 0, fmt.Errorf("%w: min_ttl is %s, and this chain gives credentials of %s: ask for %s at the most, so that not every request mints anew",
			exchange.ErrBadRequest, asked, p.does.Longest, p.most())
	}
	return max(cmp.Or(asked, min(exchange.DefaultMinTTL, p.most())), p.minTTL), nil
}

func (p *place) keptWhole(ctx context.Context, minTTL time.Duration) (*exchange.Credential, error) {
	k, fresh, err := p.whole.Get(ctx, minTTL, p.renew)
	switch {
	case err != nil:
		return nil, err
	case fresh:
		return k.minted, nil
	}
	return k.again, nil
}

func (p *place) mintWhole(ctx context.Context) (*kept, time.Time, error) {
	cred, err := p.fresh(ctx, p.grant)
	if err != nil {
		return nil, time.Time{}, err
	}
	next := *cred
	next.Trail = cred.Trail.Again()
	return &kept{cred, &next}, cred.Expires, nil
}

// slack is how far an expiry may be beyond what was asked for, since clocks differ.
const slack = 5 * time.Minute

// fresh mints. An expiry that makes no sense is an error of the last edge, whose answer it
// came from.
func (p *place) fresh(ctx context.Context, grant exchange.Grant) (*exchange.Credential, error) {
	cred, err := p.does.Mint(again.OneBudget(ctx), grant, p.does.Longest)
	if err != nil {
		return nil, err
	}
	if left := time.Until(cred.Expires); left > 0 && left <= p.does.Longest+slack {
		return cred, nil
	}
	err = fmt.Errorf("the answer expires at %s, where %s were asked for", cred.Expires.UTC().Format(time.RFC3339), p.does.Longest)
	if n := len(cred.Trail) - 1; n >= 0 {
		err = exchange.AtEdge(err, cred.Trail[n], cred.Trail[:n])
	}
	return nil, err
}

// narrow returns what is asked for, if the catalog grants as much. An empty part
// of the request means all of that part.
func narrow(granted, asked exchange.Grant) (exchange.Grant, bool, error) {
	switch {
	case asked.IsZero():
		return granted, false, nil
	case granted.IsZero():
		return granted, false, fmt.Errorf("%w: what a login may do is granted in the database: this destination has no access and no prefixes to narrow", exchange.ErrBadRequest)
	case len(granted.Prefixes) == 0 && len(asked.Prefixes) > 0:
		return granted, false, fmt.Errorf("%w: this destination has no prefixes: ask for access alone", exchange.ErrBadRequest)
	}
	grant := granted
	if asked.Access != "" {
		if !asked.Access.CanRead() && !asked.Access.CanWrite() {
			return grant, false, fmt.Errorf("%w: access is %q: write read, write or read_write", exchange.ErrBadRequest, asked.Access)
		}
		if !within(asked.Access, granted.Access) {
			return grant, false, fmt.Errorf("%w: access %q is more than the catalog grants (%s)", exchange.ErrBadRequest, asked.Access, granted.Access)
		}
		grant.Access = asked.Access
	}
	if len(asked.Prefixes) > 0 {
		prefixes, err := narrowPrefixes(granted.Prefixes, asked.Prefixes)
		if err != nil {
			return grant, false, err
		}
		grant.Prefixes = prefixes
	}
	same := grant.Access == granted.Access && slices.Equal(grant.Prefixes, granted.Prefixes)
	return grant, !same, nil
}

func within(asked, granted exchange.Access) bool {
	return (!asked.CanRead() || granted.CanRead()) && (!asked.CanWrite() || granted.CanWrite())
}

func narrowPrefixes(granted, asked []string) ([]string, error) {
	var prefixes []string
	for _, p := range asked {
		if err := catalog.CheckPrefix(p); err != nil {
			return nil, fmt.Errorf("%w: prefix %q %w", exchange.ErrBadRequest, p, err)
		}
		if p != "" && !strings.HasSuffix(p, "/") {
			p += "/" // "acme" must not reach "acme-2"
		}
		if !slices.ContainsFunc(granted, func(g string) bool { return strings.HasPrefix(p, g) }) {
			return nil, fmt.Errorf("%w: prefix %q is outside what the catalog grants (%s)", exchange.ErrBadRequest, p, strings.Join(granted, ", "))
		}
		prefixes = append(prefixes, p)
	}
	return prefixes, nil
}
