package googlelab

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// An object of Cloud Storage. What is in one never changes: a new generation takes its place.
type object struct {
	kind       string
	encoding   string // gzip, where it is stored packed
	metadata   map[string]string
	data       []byte
	generation int64
	made       time.Time
}

// Storage is Cloud Storage: its JSON API, and its XML API under every other path.
// https://cloud.google.com/storage/docs/json_api/v1
// https://cloud.google.com/storage/docs/xml-api/overview
func (c *Cloud) Storage() http.Handler {
	const bucket = "/storage/v1/b/{bucket}"
	mux := http.NewServeMux()
	for _, method := range []string{"POST ", "PUT ", "DELETE "} {
		mux.HandleFunc(method+"/upload"+bucket+"/o", c.upload)
	}
	mux.HandleFunc("GET "+bucket, c.getBucket)
	mux.HandleFunc("GET "+bucket+"/iam/testPermissions", c.testBucket)
	mux.HandleFunc("GET "+bucket+"/o", c.list)
	// A name is one segment: a slash in it is sent as %2F.
	// https://cloud.google.com/storage/docs/request-endpoints#encoding
	mux.HandleFunc("GET "+bucket+"/o/{object}", c.get)
	mux.HandleFunc("GET /download"+bucket+"/o/{object}", c.getMedia)
	mux.HandleFunc("DELETE "+bucket+"/o/{object}", c.remove)
	mux.HandleFunc("POST "+bucket+"/o/{object}/rewriteTo/b/{toBucket}/o/{toObject}", c.rewrite)
	mux.HandleFunc("POST "+bucket+"/o/{object}/copyTo/b/{toBucket}/o/{toObject}", c.copyTo)
	mux.HandleFunc("POST "+bucket+"/o/{object}/moveTo/o/{toObject}", c.move)
	mux.HandleFunc("POST "+bucket+"/o/{object}/compose", c.compose)
	mux.HandleFunc("POST /batch/storage/v1", c.batch)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { missing("Not Found").writeListed(w, storageReasons) })
	json := unpacked(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		switch first {
		case "storage", "upload", "download", "batch":
			json.ServeHTTP(w, r)
		default:
			c.xml(w, r)
		}
	})
}

// storageReasons: https://cloud.google.com/storage/docs/json_api/v1/status-codes
var storageReasons = map[int]string{
	http.StatusBadRequest: "invalid", http.StatusUnauthorized: "authError", http.StatusForbidden: "forbidden", http.StatusNotFound: "notFound",
	http.StatusPreconditionFailed: "conditionNotMet", http.StatusRequestEntityTooLarge: "uploadTooLarge",
}

// An access is what a request does to a bucket or an object of it.
type access struct {
	method         string // whose scopes count
	permission     string
	bucket, object string
	listing        *string // the prefix that is listed
}

func objectAccess(method, permission, bucket, object string) access {
	return access{"storage.objects." + method, "storage.objects." + permission, bucket, object, nil}
}

// reach asks scopes, bindings and the boundary, all of which must agree.
func (c *Cloud) reach(w http.ResponseWriter, r *http.Request, a access) (*token, *fault) {
	w.Header().Set("Lab-Operation", a.permission)
	t, f := c.shown(r)
	if f == nil {
		f = c.storable(t, a)
	}
	return t, f
}

func (c *Cloud) mayStore(w http.ResponseWriter, r *http.Request, a access) bool {
	_, f := c.reach(w, r, a)
	if f != nil {
		f.writeListed(w, storageReasons)
	}
	return f == nil
}

func (c *Cloud) storable(t *token, a access) *fault {
	if f := scoped(t, a.method); f != nil {
		return f
	}
	bindings := c.standing(a.bucket, a.object)
	c.mu.RLock()
	held := c.holds(t.who(), a.permission, bindings)
	c.mu.RUnlock()
	if held && c.lets(t, a) {
		return nil
	}
	kind := "object"
	if a.object == "" {
		kind = "bucket"
	}
	return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: t.name() + " does not have " + a.permission +
		" access to the Google Cloud Storage " + kind + ". Permission '" + a.permission + "' denied on resource (or it may not exist)."}
}

// find returns an object, and whether it is there.
func (c *Cloud) find(bucket, name string) (object, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	o, ok := c.objects[bucket][name]
	return o, ok
}

// replaceable is nil where nothing is in an object's place, or whoever writes may delete it
// too: replacing an object deletes the old one.
// https://cloud.google.com/storage/docs/access-control/iam-json
func (c *Cloud) replaceable(t *token, method, bucket, name string, conditions url.Values) *fault {
	old, exists := c.find(bucket, name)
	if exists {
		if f := c.storable(t, objectAccess(method, "delete", bucket, name)); f != nil {
			return f
		}
	}
	return old.meets(conditions)
}

// store puts an object in its place, if whoever does so may.
func (c *Cloud) store(t *token, method, bucket, name string, o object, conditions url.Values) (object, *fault) {
	f := c.storable(t, objectAccess(method, "create", bucket, name))
	if f == nil {
		f = c.replaceable(t, method, bucket, name, conditions)
	}
	if f != nil {
		return o, f
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.objects[bucket] == nil {
		c.objects[bucket] = map[string]object{}
	}
	c.generation++
	o.generation, o.made = c.now().UnixMicro()*1000+c.generation%1000, c.now()
	c.objects[bucket][name] = o
	return o, nil
}

// meets holds an object's generation against a request's conditions; one that is not there
// has generation 0. https://cloud.google.com/storage/docs/request-preconditions
func (o object) meets(conditions url.Values) *fault {
	generation := strconv.FormatInt(o.generation, 10)
	metageneration := "1"
	if o.generation == 0 {
		metageneration = "0"
	}
	for key, actual := range map[string]string{"Generation": generation, "Metageneration": metageneration} {
		if want := conditions.Get("if" + key + "Match"); want != "" && want != actual {
			return &fault{code: http.StatusPreconditionFailed, status: "FAILED_PRECONDITION", message: "At least one of the pre-conditions you specified did not hold."}
		}
		if not := conditions.Get("if" + key + "NotMatch"); not != "" && not == actual {
			return &fault{code: http.StatusNotModified, status: "FAILED_PRECONDITION", message: "Not modified."}
		}
	}
	return nil
}

func (o object) crc32c() string {
	sum := make([]byte, 4)
	binary.BigEndian.PutUint32(sum, crc32.Checksum(o.data, crc32.MakeTable(crc32.Castagnoli)))
	return base64.StdEncoding.EncodeToString(sum)
}

func (o object) md5() string {
	sum := md5.Sum(o.data)
	return base64.StdEncoding.EncodeToString(sum[:])
}

func (o object) etag() string { return strconv.Quote(strconv.FormatInt(o.generation, 36)) }

// resource is an object as the JSON API describes it.
// https://cloud.google.com/storage/docs/json_api/v1/objects#resource
func (o object) resource(bucket, name string) map[string]any {
	made, generation := o.made.UTC().Format("2006-01-02T15:04:05.000Z"), strconv.FormatInt(o.generation, 10)
	self := "https://storage.googleapis.com/storage/v1/b/" + bucket + "/o/" + url.PathEscape(name)
	all := map[string]any{
		"kind": "storage#object", "id": fmt.Sprintf("%s/%s/%s", bucket, name, generation), "bucket": bucket, "name": name, "contentType": o.kind,
		"size": strconv.Itoa(len(o.data)), "generation": generation, "metageneration": "1", "crc32c": o.crc32c(), "md5Hash": o.md5(),
		"etag": o.etag(), "selfLink": self, "mediaLink": strings.Replace(self, "/storage/v1/", "/download/storage/v1/", 1) + "?generation=" + generation + "&alt=media",
		"storageClass": "STANDARD", "timeCreated": made, "updated": made, "timeStorageClassUpdated": made,
	}
	if o.encoding != "" {
		all["contentEncoding"] = o.encoding
	}
	if len(o.metadata) > 0 {
		all["metadata"] = o.metadata
	}
	return all
}
