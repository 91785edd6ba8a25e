package awsid_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gauth "cloud.google.com/go/auth/credentials/externalaccount"
	"github.com/aws/aws-sdk-go-v2/aws"
	"golang.org/x/oauth2"
	xoauth "golang.org/x/oauth2/google/externalaccount"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

const (
	provider = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/carnet-aws/providers/aws-roles"
	region   = "eu-west-1"
	keyID    = "ASIAEXAMPLEEXAMPLE00"
	key      = "not+a/real+secret+but+of+the+same+shape+"
	session  = "IQoJb3JpZ2luX2VjEXAMPLE//////////wEaCWV1LXdlc3QtMSJ=="
)

// tokenEndpoint answers every exchange and keeps what was sent.
type tokenEndpoint struct{ subjectToken string }

func (e *tokenEndpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	e.subjectToken = form.Get("subject_token")
	answer := `{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`
	return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(answer)), Request: r}, nil
}

// TestSubjectTokenIsWhatGooglesLibrariesMake: the same credentials, clock and Region
// give the same bytes.
func TestSubjectTokenIsWhatGooglesLibrariesMake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := map[string]string{
			"golang.org/x/oauth2":      fromOAuth2(t),
			"cloud.google.com/go/auth": fromCloudAuth(t),
		}
		got := fromCarnet(t)
		for library, token := range want {
			if token != got {
				t.Errorf("%s makes\n%s\nand carnet\n%s", library, token, got)
			}
		}
	})
}

func fromCarnet(t *testing.T) string {
	cloud := awsid.New(awsid.Config{Region: region, HTTP: http.DefaultClient})
	id := cloud.Runtime("arn:aws:iam::111122223333:role/carnet-f-vend", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: keyID, SecretAccessKey: key, SessionToken: session, CanExpire: true, Expires: time.Now().Add(time.Hour)}, nil
	}))
	token, err := id.SubjectToken(t.Context(), exchange.RelyingParty{Audience: provider, Accepts: []exchange.Form{exchange.SignedCallerIdentity}})
	if err != nil {
		t.Fatal(err)
	}
	return token.Value.Reveal()
}

type xSupplier struct{}

func (xSupplier) AwsRegion(context.Context, xoauth.SupplierOptions) (string, error) {
	return region, nil
}

func (xSupplier) AwsSecurityCredentials(context.Context, xoauth.SupplierOptions) (*xoauth.AwsSecurityCredentials, error) {
	return &xoauth.AwsSecurityCredentials{AccessKeyID: keyID, SecretAccessKey: key, SessionToken: session}, nil
}

func fromOAuth2(t *testing.T) string {
	var e tokenEndpoint
	ctx := context.WithValue(t.Context(), oauth2.HTTPClient, &http.Client{Transport: &e})
	source, err := xoauth.NewTokenSource(ctx, xoauth.Config{
		Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
		TokenURL: "https://sts.googleapis.com/v1/token", AwsSecurityCredentialsSupplier: xSupplier{},
		Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := source.Token(); err != nil {
		t.Fatal(err)
	}
	return e.subjectToken
}

type gSupplier struct{}

func (gSupplier) AwsRegion(context.Context, *gauth.RequestOptions) (string, error) {
	return region, nil
}

func (gSupplier) AwsSecurityCredentials(context.Context, *gauth.RequestOptions) (*gauth.AwsSecurityCredentials, error) {
	return &gauth.AwsSecurityCredentials{AccessKeyID: keyID, SecretAccessKey: key, SessionToken: session}, nil
}

func fromCloudAuth(t *testing.T) string {
	var e tokenEndpoint
	creds, err := gauth.NewCredentials(&gauth.Options{
		Audience: provider, SubjectTokenType: "urn:ietf:params:aws:token-type:aws4_request",
		TokenURL: "https://sts.googleapis.com/v1/token", AwsSecurityCredentialsProvider: gSupplier{},
		Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"},
		Client: &http.Client{Transport: &e},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := creds.Token(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e.subjectToken
}

func TestRuntimeIsNeverHandedOut(t *testing.T) {
	cloud := awsid.New(awsid.Config{Region: region, HTTP: http.DefaultClient})
	id := cloud.Runtime("arn:aws:iam::111122223333:role/carnet-f-vend", aws.AnonymousCredentials{})
	if _, err := id.Session(t.Context(), awsid.Ask{Policy: `{}`}); err == nil {
		t.Error("the runtime gave its own session away")
	}
}
