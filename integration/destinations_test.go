package integration

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// What is vended is used here as jobs use it, with the vendors' own clients. Each kind
// has a table of what a grant may and may not do.

type operation struct {
	name    string
	do      func(context.Context) error
	allowed bool
}

func tryAll(t *testing.T, operations []operation) {
	t.Helper()
	for _, op := range operations {
		err := op.do(t.Context())
		if (err == nil) != op.allowed {
			t.Errorf("%s: allowed is %v, and the answer %v", op.name, op.allowed, err)
		}
	}
}

func narrowed(t *testing.T, l *lab.Lab, runtime, dir, destination string, grant exchange.Grant) *exchange.Credential {
	t.Helper()
	cred, err := deploy(t, l, runtime, dir).Broker.Vend(t.Context(), exchange.Request{
		Caller: exchange.Console, Tenant: "acme", Destination: destination, Grant: grant,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func machine(t testing.TB, l *lab.Lab) *lab.Machine {
	t.Helper()
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A store is a bucket through a client.
type store interface {
	put(ctx context.Context, key string) error
	get(ctx context.Context, key string) error
	list(ctx context.Context, prefix string) error
	remove(ctx context.Context, key string) error
}

// bucketOperations is the table for a bucket whose catalog grants from-operator/.
func bucketOperations(s store, grant exchange.Grant) []operation {
	reads := grant.Access == "" || grant.Access.CanRead()
	writes := grant.Access == "" || grant.Access.CanWrite()
	whole := len(grant.Prefixes) == 0 // all that the catalog grants
	put := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.put(ctx, key) }
	}
	get := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.get(ctx, key) }
	}
	list := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.list(ctx, key) }
	}
	remove := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.remove(ctx, key) }
	}
	return []operation{
		{"write below", put("from-operator/2026/a"), writes},
		{"replace below", put("from-operator/2026/a"), writes},
		{"read below", get("from-operator/2026/a"), reads},
		{"list below", list("from-operator/2026/"), reads},
		{"delete below", remove("from-operator/2026/b"), writes},
		{"write above", put("from-operator/a"), writes && whole},
		{"read above", get("from-operator/a"), reads && whole},
		{"list above", list("from-operator/"), reads && whole},
		{"write in a namesake", put("from-operator-2/a"), false},
		{"read in a namesake", get("from-operator-2/a"), false},
		{"list a namesake", list("from-operator-2/"), false},
		{"list without the slash", list("from-operator"), false},
		{"list everything", list(""), false},
		{"delete elsewhere", remove("theirs/a"), false},
		{"read elsewhere", get("theirs/a"), false},
	}
}

// grants are what a job may ask for where the catalog grants read_write under
// from-operator/.
func grants() map[string]exchange.Grant {
	below := []string{"from-operator/2026/"}
	return map[string]exchange.Grant{
		"all":         {},
		"read":        {Access: exchange.Read},
		"write":       {Access: exchange.Write},
		"below":       {Prefixes: below},
		"read below":  {Access: exchange.Read, Prefixes: below},
		"write below": {Access: exchange.Write, Prefixes: below},
	}
}

// startWith is a lab whose world differs from the sample's.
func startWith(t *testing.T, change string) *lab.Lab {
	t.Helper()
	return started(t, worldWith(t, change))
}

func change(t testing.TB, dir, tenant, from, to string) {
	t.Helper()
	file := filepath.Join(dir, "tenants", tenant+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
	}
}
