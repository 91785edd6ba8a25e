package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange"
)

// Lint reads all files of a folder and returns all that is wrong: in each, and with all
// of them together, which no look-up ever sees.
//
//   - An identity belongs to one tenant. Between service accounts it is the only binding
//     that Google has, so an account in two files would let one tenant into the other's places.
//   - A destination's role, account or user belongs to one tenant.
//   - An ExternalId binds one tenant to one role.
//   - No tenant's identity is the runtime's own, or the one with which refusals are tried.
//   - What a caller shows is accepted by carnet.yaml.
//
// A place that has a method Fits says what is wrong with its grant: catalog knows no cloud's
// language.
func (ks *Kinds) Lint(ctx context.Context, dir Folder) (Problems, error) {
	names, err := dir.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	l := &lint{Kinds: ks, seen: map[string]use{}}
	if err := l.operator(ctx, dir); err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := l.tenant(ctx, dir, name); err != nil {
			return nil, err
		}
	}
	if err := l.unread(dir); err != nil {
		return nil, err
	}
	return l.problems.Sorted(), nil
}

// unread finds files that nobody reads, since their name ends in another way.
func (l *lint) unread(dir Folder) error {
	files, err := os.ReadDir(filepath.Join(dir.dir(), "tenants"))
	for _, f := range files {
		if name, ok := strings.CutSuffix(f.Name(), ".yml"); ok {
			l.bad("tenants/"+f.Name(), 0, "is never read: name it %s.yaml", name)
		}
	}
	return err
}

type lint struct {
	*Kinds
	op       *Operator // nil where carnet.yaml cannot be read
	problems Problems
	seen     map[string]use // identities, ExternalIds and places, each with its kind before it
}

// A use is where something stands first.
type use struct {
	tenant, file string
	line         int
	entered      string // what an ExternalId enters, or "" for all else
	own          string // who of the operator's it is, or "" for a tenant's
}

func (l *lint) bad(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{File: file, Line: line, Message: fmt.Sprintf(format, args...)})
}

// failed takes a parser's problems over.
func (l *lint) failed(err error) error {
	var ps Problems
	if errors.As(err, &ps) {
		l.problems = append(l.problems, ps...)
		return nil
	}
	return err
}

func (l *lint) operator(ctx context.Context, dir Folder) error {
	const file = "carnet.yaml"
	text, _, err := dir.Read(ctx, file)
	if errors.Is(err, fs.ErrNotExist) {
		l.bad(file, 0, "is not there: write who the functions are, `runtime: {aws: {role: …, region: …}}`")
		return nil
	}
	if err != nil {
		return err
	}
	op, err := ParseOperator(file, text)
	if err != nil {
		return l.failed(err)
	}
	l.op = op
	const runtime, nobody = "the runtime itself", "nobody, with whom refusals are tried"
	for own, is := range map[string]string{
		op.Runtime.AWS.Role: runtime, op.Runtime.GCP.ServiceAccount: runtime, op.Nobody.AWS: nobody, op.Nobody.GCP: nobody,
	} {
		if own != "" {
			l.seen["identity "+identity(own)] = use{file: file, line: lineOf(text, own), own: is}
		}
	}
	return nil
}

func (l *lint) tenant(ctx context.Context, dir Folder, name string) error {
	file := "tenants/" + name + ".yaml"
	if !ValidName(name) {
		l.bad(file, 0, "is never read: a tenant's name, and its file's, is %s", Name().Name)
		return nil
	}
	text, _, err := dir.Read(ctx, file)
	if err != nil {
		return err
	}
	t, err := l.ParseTenant(file, text)
	if err != nil {
		return l.failed(err)
	}
	f := &tenantFile{lint: l, name: name, file: file, root: new(keys.File).Root(text)}
	f.identities(t)
	f.callers(t)
	for _, d := range slices.Sorted(maps.Keys(t.Destinations)) {
		f.destination(d, t.Destinations[d])
	}
	return nil
}

// identity is what tells two apart: a role's path is no part of what others see of it.
func identity(principal string) string { return strings.ToLower(withoutPath(principal)) }

// lineOf finds a value's line where there is only one such value.
func lineOf(text []byte, value string) int {
	before, _, ok := strings.Cut(string(text), value)
	if !ok {
		return 0
	}
	return strings.Count(before, "\n") + 1
}

// A tenantFile is one file that is being looked at.
type tenantFile struct {
	*lint
	name, file string
	root       *yaml.Node
}

func (f *tenantFile) line(path ...string) int {
	n := f.root
	for _, key := range path {
		if next := under(n, key); next != nil {
			n = next
		}
	}
	return n.Line
}

func (f *tenantFile) identities(t *Tenant) {
	if r := t.Identities.AWS; r != nil {
		f.end(End{Role: r}, roleKeys(false), "identities", "aws")
	}
	if a := t.Identities.GCP; a != nil {
		f.end(End{ServiceAccount: a}, accountKeys(), "identities", "gcp")
	}
}

// callers finds those whose tokens carnet.yaml does not accept.
func (f *tenantFile) callers(t *Tenant) {
	for i, c := range t.Callers {
		line, issuer := under(f.root, "callers").Content[i].Line, func(known Issuer) bool { return known.URL == c.Issuer }
		switch {
		case f.op == nil || c.Issuer == "aws":
		case c.Issuer == "google" && f.op.GoogleAudience == "":
			f.bad(f.file, line, "%s cannot call: carnet.yaml says no google_audience, so write there what the jobs' ID tokens are for", c.Subject)
		case c.Issuer != "google" && !slices.ContainsFunc(f.op.Issuers, issuer):
			f.bad(f.file, line, "%s cannot call: its issuer %s is none of carnet.yaml's: write it there, the same to the last slash", c.Subject, c.Issuer)
		}
	}
}

func (f *tenantFile) destination(name string, d *Destination) {
	at, all := []string{"destinations", name}, f.each[d.Kind]
	for _, link := range d.Chain {
		f.end(link.end(), nil, append(at, "chain")...)
	}
	f.end(d.End, all, at...)
	if fits, ok := d.Place.(interface{ Fits() error }); ok {
		if err := fits.Fits(); err != nil {
			says := strings.TrimPrefix(err.Error(), exchange.ErrBadRequest.Error()+": ") // nobody has asked
			f.bad(f.file, f.lineFor(keys.Grant, all, at), "destination %s: %s", name, says)
		}
	}
	if d.Deliver != nil {
		f.delivered(name, d.Deliver.Secret, f.line(append(at, "deliver", "secret")...))
	}
}

// end claims an identity, or a user, and its binding. Their lines are those of the keys that are
// declared for them.
func (f *tenantFile) end(e End, set keys.Set, at ...string) {
	kind := "identity"
	if e.User != "" {
		kind = "user"
	}
	f.mine(kind, e.Principal(), f.lineFor(keys.Identity, set, at))
	f.bound(e.Bound().ExternalID, identity(e.Principal()), f.lineFor(keys.Binding, set, at))
	f.bound(e.Bound().NextExternalID, identity(e.Principal()), f.lineFor(keys.NextBinding, set, at))
}

func (f *tenantFile) lineFor(use keys.Use, set keys.Set, at []string) int {
	key, _ := set.Named(use)
	return f.line(append(at, key)...)
}

// mine claims something for this tenant.
func (f *tenantFile) mine(kind, name string, line int) {
	key := kind + " " + identity(name)
	first, taken := f.seen[key]
	switch {
	case !taken:
		f.seen[key] = use{tenant: f.name, file: f.file, line: line}
	case first.own != "":
		f.bad(f.file, line, "%s is %s (%s:%d): a tenant never acts as it", name, first.own, first.file, first.line)
	case first.tenant != f.name:
		f.bad(f.file, line, "%s is in the file of tenant %s too (%s:%d): one %s belongs to one tenant, so that nobody reaches the other's places", name, first.tenant, first.file, first.line, kind)
	}
}

// bound claims an ExternalId for one role, or one user.
func (f *tenantFile) bound(id, entered string, line int) {
	if id == "" {
		return
	}
	key := "external id " + id
	first, taken := f.seen[key]
	if !taken {
		f.seen[key] = use{tenant: f.name, file: f.file, line: line, entered: entered}
		return
	}
	if first.tenant != f.name || first.entered != entered {
		f.bad(f.file, line, "the external_id %s stands at %s:%d too: each binds one tenant to one role, so have another made, by `carnet catalog rotate` or `add`", id, first.file, first.line)
	}
}

// delivered claims a secret for one destination: two would write over each other.
func (f *tenantFile) delivered(name, secret string, line int) {
	key := "secret " + secret
	if first, taken := f.seen[key]; taken {
		f.bad(f.file, line, "the secret %s is filled by %s:%d too: give each delivery its own", secret, first.file, first.line)
		return
	}
	f.seen[key] = use{tenant: f.name, file: f.file, line: line, entered: name}
}
