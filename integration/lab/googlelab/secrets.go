package googlelab

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A version of a secret of Secret Manager.
type version struct {
	data      []byte
	destroyed bool
	created   time.Time
}

const (
	secretEnabled   = "ENABLED"
	secretDestroyed = "DESTROYED"
)

func (v *version) state() string {
	if v.destroyed {
		return secretDestroyed
	}
	return secretEnabled
}

// fillSecrets makes the first versions of what the world has. The caller holds mu.
func (c *Cloud) fillSecrets() {
	for project, p := range c.world.Projects {
		for name, s := range p.Secrets {
			for _, text := range s.Versions {
				key := project + "/" + name
				c.secrets[key] = append(c.secrets[key], &version{data: []byte(text), created: c.now()})
			}
		}
	}
}

// SecretManager keeps secrets.
// https://cloud.google.com/secret-manager/docs/reference/rest
func (c *Cloud) SecretManager() http.Handler {
	const secret = "/v1/projects/{project}/secrets/"
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+secret+"{secret}", c.addVersion)
	mux.HandleFunc("GET "+secret+"{secret}/versions", c.listVersions)
	mux.HandleFunc("GET "+secret+"{secret}/versions/{version}", c.accessVersion)
	mux.HandleFunc("POST "+secret+"{secret}/versions/{version}", c.destroyVersion)
	return unpacked(mux)
}

// mayKeep asks the secret's and the project's bindings. A project is found by its id
// or by its number.
func (c *Cloud) mayKeep(w http.ResponseWriter, r *http.Request, name, permission string) (key string, ok bool) {
	w.Header().Set("Lab-Operation", permission)
	t, f := c.bearer(r)
	if f == nil {
		f = scoped(t, "secretmanager")
	}
	if f != nil {
		f.write(w)
		return "", false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for id, p := range c.world.Projects {
		if id != r.PathValue("project") && p.Number != r.PathValue("project") {
			continue
		}
		if slices.Contains(p.DisabledAPIs, "secretmanager.googleapis.com") {
			(&fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Secret Manager API has not been used in project " + p.Number + " before or it is disabled.", reason: "SERVICE_DISABLED"}).write(w)
			return "", false
		}
		s := p.Secrets[name]
		if s != nil && c.holds(t.who(), permission, s.Bindings, p.Bindings) {
			return id + "/" + name, true
		}
	}
	(&fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: fmt.Sprintf("Permission '%s' denied for resource 'projects/%s/secrets/%s' (or it may not exist).", permission, r.PathValue("project"), name),
		reason: "IAM_PERMISSION_DENIED", permission: permission}).write(w)
	return "", false
}

func (c *Cloud) accessVersion(w http.ResponseWriter, r *http.Request) {
	name, access := strings.CutSuffix(r.PathValue("version"), ":access")
	if !access {
		http.NotFound(w, r)
		return
	}
	key, ok := c.mayKeep(w, r, r.PathValue("secret"), "secretmanager.versions.access")
	if !ok {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	n, v := c.version(key, name)
	switch {
	case v == nil:
		(&fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Secret Version [" + key + "/versions/" + name + "] not found."}).write(w)
	case v.destroyed:
		(&fault{code: http.StatusBadRequest, status: "FAILED_PRECONDITION", message: "Secret Version [" + key + "/versions/" + name + "] is in DESTROYED state."}).write(w)
	default:
		sum := crc32.Checksum(v.data, crc32.MakeTable(crc32.Castagnoli))
		writeJSON(w, http.StatusOK, map[string]any{
			"name":    versionName(r, n),
			"payload": map[string]string{"data": base64.StdEncoding.EncodeToString(v.data), "dataCrc32c": strconv.FormatUint(uint64(sum), 10)},
		})
	}
}

func versionName(r *http.Request, n int) string {
	secret, _, _ := strings.Cut(r.PathValue("secret"), ":")
	return fmt.Sprintf("projects/%s/secrets/%s/versions/%d", r.PathValue("project"), secret, n)
}

// version finds one by its number, or the latest. The caller holds mu.
func (c *Cloud) version(key, name string) (int, *version) {
	all := c.secrets[key]
	n := len(all)
	if name != "latest" {
		var err error
		if n, err = strconv.Atoi(name); err != nil {
			return 0, nil
		}
	}
	if n < 1 || n > len(all) {
		return 0, nil
	}
	return n, all[n-1]
}

func (c *Cloud) addVersion(w http.ResponseWriter, r *http.Request) {
	name, add := strings.CutSuffix(r.PathValue("secret"), ":addVersion")
	if !add {
		http.NotFound(w, r)
		return
	}
	key, ok := c.mayKeep(w, r, name, "secretmanager.versions.add")
	if !ok {
		return
	}
	var ask struct {
		Payload struct {
			Data []byte `json:"data"`
		} `json:"payload"`
	}
	text, err := body(r)
	if err != nil || json.Unmarshal(text, &ask) != nil || len(ask.Payload.Data) == 0 || len(ask.Payload.Data) > 64<<10 {
		invalid("The secret's data is missing, or larger than 64 KiB.").write(w)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secrets[key] = append(c.secrets[key], &version{data: ask.Payload.Data, created: c.now()})
	writeJSON(w, http.StatusOK, versionBody(r, len(c.secrets[key]), c.secrets[key][len(c.secrets[key])-1]))
}

func versionBody(r *http.Request, n int, v *version) map[string]any {
	return map[string]any{"name": versionName(r, n), "state": v.state(), "createTime": v.created.UTC().Format(time.RFC3339Nano), "etag": strconv.Quote(fmt.Sprint(n, v.state()))}
}

// listVersions gives the newest first.
func (c *Cloud) listVersions(w http.ResponseWriter, r *http.Request) {
	key, ok := c.mayKeep(w, r, r.PathValue("secret"), "secretmanager.versions.list")
	if !ok {
		return
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := []map[string]any{}
	for i, v := range c.secrets[key] {
		if f := r.URL.Query().Get("filter"); f == "" || strings.EqualFold(strings.TrimPrefix(f, "state:"), v.state()) {
			list = append(list, versionBody(r, i+1, v))
		}
	}
	slices.Reverse(list)
	writeJSON(w, http.StatusOK, map[string]any{"versions": list, "totalSize": len(list)})
}

func (c *Cloud) destroyVersion(w http.ResponseWriter, r *http.Request) {
	name, destroy := strings.CutSuffix(r.PathValue("version"), ":destroy")
	if !destroy {
		http.NotFound(w, r)
		return
	}
	key, ok := c.mayKeep(w, r, r.PathValue("secret"), "secretmanager.versions.destroy")
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n, v := c.version(key, name)
	if v == nil {
		(&fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Secret Version [" + key + "/versions/" + name + "] not found."}).write(w)
		return
	}
	v.destroyed, v.data = true, nil
	writeJSON(w, http.StatusOK, versionBody(r, n, v))
}
