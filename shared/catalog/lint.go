package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Lint reads all files of a folder and returns all that is wrong: in each, and with all
// of them together, which no look-up ever sees.
//
//   - An identity belongs to one tenant. Between service accounts it is the only binding
//     that Google has, so an account in two files would let one tenant into the other's places.
//   - A destination's role, account or user belongs to one tenant.
//   - An ExternalId binds one tenant to one role.
//   - No tenant's identity is the runtime's own, or the one with which refusals are tried.
//
// fits says what is wrong with a destination's grant; catalog knows no cloud's language.
func Lint(ctx context.Context, dir Folder, fits func(*Destination) error) (Problems, error) {
	names, err := dir.Tenants(ctx)
	if err != nil {
		return nil, err
	}
	l := &lint{seen: map[string]use{}, fits: fits}
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
	return l.problems.sorted(), nil
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
	problems Problems
	seen     map[string]use // identities, ExternalIds and places, each with its kind before it
	fits     func(*Destination) error
}

// A use is where something stands first.
type use struct {
	tenant, file string
	line         int
	entered      string // what an ExternalId enters, or "" for all else
	own          string // who of the operator's it is, or "" for a tenant's
}

func (l *lint) bad(file string, line int, format string, args ...any) {
	l.problems = append(l.problems, Problem{file, line, fmt.Sprintf(format, args...)})
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
		l.bad(file, 0, "is never read: a tenant's name, and its file's, is %s", nameRule().name)
		return nil
	}
	text, _, err := dir.Read(ctx, file)
	if err != nil {
		return err
	}
	t, err := ParseTenant(file, text)
	if err != nil {
		return l.failed(err)
	}
	r := &reader{}
	f := &tenantFile{lint: l, name: name, file: file, root: r.root(text)}
	f.identities(t)
	for _, d := range destinationsOf(t) {
		f.destination(d, t.Destinations[d])
	}
	return nil
}

func destinationsOf(t *Tenant) []string {
	var names []string
	for name := range t.Destinations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
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
		f.mine("identity", r.ARN, f.line("identities", "aws", "role"))
		f.binds(r, "identities", "aws")
	}
	if a := t.Identities.GCP; a != nil {
		f.mine("identity", a.Email, f.line("identities", "gcp", "service_account"))
	}
}

func (f *tenantFile) destination(name string, d *Destination) {
	at := []string{"destinations", name}
	for _, link := range d.Chain {
		if link.Role != nil {
			f.mine("identity", link.Role.ARN, f.line(append(at, "chain")...))
			f.binds(link.Role, append(at, "chain")...)
		} else {
			f.mine("identity", link.ServiceAccount.Email, f.line(append(at, "chain")...))
		}
	}
	if d.Role != nil {
		f.mine("identity", d.Role.ARN, f.line(append(at, "role")...))
		f.binds(d.Role, at...)
	}
	if d.ServiceAccount != nil {
		f.mine("identity", d.ServiceAccount.Email, f.line(append(at, "service_account")...))
	}
	if d.Kind == Snowflake {
		user := strings.ToUpper(d.Snowflake.Account + "." + d.Snowflake.User)
		f.mine("user", user, f.line(append(at, "user")...))
		f.bound(d.Snowflake.ExternalID, user, f.line(append(at, "external_id")...))
		f.bound(d.Snowflake.NextExternalID, user, f.line(append(at, "next_external_id")...))
	}
	if err := f.fits(d); err != nil {
		f.bad(f.file, f.line(append(at, "prefixes")...), "destination %s: %v", name, err)
	}
	if d.Deliver != nil {
		f.delivered(name, d.Deliver.Secret, f.line(append(at, "deliver", "secret")...))
	}
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

func (f *tenantFile) binds(r *Role, at ...string) {
	f.bound(r.ExternalID, identity(r.ARN), f.line(append(slices.Clone(at), "external_id")...))
	f.bound(r.NextExternalID, identity(r.ARN), f.line(append(slices.Clone(at), "next_external_id")...))
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
