package awsid_test

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A listener writes down what is asked for, and gives nothing.
type listener struct{ forms []url.Values }

// RoundTrip implements [http.RoundTripper].
func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, err
	}
	l.forms = append(l.forms, form)
	return nil, context.Canceled
}

// TestWhatSTSIsAskedFor: of all that AssumeRole takes, these parameters and no other. A tag
// that is inherited, or a source identity, makes third parties' roles refuse and tells them
// the operator's names. The session's name is the mint's id, and no caller's.
func TestWhatSTSIsAskedFor(t *testing.T) {
	l := new(listener)
	cloud := awsid.New(awsid.Config{Region: "eu-west-1", HTTP: &http.Client{Transport: l}})
	runtime := cloud.Runtime("arn:aws:iam::111122223333:role/f", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t"}, nil
	}))
	end, err := exchange.Chain{awsid.Role{Cloud: cloud, ARN: "arn:aws:iam::111122223333:role/t", ExternalID: "the-tenants-id"}}.Link(runtime)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := end.(*awsid.Identity).Session(t.Context(), awsid.Ask{Policy: "{}"}); err == nil {
		t.Fatal("nobody answers, and there is a session")
	}
	want := []string{"Action", "DurationSeconds", "ExternalId", "Policy", "RoleArn", "RoleSessionName", "Version"}
	for _, form := range l.forms {
		if got := slices.Sorted(maps.Keys(form)); !slices.Equal(got, want) {
			t.Errorf("asked with %q", got)
		}
		if name := form.Get("RoleSessionName"); len(name) != 20 || form.Get("ExternalId") != "the-tenants-id" {
			t.Errorf("the session is %q, bound by %q", name, form.Get("ExternalId"))
		}
	}
	if len(l.forms) == 0 {
		t.Error("nothing was asked for")
	}
}
