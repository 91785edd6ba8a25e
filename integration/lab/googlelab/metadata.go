package googlelab

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// Metadata is the metadata server of an instance that runs as the account.
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func (c *Cloud) Metadata(email string) http.Handler {
	const own = "/computeMetadata/v1/instance/service-accounts/default/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+own+"token", func(w http.ResponseWriter, r *http.Request) { c.metadataToken(w, r, email) })
	mux.HandleFunc("GET "+own+"identity", func(w http.ResponseWriter, r *http.Request) { c.metadataIdentity(w, r, email) })
	mux.HandleFunc("GET "+own+"email", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, email) })
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "computeMetadata/") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Metadata-Flavor", "Google")
		w.Header().Set("Lab-Operation", "metadata"+strings.TrimPrefix(r.URL.Path, "/computeMetadata/v1/instance/service-accounts/default"))
		// A request without the header may be somebody else's, forwarded.
		if r.URL.Path != "/" && r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "" {
			http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (c *Cloud) metadataToken(w http.ResponseWriter, r *http.Request, email string) {
	scopes := []string{scopeRoot + "cloud-platform"}
	if q := r.URL.Query().Get("scopes"); q != "" {
		scopes = strings.Split(q, ",")
	}
	value, err := c.Token(email, scopes...)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{"access_token": value, "expires_in": 3599, "token_type": "Bearer"})
}

// Token is an access token as a machine has it that runs as the account.
func (c *Cloud) Token(email string, scopes ...string) (string, error) {
	c.mu.RLock()
	account, _ := c.account(email)
	c.mu.RUnlock()
	if account == nil {
		return "", fmt.Errorf("there is no service account %s", email)
	}
	if len(account.Scopes) > 0 { // the machine's, whatever is asked for
		scopes = account.Scopes
	}
	return c.open(&token{account: email, scopes: scopes, expires: c.now().Add(time.Hour)}), nil
}

func (c *Cloud) metadataIdentity(w http.ResponseWriter, r *http.Request, email string) {
	audience := r.URL.Query().Get("audience")
	if audience == "" {
		http.Error(w, "non-empty audience parameter required", http.StatusBadRequest)
		return
	}
	c.mu.RLock()
	account, _ := c.account(email)
	c.mu.RUnlock()
	if account == nil {
		http.NotFound(w, r)
		return
	}
	value, err := c.signIDToken(account.UniqueID, email, audience, r.URL.Query().Get("format") == "full")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, value)
}
