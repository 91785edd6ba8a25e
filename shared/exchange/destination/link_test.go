package destination_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A deaf upstream knows what it was asked last, and gives nothing.
type deaf struct{ form url.Values }

// RoundTrip implements [http.RoundTripper].
func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	text, err := io.ReadAll(r.Body)
	if err == nil {
		d.form, err = url.ParseQuery(string(text))
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusForbidden, Header: http.Header{}, Body: http.NoBody}, nil
}

// TestEachChainEntersByItsOwnWords: two chains of one tenant name the same role, and each has
// an ExternalId of its own for it.
func TestEachChainEntersByItsOwnWords(t *testing.T) {
	const lake = "  %[1]s:\n    kind: s3\n    role: arn:aws:iam::999988887777:role/%[1]s\n    external_id: of-%[1]s\n    region: eu-west-1\n    bucket: acme-lake\n    prefixes: [a/]\n    access: read\n    chain: [{role: 'arn:aws:iam::111122223333:role/hub', external_id: hub-for-%[1]s}]\n"
	text := "tenant: acme\ndestinations:\n" + fmt.Sprintf(lake, "one") + fmt.Sprintf(lake, "two")
	file, err := kinds.All().Catalog().ParseTenant("", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	up := new(deaf)
	client := &http.Client{Transport: up}
	cloud := awsid.New(awsid.Config{Region: "eu-west-1", HTTP: client})
	l := &destination.Linker{AWS: cloud, GCP: gcpid.New(client), Operator: new(catalog.Operator), Unverified: true,
		Runtime: cloud.Runtime("arn:aws:iam::111122223333:role/f", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t"}, nil
		}))}
	linked := l.Link(file)
	for _, name := range []string{"one", "two"} {
		if _, err := linked.Destinations[name].Vend(t.Context(), exchange.Request{}); err == nil {
			t.Fatal("nobody answers, and there is a credential")
		}
		if got := up.form.Get("ExternalId"); got != "hub-for-"+name {
			t.Errorf("the chain to %s enters the hub with %q", name, got)
		}
	}
}
