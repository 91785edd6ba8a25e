package awslab

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// deleteObjects is asked of a bucket, and permitted for each object.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
const deleteObjects = "DeleteObjects"

// An operation is what a request of S3 does. Its name is that of the permission that it
// needs; where an object's version is named, the permission is another.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
type operation struct {
	name, sub            string // sub: the sub-resource
	bucket, key, version string
	inParts              bool   // it is of an upload that is put together at its end
	source               source // what is copied
	fault                *fault // it is none
}

// A source is an object that is copied, or a version of it.
type source struct{ bucket, key, version string }

// names are operations by method; a * stands where Version does, if one is named.
type names map[string]string

// ofObjects are the sub-resources of objects, ofBuckets those of buckets.
// https://github.com/boto/botocore/blob/1.44.8/botocore/data/s3/2006-03-01/service-2.json.gz
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
func ofObjects() map[string]names {
	return map[string]names{
		"":             {"GET": "GetObject*", "HEAD": "GetObject*", "PUT": "PutObject", "DELETE": "DeleteObject*"},
		"acl":          {"GET": "GetObject*Acl", "PUT": "PutObject*Acl"},
		"annotation":   {"GET": "GetObject*Annotation", "PUT": "PutObject*Annotation", "DELETE": "DeleteObject*Annotation"},
		"attributes":   {"GET": "GetObject*Attributes"},
		"encryption":   {"PUT": "UpdateObjectEncryption"},
		"legal-hold":   {"GET": "GetObjectLegalHold", "PUT": "PutObjectLegalHold"},
		"renameObject": {"PUT": "PutObject"},
		"restore":      {"POST": "RestoreObject"},
		"retention":    {"GET": "GetObjectRetention", "PUT": "PutObjectRetention"},
		"select":       {"POST": "GetObject"},
		"tagging":      {"GET": "GetObject*Tagging", "PUT": "PutObject*Tagging", "DELETE": "DeleteObject*Tagging"},
		"torrent":      {"GET": "GetObject*Torrent"},
		"uploadId":     {"GET": "ListMultipartUploadParts", "PUT": "PutObject", "POST": "PutObject", "DELETE": "AbortMultipartUpload"},
		"uploads":      {"POST": "PutObject"},
	}
}

func ofBuckets() map[string]names {
	// both is a configuration that the same permission changes and deletes.
	both := func(name string) names {
		return names{"GET": "Get" + name, "PUT": "Put" + name, "DELETE": "Put" + name}
	}
	all := map[string]names{
		"":       {"GET": "ListBucket", "HEAD": "ListBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"},
		"delete": {"POST": deleteObjects}, "location": {"GET": "GetBucketLocation"}, "uploads": {"GET": "ListBucketMultipartUploads"},
		"versions": {"GET": "ListBucketVersions"}, "policyStatus": {"GET": "GetBucketPolicyStatus"}, "session": {"GET": "CreateSession"},
		"policy":                  {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy", "DELETE": "DeleteBucketPolicy"},
		"website":                 {"GET": "GetBucketWebsite", "PUT": "PutBucketWebsite", "DELETE": "DeleteBucketWebsite"},
		"metadataAnnotationTable": {"PUT": "UpdateBucketMetadataAnnotationTableConfiguration"},
		"metadataInventoryTable":  {"PUT": "UpdateBucketMetadataInventoryTableConfiguration"},
		"metadataJournalTable":    {"PUT": "UpdateBucketMetadataJournalTableConfiguration"},
	}
	for _, sub := range []string{"metadataConfiguration", "metadataTable"} {
		const name = "BucketMetadataTableConfiguration"
		all[sub] = names{"GET": "Get" + name, "POST": "Create" + name, "DELETE": "Delete" + name}
	}
	for sub, name := range map[string]string{
		"abac": "BucketAbac", "accelerate": "AccelerateConfiguration", "acl": "BucketAcl", "analytics": "AnalyticsConfiguration",
		"cors": "BucketCORS", "encryption": "EncryptionConfiguration", "intelligent-tiering": "IntelligentTieringConfiguration",
		"inventory": "InventoryConfiguration", "lifecycle": "LifecycleConfiguration", "logging": "BucketLogging",
		"metrics": "MetricsConfiguration", "notification": "BucketNotification", "object-lock": "BucketObjectLockConfiguration",
		"ownershipControls": "BucketOwnershipControls", "publicAccessBlock": "BucketPublicAccessBlock",
		"replication": "ReplicationConfiguration", "requestPayment": "BucketRequestPayment", "tagging": "BucketTagging",
		"versioning": "BucketVersioning",
	} {
		all[sub] = both(name)
	}
	return all
}

// operation reads what a request does. Two sub-resources at once are none, and a method that
// a sub-resource does not have is not another one's.
func (c *Cloud) operation(r *http.Request) operation {
	q, all := r.URL.Query(), ofObjects()
	o := operation{version: q.Get("versionId"), inParts: q.Has("uploads") || q.Has("uploadId"), source: copySource(r)}
	if o.bucket, o.key = c.object(r); o.key == "" {
		all = ofBuckets()
	}
	subs := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(sub string) bool { return sub == "" || !q.Has(sub) })
	if len(subs) > 0 {
		o.sub = subs[0]
	}
	name := all[o.sub][r.Method]
	if len(subs) > 1 {
		o.fault = &fault{http.StatusBadRequest, "InvalidArgument", "Conflicting query string parameters: " + strings.Join(subs, ", ")}
	} else if name == "" {
		o.fault = &fault{http.StatusMethodNotAllowed, "MethodNotAllowed", "The specified method is not allowed against this resource."}
	}
	o.name = versioned(name, o.version)
	return o
}

// versioned puts Version into a name where one is named. The version null is the object
// itself, in the permission too.
func versioned(name, version string) string {
	if version == "" {
		return strings.Replace(name, "*", "", 1)
	}
	return strings.Replace(name, "*", "Version", 1)
}

// copySource: its version stands behind the key, before which both are percent-encoded.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func copySource(r *http.Request) source {
	raw, query, _ := strings.Cut(r.Header.Get("X-Amz-Copy-Source"), "?")
	path, err := url.PathUnescape(raw)
	if err != nil || r.Method != http.MethodPut {
		return source{}
	}
	var s source
	s.bucket, s.key, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if q, err := url.ParseQuery(query); err == nil {
		s.version = q.Get("versionId")
	}
	return s
}

// notKept refuses what the lab's store does not do, in S3's own words where it would refuse
// as well: these buckets have no Object Lock, and no class from which to restore.
func (c *Cloud) notKept(r *http.Request, o operation) *fault {
	locks := slices.ContainsFunc(slices.Collect(maps.Keys(r.Header)), func(name string) bool { return strings.HasPrefix(name, "X-Amz-Object-Lock-") })
	switch {
	case locks || o.sub == "legal-hold" || o.sub == "retention":
		return &fault{http.StatusBadRequest, "InvalidRequest", "Bucket is missing Object Lock Configuration"}
	case strings.EqualFold(r.Header.Get("X-Amz-Bypass-Governance-Retention"), "true"):
		return &fault{http.StatusBadRequest, "InvalidArgument", "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets"}
	case o.sub == "restore":
		return &fault{http.StatusForbidden, "InvalidObjectState", "Restore is not allowed for the object's current storage class"}
	case o.sub == "tagging" && (o.key == "" || o.version != ""), r.Header.Get("X-Amz-Write-Offset-Bytes") != "",
		!slices.Contains([]string{"", "delete", "location", "tagging", "uploadId", "uploads", "versioning", "versions"}, o.sub):
		return &fault{http.StatusNotImplemented, "NotImplemented", "A header or query you provided implies functionality that is not implemented."}
	}
	return nil
}
