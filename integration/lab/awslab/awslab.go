// Package awslab is the lab's AWS: STS, the issuer of outbound tokens, S3, Redshift
// with its databases, and Secrets Manager.
//
// It refuses what AWS refuses. A request counts for nothing until its signature was
// recomputed from the secret key; a role is entered only if its trust policy, the
// caller's identity policies, boundary and session policy all let it; a session is
// bounded by the role and by the policy it was made with. Each rule says where it
// comes from. What a policy says and this package does not understand is an error
// when the world is loaded, never a silent yes.
package awslab

import (
	"crypto/sha256"
	"encoding/base32"
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
	Transport http.RoundTripper // reaches the issuers of web identities
}

// A Cloud is AWS as a world describes it. It is safe for concurrent use.
type Cloud struct {
	now       func() time.Time
	transport http.RoundTripper
	roles     map[string]*role   // by ARN
	managed   map[string]*policy // customer managed policies, by ARN
	outbound  map[string]*issuer // by account
	providers map[string]map[string][]string
	buckets   map[string]*bucket
	objects   http.Handler
	redshift  []*warehouse
	secrets   []*secret
	data      statements
	world     *world.AWS
	endpoint  *policy            // of the VPC endpoint for STS
	limits    map[string]*limits // by account

	mu         sync.Mutex
	sessions   map[string]*session // by access key id
	logins     []*login
	objectTags map[string][]s3Tag // by bucket/key, and those of uploads
	onLogin    func(Login)
}

// A role with its policies parsed.
type role struct {
	arn, account, name, path, id string
	maxSession                   time.Duration
	trust                        *policy
	identity                     []*policy
	boundary                     *policy
}

// A session is a set of temporary credentials.
type session struct {
	keyID, secret, token string
	role                 *role
	name                 string
	policies             []*policy         // session policies; none: nothing narrows the role
	tags                 map[string]string // by key in lower case
	issued, expires      time.Time
	now                  func() time.Time
}

// arn is the session's own name. STS leaves the role's path out of it.
func (s *session) arn() string {
	return fmt.Sprintf("arn:aws:sts::%s:assumed-role/%s/%s", s.role.account, s.role.name, s.name)
}

// New builds a cloud.
func New(w *world.AWS, o Options) (*Cloud, error) {
	c := &Cloud{
		now: o.Now, transport: o.Transport,
		roles: map[string]*role{}, managed: map[string]*policy{}, outbound: map[string]*issuer{},
		providers: map[string]map[string][]string{}, buckets: map[string]*bucket{},
		sessions: map[string]*session{}, objects: newStore(), objectTags: map[string][]s3Tag{}, world: w, limits: map[string]*limits{},
	}
	if err := c.around(w); err != nil {
		return nil, err
	}
	for id, account := range w.Accounts {
		if err := c.account(id, account); err != nil {
			return nil, fmt.Errorf("account %s: %w", id, err)
		}
	}
	return c, nil
}

func (c *Cloud) account(id string, a *world.Account) error {
	c.providers[id] = a.OIDCProviders
	if err := c.identities(id, a); err != nil {
		return err
	}
	if a.Outbound != "" {
		issuer, err := newIssuer(a.Outbound, c.world.Key)
		if err != nil {
			return err
		}
		c.outbound[id] = issuer
	}
	for name, b := range a.Buckets {
		parsed, err := newBucket(id, name, b)
		if err != nil {
			return fmt.Errorf("bucket %s: %w", name, err)
		}
		c.buckets[name] = parsed
	}
	var err error
	if c.limits[id], err = newLimits(a); err != nil {
		return err
	}
	c.warehouses(id, a)
	for name, w := range a.Secrets {
		parsed, err := newSecret(id, name, w)
		if err != nil {
			return fmt.Errorf("secret %s: %w", name, err)
		}
		c.secrets = append(c.secrets, parsed)
	}
	return nil
}

// identities are an account's roles, and its managed policies.
func (c *Cloud) identities(id string, a *world.Account) error {
	for name, r := range a.Roles {
		parsed, err := newRole(id, name, r)
		if err != nil {
			return fmt.Errorf("role %s: %w", name, err)
		}
		c.roles[parsed.arn] = parsed
	}
	for name, text := range a.ManagedPolicies {
		parsed, err := parsePolicy(text, identityPolicy)
		if err != nil {
			return fmt.Errorf("managed policy %s: %w", name, err)
		}
		c.managed["arn:aws:iam::"+id+":policy/"+name] = parsed
	}
	return nil
}

func newRole(account, name string, w *world.Role) (*role, error) {
	r := &role{account: account, name: name, path: w.Path, id: w.UniqueID, maxSession: time.Hour}
	if r.path == "" {
		r.path = "/"
	}
	r.arn = "arn:aws:iam::" + account + ":role" + r.path + name
	if r.id == "" {
		sum := sha256.Sum256([]byte(r.arn))
		r.id = "AROA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
	}
	if w.MaxSession > 0 {
		r.maxSession = time.Duration(w.MaxSession) * time.Second
	}
	var err error
	if r.trust, err = parsePolicy(w.Trust, trustPolicy); err != nil {
		return nil, fmt.Errorf("trust policy: %w", err)
	}
	for name, text := range w.Policies {
		p, err := parsePolicy(text, identityPolicy)
		if err != nil {
			return nil, fmt.Errorf("policy %s: %w", name, err)
		}
		r.identity = append(r.identity, p)
	}
	if len(w.Boundary) > 0 {
		r.boundary, err = parsePolicy(w.Boundary, identityPolicy)
	}
	return r, err
}

// Owns tells whether a host is this cloud's.
func (c *Cloud) Owns(host string) bool {
	return c.service(hostOnly(host)) != nil
}

// service is what answers at a host; nil where it is nobody's.
func (c *Cloud) service(host string) http.Handler {
	switch {
	case c.issuerAt(host) != nil:
		return c.issuerAt(host)
	case c.isStore(host):
		return c.S3()
	case host == "sts.amazonaws.com", isService(host, "sts"):
		return c.STS()
	case isService(host, "redshift"):
		return c.Redshift()
	case isService(host, "redshift-serverless"):
		return c.RedshiftServerless()
	case isService(host, "redshift-data"):
		return c.RedshiftData()
	case isService(host, "secretsmanager"):
		return c.SecretsManager()
	}
	return nil
}

// ServeHTTP answers under the cloud's own host names.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if service := c.service(hostOnly(r.Host)); service != nil {
		service.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// isService matches SERVICE.REGION.amazonaws.com.
func isService(host, service string) bool {
	rest, ok := strings.CutPrefix(host, service+".")
	region, suffixed := strings.CutSuffix(rest, ".amazonaws.com")
	return ok && suffixed && region != "" && !strings.Contains(region, ".")
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// Credentials are temporary credentials, as a platform hands them to a function.
type Credentials struct {
	AccessKeyID, SecretAccessKey, SessionToken string
	Expires                                    time.Time
}

// platformSession is how long Lambda's credentials live at the most here.
const platformSession = 6 * time.Hour

// Anew makes a role anew: whatever session it gave, AWS does not know it any longer.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_manage_delete.html
func (c *Cloud) Anew(roleARN string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.sessions {
		if s.role == c.roles[roleARN] {
			delete(c.sessions, id)
		}
	}
}

// RoleSession gives what a platform puts in a function's environment: the role's own
// first session, which no policy narrows.
func (c *Cloud) RoleSession(roleARN, name string) (Credentials, error) {
	r := c.roles[roleARN]
	if r == nil {
		return Credentials{}, fmt.Errorf("the lab has no role %s", roleARN)
	}
	s := c.open(r, ask{name: name, life: platformSession})
	return Credentials{s.keyID, s.secret, s.token, s.expires}, nil
}
