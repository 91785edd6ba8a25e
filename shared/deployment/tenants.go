package deployment

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
)

// linkedTenants bounds how many tenants stay linked, with what they cache.
const linkedTenants = 10_000

// tenants links tenants on demand and keeps each as long as its file stays as it
// was. It implements [exchange.Tenants].
type tenants struct {
	kinds  func() *catalog.Kinds // declared with the first tenant
	source catalog.Source
	linker *destination.Linker
	linked *lru.Cache[string, linked]

	linking sync.Mutex
	first   func() // called when a tenant is linked: what follows is cold
}

type linked struct {
	file    string
	version string
	tenant  *exchange.Tenant
}

func newTenants(kinds destination.Kinds, source catalog.Source, linker *destination.Linker, first func()) *tenants {
	cache, err := lru.New[string, linked](linkedTenants)
	if err != nil {
		panic(err) // only for a size below one
	}
	return &tenants{kinds: sync.OnceValue(kinds.Catalog), source: source, linker: linker, linked: cache, first: first}
}

// Tenant implements [exchange.Tenants].
func (t *tenants) Tenant(ctx context.Context, name string) (*exchange.Tenant, error) {
	if held, ok := t.linked.Get(name); ok && t.source.Unchanged(held.file, held.version) {
		return held.tenant, nil
	}
	file, text, version, err := t.read(ctx, name)
	if errors.Is(err, exchange.ErrNoTenant) {
		t.linked.Remove(name)
	}
	if err != nil {
		return nil, err
	}
	if held, ok := t.linked.Get(name); ok && held.version == version {
		return held.tenant, nil
	}
	return t.linkOnce(name, version, file, text)
}

func (t *tenants) read(ctx context.Context, name string) (file string, text []byte, version string, err error) {
	if !catalog.ValidName(name) {
		return "", nil, "", exchange.ErrNoTenant
	}
	file = path.Join("tenants", name+".yaml")
	text, version, err = t.source.Read(ctx, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = exchange.ErrNoTenant
	case err != nil:
		err = fmt.Errorf("reading the catalog: %w", err)
	}
	return file, text, version, err
}

// parsed is a tenant's file as it stands, for whoever links it afresh.
func (t *tenants) parsed(ctx context.Context, name string) (*catalog.Tenant, error) {
	file, text, _, err := t.read(ctx, name)
	if err != nil {
		return nil, err
	}
	return t.kinds().ParseTenant(file, text)
}

// linkOnce links a version of a file once, whoever comes meanwhile: two copies would each
// have caches of their own, and make each call twice.
func (t *tenants) linkOnce(name, version, file string, text []byte) (*exchange.Tenant, error) {
	t.linking.Lock()
	defer t.linking.Unlock()
	if held, ok := t.linked.Get(name); ok && held.version == version {
		return held.tenant, nil
	}
	parsed, err := t.kinds().ParseTenant(file, text)
	if err != nil {
		return nil, err
	}
	tenant := t.linker.Link(parsed)
	t.linked.Add(name, linked{file, version, tenant})
	t.first()
	return tenant, nil
}
