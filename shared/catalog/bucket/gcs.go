package bucket

import (
	"context"
	"encoding/json"
	"errors"
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
		return Object{}, &RefusedError{"answer of Cloud Storage: 403 Forbidden for " + key + ": the runtime needs roles/storage.objectViewer on the bucket"}
	}
	return Object{}, answered("Cloud Storage", resp, s3Code(text))
}

// List implements [Store].
// https://cloud.google.com/storage/docs/json_api/v1/objects/list
func (g GCS) List(ctx context.Context, prefix string) ([]string, error) {
	return pages(func(next string) ([]string, string, error) {
		query := url.Values{"prefix": {prefix}, "fields": {"items(name),nextPageToken"}}
		if next != "" {
			query.Set("pageToken", next)
		}
		resp, text, err := get(ctx, g.HTTP, g.Authorize, storage+"storage/v1/b/"+g.Bucket+"/o?"+query.Encode(), "")
		if err != nil {
			return nil, "", err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, "", fmt.Errorf("listing %s, for which the runtime needs roles/storage.objectViewer: %w", prefix, answered("Cloud Storage", resp, ""))
		}
		var page struct {
			Items []struct{ Name string }
			Next  string `json:"nextPageToken"`
		}
		if json.Unmarshal(text, &page) != nil {
			return nil, "", errors.New("the listing is no JSON of its shape")
		}
		names := make([]string, 0, len(page.Items))
		for _, i := range page.Items {
			names = append(names, i.Name)
		}
		return names, page.Next, nil
	})
}
