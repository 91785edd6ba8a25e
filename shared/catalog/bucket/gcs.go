package bucket

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
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

// Get implements [Store].
// https://cloud.google.com/storage/docs/xml-api/get-object-download
func (g GCS) Get(ctx context.Context, key, etag string) (Object, error) {
	resp, text, err := get(ctx, g.HTTP, g.Authorize, storage+g.Bucket+"/"+escaped(key), etag)
	if err != nil {
		return Object{}, err
	}
	if o, ok := object(resp, text); ok {
		return o, nil
	}
	switch {
	case resp.StatusCode == http.StatusNotFound && s3Code(text) != "NoSuchBucket":
		return Object{}, fs.ErrNotExist
	case resp.StatusCode == http.StatusForbidden:
		return Object{}, fmt.Errorf("answer of Cloud Storage: 403 Forbidden for %s: the runtime needs roles/storage.objectViewer on the bucket", key)
	}
	return Object{}, fmt.Errorf("answer of Cloud Storage: %s", resp.Status)
}

// List implements [Store].
// https://cloud.google.com/storage/docs/json_api/v1/objects/list
func (g GCS) List(ctx context.Context, prefix string) ([]string, error) {
	var names []string
	for next := ""; ; {
		query := url.Values{"prefix": {prefix}, "fields": {"items(name),nextPageToken"}}
		if next != "" {
			query.Set("pageToken", next)
		}
		resp, text, err := get(ctx, g.HTTP, g.Authorize, storage+"storage/v1/b/"+g.Bucket+"/o?"+query.Encode(), "")
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answer of Cloud Storage: %s to the listing of %s: the runtime needs roles/storage.objectViewer", resp.Status, prefix)
		}
		var page struct {
			Items []struct{ Name string }
			Next  string `json:"nextPageToken"`
		}
		if json.Unmarshal(text, &page) != nil {
			return nil, fmt.Errorf("the listing is no JSON of its shape")
		}
		for _, i := range page.Items {
			names = append(names, i.Name)
		}
		if next = page.Next; next == "" {
			return names, nil
		}
	}
}
