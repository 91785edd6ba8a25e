// Package googlelab is the lab's Google Cloud: the security token service, IAM, IAM
// Credentials, the metadata server, Google's own issuer, Cloud Storage, BigQuery and
// Secret Manager.
//
// It refuses what Google refuses. A subject token is replayed at AWS or verified
// against its issuer; the provider's mapping and condition are evaluated as CEL; every
// arrow of a run of delegates is checked by permission, on the account it points at;
// a token reaches what its account's bindings, its scopes and its access boundary all
// let through. Each rule says where it comes from.
package googlelab

import (
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// Options says what a cloud has around it.
type Options struct {
	Now       func() time.Time  // nil: time.Now
	Transport http.RoundTripper // reaches AWS's STS, and the issuers of JWTs
}

// A Cloud is Google Cloud as a world describes it. It is safe for concurrent use.
type Cloud struct {
	now       func() time.Time
	transport http.RoundTripper
	key       *rsa.PrivateKey // signs Google's ID tokens
	published *rsa.PublicKey  // what issuers' readers are told
	began     time.Time

	mu       sync.RWMutex
	world    *world.Google
	tokens   map[string]*token
	objects  map[string]map[string]object // by bucket and name
	uploads  map[string]*session          // by id
	parted   map[string]*parts            // uploads of the XML API, by id
	tables   map[string]*table            // by project.dataset.table
	jobs     map[string]*job              // by project and id
	secrets  map[string][]*version        // by project and name
	programs map[string]program           // compiled CEL, by its source

	generation int64 // counts what was stored
}

// New builds a cloud.
func New(w *world.Google, o Options) (*Cloud, error) {
	key := w.Key
	if key == nil {
		var err error
		if key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	c := &Cloud{
		now: o.Now, transport: o.Transport, key: key, world: w,
		tokens: map[string]*token{}, objects: map[string]map[string]object{}, uploads: map[string]*session{}, parted: map[string]*parts{},
		tables: map[string]*table{}, jobs: map[string]*job{}, secrets: map[string][]*version{}, programs: map[string]program{},
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.began, c.published = c.now(), &key.PublicKey
	if w.OtherKeys {
		other, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		c.published = &other.PublicKey
	}
	c.fillSecrets()
	return c, c.check(w)
}

// check compiles every expression of the world, so that a mistake in one is found
// before anybody is let in by it.
func (c *Cloud) check(w *world.Google) error {
	for project, p := range w.Projects {
		if err := c.checkBindings(p); err != nil {
			return fmt.Errorf("project %s: %w", project, err)
		}
		for pool, l := range p.Pools {
			for name, provider := range l.Providers {
				if err := c.checkProvider(provider); err != nil {
					return fmt.Errorf("project %s, pool %s, provider %s: %w", project, pool, name, err)
				}
			}
		}
	}
	return nil
}

// Change edits the world while nobody looks.
func (c *Cloud) Change(edit func(*world.Google)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	edit(c.world)
}

// Owns tells whether a host is this cloud's.
func (c *Cloud) Owns(host string) bool { return c.service(hostOnly(host)) != nil }

func (c *Cloud) service(host string) http.Handler {
	if strings.HasSuffix(host, "."+storageHost) {
		return c.Storage()
	}
	switch host {
	case "sts.googleapis.com":
		return c.STS()
	case "iamcredentials.googleapis.com":
		return c.IAMCredentials()
	case "iam.googleapis.com":
		return c.IAM()
	case storageHost:
		return c.Storage()
	case "bigquery.googleapis.com":
		return c.BigQuery()
	case "secretmanager.googleapis.com":
		return c.SecretManager()
	case "accounts.google.com", "www.googleapis.com":
		return http.HandlerFunc(c.serveIssuer)
	}
	return nil
}

// ServeHTTP answers under the cloud's own host names.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Request-Id", rand.Text())
	w.Header().Set("Date", c.now().UTC().Format(http.TimeFormat))
	if s := c.service(hostOnly(r.Host)); s != nil {
		s.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}
