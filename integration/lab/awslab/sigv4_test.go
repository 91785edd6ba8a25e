package awslab

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// TestQueriesAreSortedByName, and by value where a name is there twice: a=1 stands before
// a1=2, though = comes behind 1.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func TestQueriesAreSortedByName(t *testing.T) {
	for query, want := range map[string]string{
		"a1=2&a=1":              "a=1&a1=2",
		"a%21=2&a=1&a-b=3":      "a=1&a%21=2&a-b=3",
		"b=2&b=10&b=1&a=9":      "a=9&b=1&b=10&b=2",
		"prefix=x%2Fy&prefix2=": "prefix=x%2Fy&prefix2=",
		"a=%3D&a=%21":           "a=%21&a=%3D",
	} {
		r := httptest.NewRequest("GET", "https://acme-lake.s3.eu-west-1.amazonaws.com/?"+query, nil)
		if got := strings.Split(canonical(r, []string{"host"}, "", "s3"), "\n")[2]; got != want {
			t.Errorf("%s: %s, not %s", query, got, want)
		}
	}
}
