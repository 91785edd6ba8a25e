// Package gcs is the kind of place gcs: folders of a bucket of Cloud Storage, which a service
// account of the customer's may use.
//
// A token of the account is narrowed by an access boundary that names the folders. The bucket
// needs uniform bucket-level access: an object's own ACL is outside every boundary.
package gcs

import (
	"fmt"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// Name is the kind's in files.
const Name = "gcs"

// maxBoundary is in characters of JSON.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials#exchange-credential-auto
const maxBoundary = 2048

// narrowable is the scope that a token needs to be given a boundary: the token endpoint
// refuses one of Cloud Storage's own scopes. It says nothing of what the token may do in the
// end. A boundary leaves Cloud Storage alone, and there what its rules name.
// https://github.com/projectnessie/nessie/pull/12901
// https://cloud.google.com/iam/docs/create-downscoped-short-lived-credentials
const narrowable = "https://www.googleapis.com/auth/cloud-platform"

// Kind returns the kind.
func Kind() destination.Kind {
	return destination.Kind{Kind: catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys}}
}

// A Place is a bucket and the service account that may use it.
type Place struct {
	Account catalog.ServiceAccount
	Bucket  string
	Grant   exchange.Grant
}

func placeKeys() keys.Set {
	return keys.Set{
		catalog.AccountAt(func(p *Place) *catalog.ServiceAccount { return &p.Account }),
		keys.Text("bucket", func(p *Place) *string { return &p.Bucket }, bucket()).Says("The bucket."),
		keys.Inline(func(p *Place) *exchange.Grant { return &p.Grant }, catalog.GrantKeys()),
	}
}

// https://cloud.google.com/storage/docs/buckets#naming
func bucket() keys.Grammar {
	return keys.Grammar{Name: "the name of a bucket", Example: "acme-drop", Pattern: `^[a-z0-9][a-z0-9._-]+[a-z0-9]$`, Most: 222}
}

// About implements [catalog.Place].
func (p *Place) About() catalog.About {
	return catalog.About{Shown: p.Bucket, Where: "gs://" + p.Bucket, End: catalog.End{ServiceAccount: &p.Account}, Grant: p.Grant, Gives: catalog.Token}
}

// Fits says what to drop of the grant where Google does not take as much.
func (p *Place) Fits() error {
	_, err := p.boundary(p.Grant)
	return err
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	return at.Tokens(Name, map[string]string{"bucket": p.Bucket}, func(grant exchange.Grant) (gcpid.Ask, error) {
		boundary, err := p.boundary(grant)
		return gcpid.Ask{Scopes: []string{narrowable}, Boundary: boundary}, err
	}), nil
}

// boundary compiles the grant: one rule whose condition names every prefix, since
// the number of rules is limited to ten and a condition's alternatives are not.
func (p *Place) boundary(grant exchange.Grant) (*gcpid.Boundary, error) {
	if len(grant.Prefixes) == 0 || grant.Access == "" {
		return nil, destination.Nothing(p.Bucket)
	}
	rule := gcpid.BoundaryRule{
		AvailableResource:    "//storage.googleapis.com/projects/_/buckets/" + p.Bucket,
		AvailablePermissions: roles(grant.Access),
		Condition:            &gcpid.Condition{Expression: p.condition(grant)},
	}
	b := &gcpid.Boundary{Rules: []gcpid.BoundaryRule{rule}}
	text, err := b.JSON()
	if err == nil && len(text) > maxBoundary {
		return nil, destination.TooLong("access boundary", len(text), maxBoundary, grant.Prefixes)
	}
	return b, err
}

// roles: legacyBucketWriter creates, replaces and deletes objects and reads
// none; objectCreator could not even replace.
// https://cloud.google.com/storage/docs/access-control/iam-roles
func roles(a exchange.Access) []string {
	var roles []string
	if a.CanRead() {
		roles = append(roles, "inRole:roles/storage.objectViewer")
	}
	if a.CanWrite() {
		roles = append(roles, "inRole:roles/storage.legacyBucketWriter")
	}
	return roles
}

// condition holds for the objects under the prefixes and, for whoever may read,
// for the listing of those prefixes.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials#example-limit-list
func (p *Place) condition(grant exchange.Grant) string {
	var any []string
	for _, prefix := range grant.Prefixes {
		any = append(any, "resource.name.startsWith("+celString("projects/_/buckets/"+p.Bucket+"/objects/"+prefix)+")")
		if grant.Access.CanRead() {
			any = append(any, "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith("+celString(prefix)+")")
		}
	}
	return strings.Join(any, " || ")
}

// celString quotes s for CEL. The catalog lets no quote or backslash through; this
// holds all the same.
// https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
func celString(s string) string {
	var b strings.Builder
	b.WriteByte('\'')
	for _, r := range s {
		switch {
		case r == '\'' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < 0x20 || r == 0x7f:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}
