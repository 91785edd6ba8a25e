package bucket_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/catalog/bucket"
)

// A wire answers requests in the place of a cloud.
type wire func(*http.Request) (status int, body string)

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get("Authorization") != "ours" {
		return nil, errors.New("the request is not ours")
	}
	status, body := w(r)
	return &http.Response{
		StatusCode: status, Status: fmt.Sprint(status, " ", http.StatusText(status)), Header: http.Header{"Etag": {`"e1"`}},
		Body: io.NopCloser(strings.NewReader(body)), Request: r,
	}, nil
}

func ours(_ context.Context, r *http.Request) error {
	r.Header.Set("Authorization", "ours")
	return nil
}

func s3(name, region string, w wire) bucket.S3 {
	return bucket.S3{Region: region, Bucket: name, HTTP: &http.Client{Transport: w}, Authorize: ours}
}

func gcs(w wire) bucket.GCS {
	return bucket.GCS{Bucket: "b", HTTP: &http.Client{Transport: w}, Authorize: ours}
}

func TestWhereAnObjectIs(t *testing.T) {
	var asked string
	found := func(r *http.Request) (int, string) {
		asked = r.Method + " " + r.URL.String()
		return http.StatusOK, "text"
	}
	for want, store := range map[string]bucket.Store{
		"GET https://b.s3.eu-west-1.amazonaws.com/live/a%2Bb%20%C3%A9/carnet.yaml":             s3("b", "eu-west-1", found),
		"GET https://s3.eu-west-1.amazonaws.com/b.example.com/live/a%2Bb%20%C3%A9/carnet.yaml": s3("b.example.com", "eu-west-1", found),
		"GET https://b.s3.cn-north-1.amazonaws.com.cn/live/a%2Bb%20%C3%A9/carnet.yaml":         s3("b", "cn-north-1", found),
		"GET https://storage.googleapis.com/b/live/a%2Bb%20%C3%A9/carnet.yaml":                 gcs(found),
	} {
		o, err := store.Get(t.Context(), "live/a+b é/carnet.yaml", "")
		if err != nil || string(o.Text) != "text" || o.ETag != `"e1"` || asked != want {
			t.Errorf("%s: %+v, %v", asked, o, err)
		}
	}
}

func TestWhatIsUnchangedIsNotSent(t *testing.T) {
	same := func(r *http.Request) (int, string) {
		if r.Header.Get("If-None-Match") != `"e1"` {
			return http.StatusOK, "text"
		}
		return http.StatusNotModified, ""
	}
	for _, store := range []bucket.Store{s3("b", "eu-west-1", same), gcs(same)} {
		if o, err := store.Get(t.Context(), "k", `"e1"`); err != nil || !o.Unchanged || o.Text != nil {
			t.Errorf("%T: %+v, %v", store, o, err)
		}
	}
}

// TestAnAnswerThatIsNoObject: what is missing is told from what is forbidden, and both from
// what may be answered in a moment.
func TestAnAnswerThatIsNoObject(t *testing.T) {
	missing, refused, later := "missing", "refused", "later"
	for _, x := range []struct {
		google bool
		status int
		body   string
		is     string
		hint   string
	}{
		{false, 404, "<Error><Code>NoSuchKey</Code></Error>", missing, ""},
		{false, 404, "<Error><Code>NoSuchBucket</Code></Error>", refused, "NoSuchBucket"},
		{false, 403, "<Error><Code>AccessDenied</Code></Error>", refused, "s3:ListBucket"},
		{false, 403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", refused, "SignatureDoesNotMatch"},
		{false, 301, "<Error><Code>PermanentRedirect</Code></Error>", refused, "?region="},
		{false, 400, "<Error><Code>AuthorizationHeaderMalformed</Code></Error>", refused, "?region="},
		{false, 400, "<Error><Code>ExpiredToken</Code></Error>", refused, "400 Bad Request ExpiredToken"},
		{false, 503, "<Error><Code>SlowDown</Code></Error>", later, "SlowDown"},
		{false, 500, "no XML", later, "500"},
		{false, 200, strings.Repeat("#", 1<<20+1), later, "bytes"},
		{true, 404, "<Error><Code>NoSuchKey</Code></Error>", missing, ""},
		{true, 404, "<Error><Code>NoSuchBucket</Code></Error>", refused, "NoSuchBucket"},
		{true, 403, "<Error><Code>AccessDenied</Code></Error>", refused, "roles/storage.objectViewer"},
		{true, 401, "", refused, "401"},
		{true, 429, "", later, "429"},
		{true, 503, "", later, "503"},
	} {
		answer := func(*http.Request) (int, string) { return x.status, x.body }
		var store bucket.Store = s3("b", "eu-west-1", answer)
		if x.google {
			store = gcs(answer)
		}
		_, err := store.Get(t.Context(), "live/tenants/acme.yaml", "")
		var never *bucket.RefusedError
		is := later
		switch {
		case errors.Is(err, fs.ErrNotExist):
			is = missing
		case errors.As(err, &never):
			is = refused
		}
		if err == nil || is != x.is || !strings.Contains(err.Error(), x.hint) {
			t.Errorf("%T %d %.60s: %s, %v", store, x.status, x.body, is, err)
		}
	}
}

func TestAListingHasPages(t *testing.T) {
	amazon := func(r *http.Request) (int, string) {
		switch q := r.URL.Query(); {
		case q.Get("list-type") != "2" || q.Get("prefix") != "live/tenants/":
			return http.StatusBadRequest, ""
		case q.Get("continuation-token") == "":
			return 200, "<ListBucketResult><Contents><Key>live/tenants/acme.yaml</Key></Contents><NextContinuationToken>a=+/</NextContinuationToken></ListBucketResult>"
		case q.Get("continuation-token") != "a=+/":
			return http.StatusBadRequest, ""
		}
		return 200, "<ListBucketResult><Contents><Key>live/tenants/globex.yaml</Key></Contents></ListBucketResult>"
	}
	google := func(r *http.Request) (int, string) {
		switch q := r.URL.Query(); {
		case r.URL.Path != "/storage/v1/b/b/o" || q.Get("prefix") != "live/tenants/":
			return http.StatusBadRequest, ""
		case q.Get("pageToken") == "":
			return 200, `{"items":[{"name":"live/tenants/acme.yaml"}],"nextPageToken":"2"}`
		}
		return 200, `{"items":[{"name":"live/tenants/globex.yaml"}]}`
	}
	for _, store := range []bucket.Store{s3("b", "eu-west-1", amazon), gcs(google)} {
		names, err := bucket.New(store, "live").Tenants(t.Context())
		if err != nil || strings.Join(names, " ") != "acme globex" {
			t.Errorf("%T: %v, %v", store, names, err)
		}
	}
}

func TestAListingThatCannotBeTrusted(t *testing.T) {
	for body, hint := range map[string]string{
		"<ListBucketResult><NextContinuationToken>2</NextContinuationToken></ListBucketResult>": "does not go on",
		"no XML": "no XML",
	} {
		_, err := s3("b", "eu-west-1", func(*http.Request) (int, string) { return 200, body }).List(t.Context(), "")
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("%s: %v", body, err)
		}
	}
	_, err := gcs(func(*http.Request) (int, string) { return 403, "" }).List(t.Context(), "live/")
	if err == nil || !strings.Contains(err.Error(), "roles/storage.objectViewer") {
		t.Errorf("%v", err)
	}
}
