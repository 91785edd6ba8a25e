package deployment

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/bucket"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A source gives the catalog's files, and lists its tenants for schedules.
type source interface {
	catalog.Source
	Tenants(ctx context.Context) ([]string, error)
}

// source finds the catalog where it is: a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX.
// The runtime reads a bucket of its own cloud, as itself: a catalog behind a chain would
// need the catalog to be reached.
func (c Config) source() (source, error) {
	switch scheme, rest, ok := strings.Cut(c.Catalog, "://"); {
	case c.Catalog == "":
		return nil, errNoCatalog
	case !ok:
		return catalog.Folder{Dir: c.Catalog}, nil
	case scheme == "s3" && c.Runtime != onGCP:
		return c.s3(rest)
	case scheme == "gs" && c.Runtime != onAWS:
		return c.gcs(rest)
	case scheme == "s3" || scheme == "gs":
		return nil, fmt.Errorf("CARNET_CATALOG is %s, and this runtime is on the other cloud: a runtime reads a bucket of its own cloud, so put a copy of the catalog there", c.Catalog)
	}
	return nil, fmt.Errorf("CARNET_CATALOG is %q: write a folder, s3://BUCKET/PREFIX, or gs://BUCKET/PREFIX", c.Catalog)
}

func (c Config) s3(at string) (source, error) {
	name, prefix, query, err := place(at)
	if err != nil {
		return nil, err
	}
	region := cmp.Or(query.Get("region"), os.Getenv("AWS_REGION"))
	if region == "" {
		return nil, fmt.Errorf("CARNET_CATALOG is %s, and no Region is known: set AWS_REGION, or write s3://%s?region=eu-west-1", c.Catalog, at)
	}
	cloud := awsid.New(awsid.Config{Region: region, HTTP: c.HTTP})
	credentials, err := c.credentials(region)
	if err != nil {
		return nil, err
	}
	runtime := cloud.Runtime("the runtime", credentials)
	sign := func(ctx context.Context, r *http.Request) error { return runtime.Authorize(ctx, r, "s3", region) }
	return bucket.New(bucket.S3{Region: region, Bucket: name, HTTP: c.HTTP, Authorize: sign, Told: cloud.Told}, prefix), nil
}

func (c Config) gcs(at string) (source, error) {
	name, prefix, _, err := place(at)
	if err != nil {
		return nil, err
	}
	if c.Google == nil {
		return nil, errNotGoogle
	}
	runtime := gcpid.New(c.HTTP).Runtime("the runtime", c.Google)
	return bucket.New(bucket.GCS{Bucket: name, HTTP: c.HTTP, Authorize: runtime.Authorize}, prefix), nil
}

// place splits BUCKET/PREFIX?region=….
func place(at string) (name, prefix string, query url.Values, err error) {
	at, raw, _ := strings.Cut(at, "?")
	if query, err = url.ParseQuery(raw); err != nil {
		return "", "", nil, fmt.Errorf("CARNET_CATALOG: %w", err)
	}
	name, prefix, _ = strings.Cut(at, "/")
	if name == "" || strings.ContainsAny(name, "@:%# ") {
		return "", "", nil, fmt.Errorf("CARNET_CATALOG: %q is no bucket's name", name)
	}
	return name, prefix, query, nil
}
