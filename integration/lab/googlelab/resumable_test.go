package googlelab_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const chunk = 256 << 10

// begun opens a session as somebody who may make the object and no more.
func (d desk) begun(name string, headers ...string) string {
	d.t.Helper()
	a := d.ask(http.MethodPost, upload+"?uploadType=resumable&name="+name, d.token("creator"), "", headers...)
	at := a.Header().Get("Location")
	if a.Code != http.StatusOK || at == "" {
		d.t.Fatalf("a resumable upload: %d, at %q: %s", a.Code, at, a.Body)
	}
	return at
}

// TestResumableUploads has each way in which clients send what they have: one body; chunks with
// and without the whole's length; a stream whose end nobody knew.
func TestResumableUploads(t *testing.T) {
	whole := strings.Repeat("0123456789abcdef", 2*chunk/16) + "the end"
	n := len(whole)
	type step struct {
		rangeOf string
		data    string
		want    string // status, and how far it is
	}
	for name, steps := range map[string][]step{
		"one body":               {{"", whole, "200"}},
		"one body, with a range": {{fmt.Sprintf("bytes 0-%d/%d", n-1, n), whole, "200"}},
		"an open stream":         {{"bytes 0-*/*", whole, "200"}},
		"an end that is told":    {{fmt.Sprintf("bytes 0-*/%d", n), whole, "200"}},
		"chunks of a known whole": {
			{fmt.Sprintf("bytes 0-%d/%d", chunk-1, n), whole[:chunk], "308 bytes=0-262143"},
			{fmt.Sprintf("bytes %d-%d/%d", chunk, n-1, n), whole[chunk:], "200"}},
		"chunks, the end told last": {
			{"bytes */*", "", "308 "},
			{fmt.Sprintf("bytes 0-%d/*", chunk-1), whole[:chunk], "308 bytes=0-262143"},
			{"bytes */*", "", "308 bytes=0-262143"},
			{fmt.Sprintf("bytes %d-%d/*", chunk, 2*chunk-1), whole[chunk : 2*chunk], "308 bytes=0-524287"},
			{fmt.Sprintf("bytes %d-%d/%d", 2*chunk, n-1, n), whole[2*chunk:], "200"}},
		"what is no multiple is kept up to one": {
			{fmt.Sprintf("bytes 0-%d/*", chunk+9), whole[:chunk+10], "308 bytes=0-262143"},
			{fmt.Sprintf("bytes %d-*/*", chunk), whole[chunk:], "200"}},
		"a chunk that was there already": {
			{fmt.Sprintf("bytes 0-%d/*", chunk-1), whole[:chunk], "308 bytes=0-262143"},
			{fmt.Sprintf("bytes 0-%d/%d", n-1, n), whole, "200"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			at := d.begun("in/a", "X-Upload-Content-Type", "text/csv")
			for i, s := range steps {
				a := d.ask(http.MethodPut, at, "", s.data, "Content-Range", s.rangeOf)
				got := fmt.Sprint(a.Code)
				if a.Code == http.StatusPermanentRedirect {
					got += " " + a.Header().Get("Range")
				}
				if got != s.want {
					t.Fatalf("step %d: %s, not %s: %s", i, got, s.want, a.Body)
				}
			}
			if a := d.ask(http.MethodGet, gcs+"/b/in/a", d.token("viewer"), ""); a.Body.String() != whole || a.Header().Get("Content-Type") != "text/csv" {
				t.Errorf("stored are %d bytes of %d as %s", a.Body.Len(), n, a.Header().Get("Content-Type"))
			}
			if a := d.ask(http.MethodPut, at, "", "", "Content-Range", fmt.Sprintf("bytes */%d", n)); a.Code != 200 || a.text("size") != fmt.Sprint(n) {
				t.Errorf("asked once more: %d %s", a.Code, a.Body)
			}
		})
	}
}

func TestResumableUploadsAreRefused(t *testing.T) {
	d := open(t)
	at := d.begun("in/a", "X-Upload-Content-Length", "5")
	for name, c := range map[string]struct {
		rangeOf, data string
		code          int
	}{
		"no range at all":        {"bytes 5", "x", 400},
		"backwards":              {"bytes 4-2/5", "abc", 400},
		"behind the end":         {"bytes 3-5/5", "abc", 400},
		"with a gap":             {"bytes 3-4/5", "ab", 400},
		"of another length":      {"bytes 0-4/5", "abc", 400},
		"more than it was to be": {"bytes 0-5/6", "abcdef", 400},
		"a question with data":   {"bytes */5", "abcde", 400},
	} {
		d.code(name, d.ask(http.MethodPut, at, "", c.data, "Content-Range", c.rangeOf), c.code)
	}
	d.code("an unknown session", d.ask(http.MethodPut, upload+"?uploadType=resumable&upload_id=x", d.token("admin"), "hello"), 404)
	d.code("at another bucket", d.ask(http.MethodPut, strings.Replace(at, "/b/b/", "/b/c/", 1), "", "hello"), 404)
	d.put("in/a", "somebody else's") // since the upload began, which may not replace it
	d.code("an object that came first", d.ask(http.MethodPut, at, "", "hello"), 403)
	if a := d.ask(http.MethodGet, gcs+"/b/in/a", d.token("viewer"), ""); a.Body.String() != "somebody else's" {
		t.Errorf("it was replaced all the same: %q", a.Body)
	}
}

func TestResumableUploadWithoutRedirects(t *testing.T) {
	d := open(t)
	at := d.begun("in/a")
	a := d.ask(http.MethodPost, at, "", strings.Repeat("x", chunk), "Content-Range", fmt.Sprintf("bytes 0-%d/*", chunk-1), "X-GUploader-No-308", "yes")
	if a.Code != http.StatusOK || a.Header().Get("X-Http-Status-Code-Override") != "308" || a.Header().Get("Range") != "bytes=0-262143" {
		t.Errorf("a chunk: %d %v", a.Code, a.Header())
	}
	d.code("cancelled", d.ask(http.MethodDelete, at, "", ""), 499)
	d.code("after that", d.ask(http.MethodPut, at, "", "", "Content-Range", "bytes */*"), 404)
	empty := d.begun("in/empty")
	d.code("nothing at all", d.ask(http.MethodPut, empty, "", "", "Content-Range", "bytes */0"), 200)
}
