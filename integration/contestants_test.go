package integration

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	gcreds "cloud.google.com/go/auth/credentials"
	gauth "cloud.google.com/go/auth/credentials/externalaccount"
	"cloud.google.com/go/auth/credentials/impersonate"
	"cloud.google.com/go/auth/httptransport"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/oauth2"
	xoauth "golang.org/x/oauth2/google/externalaccount"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// A contestant gets one credential at the end of a chain.
type contestant struct {
	name string
	// make sets up, with nothing cached, what every caller of a process shares. It makes no
	// call; what it returns gives a credential, from where the contestant keeps it if it does.
	make func(testing.TB, seat) func(context.Context) error
}

// A seat is where a contestant asks from: a machine, and its way to the clouds.
type seat struct {
	lab *lab.Lab
	at  *lab.Machine
	web *http.Client
}

const (
	runtimeAccount = "carnet-f-vend@operator-prod.iam.gserviceaccount.com"
	tenantAccount  = "carnet-t-acme@operator-prod.iam.gserviceaccount.com"
	shareAccount   = "acme-share@acme-prod.iam.gserviceaccount.com"
	shareRole      = "arn:aws:iam::999988887777:role/acme-share"
	sharesID       = "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40"

	openedInInit = "carnet-opened-in-init"
)

func seatOf(t testing.TB, l *lab.Lab, runtime string) seat {
	account := ""
	if runtime == "gcp" {
		account = runtimeAccount
	}
	m, err := l.Machine(account)
	if err != nil {
		t.Fatal(err)
	}
	return seat{l, m, m.Client()}
}

// contestants are carnet and whatever library walks the chain as well. None crosses twice,
// and none logs in to a database or to Snowflake at a chain's end.
func contestants(c chain, dir string) []contestant {
	all := []contestant{{"carnet", carnet(c, false, dir)}}
	if c.runtime == "aws" {
		all = append(all, contestant{openedInInit, carnet(c, true, dir)})
	}
	scope := map[string]string{"BigQuery": "https://www.googleapis.com/auth/bigquery", "GCS": "https://www.googleapis.com/auth/devstorage.read_write"}[c.to]
	switch {
	case c == chain{"aws", "aws", "S3"}:
		all = append(all, contestant{"stscreds", stscredsRoles})
	case c.runtime == "aws" && c.tenant == "aws" && scope != "":
		all = append(all, contestant{"x-oauth2", xoauth2(scope)}, contestant{"cloud-auth", cloudAuth(scope)})
	case c == chain{"gcp", "gcp", "S3"}:
		all = append(all, contestant{"cloud-auth+stscreds", webIdentity})
	case c.runtime == "gcp" && c.tenant == "gcp" && scope != "":
		all = append(all, contestant{"cloud-auth", impersonated(scope)})
	}
	return all
}

func carnet(c chain, warm bool, dir string) func(testing.TB, seat) func(context.Context) error {
	return func(t testing.TB, s seat) func(context.Context) error {
		d := deployed(t, s, c.runtime, dir, true)
		if warm {
			d.Warm(context.Background())
		}
		return asksFor(d, c, 0)
	}
}

// asksFor asks for the chain's end, with at least so much life left in the answer.
func asksFor(d *deployment.Deployment, c chain, minTTL time.Duration) func(context.Context) error {
	req := exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: acmes()[c.to], MinTTL: minTTL}
	return func(ctx context.Context) error { _, err := d.Broker.Vend(ctx, req); return err }
}

// fromLambda is what Lambda gives a function.
func fromLambda(t testing.TB, l *lab.Lab) aws.CredentialsProvider {
	s, err := l.AWS.RoleSession(function, "carnet-vend")
	if err != nil {
		t.Fatal(err)
	}
	return credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken)
}

// role is one more role by stscreds, as the SDK's documentation has it.
func role(web *http.Client, from aws.CredentialsProvider, arn, externalID string) aws.CredentialsProvider {
	client := sts.New(sts.Options{Region: region, HTTPClient: web, Credentials: from})
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, arn, func(o *stscreds.AssumeRoleOptions) {
		o.ExternalID, o.Duration = aws.String(externalID), time.Hour
	}))
}

func tenantRole(t testing.TB, s seat) aws.CredentialsProvider {
	return role(s.web, fromLambda(t, s.lab), tenant, tenantsID)
}

func stscredsRoles(t testing.TB, s seat) func(context.Context) error {
	theirs := role(s.web, tenantRole(t, s), shareRole, sharesID)
	return func(ctx context.Context) error { _, err := theirs.Retrieve(ctx); return err }
}

const share = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/" + shareAccount + ":generateAccessToken"

func xoauth2(scope string) func(testing.TB, seat) func(context.Context) error {
	return func(t testing.TB, s seat) func(context.Context) error {
		source, err := xoauth.NewTokenSource(context.WithValue(context.Background(), oauth2.HTTPClient, s.web), xoauth.Config{
			Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
			TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{scope},
			ServiceAccountImpersonationURL: share, AwsSecurityCredentialsSupplier: supplier{tenantRole(t, s)},
		})
		if err != nil {
			t.Fatal(err)
		}
		return func(context.Context) error { _, err := source.Token(); return err }
	}
}

func cloudAuth(scope string) func(testing.TB, seat) func(context.Context) error {
	return func(t testing.TB, s seat) func(context.Context) error {
		creds, err := gauth.NewCredentials(&gauth.Options{
			Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request", Client: s.web,
			TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{scope},
			ServiceAccountImpersonationURL: share, AwsSecurityCredentialsProvider: gSupplier{supplier{tenantRole(t, s)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		return token(creds)
	}
}

func token(creds *auth.Credentials) func(context.Context) error {
	return func(ctx context.Context) error { _, err := creds.Token(ctx); return err }
}

// ownAccount is the runtime's service account as cloud.google.com/go/auth finds it, and a
// client that shows its token.
func ownAccount(t testing.TB, s seat) (*auth.Credentials, *http.Client) {
	t.Setenv("GCE_METADATA_HOST", s.at.Metadata)
	creds, err := gcreds.DetectDefault(&gcreds.DetectOptions{Scopes: []string{cloud}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := httptransport.NewClient(&httptransport.Options{Credentials: creds, BaseRoundTripper: s.web.Transport})
	if err != nil {
		t.Fatal(err)
	}
	return creds, client
}

func impersonated(scope string) func(testing.TB, seat) func(context.Context) error {
	return func(t testing.TB, s seat) func(context.Context) error {
		own, client := ownAccount(t, s)
		creds, err := impersonate.NewCredentials(&impersonate.CredentialsOptions{
			TargetPrincipal: shareAccount, Delegates: []string{tenantAccount}, Scopes: []string{scope}, Credentials: own, Client: client,
		})
		if err != nil {
			t.Fatal(err)
		}
		return token(creds)
	}
}

// webIdentity shows the tenant account's ID token to the customer's role.
func webIdentity(t testing.TB, s seat) func(context.Context) error {
	own, client := ownAccount(t, s)
	proof, err := impersonate.NewIDTokenCredentials(&impersonate.IDTokenOptions{
		Audience: sharesID, TargetPrincipal: tenantAccount, IncludeEmail: true, Credentials: own, Client: client,
	})
	if err != nil {
		t.Fatal(err)
	}
	theirs := aws.NewCredentialsCache(stscreds.NewWebIdentityRoleProvider(
		sts.New(sts.Options{Region: region, HTTPClient: s.web, Credentials: aws.AnonymousCredentials{}}), shareRole, shownToken{proof}))
	return func(ctx context.Context) error { _, err := theirs.Retrieve(ctx); return err }
}

type shownToken struct{ from *auth.Credentials }

// GetIdentityToken implements [stscreds.IdentityTokenRetriever].
func (i shownToken) GetIdentityToken() ([]byte, error) {
	t, err := i.from.Token(context.Background())
	if err != nil {
		return nil, err
	}
	return []byte(t.Value), nil
}

// A tape records answers, by the host that gave them, and plays them back.
type tape struct {
	from http.RoundTripper // nil: play
	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	status int
	header http.Header
	body   []byte
}

// RoundTrip implements [http.RoundTripper].
func (t *tape) RoundTrip(r *http.Request) (*http.Response, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.from != nil {
		resp, err := t.from.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		if t.kept == nil {
			t.kept = map[string]kept{}
		}
		t.kept[r.Method+r.URL.Host] = kept{resp.StatusCode, resp.Header, body}
	}
	k, ok := t.kept[r.Method+r.URL.Host]
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{
		StatusCode: k.status, Status: http.StatusText(k.status), Header: k.header, Body: io.NopCloser(bytes.NewReader(k.body)),
		ContentLength: int64(len(k.body)), Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}
