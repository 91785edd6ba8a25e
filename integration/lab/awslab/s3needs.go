package awslab

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
)

// A need is one permission, on a bucket or on an object.
type need struct {
	permission, bucket, key string
	inParts                 bool // an upload that is put together at its end
}

// needs lists all that a request must be permitted: one that copies reads as well, and one
// that sets an access list, tags or a lock along with an object may do that, too.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributes.html
func (c *Cloud) needs(r *http.Request, o operation) []need {
	if o.name == deleteObjects {
		return nil // each object by itself
	}
	list := []need{{o.name, o.bucket, o.key, o.inParts}}
	also := func(permission string) {
		list = append(list, need{permission: permission, bucket: o.bucket, key: o.key})
	}
	if o.sub == "attributes" {
		also(versioned("GetObject*", o.version))
	}
	if s := o.source; s.bucket != "" {
		list = append(list, need{permission: versioned("GetObject*", s.version), bucket: s.bucket, key: s.key})
		if c.copiesTags(r, o) {
			list = append(list, need{permission: versioned("GetObject*Tagging", s.version), bucket: s.bucket, key: s.key})
			also("PutObjectTagging")
		}
	}
	for name := range r.Header {
		switch {
		case name == "X-Amz-Tagging":
			also("PutObjectTagging")
		case name == "X-Amz-Acl", strings.HasPrefix(name, "X-Amz-Grant-"):
			also("PutObjectAcl")
		case name == "X-Amz-Object-Lock-Legal-Hold":
			also("PutObjectLegalHold")
		case strings.HasPrefix(name, "X-Amz-Object-Lock-"):
			also("PutObjectRetention")
		case bypasses(r, name):
			also("BypassGovernanceRetention")
		}
	}
	return list
}

// bypasses tells whether a header asks for what is locked to be deleted nevertheless.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-bypass
func bypasses(r *http.Request, header string) bool {
	return header == "X-Amz-Bypass-Governance-Retention" && strings.EqualFold(r.Header.Get(header), "true")
}

// keyActions are what S3 does with the bucket's key: the parts of an upload are decrypted
// to become one object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
func (n need) keyActions() []string {
	switch {
	case n.permission == "GetObject", n.permission == "GetObjectVersion":
		return []string{"kms:Decrypt"}
	case n.permission == "PutObject" && n.inParts:
		return []string{"kms:GenerateDataKey", "kms:Decrypt"}
	case n.permission == "PutObject":
		return []string{"kms:GenerateDataKey"}
	}
	return nil
}

type deletion struct {
	Quiet   bool
	Objects []struct{ Key, VersionId string } `xml:"Object"`
}

type deleted struct {
	XMLName xml.Name        `xml:"DeleteResult"`
	Done    []deletedObject `xml:"Deleted"`
	Refused []deletedObject `xml:"Error"`
}

type deletedObject struct {
	Key       string
	VersionId string `xml:",omitempty"`
	Code      string `xml:",omitempty"`
	Message   string `xml:",omitempty"`
}

// deleteObjects answers for each object alike: one that may not be deleted is told beside
// those that were.
func (c *Cloud) deleteObjects(w http.ResponseWriter, r *http.Request, s *session, bucket string, body []byte) {
	var ask deletion
	if xml.Unmarshal(body, &ask) != nil || len(ask.Objects) > 1000 {
		writeS3(w, http.StatusBadRequest, s3Error{Code: "MalformedXML", Message: "The XML you provided was not well-formed or did not validate against our published schema."})
		return
	}
	var answer deleted
	for _, object := range ask.Objects {
		o := operation{name: versioned("DeleteObject*", object.VersionId), bucket: bucket, key: object.Key, version: object.VersionId}
		if f := c.delete(r, s, o); f != nil {
			answer.Refused = append(answer.Refused, deletedObject{object.Key, object.VersionId, f.code, f.message})
		} else if !ask.Quiet {
			answer.Done = append(answer.Done, deletedObject{Key: object.Key, VersionId: object.VersionId})
		}
	}
	writeS3(w, http.StatusOK, answer)
}

// delete deletes one of several objects.
func (c *Cloud) delete(r *http.Request, s *session, o operation) *fault {
	context := s.context()
	query := url.Values{}
	if o.version != "" {
		context["s3:versionid"] = []string{o.version}
		query.Set("versionId", o.version)
	}
	for _, n := range c.needs(&http.Request{Header: http.Header{"X-Amz-Bypass-Governance-Retention": r.Header.Values("X-Amz-Bypass-Governance-Retention")}}, o) {
		if f := c.mayDo(s, n, context); f != nil {
			return f
		}
	}
	one := httptest.NewRequestWithContext(r.Context(), http.MethodDelete, "/?"+query.Encode(), nil)
	answer := httptest.NewRecorder()
	if c.store(answer, one, o, nil); answer.Code >= 300 {
		return &fault{answer.Code, "InternalError", "We encountered an internal error. Please try again."}
	}
	return nil
}
