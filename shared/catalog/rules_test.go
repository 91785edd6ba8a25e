package catalog_test

import (
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
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

// TestAScalarIsReadAsItself: whatever is written into a file is read as that string, alone and in a
// list, and is no word that Terraform's YAML takes for something else.
func TestAScalarIsReadAsItself(t *testing.T) {
	for _, word := range []string{"acme", "on", "No", "y", "007", "1e5", "12e45678", "12:30", "0x1f", "null", "true", "2026-11-20", "a,b/", "[x]/", "{y}/", "it's, ok", "- z", "# no", "a: b"} {
		var got []string
		if err := yaml.Unmarshal([]byte("["+keys.Scalar(word)+", z]"), &got); err != nil || !slices.Equal(got, []string{word, "z"}) {
			t.Errorf("%s is written %s, and read %q: %v", word, keys.Scalar(word), got, err)
		}
		if plain := keys.Scalar(word) == word; plain != (word == "acme") {
			t.Errorf("%s is written %s", word, keys.Scalar(word))
		}
	}
}
