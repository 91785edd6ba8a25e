package catalog

import (
	"regexp"
	"testing"
)

// FuzzRules holds the rules that are matched by hand against the patterns that stand in the
// schemas.
func FuzzRules(f *testing.F) {
	for _, s := range []string{
		"arn:aws:iam::111122223333:role/NAME", "arn:aws-cn:iam::111122223333:role/a/b/NAME", "arn:aws:iam::111122223333:user/x", "arn:aws:iam::111122223333:role//x",
		"arn:aws:iam::111122223333:role/a//x", "arn:aws:iam::1:role/x", "arn:aws:iam::111122223333:role/", "arn:aws:iam::111122223333:role/a:b/c",
		"name@project.iam.gserviceaccount.com", "-a@p.gserviceaccount.com", "a@.gserviceaccount.com", "a@b@c.gserviceaccount.com",
		"//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/provider", "//iam.googleapis.com/projects/p/locations/global/workloadIdentityPools/pool/providers/provider",
		"", "\n", "arn:aws:iam::111122223333:role/x\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, r := range map[string]rule{"role": roleRule(), "principal": principalRule(), "account": accountRule(), "provider": providerRule()} {
			if by := regexp.MustCompile(r.pattern).MatchString(s); r.ok(s) != by {
				t.Errorf("%s: %q is %v by hand, and %v by the pattern", name, s, !by, by)
			}
		}
	})
}
