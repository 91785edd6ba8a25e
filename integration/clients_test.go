package integration

import (
	"context"
	"testing"
	"time"

	gauth "cloud.google.com/go/auth/credentials/externalaccount"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"golang.org/x/oauth2"
	xoauth "golang.org/x/oauth2/google/externalaccount"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

const (
	provider  = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/providers/aws-roles"
	function  = "arn:aws:iam::111122223333:role/carnet-f-vend"
	tenant    = "arn:aws:iam::111122223333:role/carnet-t-acme"
	tenantsID = "5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21"
	cloud     = "https://www.googleapis.com/auth/cloud-platform"
	region    = "eu-west-1"
)

// The clients of this file are others', unmodified: what they get from the lab is
// what they get from the clouds.

func stsClient(t *testing.T, l *lab.Lab) *sts.Client {
	t.Helper()
	s, err := l.AWS.RoleSession(function, "carnet-vend")
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	return sts.New(sts.Options{
		Region: region, HTTPClient: m.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken),
	})
}

func TestStscredsAssumesARole(t *testing.T) {
	l, _ := startSample(t)
	client := stsClient(t, l)
	withID := stscreds.NewAssumeRoleProvider(client, tenant, func(o *stscreds.AssumeRoleOptions) { o.ExternalID = aws.String(tenantsID) })
	if _, err := withID.Retrieve(t.Context()); err != nil {
		t.Errorf("with the ExternalId: %v", err)
	}
	if _, err := stscreds.NewAssumeRoleProvider(client, tenant).Retrieve(t.Context()); err == nil {
		t.Error("without the ExternalId the role was entered")
	}
}

type idToken string

func (i idToken) GetIdentityToken() ([]byte, error) { return []byte(i), nil }

func TestStscredsShowsAWebIdentity(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "gcp", dir)
	client := stsClient(t, l)
	for audience, good := range map[string]bool{tenantsID: true, "https://somebody.example": false} {
		token := googleToken(t, d, audience)
		_, err := stscreds.NewWebIdentityRoleProvider(client, tenant, idToken(token)).Retrieve(t.Context())
		if good != (err == nil) {
			t.Errorf("with the audience %s: %v", audience, err)
		}
	}
}

type supplier struct{ client aws.CredentialsProvider }

func (s supplier) AwsRegion(context.Context, xoauth.SupplierOptions) (string, error) {
	return region, nil
}

func (s supplier) AwsSecurityCredentials(ctx context.Context, _ xoauth.SupplierOptions) (*xoauth.AwsSecurityCredentials, error) {
	c, err := s.client.Retrieve(ctx)
	return &xoauth.AwsSecurityCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
}

func TestOAuth2EntersThePool(t *testing.T) {
	l, _ := startSample(t)
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, m.Client())
	source, err := xoauth.NewTokenSource(ctx, xoauth.Config{
		Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
		TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{cloud},
		AwsSecurityCredentialsSupplier: supplier{stsClient(t, l).Options().Credentials},
	})
	if err != nil {
		t.Fatal(err)
	}
	if token, err := source.Token(); err != nil || time.Until(token.Expiry) < 50*time.Minute {
		t.Errorf("golang.org/x/oauth2 got %v", err)
	}
}

type gSupplier struct{ supplier }

func (s gSupplier) AwsRegion(context.Context, *gauth.RequestOptions) (string, error) {
	return region, nil
}

func (s gSupplier) AwsSecurityCredentials(ctx context.Context, _ *gauth.RequestOptions) (*gauth.AwsSecurityCredentials, error) {
	c, err := s.client.Retrieve(ctx)
	return &gauth.AwsSecurityCredentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}, err
}

func TestCloudAuthEntersThePool(t *testing.T) {
	l, _ := startSample(t)
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	creds, err := gauth.NewCredentials(&gauth.Options{
		Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
		TokenURL: "https://sts.googleapis.com/v1/token", Scopes: []string{cloud}, Client: m.Client(),
		AwsSecurityCredentialsProvider: gSupplier{supplier{stsClient(t, l).Options().Credentials}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := creds.Token(t.Context()); err != nil {
		t.Errorf("cloud.google.com/go/auth got %v", err)
	}
}

// googleToken is an ID token of acme's account, as its runtime gets it.
func googleToken(t *testing.T, d *deployment.Deployment, audience string) string {
	t.Helper()
	m := gcpid.ServiceAccount{Cloud: d.Linker.GCP, Email: "carnet-t-acme@operator-prod.iam.gserviceaccount.com"}
	id, err := m.Enter(d.Runtime)
	if err != nil {
		t.Fatal(err)
	}
	token, err := id.SubjectToken(t.Context(), exchange.RelyingParty{Audience: audience, Accepts: []exchange.Form{exchange.RS256}})
	if err != nil {
		t.Fatal(err)
	}
	return token.Value.Reveal()
}

// outboundToken is AWS's own JWT for the jobs' role.
func outboundToken(t testing.TB, l *lab.Lab, audience string) string {
	t.Helper()
	s, err := l.AWS.RoleSession("arn:aws:iam::111122223333:role/sync-worker", "job-1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	client := sts.New(sts.Options{
		Region: region, HTTPClient: m.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, s.SessionToken),
	})
	out, err := client.GetWebIdentityToken(t.Context(), &sts.GetWebIdentityTokenInput{Audience: []string{audience}, SigningAlgorithm: aws.String("RS256")})
	if err != nil {
		t.Fatal(err)
	}
	return aws.ToString(out.WebIdentityToken)
}
