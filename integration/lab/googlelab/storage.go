package googlelab

import (
	"net/http"
	"slices"
	"strings"
)

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
	return mux
}

// mayStore asks scopes, bindings and the boundary, all of which must agree.
func (c *Cloud) mayStore(w http.ResponseWriter, r *http.Request, permission, name string, listing *string) bool {
	w.Header().Set("Lab-Operation", permission)
	t, f := c.bearer(r)
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
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, p := range c.world.Projects {
		if b := p.Buckets[bucket]; b != nil {
			return c.holds(t.who(), permission, b.Bindings, p.Bindings)
		}
	}
	return false
}

func (c *Cloud) upload(w http.ResponseWriter, r *http.Request) {
	name, bucket := r.URL.Query().Get("name"), r.PathValue("bucket")
	if r.URL.Query().Get("uploadType") != "media" || name == "" {
		invalid("The lab takes uploadType=media with a name.").write(w)
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
	data, err := body(r)
	if err != nil {
		return
	}
	w.Header().Set("Lab-Operation", "storage.objects.insert")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.objects[bucket] == nil {
		c.objects[bucket] = map[string]object{}
	}
	c.objects[bucket][name] = object{r.Header.Get("Content-Type"), data}
	writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#object", "bucket": bucket, "name": name})
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
		writeJSON(w, http.StatusOK, map[string]any{"kind": "storage#object", "bucket": bucket, "name": name})
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
	items := []map[string]string{}
	for _, n := range names {
		items = append(items, map[string]string{"kind": "storage#object", "bucket": bucket, "name": n})
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
