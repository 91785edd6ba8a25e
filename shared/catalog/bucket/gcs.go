package bucket

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// GCS is a bucket of Cloud Storage, by the XML API for objects, which has ETags, and the
// JSON API for listing.
type GCS struct {
	Bucket    string
	HTTP      *http.Client
	Authorize Authorize // shows a bearer token
}

const storage = "https://storage.googleapis.com/"

func (g GCS) endpoint() endpoint {
	return endpoint{"Cloud Storage", g.HTTP, g.Authorize, nil, "roles/storage.objectViewer"}
}

// Get implements [Store].
// https://cloud.google.com/storage/docs/xml-api/get-object-download
func (g GCS) Get(ctx context.Context, key, etag string) (Object, error) {
	return g.endpoint().object(ctx, storage+g.Bucket+"/"+escaped(key), etag, func(resp *http.Response, _ string) string {
		if resp.StatusCode != http.StatusForbidden {
			return ""
		}
		return "403 Forbidden for " + key + ": the runtime needs roles/storage.objectViewer on the bucket"
	})
}

// List implements [Store].
// https://cloud.google.com/storage/docs/json_api/v1/objects/list
func (g GCS) List(ctx context.Context, prefix string) ([]string, error) {
	query := url.Values{"prefix": {prefix}, "fields": {"items(name),nextPageToken"}}
	return g.endpoint().list(ctx, storage+"storage/v1/b/"+g.Bucket+"/o?", query, "pageToken", func(text []byte) (names []string, next string, err error) {
		var page struct {
			Items []struct{ Name string }
			Next  string `json:"nextPageToken"`
		}
		if json.Unmarshal(text, &page) != nil {
			return nil, "", errors.New("the listing is no JSON of its shape")
		}
		for _, i := range page.Items {
			names = append(names, i.Name)
		}
		return names, page.Next, nil
	})
}
