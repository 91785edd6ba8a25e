package destination

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A Kind is one kind of place: what files say of it, and what a function needs to know of it.
type Kind struct {
	catalog.Kind
	// Hosts tells which hosts the kind itself calls. Nil: none but those of [awsid] and [gcpid].
	Hosts func(host string) bool
	// Answers say what the refusals of the kind's own calls mean. Nil: it makes none.
	Answers func() []cause.Rule
	// Env gives a login as the variables that the place's own tools read. Nil: it gives none.
	Env func(*exchange.Credential) [][2]string
	// Outlives says what goes on when a credential has expired. Empty: nothing does.
	Outlives string
}

// Kinds are all that a process knows.
type Kinds []Kind

// Catalog is what a reader of files needs of them.
func (ks Kinds) Catalog() *catalog.Kinds {
	var list []catalog.Kind
	for _, k := range ks {
		list = append(list, k.Kind)
	}
	return catalog.NewKinds(list...)
}

// Named finds a kind; the zero Kind where there is none.
func (ks Kinds) Named(name string) Kind {
	for _, k := range ks {
		if k.Name == name {
			return k
		}
	}
	return Kind{}
}

// Host tells whether a kind calls the host.
func (ks Kinds) Host(host string) bool {
	return slices.ContainsFunc(ks, func(k Kind) bool { return k.Hosts != nil && k.Hosts(host) })
}

// Answers are those of all kinds.
func (ks Kinds) Answers() []cause.Rule {
	var all []cause.Rule
	for _, k := range ks {
		if k.Answers != nil {
			all = append(all, k.Answers()...)
		}
	}
	return all
}

// A Place is what a kind's keys say, ready to be linked.
type Place interface {
	catalog.Place
	// Link says what the place does at the end of its chain. It makes no call.
	Link(At) (Linked, error)
}

// At is where a place is linked.
type At struct {
	End      exchange.Identity // the place's own identity, or the tenant's where it has none
	Lifetime time.Duration     // that the file asks for; 0: the cloud's usual
	AWS      *awsid.Cloud
	HTTP     *http.Client // nil where nothing is tried
	Secret   SecretReader // nil where the place has no secret
}

// A SecretReader reads a secret as the runtime, which alone may.
type SecretReader func(context.Context) (exchange.Secret, exchange.Trail, error)

// Role is the end of a place that has a role.
func (a At) Role() *awsid.Identity { return a.End.(*awsid.Identity) }

// Account is the end of a place that has a service account.
func (a At) Account() *gcpid.Identity { return a.End.(*gcpid.Identity) }

// A Mint makes a fresh credential for the grant that lives for the lifetime.
type Mint func(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error)

// Linked is what a place does.
type Linked struct {
	Mint    Mint
	Longest time.Duration // the most life that a credential can have
	// Try shows a credential to the place, where anybody may log in and do nothing. Nil: there is
	// nothing to try without a grant.
	Try func(context.Context, *exchange.Credential) error
}

// A Prober has attempts of its own that the place must refuse, where it has no identity of a cloud.
type Prober interface {
	Probes(At, []Other) []Probe
}

// Sessions vends sessions of the place's role, under the policy that a grant compiles to.
func (a At) Sessions(kind string, place map[string]string, policy func(exchange.Grant) (string, error)) Linked {
	role := a.Role()
	return Linked{Longest: role.Longest(), Mint: func(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
		text, err := policy(grant)
		if err != nil {
			return nil, err
		}
		s, err := role.Session(ctx, awsid.Ask{Policy: text, Lifetime: lifetime})
		if err != nil {
			return nil, packed(err, grant.Prefixes)
		}
		return &exchange.Credential{Kind: kind, Principal: s.ARN, Expires: s.Expires, Place: place, Trail: s.Trail, Session: &s.Session}, nil
	}}
}

// packed says which prefix to drop where AWS finds the policy too large once it has packed it,
// which nobody can tell beforehand: how it packs is not published.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func packed(err error, prefixes []string) error {
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) || edge.Code != "PackedPolicyTooLarge" || len(prefixes) == 0 {
		return err
	}
	told := *edge
	told.Err = fmt.Errorf("%w: drop some of the %d prefixes, %q first, or grant the folder above them", edge.Err, len(prefixes), longest(prefixes))
	return &told
}

// Tokens vends access tokens of the place's account, as a grant asks for them.
func (a At) Tokens(kind string, place map[string]string, ask func(exchange.Grant) (gcpid.Ask, error)) Linked {
	account := a.Account()
	return Linked{Longest: account.Longest(), Mint: func(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
		asked, err := ask(grant)
		if err != nil {
			return nil, err
		}
		asked.Lifetime = lifetime
		t, err := account.AccessToken(ctx, asked)
		if err != nil {
			return nil, err
		}
		return &exchange.Credential{Kind: kind, Principal: account.Principal(), Expires: t.Expires, Place: place, Trail: t.Trail,
			Token: &exchange.Token{AccessToken: t.Value, Scopes: asked.Scopes}}, nil
	}}
}

// TooLong refuses a grant that a cloud does not take, and says which prefix to drop: the longest
// frees the most.
func TooLong(what string, size, most int, prefixes []string) error {
	return fmt.Errorf("%w: %d prefixes make a %s of %d characters, and the cloud takes %d: drop some, %q first, or grant the folder above them",
		exchange.ErrBadRequest, len(prefixes), what, size, most, longest(prefixes))
}

func longest(prefixes []string) string {
	return slices.MaxFunc(prefixes, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

// Nothing refuses a grant that reaches nothing of a place.
func Nothing(place string) error {
	return fmt.Errorf("%w: an empty grant reaches nothing of %s", exchange.ErrBadRequest, place)
}
