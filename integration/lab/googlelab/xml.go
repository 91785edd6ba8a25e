package googlelab

import (
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// storageHost is where buckets are paths of; BUCKET.storage.googleapis.com is one itself.
// https://cloud.google.com/storage/docs/request-endpoints
const storageHost = "storage.googleapis.com"

// xml serves the XML API, which asks the permissions of the JSON API's methods.
// https://cloud.google.com/storage/docs/access-control/iam-xml
func (c *Cloud) xml(w http.ResponseWriter, r *http.Request) {
	bucket, name, err := placeOf(r)
	if err != nil || bucket == "" {
		writeXMLFault(w, r, invalid("The bucket or the object's name is missing or invalid."))
		return
	}
	r.SetPathValue("bucket", bucket)
	r.SetPathValue("object", name)
	var f *fault
	switch q := r.URL.Query(); {
	case !known(q):
		f = unimplemented("the query of " + r.URL.RawQuery)
	case name == "":
		f = c.xmlBucket(w, r)
	case q.Has("uploads") || q.Has("uploadId"):
		f = c.xmlParts(w, r)
	default:
		f = c.xmlObject(w, r)
	}
	if f != nil {
		writeXMLFault(w, r, f)
	}
}

// placeOf finds the bucket and the object's name as they are written: a path is not cleaned.
func placeOf(r *http.Request) (bucket, name string, err error) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/")
	if own, ok := strings.CutSuffix(hostOnly(r.Host), "."+storageHost); ok {
		bucket, name = own, path
	} else {
		bucket, name, _ = strings.Cut(path, "/")
	}
	name, err = url.PathUnescape(name)
	return bucket, name, err
}

// known tells whether the lab knows every word of a query. Each sub-resource (acl, cors, tagging …)
// has permissions of its own, and is no object.
func known(q url.Values) bool {
	for key := range q {
		if !slices.Contains([]string{
			"prefix", "delimiter", "marker", "max-keys", "list-type", "continuation-token", "start-after", "encoding-type", "fetch-owner", "location",
			"uploads", "uploadId", "partNumber", "generation", "prettyPrint", "alt", "userProject",
		}, key) {
			return false
		}
	}
	return true
}

func unimplemented(what string) *fault {
	return &fault{code: http.StatusNotImplemented, status: "UNIMPLEMENTED", message: "The lab's Cloud Storage does not know " + what + "."}
}

// xmlCodes: https://cloud.google.com/storage/docs/xml-api/reference-status
var xmlCodes = map[int]string{
	http.StatusBadRequest: "InvalidArgument", http.StatusUnauthorized: "AuthenticationRequired", http.StatusForbidden: "AccessDenied", http.StatusNotFound: "NoSuchKey",
	http.StatusPreconditionFailed: "PreconditionFailed", http.StatusRequestEntityTooLarge: "EntityTooLarge", http.StatusNotImplemented: "NotImplemented",
}

func writeXMLFault(w http.ResponseWriter, r *http.Request, f *fault) {
	if f.code == http.StatusNotModified || r.Method == http.MethodHead {
		w.WriteHeader(f.code)
		return
	}
	writeXML(w, f.code, struct {
		XMLName xml.Name `xml:"Error"`
		Code    string
		Message string
		Details string
	}{Code: xmlCodes[f.code], Message: f.message, Details: f.message})
}

func writeXML(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/xml; charset=UTF-8")
	w.WriteHeader(status)
	w.Write([]byte(xml.Header))
	w.Write(text)
}

// xmlBucket describes a bucket or lists it; the lab makes and deletes none.
func (c *Cloud) xmlBucket(w http.ResponseWriter, r *http.Request) *fault {
	bucket, q := r.PathValue("bucket"), r.URL.Query()
	own := access{"storage.buckets.get", "storage.buckets.get", bucket, "", nil}
	switch {
	case r.Method == http.MethodHead:
		_, f := c.reach(w, r, own)
		return f
	case r.Method != http.MethodGet || q.Has("uploads"):
		return unimplemented(r.Method + " of a bucket")
	case q.Has("location"):
		_, f := c.reach(w, r, own)
		if f == nil {
			writeXML(w, http.StatusOK, struct {
				XMLName  xml.Name `xml:"LocationConstraint"`
				Location string   `xml:",chardata"`
			}{Location: "EU"})
		}
		return f
	}
	prefix := q.Get("prefix")
	_, f := c.reach(w, r, access{"storage.objects.list", "storage.objects.list", bucket, "", &prefix})
	if f == nil {
		c.xmlList(w, bucket, prefix, q)
	}
	return f
}

// A listing is a page as XML. https://cloud.google.com/storage/docs/xml-api/get-bucket-list
type listing struct {
	XMLName               xml.Name `xml:"http://doc.s3.amazonaws.com/2006-03-01 ListBucketResult"`
	Name, Prefix          string
	Delimiter             string `xml:",omitempty"`
	Marker                string `xml:",omitempty"`
	NextMarker            string `xml:",omitempty"`
	NextContinuationToken string `xml:",omitempty"`
	KeyCount              int
	IsTruncated           bool
	Contents              []listed
	CommonPrefixes        []struct{ Prefix string }
}

type listed struct {
	Key            string
	Generation     int64
	MetaGeneration int
	LastModified   string
	ETag           string
	Size           int
}

func (c *Cloud) xmlList(w http.ResponseWriter, bucket, prefix string, q url.Values) {
	after := q.Get("marker")
	if q.Get("list-type") == "2" {
		after = max(q.Get("start-after"), q.Get("continuation-token"))
	}
	limit, _ := strconv.Atoi(q.Get("max-keys"))
	p := c.page(bucket, slice{prefix: prefix, delimiter: q.Get("delimiter"), after: after, limit: limit})
	l := listing{Name: bucket, Prefix: prefix, Delimiter: q.Get("delimiter"), Marker: after, IsTruncated: p.next != "", KeyCount: len(p.names) + len(p.prefixes)}
	for _, name := range p.names {
		if o, ok := c.find(bucket, name); ok {
			l.Contents = append(l.Contents, listed{name, o.generation, 1, o.made.UTC().Format("2006-01-02T15:04:05.000Z"), o.etag(), len(o.data)})
		}
	}
	for _, folder := range p.prefixes {
		l.CommonPrefixes = append(l.CommonPrefixes, struct{ Prefix string }{folder})
	}
	if last := slices.Max(slices.Concat(p.names, p.prefixes, []string{""})); l.IsTruncated {
		l.NextMarker, l.NextContinuationToken = last, last
	}
	writeXML(w, http.StatusOK, l)
}

func (c *Cloud) xmlObject(w http.ResponseWriter, r *http.Request) *fault {
	bucket, name := r.PathValue("bucket"), r.PathValue("object")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		_, f := c.reach(w, r, objectAccess("get", "get", bucket, name))
		o, ok := c.find(bucket, name)
		if q := r.URL.Query().Get("generation"); f == nil && (!ok || q != "" && q != strconv.FormatInt(o.generation, 10)) {
			f = missing("The specified key does not exist.")
		}
		if f == nil {
			f = o.meets(xmlConditions(r))
		}
		if f == nil {
			o.serve(w, r)
		}
		return f
	case http.MethodPut:
		return c.xmlPut(w, r)
	case http.MethodDelete:
		_, f := c.reach(w, r, objectAccess("delete", "delete", bucket, name))
		if f == nil {
			f = c.deleted(bucket, name, xmlConditions(r))
		}
		if f == nil {
			w.WriteHeader(http.StatusNoContent)
		}
		return f
	}
	return unimplemented(r.Method + " of an object")
}

// xmlConditions: https://cloud.google.com/storage/docs/xml-api/reference-headers
func xmlConditions(r *http.Request) url.Values {
	return url.Values{
		"ifGenerationMatch":     {r.Header.Get("X-Goog-If-Generation-Match")},
		"ifMetagenerationMatch": {r.Header.Get("X-Goog-If-Metageneration-Match")},
	}
}

// xmlPut writes an object, from the body or from another object. What a body is packed with
// belongs to the object here. https://cloud.google.com/storage/docs/xml-api/put-object
func (c *Cloud) xmlPut(w http.ResponseWriter, r *http.Request) *fault {
	bucket, name := r.PathValue("bucket"), r.PathValue("object")
	o, f := c.xmlBody(w, r)
	if f != nil {
		return f
	}
	t, f := c.reach(w, r, objectAccess("insert", "create", bucket, name))
	if f == nil {
		o, f = c.store(t, "insert", bucket, name, o, xmlConditions(r))
	}
	if f != nil {
		return f
	}
	w.Header().Set("Lab-Operation", "storage.objects.insert")
	w.Header().Set("ETag", o.etag())
	w.Header().Set("X-Goog-Generation", strconv.FormatInt(o.generation, 10))
	w.Header().Add("X-Goog-Hash", "crc32c="+o.crc32c())
	w.Header().Add("X-Goog-Hash", "md5="+o.md5())
	if r.Header.Get("X-Goog-Copy-Source") != "" {
		writeXML(w, http.StatusOK, struct {
			XMLName xml.Name `xml:"CopyObjectResult"`
			ETag    string
		}{ETag: o.etag()})
	}
	return nil
}

func (c *Cloud) xmlBody(w http.ResponseWriter, r *http.Request) (object, *fault) {
	for name := range r.Header {
		// Each of these takes a permission of its own.
		if name == "X-Goog-Acl" || strings.HasPrefix(name, "X-Goog-Object-Lock") || strings.HasPrefix(name, "X-Amz-") {
			return object{}, unimplemented("the header " + name)
		}
	}
	if from := r.Header.Get("X-Goog-Copy-Source"); from != "" {
		source, err := url.PathUnescape(strings.TrimPrefix(from, "/"))
		bucket, name, _ := strings.Cut(source, "/")
		if err != nil || name == "" {
			return object{}, invalid("x-goog-copy-source is BUCKET/OBJECT.")
		}
		_, f := c.reach(w, r, objectAccess("rewrite", "get", bucket, name))
		o, ok := c.find(bucket, name)
		if f == nil && !ok {
			f = missing("The specified key does not exist.")
		}
		return o, f
	}
	data, err := body(r)
	if err != nil {
		return object{}, unreadable(err)
	}
	o := object{kind: r.Header.Get("Content-Type"), encoding: r.Header.Get("Content-Encoding"), data: data, metadata: map[string]string{}}
	for name := range r.Header {
		if key, ok := strings.CutPrefix(name, "X-Goog-Meta-"); ok {
			o.metadata[strings.ToLower(key)] = r.Header.Get(name)
		}
	}
	return o, nil
}
