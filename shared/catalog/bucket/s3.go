package bucket

import (
	"context"
	"encoding/xml"
	"fmt"
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
	// Told gets the header of each answer, whose Date says what time the next signature
	// must have. Nil: nobody does.
	Told func(http.Header)
}

func (s S3) endpoint() endpoint {
	return endpoint{"S3", s.HTTP, s.Authorize, s.Told, "s3:ListBucket"}
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
	return s.endpoint().object(ctx, s.base()+"/"+escaped(key), etag, func(resp *http.Response, code string) string {
		switch code {
		case "AccessDenied":
			// S3 says this of a missing key, too, to whoever may not list.
			return "AccessDenied for " + key + ": the runtime needs s3:GetObject on the prefix, and s3:ListBucket on the bucket to be told of a missing key"
		case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed":
			return resp.Status + " " + code + ": is the bucket in " + s.Region + "? If it is not, write s3://" + s.Bucket + "/PREFIX?region=ITS_REGION"
		}
		return ""
	})
}

// errorCode reads the XML of an error, which both stores write alike.
func errorCode(text []byte) string {
	var e struct{ Code string }
	if xml.Unmarshal(text, &e) != nil {
		return ""
	}
	return e.Code
}

// List implements [Store].
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
func (s S3) List(ctx context.Context, prefix string) ([]string, error) {
	query := url.Values{"list-type": {"2"}, "prefix": {prefix}}
	return s.endpoint().list(ctx, s.base()+"/?", query, "continuation-token", func(text []byte) (keys []string, next string, err error) {
		var page struct {
			Contents []struct{ Key string }
			Next     string `xml:"NextContinuationToken"`
		}
		if err := xml.Unmarshal(text, &page); err != nil {
			return nil, "", fmt.Errorf("the listing is no XML of its shape: %w", err)
		}
		for _, c := range page.Contents {
			keys = append(keys, c.Key)
		}
		return keys, page.Next, nil
	})
}

// escaped writes a key into a path, its slashes as they are. All else but letters, digits
// and -_.~ is escaped, as the signature wants it.
func escaped(key string) string {
	return strings.NewReplacer("%2F", "/", "+", "%20").Replace(url.QueryEscape(key))
}
