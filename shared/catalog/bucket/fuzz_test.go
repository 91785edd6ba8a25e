package bucket_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/catalog/bucket"
)

// An answering way out says the same to whoever asks, and after it nothing more.
type answering struct {
	status int
	text   string
	asked  *int
}

// RoundTrip implements [http.RoundTripper].
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if *a.asked++; *a.asked > 3 {
		return nil, io.ErrUnexpectedEOF
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(a.text)), Request: r}, nil
}

// FuzzListing: whatever a store answers, a listing ends, and a listing or an error comes of it.
func FuzzListing(f *testing.F) {
	for _, text := range []string{
		`<ListBucketResult><Contents><Key>c/tenants/acme.yaml</Key></Contents></ListBucketResult>`,
		`<ListBucketResult><NextContinuationToken>n</NextContinuationToken></ListBucketResult>`,
		`<Error><Code>NoSuchBucket</Code></Error>`, `{"items":[{"name":"c/tenants/acme.yaml"}]}`, `{"nextPageToken":"n"}`, `{}`, ``, `<`, `[`,
	} {
		f.Add(200, text)
		f.Add(403, text)
	}
	none := func(context.Context, *http.Request) error { return nil }
	f.Fuzz(func(t *testing.T, status int, text string) {
		if status < 100 || status > 999 {
			return
		}
		asked := 0
		client := &http.Client{Transport: answering{status, text, &asked}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for _, store := range []bucket.Store{bucket.S3{Region: "eu-west-1", Bucket: "b", HTTP: client, Authorize: none}, bucket.GCS{Bucket: "b", HTTP: client, Authorize: none}} {
			asked = 0
			if keys, err := store.List(t.Context(), "c/"); err == nil && status != http.StatusOK {
				t.Errorf("%d lists %q", status, keys)
			}
			asked = 0
			if o, err := store.Get(t.Context(), "c/k", ""); err == nil && status != http.StatusOK && status != http.StatusNotModified {
				t.Errorf("%d is an object: %+v", status, o)
			}
		}
	})
}
