package deployment

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// This file looks inside: that memory is bounded shows nowhere else.

// A shelf has a file for whatever tenant it is asked for, unless it is gone.
type shelf struct {
	version string
	gone    bool
}

func (s *shelf) Read(_ context.Context, file string) ([]byte, string, error) {
	if s.gone {
		return nil, "", fs.ErrNotExist
	}
	name := strings.TrimSuffix(path.Base(file), ".yaml")
	return fmt.Appendf(nil, "tenant: %s\nidentities:\n  aws: {role: arn:aws:iam::111122223333:role/%s}\n", name, name), s.version, nil
}

func (s *shelf) Unchanged(_, version string) bool { return !s.gone && version == s.version }

func newShelved(s *shelf) (t *tenants, coldStarts *int) {
	op := &catalog.Operator{Region: "eu-west-1"}
	aws := awsid.New(awsid.Config{Region: "eu-west-1"})
	l := &destination.Linker{AWS: aws, GCP: gcpid.New(nil), Operator: op, Runtime: aws.Runtime("arn:aws:iam::111122223333:role/f", nil)}
	coldStarts = new(int)
	return newTenants(kinds.All(), s, l, func() { *coldStarts++ }), coldStarts
}

// TestAnyNumberOfTenants: the memory is bounded, and one that was dropped is linked again.
func TestAnyNumberOfTenants(t *testing.T) {
	all, linked := newShelved(&shelf{version: "1"})
	const many = linkedTenants + 50
	for i := range many {
		if _, err := all.Tenant(t.Context(), fmt.Sprint("t-", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := all.linked.Len(); n != linkedTenants {
		t.Errorf("%d tenants are linked", n)
	}
	if tenant, err := all.Tenant(t.Context(), "t-0"); err != nil || tenant.Name != "t-0" || *linked != many+1 {
		t.Errorf("one that was dropped: %v, %v, linked %d times", tenant, err, *linked)
	}
}

// TestATenantsCachesGoWithItsFile: another version is another object, and no file is none.
func TestATenantsCachesGoWithItsFile(t *testing.T) {
	s := &shelf{version: "1"}
	all, linked := newShelved(s)
	first, err := all.Tenant(t.Context(), "acme")
	if err != nil {
		t.Fatal(err)
	}
	if again, err := all.Tenant(t.Context(), "acme"); again != first || err != nil {
		t.Errorf("the same version: %p and %p, %v", again, first, err)
	}
	s.version = "2"
	if next, err := all.Tenant(t.Context(), "acme"); next == first || err != nil {
		t.Errorf("another version is the old object: %v", err)
	}
	s.gone = true
	if _, err := all.Tenant(t.Context(), "acme"); err != exchange.ErrNoTenant || all.linked.Len() != 0 {
		t.Errorf("without a file: %v, and %d are kept", err, all.linked.Len())
	}
	if *linked != 2 {
		t.Errorf("linked %d times", *linked)
	}
}

// TestAVersionIsLinkedOnce, whoever comes at the same time: each object would have caches of
// its own.
func TestAVersionIsLinkedOnce(t *testing.T) {
	all, linked := newShelved(&shelf{version: "1"})
	var together sync.WaitGroup
	for range 64 {
		together.Go(func() {
			if _, err := all.Tenant(t.Context(), "acme"); err != nil {
				t.Error(err)
			}
		})
	}
	together.Wait()
	if *linked != 1 {
		t.Errorf("linked %d times", *linked)
	}
}
