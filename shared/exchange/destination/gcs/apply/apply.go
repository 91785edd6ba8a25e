// Package apply writes what the owner of a bucket of Cloud Storage applies. It is for people: no
// function links it.
package apply

import (
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/gcs"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Kind returns the kind's part for people.
func Kind() mend.Kind { return mend.Kind{Kind: trust.Kind{Apply: bindings, Module: module}} }

// bindings are what the account may do with the bucket, folder by folder.
func bindings(s *trust.Sheet) {
	p := s.Dest.Place.(*gcs.Place)
	role, why := "roles/storage.objectUser", "Objects: create, replace, delete, read, list."
	switch p.Grant.Access {
	case exchange.Read:
		role, why = "roles/storage.objectViewer", "Objects: read and list, no writing."
	case exchange.Write:
		role = s.Custom(trust.ProjectOf(p.Account.Email), "carnetWrite", "Creating and deleting objects, since replacing one is both. No predefined role does that without reading or listing.", "storage.objects.create", "storage.objects.delete")
		why = "Objects: create, replace, delete; no reading, no listing."
	}
	b := trust.Binding{On: trust.Bucket, Name: p.Bucket, Role: role, Member: "serviceAccount:" + p.Account.Email}
	if slices.Equal(p.Grant.Prefixes, []string{""}) {
		b.Why = why + " All of the bucket, as the tenant's file says."
		s.Bind(b)
		return
	}
	b.Why = why + " The condition keeps to the folders of the tenant's file."
	if p.Grant.Access != exchange.Write {
		b.Why += " Listing is asked of the bucket, not of a folder: its names can be seen, and the vended token keeps to the folders there too."
	}
	// A condition takes 12 logical operators: ten folders each.
	// https://cloud.google.com/iam/quotas
	for i, list := range slices.Collect(slices.Chunk(p.Grant.Prefixes, 10)) {
		b.Title, b.Condition = fmt.Sprintf("carnet-folders-%d", i), folders(p, list)
		s.Bind(b)
	}
}

func folders(p *gcs.Place, prefixes []string) string {
	bucket := "projects/_/buckets/" + p.Bucket
	var parts []string
	if p.Grant.Access != exchange.Write {
		parts = append(parts, "resource.name == '"+bucket+"'")
	}
	for _, prefix := range prefixes {
		parts = append(parts, "resource.name.startsWith('"+bucket+"/objects/"+prefix+"')")
	}
	return strings.Join(parts, " || ")
}

func module(s *trust.Sheet, h *trust.Block) (string, error) {
	s.AccountInputs(h)
	h.Set("What the account may do: the grant of the tenant's file, and no more.", "bucket", s.Dest.Place.(*gcs.Place).Bucket)
	s.GrantInputs(h)
	return s.ModuleOnGoogle(h)
}
