package googlelab_test

import (
	"net/url"
	"strings"
	"testing"
)

// TestOptionsPercentEncodedTwice: google-auth's downscoped credentials encode the options, and
// then the form with them in it.
func TestOptionsPercentEncodedTwice(t *testing.T) {
	d := open(t)
	d.put("in/a", "hello")
	const options = `{"accessBoundary": {"accessBoundaryRules": [{"availableResource": "//storage.googleapis.com/projects/_/buckets/b", "availablePermissions": ["inRole:roles/storage.objectViewer"], "availabilityCondition": {"expression": "resource.name.startsWith('projects/_/buckets/b/objects/in/')"}}]}}`
	for _, text := range []string{options, url.PathEscape(options), url.QueryEscape(options)} {
		token := d.exchanged(text)
		if strings.Contains(text, "+") { // a space of Python's quote is %20
			if token != "" {
				t.Error("a plus was taken for a space")
			}
			continue
		}
		d.code("inside", d.ask("GET", gcs+"/b/in/a", token, ""), 200)
		d.code("outside", d.ask("GET", gcs+"/b/out/a", token, ""), 403)
	}
	for _, broken := range []string{"%7", "%", "%22", url.PathEscape(url.PathEscape(options))} {
		if d.exchanged(broken) != "" {
			t.Errorf("options of %.20q were taken", broken)
		}
	}
}
