package integration

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"carnet.dev/carnet/shared/exchange"
)

type s3Store struct {
	client *s3.Client
	bucket string
}

func (s s3Store) put(ctx context.Context, key string) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: strings.NewReader("x")})
	return err
}

func (s s3Store) get(ctx context.Context, key string) error {
	_, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
	return err
}

func (s s3Store) list(ctx context.Context, prefix string) error {
	_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(prefix)})
	return err
}

func (s s3Store) remove(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	return err
}

func openS3(client *http.Client, cred *exchange.Credential) s3Store {
	s := cred.Session
	return s3Store{bucket: cred.Place["bucket"], client: s3.New(s3.Options{
		Region: cred.Place["region"], HTTPClient: client, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal()),
	})}
}

// inParts uploads an object of two parts, and lists them on the way.
func (s s3Store) inParts(ctx context.Context, key string) error {
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n, size := range []int{5 << 20, 1} { // all but the last have 5 MiB
		part, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(make([]byte, size)),
		})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: part.ETag})
	}
	if _, err := s.client.ListParts(ctx, &s3.ListPartsInput{Bucket: &s.bucket, Key: &key, UploadId: up.UploadId}); err != nil {
		return err
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	return err
}

func (s s3Store) abandon(ctx context.Context, key string) error {
	up, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return err
	}
	_, err = s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: up.UploadId})
	return err
}

func (s s3Store) copyObject(ctx context.Context, from, to string) error {
	_, err := s.client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &s.bucket, Key: &to, CopySource: aws.String(s.bucket + "/" + from)})
	return err
}

// removeAll is one call, which succeeds whatever becomes of the objects.
func (s s3Store) removeAll(ctx context.Context, keys ...string) error {
	ask := new(types.Delete)
	for _, k := range keys {
		ask.Objects = append(ask.Objects, types.ObjectIdentifier{Key: aws.String(k)})
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.bucket, Delete: ask})
	if err == nil && len(out.Errors) > 0 {
		err = errors.New(aws.ToString(out.Errors[0].Code))
	}
	return err
}

// s3Operations are what a client of S3 does beside the simple things.
func s3Operations(s s3Store, grant exchange.Grant) []operation {
	reads := grant.Access == "" || grant.Access.CanRead()
	writes := grant.Access == "" || grant.Access.CanWrite()
	below := "from-operator/2026/"
	bucket := &s.bucket
	return []operation{
		{"upload in parts below", func(ctx context.Context) error { return s.inParts(ctx, below+"large") }, writes},
		{"upload in parts in a namesake", func(ctx context.Context) error { return s.inParts(ctx, "from-operator-2/large") }, false},
		{"abandon an upload below", func(ctx context.Context) error { return s.abandon(ctx, below+"large") }, writes},
		{"copy within", func(ctx context.Context) error { return s.copyObject(ctx, below+"a", below+"c") }, reads && writes},
		{"copy out of elsewhere", func(ctx context.Context) error { return s.copyObject(ctx, "theirs/a", below+"c") }, false},
		{"copy to elsewhere", func(ctx context.Context) error { return s.copyObject(ctx, below+"a", "theirs/c") }, false},
		{"delete many below", func(ctx context.Context) error { return s.removeAll(ctx, below+"b", below+"c") }, writes},
		{"delete many, one of them elsewhere", func(ctx context.Context) error { return s.removeAll(ctx, below+"b", "theirs/a") }, false},
		{"list with a delimiter", func(ctx context.Context) error {
			_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Prefix: &below, Delimiter: aws.String("/")})
			return err
		}, reads},
		{"list without a prefix", func(ctx context.Context) error {
			_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
			return err
		}, false},
		{"list versions", func(ctx context.Context) error {
			_, err := s.client.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: bucket, Prefix: &below})
			return err
		}, false},
		{"list uploads", func(ctx context.Context) error {
			_, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: &below})
			return err
		}, false},
		{"read the bucket's policy", func(ctx context.Context) error {
			_, err := s.client.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: bucket})
			return err
		}, false},
		{"give an object away", func(ctx context.Context) error {
			_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(below + "a"), Body: strings.NewReader("x"), ACL: types.ObjectCannedACLPublicRead})
			return err
		}, false},
		{"tag an object", func(ctx context.Context) error {
			_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: aws.String(below + "a"), Body: strings.NewReader("x"), Tagging: aws.String("a=b")})
			return err
		}, false},
	}
}

// TestWholeBucketAndOtherAlphabets: what a file says in two more ways. The lab takes a
// session policy's characters as AWS does.
func TestWholeBucketAndOtherAlphabets(t *testing.T) {
	_, dir := startSample(t)
	l := startWith(t, anything)
	change(t, dir, "acme", "bucket: acme-lake\n    prefixes: [from-operator/]", "bucket: acme-lake\n    whole_bucket: true")
	whole := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{}))
	below := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{Prefixes: []string{"日本/ü🙂/"}}))
	all := func(s s3Store) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket})
			return err
		}
	}
	tryAll(t, []operation{
		{"list all of it", all(whole), true},
		{"read any of it", func(ctx context.Context) error { return whole.put(ctx, "日本/a") }, true},
		{"list all of it, narrowed", all(below), false},
		{"write below", func(ctx context.Context) error { return below.put(ctx, "日本/ü🙂/a") }, true},
		{"read below", func(ctx context.Context) error { return below.get(ctx, "日本/ü🙂/a") }, true},
		{"list below", func(ctx context.Context) error { return below.list(ctx, "日本/ü🙂/") }, true},
		{"read above", func(ctx context.Context) error { return below.get(ctx, "日本/a") }, false},
	})
}

// anything is what a role may do that a customer made too wide: the session policy alone
// narrows it.
const anything = `
aws:
  accounts:
    "999988887777":
      roles:
        acme-share:
          policies:
            anything: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'
`

func TestS3GrantsThroughTheSDK(t *testing.T) {
	_, dir := startSample(t)
	l := startWith(t, anything)
	for name, grant := range grants() {
		t.Run(name, func(t *testing.T) {
			all := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{}))
			for _, key := range []string{"from-operator/a", "from-operator/2026/a", "from-operator/2026/b"} {
				if err := all.put(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			cred := narrowed(t, l, "aws", dir, "lake", grant)
			store := openS3(machine(t, l).Client(), cred)
			tryAll(t, bucketOperations(store, grant))
			tryAll(t, s3Operations(store, grant))
		})
	}
}

// TestEncryptedBucket: the role may do anything with the key, and the session has S3 use it
// alone, in uploads of parts as well.
func TestEncryptedBucket(t *testing.T) {
	const key = "arn:aws:kms:eu-west-1:999988887777:key/11112222-3333-4444-8555-666677778888"
	l := startWith(t, anything+`
      buckets: {acme-lake: {kms_key: `+key+`}}
`)
	_, dir := startSample(t)
	without := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{}))
	tryAll(t, []operation{{"write, and the file does not name the key", func(ctx context.Context) error { return without.put(ctx, "from-operator/a") }, false}})
	change(t, dir, "acme", "bucket: acme-lake", "bucket: acme-lake\n    kms_key: "+key)
	with := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{}))
	reader := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{Access: exchange.Read}))
	writer := openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{Access: exchange.Write}))
	tryAll(t, []operation{
		{"write with the key", func(ctx context.Context) error { return with.put(ctx, "from-operator/a") }, true},
		{"read with the key", func(ctx context.Context) error { return with.get(ctx, "from-operator/a") }, true},
		{"read as a reader", func(ctx context.Context) error { return reader.get(ctx, "from-operator/a") }, true},
		{"write as a reader", func(ctx context.Context) error { return reader.put(ctx, "from-operator/a") }, false},
		{"upload in parts as a writer", func(ctx context.Context) error { return writer.inParts(ctx, "from-operator/large") }, true},
		{"read as a writer", func(ctx context.Context) error { return writer.get(ctx, "from-operator/a") }, false},
	})
}
