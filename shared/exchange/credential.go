package exchange

import "time"

// A Credential is what a caller gets. Exactly one of Session, Token and Login is
// set. It is immutable once vended, and prints without its secrets.
type Credential struct {
	Kind      string            // the destination's kind: s3, gcs, bigquery, redshift, snowflake
	Principal string            // who the credential acts as at the destination
	Expires   time.Time         // of the credential itself
	Place     map[string]string // where to use it: bucket, region, host, database and the like; nothing secret
	Trail     Trail

	Session *Session
	Token   *Token
	Login   *Login
}

// A Session is a set of temporary AWS credentials.
type Session struct {
	AccessKeyID     string
	SecretAccessKey Secret
	SessionToken    Secret
	AccountID       string // 12 digits
}

// A Token is an OAuth 2.0 bearer token.
type Token struct {
	AccessToken Secret
	Scopes      []string
}

// A Login is what a database takes.
type Login struct {
	User          string
	Password      Secret // empty where Token is the proof
	Token         Secret // a JWT, for authenticators that take one
	Authenticator string // Snowflake's name for the way the token is shown
	Provider      string // Snowflake's workload identity provider, where the authenticator wants one
	DSN           Secret // a ready connection string, where the kind has one
}

// Digest returns the hex SHA-256 over the credential's secrets, which identifies
// it in audit records without giving it away.
func (c *Credential) Digest() string {
	var text, token Secret
	switch {
	case c.Session != nil:
		text, token = c.Session.SecretAccessKey, c.Session.SessionToken
	case c.Token != nil:
		return c.Token.AccessToken.Digest()
	case c.Login != nil:
		text, token = c.Login.Password, c.Login.Token
	}
	all := append(make([]byte, 0, 4<<10), text.Reveal()...)
	all = append(all, 0)
	return digest(append(all, token.Reveal()...))
}

// Access is what a credential may do with what it reaches.
type Access string

const (
	Read      Access = "read"
	Write     Access = "write"
	ReadWrite Access = "read_write"
)

// CanRead tells whether the access includes reading.
func (a Access) CanRead() bool { return a == Read || a == ReadWrite }

// CanWrite tells whether the access includes writing.
func (a Access) CanWrite() bool { return a == Write || a == ReadWrite }

// A Grant says how much of a destination a credential reaches. The zero Grant in
// a Request means all that the catalog grants, never more.
type Grant struct {
	Access   Access   `json:"access,omitempty"`
	Prefixes []string `json:"prefixes,omitempty"`
}

// IsZero tells whether the grant asks for nothing special.
func (g Grant) IsZero() bool { return g.Access == "" && len(g.Prefixes) == 0 }
