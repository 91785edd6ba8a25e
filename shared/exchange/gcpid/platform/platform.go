// Package platform gives the tokens that a process has on Google Cloud: on Cloud Functions,
// Cloud Run, GKE and Compute Engine, all of which have a metadata server. It stands apart
// from gcpid since a Lambda has no such server, and would only be larger for what is here.
//
// The libraries take no context and no client: they reach nothing but the server, and try up
// to six times where it is unwell, for five seconds each.
// https://cloud.google.com/compute/docs/metadata/querying-metadata
package platform

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"os"

	"cloud.google.com/go/compute/metadata"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
)

// Metadata is the metadata server, at GCE_METADATA_HOST or at the address that all machines
// have. It implements [gcpid.Tokens].
type Metadata struct{}

// Access gives a source of access tokens.
func (Metadata) Access(scopes ...string) oauth2.TokenSource {
	here()
	return source(google.ComputeTokenSource("", scopes...).Token)
}

// ID gives a source of ID tokens. The token's end stands in itself.
func (Metadata) ID(audience string) oauth2.TokenSource {
	here()
	query := url.Values{"audience": {audience}, "format": {"full"}}
	return source(func() (*oauth2.Token, error) {
		text, err := metadata.GetWithContext(context.Background(), "instance/service-accounts/default/identity?"+query.Encode())
		return &oauth2.Token{AccessToken: text}, err
	})
}

// here says that this is Google Cloud. The library would look around once in a process, and
// where the server is away in that moment it would never ask it again.
func here() {
	if os.Getenv("GCE_METADATA_HOST") == "" {
		os.Setenv("GCE_METADATA_HOST", "169.254.169.254")
	}
}

// A source is an [oauth2.TokenSource] whose refusals have their status, and no words.
type source func() (*oauth2.Token, error)

func (s source) Token() (*oauth2.Token, error) {
	t, err := s()
	var no *metadata.Error
	var none metadata.NotDefinedError
	switch {
	case errors.As(err, &no):
		return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: no.Code}}
	case errors.As(err, &none):
		return nil, &oauth2.RetrieveError{Response: &http.Response{StatusCode: http.StatusNotFound}}
	}
	return t, err
}
