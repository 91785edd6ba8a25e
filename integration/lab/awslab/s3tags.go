package awslab

import (
	"encoding/xml"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A tagging is an object's tags as S3 reads and writes them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html
type tagging struct {
	XMLName xml.Name `xml:"Tagging"`
	Tags    []s3Tag  `xml:"TagSet>Tag"`
}

type s3Tag struct{ Key, Value string }

// maxTags is how many an object has at the most.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
const maxTags = 10

func (c *Cloud) tagsOf(bucket, key string) []s3Tag {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.objectTags[bucket+"/"+key]
}

func (c *Cloud) setTags(name string, tags []s3Tag) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(tags) == 0 {
		delete(c.objectTags, name)
		return
	}
	c.objectTags[name] = tags
}

// tagging answers for the tags of an object that is there.
func (c *Cloud) tagging(w http.ResponseWriter, method string, o operation, body []byte) {
	there := httptest.NewRecorder()
	c.store(there, httptest.NewRequest(http.MethodHead, "/", nil), o, nil)
	var set tagging
	switch {
	case there.Code != http.StatusOK:
		writeS3(w, http.StatusNotFound, s3Error{Code: "NoSuchKey", Message: "The specified key does not exist."})
	case method == http.MethodGet:
		writeS3(w, http.StatusOK, tagging{Tags: c.tagsOf(o.bucket, o.key)})
	case method == http.MethodDelete:
		c.setTags(o.bucket+"/"+o.key, nil)
		w.WriteHeader(http.StatusNoContent)
	case xml.Unmarshal(body, &set) != nil || len(set.Tags) > maxTags:
		writeS3(w, http.StatusBadRequest, s3Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema"})
	default:
		c.setTags(o.bucket+"/"+o.key, set.Tags)
		w.WriteHeader(http.StatusOK)
	}
}

// copiesTags: a copy has its source's tags, if it has any and nothing else is said. An upload
// in parts copies none: its client asks for them.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func (c *Cloud) copiesTags(r *http.Request, o operation) bool {
	return o.source.bucket != "" && !o.inParts && r.Header.Get("X-Amz-Tagging-Directive") != "REPLACE" && len(c.tagsOf(o.source.bucket, o.source.key)) > 0
}

// changesTags: whatever replaces or deletes an object takes its tags along.
func (o operation) changesTags(r *http.Request) bool {
	return o.key != "" && r.Method != http.MethodGet && r.Method != http.MethodHead && (o.sub == "" || o.sub == "uploads" || o.sub == "uploadId" && r.Method == http.MethodPost)
}

// retag gives an object the tags that came with it. Those of an upload in parts come with its
// beginning, and count at its end.
func (c *Cloud) retag(r *http.Request, o operation, answer []byte) {
	var begun struct{ UploadId string }
	tags := headerTags(r)
	switch {
	case o.sub == "uploads":
		if xml.Unmarshal(answer, &begun) == nil {
			c.setTags("upload "+begun.UploadId, tags)
		}
		return
	case o.sub == "uploadId":
		upload := "upload " + r.URL.Query().Get("uploadId")
		c.mu.Lock()
		tags = c.objectTags[upload]
		c.mu.Unlock()
		c.setTags(upload, nil)
	case c.copiesTags(r, o):
		tags = c.tagsOf(o.source.bucket, o.source.key)
	}
	c.setTags(o.bucket+"/"+o.key, tags)
}

func headerTags(r *http.Request) []s3Tag {
	pairs, err := url.ParseQuery(r.Header.Get("X-Amz-Tagging"))
	if err != nil {
		return nil
	}
	var tags []s3Tag
	for _, key := range slices.Sorted(maps.Keys(pairs)) {
		tags = append(tags, s3Tag{key, pairs.Get(key)})
	}
	return tags
}

type copied struct {
	XMLName      xml.Name
	LastModified string
	ETag         string
}

// copyBody copies an object, a version, or a part of an upload. The store's own copy knows
// the first alone, and takes a question mark in a key for the end of it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html
func (c *Cloud) copyBody(w http.ResponseWriter, r *http.Request, o operation) {
	get := httptest.NewRequestWithContext(r.Context(), http.MethodGet, "/", nil)
	if o.source.version != "" {
		get.URL.RawQuery = url.Values{"versionId": {o.source.version}}.Encode()
	}
	if part := r.Header.Get("X-Amz-Copy-Source-Range"); part != "" {
		get.Header.Set("Range", part)
	}
	from, to := httptest.NewRecorder(), httptest.NewRecorder()
	c.store(from, get, operation{bucket: o.source.bucket, key: o.source.key, version: o.source.version}, nil)
	if from.Code >= 300 {
		relay(w, from)
		return
	}
	put := r.Clone(r.Context())
	put.Header.Del("X-Amz-Copy-Source")
	if r.Header.Get("X-Amz-Metadata-Directive") != "REPLACE" {
		for name, values := range from.Header() {
			if name == "Content-Type" || strings.HasPrefix(name, "X-Amz-Meta-") {
				put.Header[name] = values
			}
		}
	}
	if c.store(to, put, o, from.Body.Bytes()); to.Code >= 300 {
		relay(w, to)
		return
	}
	name := "CopyObjectResult"
	if o.inParts {
		name = "CopyPartResult"
	}
	etag := `"` + strings.Trim(to.Header().Get("ETag"), `"`) + `"`
	writeS3(w, http.StatusOK, copied{xml.Name{Local: name}, c.now().UTC().Format(time.RFC3339), etag})
}
