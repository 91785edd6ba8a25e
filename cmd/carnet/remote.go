package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"cloud.google.com/go/compute/metadata"
	"github.com/spf13/pflag"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange/awsid/platform"
)

// A remote is a deployment elsewhere, and how to prove oneself to it.
type remote struct{ url, proof, audience string }

func (r *remote) flags(f *pflag.FlagSet) {
	f.StringVar(&r.url, "url", os.Getenv("CARNET_URL"), "ask the deployment at this URL (default $CARNET_URL)")
	f.StringVar(&r.proof, "proof", os.Getenv("CARNET_PROOF"), "how to prove who asks: sigv4, google, cloudrun, file:PATH, env:NAME (default $CARNET_PROOF, or sigv4 for a function URL of AWS and cloudrun for Cloud Run)")
	f.StringVar(&r.audience, "audience", os.Getenv("CARNET_AUDIENCE"), "audience of Google ID tokens: the google_audience of carnet.yaml (default $CARNET_AUDIENCE)")
}

// client makes the client that the flags describe.
func (r *remote) client() (*client.Client, error) {
	u, err := url.Parse(r.url)
	if err != nil || u.Host == "" || u.Scheme != "https" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("--url is %q: write the https URL of a deployment", r.url)
	}
	web, err := way(u)
	if err != nil {
		return nil, err
	}
	proof, err := r.prove(u, web)
	return &client.Client{URL: strings.TrimSuffix(r.url, "/"), Proof: proof, HTTP: web}, err
}

// way is how a deployment is reached: nil for the client's own, and by the lab where the
// environment names one.
func way(u *url.URL) (*http.Client, error) {
	c, err := deployment.FromEnv()
	if err != nil || c.Transport.Lab == "" {
		return nil, err
	}
	return c.Transport.Client(func(host string) bool { return host == u.Hostname() })
}

func loopback(host string) bool { return host == "127.0.0.1" || host == "::1" || host == "localhost" }

func (r *remote) prove(u *url.URL, web *http.Client) (client.Proof, error) {
	kind, rest, _ := strings.Cut(r.proof, ":")
	switch {
	case kind != "":
	case strings.HasSuffix(u.Hostname(), ".on.aws"):
		kind = "sigv4"
	case strings.HasSuffix(u.Hostname(), ".run.app"), strings.HasSuffix(u.Hostname(), ".cloudfunctions.net"):
		kind = "cloudrun"
	default:
		return nil, fmt.Errorf("--proof is missing: %s is no address of a cloud's, so write sigv4, google, cloudrun, file:PATH or env:NAME", u.Hostname())
	}
	switch kind {
	case "sigv4":
		return signed(u, cmp.Or(web, http.DefaultClient))
	case "google":
		return client.Token(idToken(r.audience)), r.needsAudience()
	case "cloudrun":
		return client.CloudRun(idToken("https://"+u.Host), idToken(r.audience)), r.needsAudience()
	case "file":
		return client.Token(client.File(rest)), nil
	case "env":
		return client.Token(func(context.Context) (string, error) {
			if v := os.Getenv(rest); v != "" {
				return v, nil
			}
			return "", fmt.Errorf("%s is not set", rest)
		}), nil
	}
	return nil, fmt.Errorf("--proof is %q: write sigv4, google, cloudrun, file:PATH or env:NAME", r.proof)
}

func (r *remote) needsAudience() error {
	if r.audience == "" {
		return fmt.Errorf("--audience is missing: write the google_audience of the operator's carnet.yaml")
	}
	return nil
}

// signed signs for a function URL, whose Region is in its name.
func signed(u *url.URL, web *http.Client) (client.Proof, error) {
	region := os.Getenv("AWS_REGION")
	if _, rest, ok := strings.Cut(u.Hostname(), ".lambda-url."); ok {
		region, _, _ = strings.Cut(rest, ".")
	}
	if region == "" {
		return nil, fmt.Errorf("the URL names no Region: set AWS_REGION")
	}
	credentials, err := platform.Credentials(region, web)
	return client.SigV4(credentials, region), err
}

// idToken asks the metadata server for the machine's own ID token.
func idToken(audience string) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		query := url.Values{"audience": {audience}, "format": {"full"}}
		return metadata.GetWithContext(ctx, "instance/service-accounts/default/identity?"+query.Encode())
	}
}
