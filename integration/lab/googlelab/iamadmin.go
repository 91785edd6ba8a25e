package googlelab

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// IAM is the service that keeps service accounts. It tells a caller which permissions the
// caller itself has on one, which takes none.
// https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/testIamPermissions
func (c *Cloud) IAM() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/projects/{project}/serviceAccounts/{call}", func(w http.ResponseWriter, r *http.Request) {
		email, verb, _ := strings.Cut(r.PathValue("call"), ":")
		w.Header().Set("Lab-Operation", "iam."+verb)
		held, f := c.tested(r, email, verb)
		if f != nil {
			f.write(w)
			return
		}
		writeJSON(w, http.StatusOK, permissionList(held))
	})
	return unpacked(mux)
}

// permissionList leaves an empty list out, as proto3's JSON does: clients stumble over null.
// https://protobuf.dev/programming-guides/json/#field-presence
func permissionList(held []string) map[string]any {
	if len(held) == 0 {
		return map[string]any{}
	}
	return map[string]any{"permissions": held}
}

func (c *Cloud) tested(r *http.Request, email, verb string) ([]string, *fault) {
	t, f := c.bearer(r)
	if f != nil {
		return nil, f
	}
	var ask struct {
		Permissions []string `json:"permissions"`
	}
	switch {
	case verb != "testIamPermissions":
		return nil, &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Method not found."}
	case scoped(t, "iam") != nil:
		return nil, unscoped()
	case json.NewDecoder(io.LimitReader(r.Body, 1<<16)).Decode(&ask) != nil || len(ask.Permissions) == 0:
		return nil, invalid("Invalid JSON payload received.")
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	account, _ := c.account(email)
	if account == nil {
		return nil, &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Unknown service account"}
	}
	var held []string
	for _, p := range ask.Permissions {
		if c.holds(t.who(), p, account.Bindings, c.projectOf(email).Bindings) {
			held = append(held, p)
		}
	}
	return held, nil
}
