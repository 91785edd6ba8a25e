package awslab

import (
	"bytes"
	"encoding/xml"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"carnet.dev/carnet/integration/lab/world"
)

// A bucket with its policy parsed.
type bucket struct {
	name, account, region, kmsKey string
	policy                        *policy
}

func newBucket(account, name string, w *world.Bucket) (*bucket, error) {
	b := &bucket{name: name, account: account, region: w.Region, kmsKey: w.KMSKey}
	var err error
	if len(w.Policy) > 0 {
		b.policy, err = parsePolicy(w.Policy, resourcePolicy)
	}
	return b, err
}

// newStore keeps objects; it knows nothing of who may reach them, nor of the lab's clock.
func newStore() http.Handler {
	return gofakes3.New(s3mem.New(), gofakes3.WithAutoBucket(true), gofakes3.WithTimeSkewLimit(0)).Server()
}

// isStore: a bucket stands before the service's host, which has a Region or, for buckets
// of any, none.
func (c *Cloud) isStore(host string) bool {
	if i := strings.Index(host, ".s3."); i > 0 {
		host = host[i+1:]
	}
	return host == "s3.amazonaws.com" || isService(host, "s3")
}

// S3 is the store, path style whatever the host, and by virtual host under its own
// names.
func (c *Cloud) S3() http.Handler { return http.HandlerFunc(c.serveS3) }

// serveS3 tells the bucket's Region whatever else it answers, to strangers too: that is how
// clients find it.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
func (c *Cloud) serveS3(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amz-Request-Id", id)
	o := c.operation(r)
	w.Header().Set("Lab-Operation", "s3:"+o.name)
	if b := c.buckets[o.bucket]; b != nil {
		w.Header().Set("X-Amz-Bucket-Region", b.region)
	}
	s, f := c.admit(r, o)
	var body []byte
	if f == nil {
		body, f = s.body(r)
	}
	if f == nil {
		f = c.notKept(r, o)
	}
	if f != nil {
		writeS3(w, f.status, s3Error{Code: f.code, Message: f.message, RequestID: id})
		return
	}
	c.keep(w, r, s, o, body)
}

// keep does what was admitted.
func (c *Cloud) keep(w http.ResponseWriter, r *http.Request, s *session, o operation, body []byte) {
	switch {
	case o.name == deleteObjects:
		c.deleteObjects(w, r, s, o.bucket, body)
	case o.sub == "tagging":
		c.tagging(w, r.Method, o, body)
	case o.source.bucket != "":
		c.copyBody(w, r, o)
	default:
		c.store(w, r, o, body)
	}
}

// store hands a request to what keeps objects, with a body whose length and checksums are
// known to be right, and without what only S3 itself reads.
func (c *Cloud) store(w http.ResponseWriter, r *http.Request, o operation, body []byte) {
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+o.bucket+"/"+o.key, ""
	inner.Host = "s3.amazonaws.com"
	inner.Body, inner.ContentLength, inner.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	for name := range inner.Header {
		if strings.HasPrefix(name, "X-Amz-") && !strings.HasPrefix(name, "X-Amz-Meta-") || name == "Content-Md5" {
			inner.Header.Del(name)
		}
	}
	inner.Header.Set("Content-Length", strconv.Itoa(len(body)))
	if coding := withoutChunks(r.Header.Get("Content-Encoding")); coding != "" {
		inner.Header.Set("Content-Encoding", coding)
	} else {
		inner.Header.Del("Content-Encoding")
	}
	if !o.changesTags(r) {
		c.objects.ServeHTTP(w, inner)
		return
	}
	answer := httptest.NewRecorder()
	c.objects.ServeHTTP(answer, inner)
	if answer.Code < 300 {
		c.retag(r, o, answer.Body.Bytes())
	}
	relay(w, answer)
}

func relay(w http.ResponseWriter, answer *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

func writeS3(w http.ResponseWriter, status int, answer any) {
	text, err := xml.Marshal(answer)
	if err != nil {
		text = nil
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	w.Write(text)
}

type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	RequestID string `xml:"RequestId"`
}

// object splits a request into its bucket and key.
func (c *Cloud) object(r *http.Request) (name, key string) {
	path := strings.TrimPrefix(r.URL.Path, "/")
	host := hostOnly(r.Host)
	if i := strings.Index(host, ".s3."); i > 0 && c.isStore(host) {
		return host[:i], path
	}
	name, key, _ = strings.Cut(path, "/")
	return name, key
}

// admit authenticates a request and asks every policy about each thing that it needs.
func (c *Cloud) admit(r *http.Request, o operation) (*session, *fault) {
	s, f := c.authenticate(r, "s3", r.Header.Get("X-Amz-Content-Sha256"))
	if f != nil {
		return nil, s3Words(f)
	}
	b := c.buckets[o.bucket]
	if b == nil {
		return nil, &fault{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	}
	if o.fault != nil {
		return nil, o.fault
	}
	for name, of := range map[string]*bucket{"X-Amz-Expected-Bucket-Owner": b, "X-Amz-Source-Expected-Bucket-Owner": c.buckets[o.source.bucket]} {
		if owner := r.Header.Get(name); owner != "" && (of == nil || owner != of.account) {
			return nil, accessDenied("Access Denied")
		}
	}
	context := s.context()
	for name, key := range map[string]string{"prefix": "prefix", "delimiter": "delimiter", "max-keys": "max-keys", "versionId": "versionid"} {
		if q := r.URL.Query(); q.Has(name) {
			context["s3:"+key] = []string{q.Get(name)}
		}
	}
	for _, n := range c.needs(r, o) {
		if f := c.mayDo(s, n, context); f != nil {
			return nil, f
		}
	}
	return s, nil
}

// mayDo asks for one need: the bucket's, the object's, and the key's where it is encrypted.
func (c *Cloud) mayDo(s *session, n need, context map[string][]string) *fault {
	b := c.buckets[n.bucket]
	resource := "arn:aws:s3:::" + n.bucket
	if n.key != "" {
		resource += "/" + n.key
	}
	if b == nil || !c.mayUse(s, b, "s3:"+n.permission, resource, context) || !c.mayUseKey(s, b, n, context) {
		return accessDenied("User: %s is not authorized to perform: s3:%s on resource: \"%s\"", s.arn(), n.permission, resource)
	}
	return nil
}

// mayUse asks the bucket's policy and the session's own.
func (c *Cloud) mayUse(s *session, b *bucket, action, resource string, context map[string][]string) bool {
	req := request{action: action, resource: resource, context: context, who: principal{role: s.role, session: s.arn()}}
	return s.reaches(req, b.policy, b.account)
}

// mayUseKey: an encrypted bucket wants the key as well, of which S3 itself makes use for the
// session. It says so, and for which object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
func (c *Cloud) mayUseKey(s *session, b *bucket, n need, context map[string][]string) bool {
	if b.kmsKey == "" {
		return true
	}
	context = maps.Clone(context)
	context["kms:viaservice"] = []string{"s3." + b.region + ".amazonaws.com"}
	context["kms:encryptioncontext:aws:s3:arn"] = []string{"arn:aws:s3:::" + b.name + "/" + n.key}
	for _, action := range n.keyActions() {
		if !s.permits(request{action: action, resource: b.kmsKey, context: context}).allows() {
			return false
		}
	}
	return true
}

// s3Words: S3 has names of its own for the same refusals.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
func s3Words(f *fault) *fault {
	switch {
	case f.code == "MissingAuthenticationToken":
		return accessDenied("Access Denied")
	case f.code == "InvalidClientTokenId":
		return &fault{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	case f.code == "ExpiredToken":
		return &fault{http.StatusBadRequest, "ExpiredToken", "The provided token has expired."}
	case strings.HasPrefix(f.message, "Signature expired"), strings.HasPrefix(f.message, "Signature not yet current"):
		return &fault{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	}
	return f
}
