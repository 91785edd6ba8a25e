package client

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/oauth2"

	"carnet.dev/carnet/shared/exchange"
)

// least is how much life is left in what the sources give. Google's and AWS's libraries
// refresh some minutes before the end.
const least = 15 * time.Minute

// AWS gives the SDK sessions for a destination that has them: s3, and redshift with
// login: data_api. It is cached already.
func (c *Client) AWS(tenant, destination string) aws.CredentialsProvider {
	return aws.NewCredentialsCache(aws.CredentialsProviderFunc(func(ctx context.Context) (aws.Credentials, error) {
		cred, err := c.Vend(ctx, Request{Tenant: tenant, Destination: destination, MinTTL: least})
		if err != nil {
			return aws.Credentials{}, err
		}
		s := cred.Session
		if s == nil {
			return aws.Credentials{}, fmt.Errorf("carnet: a destination of kind %s gives no AWS session", cred.Kind)
		}
		return aws.Credentials{
			AccessKeyID: s.AccessKeyID, SecretAccessKey: s.SecretAccessKey.Reveal(), SessionToken: s.SessionToken.Reveal(),
			AccountID: s.AccountID, CanExpire: true, Expires: cred.Expires, Source: "carnet",
		}, nil
	}), func(o *aws.CredentialsCacheOptions) { o.ExpiryWindow = 5 * time.Minute })
}

// TokenSource gives Google's libraries access tokens for a destination that has them: gcs
// and bigquery. It is cached already. The context is that of every later request, as
// oauth2 has it.
func (c *Client) TokenSource(ctx context.Context, tenant, destination string) oauth2.TokenSource {
	return oauth2.ReuseTokenSourceWithExpiry(nil, tokenSource{ctx, c, tenant, destination}, 5*time.Minute)
}

type tokenSource struct {
	ctx                 context.Context
	client              *Client
	tenant, destination string
}

// Token implements [oauth2.TokenSource].
func (s tokenSource) Token() (*oauth2.Token, error) {
	cred, err := s.client.Vend(s.ctx, Request{Tenant: s.tenant, Destination: s.destination, MinTTL: least})
	if err != nil {
		return nil, err
	}
	if cred.Token == nil {
		return nil, fmt.Errorf("carnet: a destination of kind %s gives no access token", cred.Kind)
	}
	return &oauth2.Token{AccessToken: cred.Token.AccessToken.Reveal(), TokenType: "Bearer", Expiry: cred.Expires}, nil
}

// Connector lets database/sql open connections with a login that is good when they are
// opened: redshift and snowflake. open makes the driver's own connector of a credential;
// it is called again when the login is near its end. A connection that is open outlives
// the login.
//
//	db := sql.OpenDB(c.Connector("acme", "marts", func(cred *exchange.Credential) (driver.Connector, error) {
//		config, err := pgx.ParseConfig(cred.Login.DSN.Reveal())
//		return stdlib.GetConnector(*config), err
//	}))
func (c *Client) Connector(tenant, destination string, open func(*exchange.Credential) (driver.Connector, error)) driver.Connector {
	return &connector{client: c, tenant: tenant, destination: destination, open: open, turn: make(chan struct{}, 1)}
}

type connector struct {
	client              *Client
	tenant, destination string
	open                func(*exchange.Credential) (driver.Connector, error)

	turn    chan struct{} // a lock that one may stop waiting for
	current driver.Connector
	until   time.Time
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	current, err := c.fresh(ctx)
	if err != nil {
		return nil, err
	}
	return current.Connect(ctx)
}

// loginLeast: a login needs to live only until the connection is open.
const loginLeast = 2 * time.Minute

func (c *connector) fresh(ctx context.Context) (driver.Connector, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.current != nil && time.Until(c.until) > loginLeast {
		return c.current, nil
	}
	cred, err := c.client.Vend(ctx, Request{Tenant: c.tenant, Destination: c.destination, MinTTL: loginLeast})
	if err != nil {
		return nil, err
	}
	if cred.Login == nil {
		return nil, fmt.Errorf("carnet: a destination of kind %s gives no login", cred.Kind)
	}
	if c.current, err = c.open(cred); err != nil {
		return nil, err
	}
	c.until = cred.Expires
	return c.current, nil
}

// Driver implements [driver.Connector]. database/sql asks for it only on request.
func (c *connector) Driver() driver.Driver { return hookDriver{} }

type hookDriver struct{}

// Open implements [driver.Driver].
func (hookDriver) Open(string) (driver.Conn, error) {
	return nil, fmt.Errorf("carnet: use sql.OpenDB with a Connector: there is no name to open")
}
