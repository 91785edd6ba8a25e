package googlelab

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxUpload bounds an object that comes in parts.
const maxUpload = 16 << 20

// An object of Cloud Storage.
type object struct {
	kind string
	data []byte
}

// Storage is the JSON API, as far as jobs need it.
// https://cloud.google.com/storage/docs/json_api/v1
func (c *Cloud) Storage() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /upload/storage/v1/b/{bucket}/o", c.upload)
	mux.HandleFunc("GET /storage/v1/b/{bucket}/o", c.list)
	mux.HandleFunc("GET /storage/v1/b/{bucket}/o/{object...}", c.get)
	mux.HandleFunc("DELETE /storage/v1/b/{bucket}/o/{object...}", c.remove)
	// The XML API, by which the vendor's own client downloads.
	mux.HandleFunc("GET /{bucket}/{object...}", c.download)
	return mux
}

// mayStore asks scopes, bindings and the boundary, all of which must agree.
func (c *Cloud) mayStore(w http.ResponseWriter, r *http.Request, permission, name string, listing *string) bool {
	w.Header().Set("Lab-Operation", permission)
	t, f := c.shown(r)
	bucket := r.PathValue("bucket")
	if f == nil && !c.storable(t, permission, bucket, name, listing) {
		who := t.account
		if who == "" {
			who = t.members[0]
		}
		f = &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: who + " does not have " + permission + " access to the Google Cloud Storage object. Permission '" + permission + "' denied on resource (or it may not exist)."}
	}
	if f != nil {
		f.write(w)
	}
	return f == nil
}

func (c *Cloud) storable(t *token, permission, bucket, name string, listing *string) bool {
	reads := permission == "storage.objects.get" || permission == "storage.objects.list"
	scoped := t.has("cloud-platform", "devstorage.full_control", "devstorage.read_write") || reads && t.has("devstorage.read_only")
	if !scoped || !c.lets(t, permission, bucket, name, listing) {
		return false
	}
	standing := c.standing(bucket, name)
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.holds(t.who(), permission, standing)
}

func (c *Cloud) upload(w http.ResponseWriter, r *http.Request) {
	name, o, err := uploaded(r)
	bucket := r.PathValue("bucket")
	if err != nil || name == "" {
		invalid("The lab takes uploadType=media or multipart, with a name.").write(w)
		return
	}
	if !c.mayStore(w, r, "storage.objects.create", name, nil) {
		return
	}
	c.mu.RLock()
	_, exists := c.objects[bucket][name]
	c.mu.RUnlock()
	// Replacing an object deletes the old one.
	// https://cloud.google.com/storage/docs/access-control/iam-json
	if exists && !c.mayStore(w, r, "storage.objects.delete", name, nil) {
		return
	}
	w.Header().Set("Lab-Operation", "storage.objects.insert")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.objects[bucket] == nil {
		c.objects[bucket] = map[string]object{}
	}
	c.objects[bucket][name] = o
	writeJSON(w, http.StatusOK, o.metadata(bucket, name))
}

// uploaded reads an object in either of the simple ways to send it.
// https://cloud.google.com/storage/docs/uploading-objects
func uploaded(r *http.Request) (string, object, error) {
	name := r.URL.Query().Get("name")
	switch r.URL.Query().Get("uploadType") {
	case "media":
		data, err := body(r)
		return name, object{r.Header.Get("Content-Type"), data}, err
	case "multipart":
		return related(r, name)
	}
	return "", object{}, errors.New("no such upload")
}

// related reads multipart/related: the object's metadata, then its data.
func related(r *http.Request, name string) (string, object, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", object{}, err
	}
	parts := multipart.NewReader(io.LimitReader(r.Body, maxUpload), params["boundary"])
	first, err := parts.NextPart()
	if err != nil {
		return "", object{}, err
	}
	var meta struct{ Name, ContentType string }
	if err := json.NewDecoder(first).Decode(&meta); err != nil {
		return "", object{}, err
	}
	second, err := parts.NextPart()
	if err != nil {
		return "", object{}, err
	}
	data, err := io.ReadAll(second)
	return cmp.Or(meta.Name, name), object{cmp.Or(meta.ContentType, second.Header.Get("Content-Type")), data}, err
}

func (o object) metadata(bucket, name string) map[string]any {
	sum := make([]byte, 4)
	binary.BigEndian.PutUint32(sum, crc32.Checksum(o.data, crc32.MakeTable(crc32.Castagnoli)))
	return map[string]any{
		"kind": "storage#object", "bucket": bucket, "name": name, "contentType": o.kind,
		"size": strconv.Itoa(len(o.data)), "generation": "1", "metageneration": "1",
		"crc32c": base64.StdEncoding.EncodeToString(sum),
	}
}

func (c *Cloud) download(w http.ResponseWriter, r *http.Request) {
	name, bucket := r.PathValue("object"), r.PathValue("bucket")
	if !c.mayStore(w, r, "storage.objects.get", name, nil) {
		return
	}
	c.mu.RLock()
	o, ok := c.objects[bucket][name]
	c.mu.RUnlock()
	if !ok {
		http.Error(w, "<Error><Code>NoSuchKey</Code></Error>", http.StatusNotFound)
		return
	}
	sum := sha256.Sum256(o.data)
	etag := strconv.Quote(hex.EncodeToString(sum[:16]))
	w.Header().Set("ETag", etag)
	if r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", o.kind)
	w.Header().Set("X-Goog-Generation", "1")
	w.Header().Set("X-Goog-Metageneration", "1")
	w.Write(o.data)
}

func (c *Cloud) get(w http.ResponseWriter, r *http.Request) {
	name, bucket := r.PathValue("object"), r.PathValue("bucket")
	if !c.mayStore(w, r, "storage.objects.get", name, nil) {
		return
	}
	c.mu.RLock()
	o, ok := c.objects[bucket][name]
	c.mu.RUnlock()
	switch {
	case !ok:
		(&fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "No such object: " + bucket + "/" + name}).write(w)
	case r.URL.Query().Get("alt") == "media":
		w.Header().Set("Content-Type", o.kind)
		w.Write(o.data)
	default:
		writeJSON(w, http.StatusOK, o.metadata(bucket, name))
	}
}

func (c *Cloud) list(w http.ResponseWriter, r *http.Request) {
	prefix, bucket := r.URL.Query().Get("prefix"), r.PathValue("bucket")
	if !c.mayStore(w, r, "storage.objects.list", "", &prefix) {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	var names []string
	for name := range c.objects[bucket] {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	items := []map[string]any{}
	for _, n := range names {
		items = append(items, c.objects[bucket][n].metadata(bucket, n))
	}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#objects", "items": items})
}

func (c *Cloud) remove(w http.ResponseWriter, r *http.Request) {
	if !c.mayStore(w, r, "storage.objects.delete", r.PathValue("object"), nil) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.objects[r.PathValue("bucket")], r.PathValue("object"))
	w.WriteHeader(http.StatusNoContent)
}
