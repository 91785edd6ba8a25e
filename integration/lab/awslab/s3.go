package awslab

import (
	"encoding/xml"
	"maps"
	"net/http"
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

func (c *Cloud) isStore(host string) bool {
	if isService(host, "s3") {
		return true
	}
	i := strings.Index(host, ".s3.")
	return i > 0 && isService(host[i+1:], "s3")
}

// S3 is the store, path style whatever the host, and by virtual host under its own
// names.
func (c *Cloud) S3() http.Handler { return http.HandlerFunc(c.serveS3) }

func (c *Cloud) serveS3(w http.ResponseWriter, r *http.Request) {
	id := requestID()
	w.Header().Set("X-Amz-Request-Id", id)
	name, key := c.object(r)
	op := operation(r, key)
	w.Header().Set("Lab-Operation", "s3:"+op)
	s, f := c.admit(r, name, key, op)
	switch {
	case f != nil:
		writeS3(w, f.status, s3Error{Code: f.code, Message: f.message, RequestID: id})
	case op == deleteObjects:
		c.deleteObjects(w, r, s, name)
	default:
		c.keep(w, r, name, key)
	}
}

// keep has the store do what was admitted.
func (c *Cloud) keep(w http.ResponseWriter, r *http.Request, name, key string) {
	inner := r.Clone(r.Context())
	inner.URL.Path, inner.URL.RawPath = "/"+name+"/"+key, ""
	inner.Host = "s3.amazonaws.com"
	c.store.ServeHTTP(w, inner)
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
func (c *Cloud) admit(r *http.Request, name, key, op string) (*session, *fault) {
	s, f := c.authenticate(r, "s3", r.Header.Get("X-Amz-Content-Sha256"))
	if f != nil {
		return nil, s3Words(f)
	}
	if c.buckets[name] == nil {
		return nil, &fault{http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist"}
	}
	context := s.context()
	for _, p := range []string{"prefix", "delimiter"} {
		if q := r.URL.Query(); q.Has(p) {
			context["s3:"+p] = []string{q.Get(p)}
		}
	}
	for _, n := range needs(r, name, key, op) {
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
	if b == nil || !c.mayUse(s, b, "s3:"+n.operation, resource, context) || !c.mayUseKey(s, b, n, context) {
		return accessDenied("User: %s is not authorized to perform: s3:%s on resource: \"%s\"", s.arn(), n.operation, resource)
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
	case f.code == "InvalidClientTokenId":
		return &fault{http.StatusForbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records."}
	case f.code == "ExpiredToken":
		return &fault{http.StatusBadRequest, "ExpiredToken", "The provided token has expired."}
	case strings.HasPrefix(f.message, "Signature expired"), strings.HasPrefix(f.message, "Signature not yet current"):
		return &fault{http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."}
	}
	return f
}
