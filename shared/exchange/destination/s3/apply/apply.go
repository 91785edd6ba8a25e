// Package apply writes what the owner of a bucket of S3 applies. It is for people: no function
// links it.
package apply

import (
	"carnet.dev/carnet/shared/exchange/destination/s3"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Kind returns the kind's part for people.
func Kind() mend.Kind { return mend.Kind{Kind: trust.Kind{Apply: role, Module: module}} }

// role narrows the role to what the tenant's file grants. carnet's session policy says
// the same once more; a session is what both say.
func role(s *trust.Sheet) {
	p := s.Dest.Place.(*s3.Place)
	why := map[string][2]string{
		"s3:ListBucket": {"List", "Listing is asked of the bucket; the condition keeps it to the prefixes."},
		"kms:Decrypt": {"Key", "The bucket's key, for S3 to use and nobody else. A multipart upload decrypts what it has just encrypted. " +
			"The key's own policy must let the account's IAM policies count."},
	}
	r := s.Role(p.Role.ARN)
	r.Lasts(s.Dest.Lifetime)
	for _, st := range p.Statements(p.Grant) {
		name, ok := why[st.Action[len(st.Action)-1]]
		if !ok {
			name = [2]string{"Objects", "access: " + string(p.Grant.Access) + ", under the prefixes of the tenant's file. Each ends in a slash, so that acme never reaches acme-2."}
		}
		r.Policy = append(r.Policy, trust.Permit(name[0], name[1], st))
	}
}

func module(s *trust.Sheet, h *trust.Block) (string, error) {
	p := s.Dest.Place.(*s3.Place)
	s.RoleInputs(h)
	h.Set("What the role may do: the grant of the tenant's file, and no more.", "bucket", p.Bucket)
	s.GrantInputs(h)
	h.Set("", "kms_key", p.KMSKey)
	return s.ModuleOnAWS(p.Region, h)
}
