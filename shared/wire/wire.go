// Package wire writes credentials in the forms that callers read, and reads back the
// one that is carnet's own.
//
// These are the few functions that reveal secrets on purpose. What they return goes to
// whoever was found worthy of the credential, and nowhere else.
package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

type credential struct {
	Kind      string            `json:"kind"`
	Principal string            `json:"principal"`
	ExpiresAt time.Time         `json:"expires_at"` // RFC 3339, UTC, whole seconds
	Place     map[string]string `json:"place,omitempty"`
	Session   session           `json:"session,omitzero"`
	Token     *token            `json:"token,omitempty"`
	Login     *login            `json:"login,omitempty"`
	RequestID string            `json:"request_id,omitempty"`
}

type session struct {
	AccessKeyID     string `json:"access_key_id"`
	SecretAccessKey string `json:"secret_access_key"`
	SessionToken    string `json:"session_token"`
	AccountID       string `json:"account_id,omitempty"`
}

type token struct {
	AccessToken string   `json:"access_token"`
	TokenType   string   `json:"token_type"`
	Scopes      []string `json:"scopes,omitempty"`
}

type login struct {
	User          string `json:"user"`
	Password      string `json:"password,omitempty"`
	Token         string `json:"token,omitempty"`
	Authenticator string `json:"authenticator,omitempty"`
	Provider      string `json:"provider,omitempty"`
	DSN           string `json:"dsn,omitempty"`
}

// Encode writes a credential as POST /v1/credentials answers it.
func Encode(c *exchange.Credential, requestID string) ([]byte, error) {
	out := credential{
		Kind: c.Kind, Principal: c.Principal, ExpiresAt: c.Expires.UTC().Truncate(time.Second), Place: c.Place, RequestID: requestID,
	}
	if s := c.Session; s != nil {
		out.Session = session{s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal(), s.AccountID}
	}
	if t := c.Token; t != nil {
		out.Token = &token{t.AccessToken.Reveal(), "Bearer", t.Scopes}
	}
	if l := c.Login; l != nil {
		out.Login = &login{l.User, l.Password.Reveal(), l.Token.Reveal(), l.Authenticator, l.Provider, l.DSN.Reveal()}
	}
	return json.Marshal(out)
}

// Decode reads what Encode writes. The trail stays with the operator: it is not in it.
func Decode(text []byte) (c *exchange.Credential, requestID string, err error) {
	var in credential
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, "", errors.New("the answer is no credential") // the parser's error may quote it
	}
	c = &exchange.Credential{Kind: in.Kind, Principal: in.Principal, Expires: in.ExpiresAt, Place: in.Place}
	if s := in.Session; s != (session{}) {
		c.Session = &exchange.Session{
			AccessKeyID: s.AccessKeyID, SecretAccessKey: exchange.NewSecret(s.SecretAccessKey),
			SessionToken: exchange.NewSecret(s.SessionToken), AccountID: s.AccountID,
		}
	}
	if t := in.Token; t != nil {
		c.Token = &exchange.Token{AccessToken: exchange.NewSecret(t.AccessToken), Scopes: t.Scopes}
	}
	if l := in.Login; l != nil {
		c.Login = &exchange.Login{
			User: l.User, Password: exchange.NewSecret(l.Password), Token: exchange.NewSecret(l.Token),
			Authenticator: l.Authenticator, Provider: l.Provider, DSN: exchange.NewSecret(l.DSN),
		}
	}
	if c.Kind == "" || c.Expires.IsZero() || c.Session == nil && c.Token == nil && c.Login == nil {
		return nil, "", errors.New("the answer is no complete credential")
	}
	return c, in.RequestID, nil
}

// ErrForm means that a credential has no such form: a token is no AWS session, a login
// no bearer token.
var ErrForm = errors.New("no such form")

// AWSContainer writes what an AWS SDK reads through AWS_CONTAINER_CREDENTIALS_FULL_URI.
// The session token's field is Token here.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
func AWSContainer(c *exchange.Credential) ([]byte, error) {
	s := c.Session
	if s == nil {
		return nil, fmt.Errorf("%w: a destination of kind %s gives no AWS session", ErrForm, c.Kind)
	}
	return json.Marshal(struct {
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		Token           string
		Expiration      string
		AccountID       string `json:"AccountId,omitempty"`
	}{s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal(), expiry(c), s.AccountID})
}

// AWSProcess writes what credential_process prints. The session token's field is
// SessionToken here.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
func AWSProcess(c *exchange.Credential) ([]byte, error) {
	s := c.Session
	if s == nil {
		return nil, fmt.Errorf("%w: a destination of kind %s gives no AWS session", ErrForm, c.Kind)
	}
	return json.Marshal(struct {
		Version         int
		AccessKeyID     string `json:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
		AccountID       string `json:"AccountId,omitempty"`
	}{1, s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal(), expiry(c), s.AccountID})
}

func expiry(c *exchange.Credential) string { return c.Expires.UTC().Format(time.RFC3339) }

// GoogleMetadata writes what a metadata server answers to …/token.
// https://cloud.google.com/compute/docs/access/authenticate-workloads#applications
func GoogleMetadata(c *exchange.Credential) ([]byte, error) {
	if c.Token == nil {
		return nil, fmt.Errorf("%w: a destination of kind %s gives no access token", ErrForm, c.Kind)
	}
	return json.Marshal(struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		TokenType   string `json:"token_type"`
	}{c.Token.AccessToken.Reveal(), left(c), "Bearer"})
}

// TokenExchange writes the answer of an RFC 8693 token endpoint.
// https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1
func TokenExchange(c *exchange.Credential) ([]byte, error) {
	if c.Token == nil {
		return nil, fmt.Errorf("%w: a destination of kind %s gives no access token", ErrForm, c.Kind)
	}
	return json.Marshal(struct {
		AccessToken     string `json:"access_token"`
		IssuedTokenType string `json:"issued_token_type"`
		TokenType       string `json:"token_type"`
		ExpiresIn       int    `json:"expires_in"`
		Scope           string `json:"scope,omitempty"`
	}{c.Token.AccessToken.Reveal(), "urn:ietf:params:oauth:token-type:access_token", "Bearer", left(c), strings.Join(c.Token.Scopes, " ")})
}

// left is in whole seconds, rounded down.
func left(c *exchange.Credential) int { return int(time.Until(c.Expires) / time.Second) }
