package googlelab_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// TestStorageAsksForEachPermission has each call by whoever has exactly the permission that
// Cloud Storage wants for it, and by somebody who has every other.
func TestStorageAsksForEachPermission(t *testing.T) {
	const object = gcs + "/storage/v1/b/b/o/in%2Fa"
	d := open(t)
	d.put("in/a", "hello")
	for name, c := range map[string]struct {
		method, to, body string
		headers          []string
		can, cannot      string
		code             int
	}{
		"buckets.get":                       {"GET", gcs + "/storage/v1/b/b", "", nil, "bucket", "admin", 200},
		"objects.get":                       {"GET", object, "", nil, "viewer", "creator", 200},
		"objects.get of the data":           {"GET", object + "?alt=media", "", nil, "viewer", "creator", 200},
		"download":                          {"GET", gcs + "/download/storage/v1/b/b/o/in%2Fa?alt=media", "", nil, "viewer", "creator", 200},
		"objects.list":                      {"GET", gcs + "/storage/v1/b/b/o?prefix=in/", "", nil, "bucket", "creator", 200},
		"objects.delete":                    {"DELETE", gcs + "/storage/v1/b/b/o/in%2Fgone", "", nil, "admin", "creator", 404},
		"objects.insert":                    {"POST", upload + "?uploadType=media&name=%s", "x", nil, "creator", "viewer", 200},
		"a resumable upload":                {"POST", upload + "?uploadType=resumable&name=%s", "", nil, "creator", "viewer", 200},
		"replacing":                         {"POST", upload + "?uploadType=media&name=in/a", "hello", nil, "admin", "creator", 200},
		"replacing, resumably":              {"POST", upload + "?uploadType=resumable&name=in/a", "", nil, "admin", "creator", 200},
		"objects.rewrite":                   {"POST", object + "/rewriteTo/b/b/o/%s", "", nil, "admin", "creator", 200},
		"rewriting as a reader":             {"POST", object + "/rewriteTo/b/b/o/%s", "", nil, "admin", "viewer", 200},
		"objects.copy":                      {"POST", object + "/copyTo/b/b/o/%s", "", nil, "admin", "creator", 200},
		"objects.compose":                   {"POST", gcs + "/storage/v1/b/b/o/in%2Fb/compose", `{"sourceObjects":[{"name":"in/a"}]}`, nil, "admin", "creator", 200},
		"XML GET":                           {"GET", gcs + "/b/in/a", "", nil, "viewer", "creator", 200},
		"XML HEAD":                          {"HEAD", gcs + "/b/in/a", "", nil, "viewer", "creator", 200},
		"XML PUT":                           {"PUT", gcs + "/b/in/%s", "x", nil, "creator", "viewer", 200},
		"XML PUT over an object":            {"PUT", gcs + "/b/in/a", "hello", nil, "admin", "creator", 200},
		"XML copy":                          {"PUT", gcs + "/b/in/%s", "", []string{"x-goog-copy-source", "/b/in/a"}, "admin", "creator", 200},
		"XML DELETE":                        {"DELETE", gcs + "/b/in/gone", "", nil, "admin", "creator", 404},
		"XML list":                          {"GET", gcs + "/b?prefix=in/", "", nil, "viewer", "creator", 200},
		"XML list, second version":          {"GET", gcs + "/b?list-type=2&prefix=in/", "", nil, "viewer", "creator", 200},
		"XML HEAD of a bucket":              {"HEAD", gcs + "/b", "", nil, "bucket", "viewer", 200},
		"XML location":                      {"GET", gcs + "/b?location", "", nil, "bucket", "viewer", 200},
		"XML by the bucket's host":          {"GET", "https://b.storage.googleapis.com/in/a", "", nil, "viewer", "creator", 200},
		"an upload in parts":                {"POST", gcs + "/b/in/%s?uploads", "", nil, "creator", "viewer", 200},
		"an upload in parts, and no object": {"POST", gcs + "/b/in/%s?uploads", "", nil, "creator", "part", 200},
		"a list by another's parts":         {"GET", gcs + "/b/in/a?uploadId=x", "", nil, "creator", "viewer", 404},
	} {
		to := func(who string) string {
			return strings.Replace(c.to, "%s", who+"-"+url.PathEscape(strings.ReplaceAll(name, " ", "")), 1)
		}
		d.code(name, d.ask(c.method, to("1"), d.token(c.can), c.body, c.headers...), c.code)
		d.code(name+" by "+c.cannot, d.ask(c.method, to("2"), d.token(c.cannot), c.body, c.headers...), http.StatusForbidden)
		d.code(name+" by nobody", d.ask(c.method, to("3"), "", c.body, c.headers...), http.StatusUnauthorized)
	}
}

// TestABoundaryHoldsOnEveryWay: what a boundary does not name is refused on each way to an
// object, though the account may do all.
func TestABoundaryHoldsOnEveryWay(t *testing.T) {
	d := open(t)
	for _, name := range []string{"in/a", "out/a"} {
		d.put(name, "hello")
	}
	both := d.bound("in/", "roles/storage.objectViewer", "roles/storage.legacyBucketWriter")
	reads := d.bound("in/", "roles/storage.objectViewer")
	for name, c := range map[string]struct{ method, to, body, source string }{
		"get":              {"GET", gcs + "/storage/v1/b/b/o/%s%%2Fa", "", ""},
		"download":         {"GET", gcs + "/download/storage/v1/b/b/o/%s%%2Fa?alt=media", "", ""},
		"list":             {"GET", gcs + "/storage/v1/b/b/o?prefix=%s/", "", ""},
		"upload":           {"POST", upload + "?uploadType=media&name=%s/b", "x", ""},
		"resumable upload": {"POST", upload + "?uploadType=resumable&name=%s/c", "", ""},
		"rewrite to":       {"POST", gcs + "/storage/v1/b/b/o/in%%2Fa/rewriteTo/b/b/o/%s%%2Fd", "", ""},
		"rewrite from":     {"POST", gcs + "/storage/v1/b/b/o/%s%%2Fa/rewriteTo/b/b/o/in%%2Fe", "", ""},
		"compose from":     {"POST", gcs + "/storage/v1/b/b/o/in%%2Ff/compose", `{"sourceObjects":[{"name":"%s/a"}]}`, ""},
		"XML get":          {"GET", gcs + "/b/%s/a", "", ""},
		"XML head":         {"HEAD", gcs + "/b/%s/a", "", ""},
		"XML put":          {"PUT", gcs + "/b/%s/g", "x", ""},
		"XML copy":         {"PUT", gcs + "/b/in/h", "", "/b/%s/a"},
		"XML list":         {"GET", gcs + "/b?prefix=%s/", "", ""},
		"XML parts":        {"POST", gcs + "/b/%s/i?uploads", "", ""},
	} {
		ask := func(token, where string) answer {
			body := c.body
			if strings.Contains(body, "%s") {
				body = fmt.Sprintf(body, where)
			}
			to := fmt.Sprintf(strings.Replace(c.to, "%s", "%[1]s", 1), where)
			if !strings.Contains(c.to, "%s") {
				to = strings.ReplaceAll(c.to, "%%", "%")
			}
			return d.ask(c.method, to, token, body, "x-goog-copy-source", strings.Replace(c.source, "%s", where, 1))
		}
		d.code(name+" inside", ask(both, "in"), http.StatusOK)
		d.code(name+" outside", ask(both, "out"), http.StatusForbidden)
		if c.method == "POST" || c.method == "PUT" {
			d.code(name+" with reading alone", ask(reads, "in"), http.StatusForbidden)
		}
	}
	d.code("the bucket itself", d.ask("GET", gcs+"/storage/v1/b/b", both, ""), http.StatusForbidden)
}

// TestSubresourcesAreNoObjects: what the lab does not know must not pass as an object of a
// longer name, nor as the object itself.
func TestSubresourcesAreNoObjects(t *testing.T) {
	d := open(t)
	d.put("a", "hello")
	d.put("a/acl", "an object")
	for to, code := range map[string]int{
		"/storage/v1/b/b/o/a/acl":         http.StatusNotFound,
		"/storage/v1/b/b/o/a/iam":         http.StatusNotFound,
		"/storage/v1/b/b/acl":             http.StatusNotFound,
		"/storage/v1/b/b/managedFolders":  http.StatusNotFound,
		"/b/a?acl":                        http.StatusNotImplemented,
		"/b/a?tagging":                    http.StatusNotImplemented,
		"/b?lifecycle":                    http.StatusNotImplemented,
		"/b?versions":                     http.StatusNotImplemented,
		"/storage/v1/b/b/o/a%2Facl":       http.StatusOK,
		"/b//a":                           http.StatusNotFound,
		"/b/a/../a":                       http.StatusNotFound,
		"/storage/v1/b/b/o/a?generation=": http.StatusOK,
	} {
		d.code(to, d.ask("GET", gcs+to, d.token("admin"), ""), code)
	}
	for _, header := range []string{"x-goog-acl", "x-goog-object-lock-mode", "x-amz-tagging"} {
		d.code("PUT with "+header, d.ask("PUT", gcs+"/b/new", d.token("admin"), "x", header, "public-read"), http.StatusNotImplemented)
	}
}

func TestReadingARange(t *testing.T) {
	d := open(t)
	d.put("a", "0123456789")
	for _, to := range []string{gcs + "/b/a", gcs + "/storage/v1/b/b/o/a?alt=media", gcs + "/download/storage/v1/b/b/o/a?alt=media"} {
		for asked, want := range map[string]string{"": "200 0123456789", "bytes=2-4": "206 234", "bytes=7-": "206 789", "bytes=-3": "206 789", "bytes=20-": "416"} {
			a := d.ask("GET", to, d.token("viewer"), "", "Range", asked)
			if got := fmt.Sprint(a.Code, " ", a.Body); !strings.HasPrefix(got, want) {
				t.Errorf("%s of %s: %s, not %s", asked, to, got, want)
			}
			if asked == "bytes=2-4" && a.Header().Get("Content-Range") != "bytes 2-4/10" {
				t.Errorf("%s: Content-Range is %q", to, a.Header().Get("Content-Range"))
			}
		}
	}
	head := d.ask("HEAD", gcs+"/b/a", d.token("viewer"), "")
	if head.Header().Get("Content-Length") != "10" || head.Body.Len() != 0 || len(head.Header().Values("X-Goog-Hash")) != 2 {
		t.Errorf("HEAD: %v", head.Header())
	}
}

func TestListingInPages(t *testing.T) {
	d := open(t)
	for _, name := range []string{"in/a", "in/b/1", "in/b/2", "in/c", "out/a"} {
		d.put(name, "x")
	}
	first := d.ask("GET", gcs+"/storage/v1/b/b/o?prefix=in/&delimiter=/&maxResults=2", d.token("viewer"), "")
	if first.text("items", 0, "name") != "in/a" || first.text("prefixes", 0) != "in/b/" || first.text("nextPageToken") == "" {
		t.Errorf("the first page: %s", first.Body)
	}
	second := d.ask("GET", gcs+"/storage/v1/b/b/o?prefix=in/&delimiter=/&maxResults=2&pageToken="+first.text("nextPageToken"), d.token("viewer"), "")
	if second.text("items", 0, "name") != "in/c" || second.at("prefixes") != nil || second.at("nextPageToken") != nil {
		t.Errorf("the second page: %s", second.Body)
	}
	for _, next := range []string{"marker", "list-type=2&continuation-token"} {
		xml := d.ask("GET", gcs+"/b?prefix=in/&delimiter=/&max-keys=2&"+next+"=", d.token("viewer"), "").Body.String()
		_, after, found := strings.Cut(xml, "<NextMarker>")
		after, _, _ = strings.Cut(after, "</NextMarker>")
		rest := d.ask("GET", gcs+"/b?prefix=in/&delimiter=/&"+next+"="+url.QueryEscape(after), d.token("viewer"), "").Body.String()
		if !found || !strings.Contains(xml, "<Key>in/a</Key>") || !strings.Contains(xml, "<Prefix>in/b/</Prefix>") || !strings.Contains(rest, "<Key>in/c</Key>") || strings.Contains(rest, "<Prefix>in/b/</Prefix>") {
			t.Errorf("by %s: %s, then %s", next, xml, rest)
		}
	}
	if empty := d.ask("GET", gcs+"/storage/v1/b/b/o?prefix=none/", d.token("viewer"), ""); empty.Code != 200 || empty.Body.String() != `{"kind":"storage#objects"}` {
		t.Errorf("an empty list: %s", empty.Body)
	}
}

func packed(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(text))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestPackedRequests: Google's APIs unpack a request; the XML API stores what it is given, and
// unpacks it for readers that do not.
func TestPackedRequests(t *testing.T) {
	d := open(t)
	admin := d.token("admin")
	d.code("an upload", d.ask("POST", upload+"?uploadType=media&name=a", admin, packed(t, "hello"), "Content-Encoding", "gzip"), 200)
	d.code("an object by XML", d.ask("PUT", gcs+"/b/x", admin, packed(t, "hello"), "Content-Encoding", "gzip"), 200)
	for name, a := range map[string]answer{
		"of the upload": d.ask("GET", gcs+"/storage/v1/b/b/o/a?alt=media", admin, ""), "of the object": d.ask("GET", gcs+"/b/x", admin, ""),
	} {
		if a.Body.String() != "hello" {
			t.Errorf("%s there is %q", name, a.Body)
		}
	}
	if raw := d.ask("GET", gcs+"/b/x", admin, "", "Accept-Encoding", "gzip"); raw.Header().Get("Content-Encoding") != "gzip" || raw.Body.String() != packed(t, "hello") {
		t.Errorf("for a reader that takes gzip: %v %q", raw.Header(), raw.Body)
	}
	d.code("a table", d.ask("POST", bq+"/datasets/d/tables", admin, packed(t, `{"tableReference":{"tableId":"t"}}`), "Content-Encoding", "gzip"), 200)
	d.code("a token", d.ask("POST", "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/x:generateAccessToken", admin, packed(t, `{"scope":["s"]}`), "Content-Encoding", "gzip"), 403)
	d.code("no gzip", d.ask("POST", bq+"/datasets/d/tables", admin, `{"tableReference":{"tableId":"u"}}`, "Content-Encoding", "gzip"), 400)
	d.code("another encoding", d.ask("POST", bq+"/datasets/d/tables", admin, "x", "Content-Encoding", "br"), 415)
}

// TestStorageScopes: each method takes the scopes that the discovery document lists for it.
func TestStorageScopes(t *testing.T) {
	d := open(t)
	d.put("a", "x")
	const get, put = "GET " + gcs + "/storage/v1/b/b/o/a", "POST " + upload + "?uploadType=media&name=a"
	for call, scopes := range map[string]map[string]int{
		get: {"cloud-platform": 200, "cloud-platform.read-only": 200, "devstorage.read_only": 200, "devstorage.read_write": 200, "devstorage.full_control": 200, "bigquery": 403},
		put: {"cloud-platform": 200, "cloud-platform.read-only": 403, "devstorage.read_only": 403, "devstorage.read_write": 200, "devstorage.full_control": 200, "bigquery": 403},
	} {
		method, to, _ := strings.Cut(call, " ")
		for scope, code := range scopes {
			d.code(call+" with "+scope, d.ask(method, to, d.token("admin", scope), "x"), code)
		}
	}
}

func TestStorageErrorsAreListed(t *testing.T) {
	d := open(t)
	d.put("a", "x")
	for name, c := range map[string]struct {
		a      answer
		code   float64
		reason string
	}{
		"denied":         {d.ask("GET", gcs+"/storage/v1/b/b/o/a", d.token("creator"), ""), 403, "forbidden"},
		"a narrow scope": {d.ask("GET", gcs+"/storage/v1/b/b/o/a", d.token("viewer", "bigquery"), ""), 403, "insufficientPermissions"},
		"no token":       {d.ask("GET", gcs+"/storage/v1/b/b/o/a", "", ""), 401, "authError"},
		"missing":        {d.ask("GET", gcs+"/storage/v1/b/b/o/none", d.token("viewer"), ""), 404, "notFound"},
		"a condition":    {d.ask("POST", upload+"?uploadType=media&name=a&ifGenerationMatch=0", d.token("admin"), "x"), 412, "conditionNotMet"},
		"no such upload": {d.ask("POST", upload+"?uploadType=other&name=a", d.token("admin"), "x"), 400, "invalid"},
	} {
		if c.a.at("error", "code") != c.code || c.a.text("error", "errors", 0, "reason") != c.reason || c.a.text("error", "errors", 0, "message") != c.a.text("error", "message") {
			t.Errorf("%s: %s", name, c.a.Body)
		}
	}
	xml := d.ask("GET", gcs+"/b/a", d.token("creator"), "")
	if !strings.Contains(xml.Body.String(), "<Code>AccessDenied</Code>") || !strings.HasPrefix(xml.Header().Get("Content-Type"), "application/xml") {
		t.Errorf("by XML: %s", xml.Body)
	}
}

func TestGenerations(t *testing.T) {
	d := open(t)
	d.put("a", "1")
	first := d.ask("GET", gcs+"/storage/v1/b/b/o/a", d.token("viewer"), "").text("generation")
	d.put("a", "2")
	second := d.ask("GET", gcs+"/storage/v1/b/b/o/a", d.token("viewer"), "").text("generation")
	if first == second || first == "" {
		t.Errorf("an object and the one in its place are of one generation: %s", first)
	}
	d.code("the old one", d.ask("GET", gcs+"/storage/v1/b/b/o/a?generation="+first, d.token("viewer"), ""), 404)
	d.code("a delete of the old one", d.ask("DELETE", gcs+"/storage/v1/b/b/o/a?ifGenerationMatch="+first, d.token("admin"), ""), 412)
	d.code("a delete", d.ask("DELETE", gcs+"/storage/v1/b/b/o/a?ifGenerationMatch="+second, d.token("admin"), ""), 204)
}

func TestUploadInParts(t *testing.T) {
	d := open(t)
	creator := d.token("creator")
	begun := d.ask("POST", gcs+"/b/in/a?uploads", creator, "", "Content-Type", "text/plain")
	_, id, _ := strings.Cut(begun.Body.String(), "<UploadId>")
	id, _, _ = strings.Cut(id, "</UploadId>")
	// Google's client finds the id by this name alone.
	if !strings.Contains(begun.Body.String(), `<InitiateMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`) {
		t.Errorf("it begins with %s", begun.Body)
	}
	to := gcs + "/b/in/a?uploadId=" + id
	d.code("part 2", d.ask("PUT", to+"&partNumber=2", creator, "world"), 200)
	d.code("part 1", d.ask("PUT", to+"&partNumber=1", creator, "hello "), 200)
	d.code("a part of a reader's", d.ask("PUT", to+"&partNumber=1", d.token("viewer"), "x"), 403)
	d.code("under another name", d.ask("PUT", gcs+"/b/in/b?partNumber=1&uploadId="+id, creator, "x"), 404)
	const list = "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber></Part><Part><PartNumber>%d</PartNumber></Part></CompleteMultipartUpload>"
	d.code("with a part that is not there", d.ask("POST", to, creator, fmt.Sprintf(list, 3)), 400)
	d.code("joined", d.ask("POST", to, creator, fmt.Sprintf(list, 2)), 200)
	if got := d.ask("GET", gcs+"/b/in/a", d.token("viewer"), ""); got.Body.String() != "hello world" {
		t.Errorf("joined, it is %q", got.Body)
	}
	d.code("once more", d.ask("POST", to, creator, fmt.Sprintf(list, 2)), 404)
}

// TestBatch: each request in a batch is let in or refused by itself.
func TestBatch(t *testing.T) {
	d := open(t)
	d.put("in/a", "x")
	d.put("out/a", "x")
	token := d.bound("in/", "roles/storage.legacyBucketWriter")
	one := func(id, name string) string { // as gcsfs writes it: no line is empty behind the headers
		return "--x\nContent-Type: application/http\nContent-ID: <" + id + ">\n\nDELETE /storage/v1/b/b/o/" + name + " HTTP/1.1\ncontent-length: 0\n"
	}
	a := d.ask("POST", gcs+"/batch/storage/v1", token, one("1", "in%2Fa")+one("2", "out%2Fa")+"--x--\r\n", "Content-Type", "multipart/mixed; boundary=x")
	text := a.Body.String()
	mixed := strings.Replace(one("3", "in%2Fb"), "content-length: 0\n", "content-length: 0\nAuthorization: Bearer "+d.token("viewer")+"\n", 1)
	if b := d.ask("POST", gcs+"/batch/storage/v1", d.token("admin"), mixed+"--x--\r\n", "Content-Type", "multipart/mixed; boundary=x"); !strings.Contains(b.Body.String(), "HTTP/1.1 403") {
		t.Errorf("a request with a token of its own went by the batch's: %s", b.Body)
	}
	first, second := strings.Index(text, "HTTP/1.1 204"), strings.Index(text, "HTTP/1.1 403")
	if a.Code != 200 || first < 0 || second < first || !strings.Contains(text, "<response-2>") {
		t.Errorf("the batch: %d %s", a.Code, text)
	}
}

// TestMove: who may move an object may move it, or read and delete it, and make the other.
func TestMove(t *testing.T) {
	d := open(t)
	move := func(token, from, to string) int {
		d.put("in/a", "hello")
		d.put("out/a", "hello")
		return d.ask("POST", gcs+"/storage/v1/b/b/o/"+from+"%2Fa/moveTo/o/"+to+"%2Fb", token, "").Code
	}
	both := d.bound("in/", "roles/storage.objectViewer", "roles/storage.legacyBucketWriter")
	writes := d.bound("in/", "roles/storage.legacyBucketWriter")
	for name, c := range map[string]struct {
		token, from, to string
		code            int
	}{
		"by the permission to move":         {d.token("admin"), "in", "in", 200},
		"by those to read, delete and make": {both, "in", "in", 200},
		"without reading":                   {writes, "in", "in", 403},
		"out of the boundary":               {both, "in", "out", 403},
		"into the boundary":                 {both, "out", "in", 403},
		"by a reader":                       {d.token("viewer"), "in", "in", 403},
		"by a maker":                        {d.token("creator"), "in", "in", 403},
	} {
		if got := move(c.token, c.from, c.to); got != c.code {
			t.Errorf("%s: %d, not %d", name, got, c.code)
		}
		gone := d.ask("GET", gcs+"/b/"+c.from+"/a", d.token("viewer"), "").Code == 404
		if gone != (c.code == 200) {
			t.Errorf("%s: the source is gone: %v", name, gone)
		}
	}
}
