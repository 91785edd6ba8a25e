package bucket

import (
	"context"
	"encoding/xml"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
)

// S3 is a bucket of S3. It speaks two operations of the REST API itself: the SDK's client
// for them would be the largest thing in the function.
type S3 struct {
	Region, Bucket string
	HTTP           *http.Client
	Authorize      Authorize // signs for s3, with the hash of an empty body in X-Amz-Content-Sha256
}

// base is the bucket's address. A name with a dot matches no certificate as a host.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
func (s S3) base() string {
	suffix := ".amazonaws.com"
	if strings.HasPrefix(s.Region, "cn-") {
		suffix += ".cn"
	}
	if strings.Contains(s.Bucket, ".") {
		return "https://s3." + s.Region + suffix + "/" + s.Bucket
	}
	return "https://" + s.Bucket + ".s3." + s.Region + suffix
}

// Get implements [Store].
func (s S3) Get(ctx context.Context, key, etag string) (Object, error) {
	resp, text, err := get(ctx, s.HTTP, s.Authorize, s.base()+"/"+escaped(key), etag)
	if err != nil {
		return Object{}, err
	}
	if o, ok := object(resp, text); ok {
		return o, nil
	}
	switch code := s3Code(text); {
	case resp.StatusCode == http.StatusNotFound && code != "NoSuchBucket":
		return Object{}, fs.ErrNotExist
	case code == "AccessDenied":
		// S3 says this of a missing key, too, to whoever may not list.
		return Object{}, fmt.Errorf("answer of S3: AccessDenied for %s: the runtime needs s3:GetObject on the prefix, and s3:ListBucket on the bucket to be told of a missing key", key)
	default:
		return Object{}, fmt.Errorf("answer of S3: %s %s", resp.Status, code)
	}
}

func s3Code(text []byte) string {
	var e struct{ Code string }
	if xml.Unmarshal(text, &e) != nil {
		return ""
	}
	return e.Code
}

// List implements [Store].
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s S3) List(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	for next := ""; ; {
		query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
		if next != "" {
			query.Set("continuation-token", next)
		}
		resp, text, err := get(ctx, s.HTTP, s.Authorize, s.base()+"/?"+query.Encode(), "")
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("answer of S3: %s %s to the listing of %s: the runtime needs s3:ListBucket", resp.Status, s3Code(text), prefix)
		}
		var page struct {
			Contents []struct{ Key string }
			Next     string `xml:"NextContinuationToken"`
		}
		if err := xml.Unmarshal(text, &page); err != nil {
			return nil, fmt.Errorf("the listing is no XML of its shape: %w", err)
		}
		for _, c := range page.Contents {
			keys = append(keys, c.Key)
		}
		if next = page.Next; next == "" {
			return keys, nil
		}
	}
}

// escaped writes a key into a path, its slashes as they are.
func escaped(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}
