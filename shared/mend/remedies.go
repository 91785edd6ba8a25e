package mend

import (
	"cmp"
	_ "embed"
	"strings"
	"sync"
	"text/template"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/trust"
)

// A Remedy says of a cause what is wrong, how to tell, and what to type. What, Tell and Text are
// templates of package text/template, filled from a [Fault].
type Remedy struct {
	What, Tell, Text string
	After            string // how long until it counts: iam, google, or a sentence
	Where            string // empty: in the account or project of what refused
}

//go:embed remedies.yaml
var remediesText []byte

// remedies are those of the clouds, by the code of the cause.
var remedies = sync.OnceValue(func() map[string]Remedy {
	all := map[string]Remedy{}
	if err := yaml.Unmarshal(remediesText, &all); err != nil {
		panic(err) // the file is part of this program
	}
	return all
})

// remedy is the kind's own, or that of the clouds.
func (f Fault) remedy() Remedy {
	if how, ok := f.Kinds[f.Dest.Kind].Remedies[f.Code]; ok {
		return how
	}
	if how, ok := remedies()[f.Code]; ok {
		return how
	}
	return remedies()["unknown"]
}

// after is how long a change takes to count.
func (r Remedy) after() string {
	switch r.After {
	case "iam":
		return "A change of a policy on AWS counts within seconds, at times after a minute. `--wait 2m` looks again until it does."
	case "google":
		return "A new binding on Google Cloud counts after two minutes as a rule, at times after seven or more. `--wait 7m` looks again until it does."
	}
	return r.After
}

// filled fills the blanks of a template.
func (f Fault) filled(text string) string {
	var b strings.Builder
	t, err := template.New("").Funcs(template.FuncMap{"sqlName": trust.SQLName}).Parse(text)
	if err == nil {
		err = t.Execute(&b, f)
	}
	if err != nil {
		return f.byHand(err)
	}
	return b.String()
}

// The rest of this file is what templates ask for besides a Fault's fields.

// Name is the destination's, with its tenant.
func (f Fault) Name() string { return f.Tenant.Name + "/" + f.name }

// Said is what the cloud said.
func (f Fault) Said() string { return f.said }

// Place is where the change is made: who enters, or what is entered.
func (f Fault) Place() string { return cmp.Or(f.At, f.To) }

// Role is the name of the role at Place, without its path.
func (f Fault) Role() string { return f.Place()[strings.LastIndex(f.Place(), "/")+1:] }

// RoleEntered is the name of the role that is entered.
func (f Fault) RoleEntered() string { return f.To[strings.LastIndex(f.To, "/")+1:] }

// Account is the AWS account of Place.
func (f Fault) Account() string { return cmp.Or(awsid.AccountOf(f.Place()), "ACCOUNT") }

// Region is the one whose token service is called.
func (f Fault) Region() string { return cmp.Or(f.Operator.Region, f.Operator.Runtime.AWS.Region) }

// InPool tells whether a pool's provider was entered.
func (f Fault) InPool() bool { return strings.HasPrefix(f.To, "//") }

// Theirs is what the owner of what is entered applies.
func (f Fault) Theirs() string { return f.applied(f.Owner, f.To, whole) }

// TheirPermissions are Theirs without who may enter.
func (f Fault) TheirPermissions() string {
	return f.applied(f.Owner, f.To, (*trust.Sheet).WithoutTrust)
}

// Own is what the owner of who enters applies there.
func (f Fault) Own() string { return f.applied(f.Owner, f.From, (*trust.Sheet).WithoutTrust) }

// Updated writes the provider as it should be.
func (f Fault) Updated() string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string { return p.Update(k, f.issuer()) })
}

// Enabled switches the provider on.
func (f Fault) Enabled() string { return f.pool(trust.Pool.Enable) }

// Created makes the provider.
func (f Fault) Created() string {
	return f.pool(func(p trust.Pool, k catalog.ProviderKind) string {
		return "# A pool or provider that was deleted keeps its name for 30 days: undelete brings it back.\n" + p.Create(k, f.issuer()) + p.Update(k, f.issuer())
	})
}

// Reader lets the runtime read the secret.
func (f Fault) Reader() string {
	if strings.HasPrefix(f.To, "arn:") {
		return f.applied(exchange.Operator, f.From, (*trust.Sheet).WithoutTrust)
	}
	secret, _, _ := strings.Cut(f.To, "/versions/")
	return f.applied(exchange.Operator, secret, whole)
}
