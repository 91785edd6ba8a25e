package awslab

import (
	"cmp"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// deleteObjects is asked of a bucket, and permitted for each object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
const deleteObjects = "DeleteObjects"

// operation names what a request does, by the permission that it needs.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
func operation(r *http.Request, key string) string {
	q := r.URL.Query()
	if key == "" {
		return bucketOperation(r.Method, q)
	}
	verb := map[string]string{http.MethodGet: "Get", http.MethodHead: "Get", http.MethodDelete: "Delete"}[r.Method]
	verb = cmp.Or(verb, "Put")
	switch {
	case q.Has("acl"):
		return verb + "ObjectAcl"
	case q.Has("tagging"):
		return verb + "ObjectTagging"
	case verb == "Get" && q.Has("uploadId"):
		return "ListMultipartUploadParts"
	case verb == "Delete" && q.Has("uploadId"):
		return "AbortMultipartUpload"
	case verb != "Put" && q.Has("versionId"):
		return verb + "ObjectVersion"
	}
	return verb + "Object"
}

func bucketOperation(method string, q url.Values) string {
	switch {
	case method == http.MethodPost && q.Has("delete"):
		return deleteObjects
	case method != http.MethodGet && method != http.MethodHead:
		return "PutBucket"
	}
	for sub, name := range map[string]string{
		"location": "GetBucketLocation", "versions": "ListBucketVersions", "uploads": "ListBucketMultipartUploads",
		"acl": "GetBucketAcl", "policy": "GetBucketPolicy", "tagging": "GetBucketTagging", "versioning": "GetBucketVersioning",
	} {
		if q.Has(sub) {
			return name
		}
	}
	return "ListBucket"
}

// A need is one permission, on a bucket or on an object.
type need struct {
	operation, bucket, key string
	inParts                bool // an upload that is put together at its end
}

// needs lists all that a request must be permitted: one that copies reads as well, and one
// that sets an access list or tags along with an object may do that, too.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
func needs(r *http.Request, bucket, key, op string) []need {
	if op == deleteObjects {
		return nil // each object by itself
	}
	q := r.URL.Query()
	list := []need{{op, bucket, key, q.Has("uploads") || q.Has("uploadId")}}
	if source, err := url.PathUnescape(r.Header.Get("X-Amz-Copy-Source")); err == nil && source != "" {
		from, object, _ := strings.Cut(strings.TrimPrefix(source, "/"), "/")
		list = append(list, need{operation: "GetObject", bucket: from, key: object})
	}
	if r.Header.Get("X-Amz-Tagging") != "" {
		list = append(list, need{operation: "PutObjectTagging", bucket: bucket, key: key})
	}
	for name := range r.Header {
		if name == "X-Amz-Acl" || strings.HasPrefix(name, "X-Amz-Grant-") {
			list = append(list, need{operation: "PutObjectAcl", bucket: bucket, key: key})
		}
	}
	return list
}

// keyActions are what S3 does with the bucket's key: the parts of an upload are decrypted
// to become one object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
func (n need) keyActions() []string {
	switch {
	case n.operation == "GetObject", n.operation == "GetObjectVersion":
		return []string{"kms:Decrypt"}
	case n.operation == "PutObject" && n.inParts:
		return []string{"kms:GenerateDataKey", "kms:Decrypt"}
	case n.operation == "PutObject":
		return []string{"kms:GenerateDataKey"}
	}
	return nil
}

type deletion struct {
	Objects []struct{ Key string } `xml:"Object"`
}

type deleted struct {
	XMLName xml.Name        `xml:"DeleteResult"`
	Done    []deletedObject `xml:"Deleted"`
	Refused []deletedObject `xml:"Error"`
}

type deletedObject struct {
	Key     string
	Code    string `xml:",omitempty"`
	Message string `xml:",omitempty"`
}

// deleteObjects answers for each object alike: one that may not be deleted is told beside
// those that were.
func (c *Cloud) deleteObjects(w http.ResponseWriter, r *http.Request, s *session, bucket string) {
	var ask deletion
	if xml.NewDecoder(io.LimitReader(r.Body, maxBody)).Decode(&ask) != nil {
		writeS3(w, http.StatusBadRequest, s3Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed."})
		return
	}
	var answer deleted
	for _, o := range ask.Objects {
		if f := c.mayDo(s, need{operation: "DeleteObject", bucket: bucket, key: o.Key}, s.context()); f != nil {
			answer.Refused = append(answer.Refused, deletedObject{o.Key, f.code, f.message})
			continue
		}
		one, err := http.NewRequestWithContext(r.Context(), http.MethodDelete, "/", nil)
		if err != nil {
			continue
		}
		c.keep(unheard{}, one, bucket, o.Key)
		answer.Done = append(answer.Done, deletedObject{Key: o.Key})
	}
	writeS3(w, http.StatusOK, answer)
}

// unheard takes an answer that nobody reads.
type unheard struct{}

func (unheard) Header() http.Header         { return http.Header{} }
func (unheard) Write(p []byte) (int, error) { return len(p), nil }
func (unheard) WriteHeader(int)             {}
