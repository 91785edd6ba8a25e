package awsid

import (
	"context"
	"net/http"
	"strings"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// Authorize signs a request without a body as the identity itself, for one of AWS's
// services in a Region.
func (i *Identity) Authorize(ctx context.Context, r *http.Request, service, region string) error {
	s, err := i.self(ctx)
	if err != nil {
		return err
	}
	r.Header.Set("X-Amz-Content-Sha256", hashOfNothing)
	return v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = service == "s3" }).SignHTTP(ctx, s.sdk(), r, hashOfNothing, service, region, i.cloud.clock.Now())
}

// Told learns AWS's clock from the header of an answer to a request that was authorized.
func (c *Cloud) Told(h http.Header) { c.clock.Learn(h) }

// Ours is when, by our own clock, AWS's clock shows t.
func (c *Cloud) Ours(t time.Time) time.Time { return c.clock.Ours(t) }

// Calls tells whether this package calls the host: those of the token service, of secrets, and of
// the bucket that a catalog is in.
func Calls(host string) bool {
	service, ok := ServiceOf(host)
	return ok && (service == "sts" || service == "secretsmanager" || service == "s3" || strings.HasSuffix(service, ".s3"))
}
