package catalog_test

import (
	"testing"

	"carnet.dev/carnet/shared/catalog"
)

// TestAnAccountHasAName: 6 to 30 characters for an account with a name of its own, and what
// Google makes with a project as it is.
func TestAnAccountHasAName(t *testing.T) {
	for s, want := range map[string]bool{
		"abcdef@acme-prod.iam.gserviceaccount.com":                          true,
		"abcde@acme-prod.iam.gserviceaccount.com":                           false,
		"a-name-that-has-30-characters0@acme-prod.iam.gserviceaccount.com":  true,
		"a-name-that-has-31-characters-0@acme-prod.iam.gserviceaccount.com": false,
		"0abcdef@acme-prod.iam.gserviceaccount.com":                         false,
		"abcdef-@acme-prod.iam.gserviceaccount.com":                         false,
		"a.bcdef@acme-prod.iam.gserviceaccount.com":                         false,
		"carnet-share@acme-prod.example.com.iam.gserviceaccount.com":        true,
		"acme@appspot.gserviceaccount.com":                                  true,
		"acme-prod.example.com@appspot.gserviceaccount.com":                 true,
		"123456789012-compute@developer.gserviceaccount.com":                true,
		"123456789012@cloudbuild.gserviceaccount.com":                       true,
		"123456789012@cloudservices.gserviceaccount.com":                    true,
		"abcdef@acme-prod.gserviceaccount.com":                              false,
		"abcdef@iam.gserviceaccount.com":                                    false,
	} {
		if got := catalog.Account().Check(s) == nil; got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}
