package deployment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
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

// A place is where the catalog is.
type place struct {
	folder         string // empty: a bucket
	cloud          string
	bucket, prefix string
	region         string // of a bucket of S3
}

// place reads the catalog's: a folder, s3://BUCKET/PREFIX?region=…, gs://BUCKET/PREFIX. The
// runtime reads a bucket of its own cloud, as itself: a catalog behind a chain would need
// the catalog to be reached.
func (c Config) place() (p place, err error) {
	scheme, rest, ok := strings.Cut(c.Catalog, "://")
	switch {
	case c.Catalog == "":
		return p, errNoCatalog
	case !ok:
		return place{folder: c.Catalog}, nil
	case bucketsCloud(c.Catalog) == "":
		return p, fmt.Errorf("CARNET_CATALOG is %q: write a folder, s3://BUCKET/PREFIX, or gs://BUCKET/PREFIX", c.Catalog)
	}
	if p, err = inBucket(rest); err != nil {
		return p, fmt.Errorf("CARNET_CATALOG is %q: %w", c.Catalog, err)
	}
	p.cloud = bucketsCloud(c.Catalog)
	switch own := c.platform(); {
	case (own == onAWS || own == onGCP) && own != p.cloud:
		return p, fmt.Errorf("CARNET_CATALOG is %s, and this runtime is on the other cloud: a runtime reads a bucket of its own cloud, so put a copy of the catalog there", c.Catalog)
	case scheme == "gs" && p.region != "":
		return p, fmt.Errorf("CARNET_CATALOG is %s: a bucket of Cloud Storage is found without its region: leave it out", c.Catalog)
	case scheme == "s3":
		if p.region = cmp.Or(p.region, os.Getenv("AWS_REGION")); p.region == "" {
			return p, fmt.Errorf("CARNET_CATALOG is %s, and no Region is known: set AWS_REGION, or write s3://%s?region=eu-west-1", c.Catalog, rest)
		}
	}
	return p, nil
}

// bucketsCloud is the cloud that a bucket is on; empty for what is no bucket.
func bucketsCloud(at string) string {
	switch scheme, _, _ := strings.Cut(at, "://"); {
	case scheme == "s3" && scheme != at:
		return onAWS
	case scheme == "gs" && scheme != at:
		return onGCP
	}
	return ""
}

// inBucket splits BUCKET/PREFIX?region=….
func inBucket(at string) (p place, err error) {
	at, raw, _ := strings.Cut(at, "?")
	query, err := url.ParseQuery(raw)
	if err != nil {
		return p, err
	}
	p.region = query.Get("region")
	if len(query) > 1 || len(query) == 1 && (len(query["region"]) != 1 || !regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]$`).MatchString(p.region)) {
		return p, errors.New("behind the ? stands the bucket's Region and nothing else, such as ?region=eu-west-1")
	}
	p.bucket, p.prefix, _ = strings.Cut(at, "/")
	if !regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`).MatchString(p.bucket) {
		return p, fmt.Errorf("%q is no bucket's name", p.bucket)
	}
	if err := catalog.CheckPrefix(p.prefix); err != nil {
		return p, fmt.Errorf("the prefix %w", err)
	}
	return p, nil
}

// source finds the catalog where it is.
func (c Config) source() (source, error) {
	p, err := c.place()
	switch {
	case err != nil:
		return nil, err
	case p.folder != "":
		return catalog.Folder{Dir: p.folder}, nil
	case p.cloud == onGCP:
		runtime := gcpid.New(c.HTTP).Runtime("the runtime")
		return bucket.New(bucket.GCS{Bucket: p.bucket, HTTP: c.HTTP, Authorize: runtime.Authorize}, p.prefix), nil
	}
	credentials, err := c.credentials(p.region)
	if err != nil {
		return nil, err
	}
	runtime := awsid.New(awsid.Config{Region: p.region, HTTP: c.HTTP}).Runtime("the runtime", credentials)
	sign := func(ctx context.Context, r *http.Request) error { return runtime.Authorize(ctx, r, "s3", p.region) }
	return bucket.New(bucket.S3{Region: p.region, Bucket: p.bucket, HTTP: c.HTTP, Authorize: sign}, p.prefix), nil
}
