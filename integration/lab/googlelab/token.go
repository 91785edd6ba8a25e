package googlelab

import (
	"crypto/rand"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A token is an access token: of a service account, or federated.
type token struct {
	account string   // email; empty if federated
	members []string // who a federated token is: principal://… and principalSet://…
	pool    *poolRef // the pool that a federated token came through
	scopes  []string
	bounds  []rule // nil without an access boundary
	expires time.Time
}

type poolRef struct{ project, pool string }

// maxTokens bounds the table; the expired are swept when it is full.
const maxTokens = 200_000

func (c *Cloud) open(t *token) string {
	prefix := "ya29.c."
	if t.account == "" {
		prefix = "ya29.d."
	}
	value := prefix + rand.Text() + rand.Text() + rand.Text()
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tokens) >= maxTokens {
		for v, old := range c.tokens {
			if old.expires.Before(c.now()) {
				delete(c.tokens, v)
			}
		}
	}
	c.tokens[value] = t
	return value
}

// EndTokens ends every access token that was given so far.
func (c *Cloud) EndTokens() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.tokens)
}

// bearer finds the token that a request shows, if it is still good. One with an access
// boundary is good for Cloud Storage alone, whatever its scopes.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
func (c *Cloud) bearer(r *http.Request) (*token, *fault) {
	t, f := c.shown(r)
	if f == nil && t.bounds != nil {
		return nil, &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "The token's access boundary does not name this service."}
	}
	return t, f
}

func (c *Cloud) shown(r *http.Request) (*token, *fault) {
	value, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return nil, unauthenticated()
	}
	if t := c.living(value); t != nil {
		return t, nil
	}
	return nil, unauthenticated()
}

// living: a federated token stops at once with its pool, though not with its
// provider; an account's token with the account.
// https://cloud.google.com/iam/docs/manage-workload-identity-pools-providers#disable-pool
func (c *Cloud) living(value string) *token {
	c.mu.RLock()
	defer c.mu.RUnlock()
	t := c.tokens[value]
	if t == nil || !c.now().Before(t.expires) {
		return nil
	}
	if t.pool != nil {
		p := c.world.Projects[t.pool.project]
		if p == nil || p.Pools[t.pool.pool] == nil || p.Pools[t.pool.pool].Disabled {
			return nil
		}
	}
	if t.account != "" {
		if a, _ := c.account(t.account); a == nil || a.Disabled {
			return nil
		}
	}
	return t
}

const scopeRoot = "https://www.googleapis.com/auth/"

// has tells whether the token has one of the scopes.
func (t *token) has(scopes ...string) bool {
	for _, s := range scopes {
		if slices.Contains(t.scopes, scopeRoot+s) {
			return true
		}
	}
	return false
}

// name is how an answer calls whoever shows the token.
func (t *token) name() string {
	if t.account == "" {
		return t.members[0]
	}
	return t.account
}

// who lists the members as which the token counts in a binding.
func (t *token) who() []string {
	if t.account != "" {
		return []string{"serviceAccount:" + t.account}
	}
	return t.members
}
