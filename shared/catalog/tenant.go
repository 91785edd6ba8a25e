package catalog

import (
	"path"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange"
)

// Kinds are the kinds of places that tenants' files may name.
type Kinds struct {
	Names  []string
	kinds  map[string]Kind
	tenant keys.Set
	each   map[string]keys.Set // a destination's keys, by its kind
}

// NewKinds declares the keys of files that may name these kinds.
func NewKinds(list ...Kind) *Kinds {
	ks := &Kinds{kinds: map[string]Kind{}, each: map[string]keys.Set{}}
	for _, k := range list {
		ks.Names = append(ks.Names, k.Name)
		ks.kinds[k.Name], ks.each[k.Name] = k, k.destinationKeys()
	}
	ks.tenant = ks.tenantKeys()
	return ks
}

// Keys are those of a destination of a kind; ok is false where there is no such kind.
func (ks *Kinds) Keys(kind string) (all keys.Set, ok bool) {
	all, ok = ks.each[kind]
	return all, ok
}

// TenantKeys are the keys of a tenant's file.
func (ks *Kinds) TenantKeys() keys.Set { return ks.tenant }

// ParseTenant reads a tenant's file. file is its name, for messages and because the
// tenant's name must be the same; empty where there is no file. The error is
// Problems, with all of them.
func (ks *Kinds) ParseTenant(file string, text []byte) (*Tenant, error) {
	f := &keys.File{Name: file}
	t := &Tenant{Destinations: map[string]*Destination{}}
	m := ks.tenant.ReadFile(f, text, t)
	if want := strings.TrimSuffix(path.Base(file), ".yaml"); file != "" && t.Name != "" && t.Name != want {
		f.Bad(m.At("tenant"), "the file is %s.yaml and its tenant %q: give both one name", want, t.Name)
	}
	t.calledFor(m)
	if err := f.Err(); err != nil {
		return nil, err
	}
	return t, nil
}

func (ks *Kinds) tenantKeys() keys.Set {
	return keys.Set{
		keys.Text("tenant", func(t *Tenant) *string { return &t.Name }, Name()).Says("The name of the file, without .yaml."),
		keys.Flag("disabled", func(t *Tenant) *bool { return &t.Disabled }).Says("`true`: nothing is vended for this tenant."),
		keys.Within("identities", func(t *Tenant) *Identities { return &t.Identities }, identityKeys()).Optional().Says("Who the tenant is, on one cloud or both."),
		keys.Each("callers", "a caller", func(t *Tenant) *[]Caller { return &t.Callers }, callerKeys()).Optional().Says("Who may ask for this tenant's credentials."),
		keys.Custom("destinations", byName{ks}).Optional().Says("Where the data goes, by name."),
	}
}

func identityKeys() keys.Set {
	return keys.Set{
		keys.Within("aws", func(i *Identities) *Role { return keys.New(&i.AWS) }, roleKeys(false)).Optional().Says("The role that you keep for this tenant on AWS."),
		keys.Within("gcp", func(i *Identities) *ServiceAccount { return keys.New(&i.GCP) }, accountKeys()).Optional().Says("The service account that you keep for it on Google Cloud."),
	}
}

// roleKeys are those of a role; one at a customer's place has to be bound.
func roleKeys(bound bool) keys.Set {
	role := keys.Text("role", func(r *Role) *string { return &r.ARN }, RoleARN()).For(keys.Identity).Says("The ARN of the role.")
	return append(keys.Set{role}, keys.Inline(func(r *Role) *Binding { return &r.Binding }, BindingKeys(bound)))
}

// BindingKeys are the ExternalId and the one that takes over.
func BindingKeys(required bool) keys.Set {
	id := keys.Text("external_id", func(b *Binding) *string { return &b.ExternalID }, ExternalID()).For(keys.Binding).
		Says("What binds the trust to this one use: the ExternalId where a role assumes the role, the token's audience where anybody else does. The operator makes it, and uses it nowhere else.")
	id.Required = required
	return keys.Set{id, nextID()}
}

func nextID() keys.Key {
	return keys.Text("next_external_id", func(b *Binding) *string { return &b.NextExternalID }, ExternalID()).For(keys.NextBinding).Optional().ByHand().
		Says("Accepted too, while `carnet catalog rotate` replaces external_id.")
}

// TokenKeys are the binding of tokens, needed where another key has a value.
func TokenKeys(key, value string) keys.Set {
	set := BindingKeys(false)
	set[0] = set[0].When(key, value)
	return set
}

func accountKeys() keys.Set {
	return keys.Set{
		keys.Text("service_account", func(a *ServiceAccount) *string { return &a.Email }, Account()).For(keys.Identity).Says("The email of the service account."),
		keys.Word("entry", func(a *ServiceAccount) *Entry { return &a.Entry }, Delegate, User).Or("delegate").
			Says("What was granted on the account. `delegate`: `iam.serviceAccounts.implicitDelegation`, which lets a chain pass through without anybody holding its token. `user`: `roles/iam.workloadIdentityUser`, which takes one call more."),
		keys.Text("provider", func(a *ServiceAccount) *string { return &a.Provider }, provider()).Optional().Says("The resource name of the customer's own pool provider, if the tenant's role enters through one. No service account of the operator's is then needed."),
	}
}

// RoleAt are the keys of a place whose end is a role.
func RoleAt[P any](at func(*P) *Role) keys.Key { return keys.Inline(at, roleKeys(true)) }

// AccountAt are the keys of a place whose end is a service account.
func AccountAt[P any](at func(*P) *ServiceAccount) keys.Key { return keys.Inline(at, accountKeys()) }

func callerKeys() keys.Set {
	aws := keys.TextTo("aws", func(c *Caller, arn string) { c.Caller = exchange.Caller{Issuer: "aws", Subject: withoutPath(arn)} }, principalARN())
	google := keys.TextTo("google", func(c *Caller, email string) { c.Caller = exchange.Caller{Issuer: "google", Subject: email} }, email())
	token := keys.Set{
		keys.Text("issuer", func(c *Caller) *string { return &c.Issuer }, issuer()).Says("An OIDC issuer."),
		keys.Text("subject", func(c *Caller) *string { return &c.Subject }, words("system:serviceaccount:sync:acme")).Says("Its subject."),
	}
	return keys.Set{
		keys.OneOf(keys.Set{aws.Says("An IAM role or user.")}, keys.Set{google.Says("A Google account.")}, token),
		keys.List("destinations", func(c *Caller) *[]string { return &c.Destinations }, Name()).Optional().Says("Which destinations; all without."),
	}
}

// withoutPath: STS leaves a role's path out of what it calls a caller, and names are
// unique in an account without it.
func withoutPath(arn string) string {
	head, tail, ok := strings.Cut(arn, "/")
	if !ok {
		return arn
	}
	return head + "/" + tail[strings.LastIndex(tail, "/")+1:]
}

// calledFor refuses callers of destinations that are not there.
func (t *Tenant) calledFor(m *keys.Mapping) {
	for _, c := range t.Callers {
		for _, d := range c.Destinations {
			if t.Destinations[d] == nil {
				m.Bad(m.At("callers"), "a caller is let to destination %q, which is not in this file", d)
			}
		}
	}
}

// byName is the form of destinations: a mapping whose keys are names.
type byName struct{ *Kinds }

// Example implements [keys.Form].
func (byName) Example() string { return "{lake: {kind: …}}" }

// Read implements [keys.Form].
func (f byName) Read(m *keys.Mapping, k keys.Key, into any) {
	t, bound := into.(*Tenant), map[string]string{}
	bind(bound, ChainLink{Role: t.Identities.AWS}.end())
	for name, n := range m.Mapping(m.At(k.Name), k.Name).Pairs() {
		if err := Name().Check(name.Value); err != nil {
			m.Bad(name, "destination %v", err)
		}
		if d := f.destination(m, name.Value, n); d != nil {
			t.Destinations[name.Value] = d
			t.reachable(m, name, d)
			for _, end := range d.ends(t) {
				if id := bind(bound, end); id != "" {
					m.Bad(n, "destination %s: the external_id %s binds %s too, and a token that was made for the one would be taken by the other: write a new one here, such as `uuidgen` prints, and have its owner apply what `carnet trust` prints then", name.Value, id, bound[id])
				}
			}
		}
	}
}

func (ks *Kinds) destination(file *keys.Mapping, name string, n *yaml.Node) *Destination {
	m := file.Mapping(n, "destination "+name)
	if n.Kind != yaml.MappingNode {
		return nil
	}
	kind, ok := ks.kinds[m.Text("kind")]
	if !ok {
		m.Bad(m.At("kind"), "destination %s: kind is %q: write %s", name, m.Text("kind"), keys.Either(ks.Names))
		return nil
	}
	d := &Destination{Place: kind.New()}
	ks.each[kind.Name].Read(m, d)
	m.Done()
	d.About = d.Place.About()
	if time.Until(d.Verified) > 24*time.Hour { // a day elsewhere may be ahead of ours
		m.Bad(m.At("verified"), "%s: verified is %s, which is yet to come: take it out, and `carnet check --probe --record` writes the day", m.What, d.Verified.Format(time.DateOnly))
	}
	if d.Deliver != nil && d.Deliver.Format == "aws" && d.Gives != Session {
		m.Bad(m.At("deliver"), "%s: deliver: format aws is for AWS sessions: write json", m.What)
	}
	return d
}

func (l ChainLink) end() End { return End{Role: l.Role, ServiceAccount: l.ServiceAccount} }

// bind notes for whom an end's ExternalIds are, and returns one that is for somebody else already.
func bind(bound map[string]string, e End) (taken string) {
	for _, id := range []string{e.Bound().ExternalID, e.Bound().NextExternalID} {
		if other := bound[id]; other != "" && identity(other) != identity(e.Principal()) {
			return id
		}
		if id != "" {
			bound[id] = e.Principal()
		}
	}
	return ""
}

// reachable refuses a destination that no chain leads to, or leads to twice.
func (t *Tenant) reachable(m *keys.Mapping, name *yaml.Node, d *Destination) {
	if t.Identities.AWS == nil && t.Identities.GCP == nil && len(d.Chain) == 0 {
		m.Bad(name, "destination %s cannot be reached: the tenant has no identity, so write `identities:`, or a `chain:` here", name.Value)
	}
	var seen []string
	for _, end := range d.ends(t) {
		p := end.Principal()
		if slices.Contains(seen, p) {
			m.Bad(name, "destination %s: its chain enters %s twice: every identity may stand in it once", name.Value, p)
		}
		if n := len(seen); n > 0 && crosses(seen[n-1], p) {
			m.Bad(name, "destination %s: %s and %s are in two partitions of AWS, and no role of the one is assumed from the other: a Google identity between them can", name.Value, seen[n-1], p)
		}
		seen = append(seen, p)
	}
}

// crosses tells whether a role would have to assume one of another partition.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func crosses(from, to string) bool {
	a, b := strings.Split(from, ":"), strings.Split(to, ":")
	return a[0] == "arn" && b[0] == "arn" && a[1] != b[1]
}

// ends are who stands in a destination's chain, as far as the file knows; of the tenant's two
// identities that on the destination's cloud comes last.
func (d *Destination) ends(t *Tenant) []End {
	links := d.Chain
	if len(links) == 0 && d.End.Role != nil {
		links = []ChainLink{{ServiceAccount: t.Identities.GCP}, {Role: t.Identities.AWS}}
	} else if len(links) == 0 {
		links = []ChainLink{{Role: t.Identities.AWS}, {ServiceAccount: t.Identities.GCP}}
	}
	var list []End
	for _, l := range links {
		if e := l.end(); e.Principal() != "" {
			list = append(list, e)
		}
	}
	return append(list, d.End)
}

// destinationKeys are the kind's own, and those that every destination has.
func (k Kind) destinationKeys() keys.Set {
	if k.Longest == 0 {
		// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
		k.Shortest, k.Longest = 15*time.Minute, 12*time.Hour
	}
	return append(keys.Set{
		keys.Word("kind", func(d *Destination) *string { return &d.Kind }, k.Name).ByHand(),
		keys.Into(func(d *Destination) any { return d.Place }, k.Keys()),
	}, commonKeys(k.Shortest, k.Longest)...)
}

// CommonKeys are those that a destination of any kind may have.
func CommonKeys() keys.Set { return commonKeys(time.Minute, 12*time.Hour) }

func commonKeys(shortest, longest time.Duration) keys.Set {
	return keys.Set{
		keys.Duration("lifetime", func(d *Destination) *time.Duration { return &d.Lifetime }, shortest, longest).Says("How long a credential lives, where the cloud allows more than one length."),
		keys.Duration("min_ttl", func(d *Destination) *time.Duration { return &d.MinTTL }, time.Minute, 9*time.Hour).Says("How much of that must be left when it is handed out."),
		keys.Day("verified", func(d *Destination) *time.Time { return &d.Verified }).ByHand().
			Says("The day on which it last refused carnet without its binding, as `carnet check --probe --record` writes it. Nothing is vended without it, unless `carnet.yaml` says `serve_unverified`."),
		keys.Flag("disabled", func(d *Destination) *bool { return &d.Disabled }).ByHand().Says("`true`: nothing is vended for it."),
		keys.Within("deliver", func(d *Destination) *Delivery { return keys.New(&d.Deliver) }, deliverKeys()).Optional().Says("A secret that a schedule keeps filled with the credential."),
		keys.Each("chain", "a link of the chain", func(d *Destination) *[]ChainLink { return &d.Chain }, linkKeys()).Optional().
			Says("The identities before the destination's, in the place of the tenant's: each a `role:` with its `external_id:`, or a `service_account:`."),
	}
}

// deliverKeys: Secrets Manager asks for ten minutes between two versions.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func deliverKeys() keys.Set {
	return keys.Set{
		keys.Text("secret", func(d *Delivery) *string { return &d.Secret }, delivered()).Says("The secret."),
		keys.Duration("every", func(d *Delivery) *time.Duration { return &d.Every }, 10*time.Minute, 11*time.Hour).Or("30m").Says("How often the schedule comes."),
		keys.Word("format", func(d *Delivery) *string { return &d.Format }, "json", "aws").Or("json").Says("json, or aws: what credential_process prints."),
	}
}

func linkKeys() keys.Set {
	role := keys.Inline(func(l *ChainLink) *Role { return keys.New(&l.Role) }, roleKeys(false))
	account := keys.Inline(func(l *ChainLink) *ServiceAccount { return keys.New(&l.ServiceAccount) }, accountKeys())
	return keys.Set{keys.OneOf(keys.Set{role}, keys.Set{account})}
}

// GrantKeys are what a bucket's credential may reach. Leaving it out is no way to say
// "everything": that takes `whole_bucket: true`.
func GrantKeys() keys.Set {
	return keys.Set{
		keys.OneOf(
			keys.Set{keys.List("prefixes", func(g *exchange.Grant) *[]string { return &g.Prefixes }, Prefix()).Flagged("prefix").For(keys.Grant).Says("The folders that the credential reaches; each gets a final slash, so that `acme` never reaches `acme-2`.")},
			keys.Set{keys.FlagTo("whole_bucket", func(g *exchange.Grant) { g.Prefixes = []string{""} }).For(keys.Grant).Says("`true`: all of the bucket.")},
		),
		AccessKey(func(g *exchange.Grant) *exchange.Access { return &g.Access }),
	}
}

// AccessKey is what a credential may do.
func AccessKey[P any](at func(*P) *exchange.Access) keys.Key {
	return keys.Word("access", at, exchange.Read, exchange.Write, exchange.ReadWrite).For(keys.Grant).Says("What the credential may do: read, write or read_write.")
}
