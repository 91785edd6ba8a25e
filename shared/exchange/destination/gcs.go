package destination

import (
	"context"
	"fmt"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials#exchange-credential-auto
const (
	maxBoundary      = 2048 // characters of JSON
	maxBoundaryRules = 10
)

// narrowable is the scope that a token needs to be given a boundary: the token endpoint
// refuses one of Cloud Storage's own scopes. It says nothing of what the token may do in the
// end. A boundary leaves Cloud Storage alone, and there what its rules name.
// https://github.com/projectnessie/nessie/pull/12901
// https://cloud.google.com/iam/docs/create-downscoped-short-lived-credentials
const narrowable = "https://www.googleapis.com/auth/cloud-platform"

// A gcs destination is a bucket that a service account may use. The bucket needs
// uniform bucket-level access: an object's own ACL is outside every boundary.
type gcs struct {
	end    *gcpid.Identity
	bucket string
}

func gcsOf(d *catalog.Destination, end *gcpid.Identity) gcs {
	return gcs{end: end, bucket: d.Bucket}
}

func (d gcs) mint(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	boundary, err := d.boundary(grant)
	if err != nil {
		return nil, err
	}
	scopes := []string{narrowable}
	t, err := d.end.AccessToken(ctx, gcpid.Ask{Scopes: scopes, Boundary: boundary, Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	return tokenCredential("gcs", d.end, t, scopes, map[string]string{"bucket": d.bucket}), nil
}

func tokenCredential(kind string, end *gcpid.Identity, t gcpid.Token, scopes []string, at map[string]string) *exchange.Credential {
	return &exchange.Credential{
		Kind:      kind,
		Principal: end.Principal(),
		Expires:   t.Expires,
		Place:     at,
		Trail:     t.Trail,
		Token:     &exchange.Token{AccessToken: t.Value, Scopes: scopes},
	}
}

// boundary compiles the grant: one rule whose condition names every prefix, since
// the number of rules is limited to ten and a condition's alternatives are not.
func (d gcs) boundary(grant exchange.Grant) (*gcpid.Boundary, error) {
	if len(grant.Prefixes) == 0 || grant.Access == "" {
		return nil, fmt.Errorf("%w: an empty grant reaches nothing of %s", exchange.ErrBadRequest, d.bucket)
	}
	rule := gcpid.BoundaryRule{
		AvailableResource:    "//storage.googleapis.com/projects/_/buckets/" + d.bucket,
		AvailablePermissions: storageRoles(grant.Access),
		Condition:            &gcpid.Condition{Expression: d.condition(grant)},
	}
	b := &gcpid.Boundary{Rules: []gcpid.BoundaryRule{rule}}
	text, err := b.JSON()
	if err == nil && len(text) > maxBoundary {
		return nil, tooLong("access boundary", len(text), maxBoundary, grant.Prefixes)
	}
	return b, err
}

// storageRoles: legacyBucketWriter creates, replaces and deletes objects and reads
// none; objectCreator could not even replace.
// https://cloud.google.com/storage/docs/access-control/iam-roles
func storageRoles(a exchange.Access) []string {
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
func (d gcs) condition(grant exchange.Grant) string {
	var any []string
	for _, p := range grant.Prefixes {
		any = append(any, "resource.name.startsWith("+celString("projects/_/buckets/"+d.bucket+"/objects/"+p)+")")
		if grant.Access.CanRead() {
			any = append(any, "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith("+celString(p)+")")
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
