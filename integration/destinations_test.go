package integration

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/bigquery"
	"cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/redshiftdata"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/jackc/pgx/v5"
	"github.com/snowflakedb/gosnowflake"
	"golang.org/x/oauth2"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/exchange"
)

// What is vended is used here as jobs use it, with the vendors' own clients. Each kind
// has a table of what a grant may and may not do.

type operation struct {
	name    string
	do      func(context.Context) error
	allowed bool
}

func tryAll(t *testing.T, operations []operation) {
	t.Helper()
	for _, op := range operations {
		err := op.do(t.Context())
		if (err == nil) != op.allowed {
			t.Errorf("%s: allowed is %v, and the answer %v", op.name, op.allowed, err)
		}
	}
}

func narrowed(t *testing.T, l *lab.Lab, runtime, dir, destination string, grant exchange.Grant) *exchange.Credential {
	t.Helper()
	cred, err := deploy(t, l, runtime, dir).Broker.Vend(t.Context(), exchange.Request{
		Caller: exchange.Console, Tenant: "acme", Destination: destination, Grant: grant,
	})
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

func machine(t *testing.T, l *lab.Lab) *lab.Machine {
	t.Helper()
	m, err := l.Machine("")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A store is a bucket through a client.
type store interface {
	put(ctx context.Context, key string) error
	get(ctx context.Context, key string) error
	list(ctx context.Context, prefix string) error
	remove(ctx context.Context, key string) error
}

// bucketOperations is the table for a bucket whose catalog grants from-operator/.
func bucketOperations(s store, grant exchange.Grant) []operation {
	reads := grant.Access == "" || grant.Access.CanRead()
	writes := grant.Access == "" || grant.Access.CanWrite()
	whole := len(grant.Prefixes) == 0 // all that the catalog grants
	put := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.put(ctx, key) }
	}
	get := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.get(ctx, key) }
	}
	list := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.list(ctx, key) }
	}
	remove := func(key string) func(context.Context) error {
		return func(ctx context.Context) error { return s.remove(ctx, key) }
	}
	return []operation{
		{"write below", put("from-operator/2026/a"), writes},
		{"replace below", put("from-operator/2026/a"), writes},
		{"read below", get("from-operator/2026/a"), reads},
		{"list below", list("from-operator/2026/"), reads},
		{"delete below", remove("from-operator/2026/b"), writes},
		{"write above", put("from-operator/a"), writes && whole},
		{"read above", get("from-operator/a"), reads && whole},
		{"list above", list("from-operator/"), reads && whole},
		{"write in a namesake", put("from-operator-2/a"), false},
		{"read in a namesake", get("from-operator-2/a"), false},
		{"list a namesake", list("from-operator-2/"), false},
		{"list without the slash", list("from-operator"), false},
		{"list everything", list(""), false},
		{"delete elsewhere", remove("theirs/a"), false},
		{"read elsewhere", get("theirs/a"), false},
	}
}

// grants are what a job may ask for where the catalog grants read_write under
// from-operator/.
func grants() map[string]exchange.Grant {
	below := []string{"from-operator/2026/"}
	return map[string]exchange.Grant{
		"all":         {},
		"read":        {Access: exchange.Read},
		"write":       {Access: exchange.Write},
		"below":       {Prefixes: below},
		"read below":  {Access: exchange.Read, Prefixes: below},
		"write below": {Access: exchange.Write, Prefixes: below},
	}
}

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

type gcsStore struct{ bucket *storage.BucketHandle }

func (s gcsStore) put(ctx context.Context, key string) error {
	w := s.bucket.Object(key).NewWriter(ctx)
	if _, err := io.WriteString(w, "x"); err != nil {
		return err
	}
	return w.Close()
}

func (s gcsStore) get(ctx context.Context, key string) error {
	r, err := s.bucket.Object(key).NewReader(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}

func (s gcsStore) list(ctx context.Context, prefix string) error {
	_, err := s.bucket.Objects(ctx, &storage.Query{Prefix: prefix}).Next()
	if errors.Is(err, iterator.Done) {
		return nil
	}
	return err
}

func (s gcsStore) remove(ctx context.Context, key string) error {
	return s.bucket.Object(key).Delete(ctx)
}

// withToken is an HTTP client that shows the vended token, as Google's clients take one.
func withToken(client *http.Client, cred *exchange.Credential) option.ClientOption {
	source := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: cred.Token.AccessToken.Reveal(), TokenType: "Bearer", Expiry: cred.Expires})
	return option.WithHTTPClient(&http.Client{Transport: &oauth2.Transport{Source: source, Base: client.Transport}})
}

func openGCS(t *testing.T, l *lab.Lab, cred *exchange.Credential) gcsStore {
	t.Helper()
	client, err := storage.NewClient(t.Context(), withToken(machine(t, l).Client(), cred))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	client.SetRetry(storage.WithPolicy(storage.RetryNever))
	return gcsStore{client.Bucket(cred.Place["bucket"])}
}

func TestGCSGrantsThroughGooglesClient(t *testing.T) {
	l, dir := startSample(t)
	for name, grant := range grants() {
		t.Run(name, func(t *testing.T) {
			all := openGCS(t, l, narrowed(t, l, "gcp", dir, "drop", exchange.Grant{}))
			for _, key := range []string{"from-operator/a", "from-operator/2026/a", "from-operator/2026/b"} {
				if err := all.put(t.Context(), key); err != nil {
					t.Fatal(err)
				}
			}
			cred := narrowed(t, l, "gcp", dir, "drop", grant)
			tryAll(t, bucketOperations(openGCS(t, l, cred), grant))
		})
	}
}

// TestABoundaryLeavesCloudStorageAlone: the account that the token stands for may also use a
// dataset and read secrets; the token may not.
func TestABoundaryLeavesCloudStorageAlone(t *testing.T) {
	l, dir := startSample(t)
	for _, runtime := range []string{"aws", "gcp"} {
		cred := narrowed(t, l, runtime, dir, "drop", exchange.Grant{})
		cred.Place["project"] = "acme-prod"
		elsewhere := openBigQuery(t, l, cred)
		tryAll(t, []operation{
			{"a dataset of the account's", func(ctx context.Context) error {
				_, err := elsewhere.Dataset("shared").Metadata(ctx)
				return err
			}, false},
		})
	}
}

type greeting struct {
	Greeting string `bigquery:"greeting"`
}

func TestBigQueryGrantsThroughGooglesClient(t *testing.T) {
	l, dir := startSample(t)
	first := openBigQuery(t, l, narrowed(t, l, "gcp", dir, "warehouse", exchange.Grant{}))
	if err := first.Dataset("shared").Table("seen").Create(t.Context(), &bigquery.TableMetadata{Schema: greetings()}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		grant                 exchange.Grant
		insert, create, reads bool
	}{
		"all":   {exchange.Grant{}, true, true, true},
		"read":  {exchange.Grant{Access: exchange.Read}, false, false, true},
		"write": {exchange.Grant{Access: exchange.Write}, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			client := openBigQuery(t, l, narrowed(t, l, "gcp", dir, "warehouse", c.grant))
			seen := client.Dataset("shared").Table("seen")
			tryAll(t, []operation{
				{"stream rows in", func(ctx context.Context) error { return seen.Inserter().Put(ctx, greeting{"hello"}) }, c.insert},
				{"make a table", func(ctx context.Context) error {
					return client.Dataset("shared").Table("made_"+name).Create(ctx, &bigquery.TableMetadata{Schema: greetings()})
				}, c.create},
				{"read rows", func(ctx context.Context) error { return rows(seen.Read(ctx)) }, c.reads},
				{"query", func(ctx context.Context) error {
					return rowOf(client.Query("select * from `acme-prod.shared.seen`").Read(ctx))
				}, c.reads},
				{"read another dataset", func(ctx context.Context) error { return rows(client.Dataset("private").Table("t").Read(ctx)) }, false},
				{"read another project", func(ctx context.Context) error {
					return rows(client.DatasetInProject("globex-data", "inbox").Table("t").Read(ctx))
				}, false},
			})
		})
	}
}

func greetings() bigquery.Schema {
	return bigquery.Schema{{Name: "greeting", Type: bigquery.StringFieldType}}
}

func rows(it *bigquery.RowIterator) error { return rowOf(it, nil) }

func rowOf(rows *bigquery.RowIterator, err error) error {
	if err != nil {
		return err
	}
	var g greeting
	err = rows.Next(&g)
	if errors.Is(err, iterator.Done) {
		return nil
	}
	return err
}

func openBigQuery(t *testing.T, l *lab.Lab, cred *exchange.Credential) *bigquery.Client {
	t.Helper()
	client, err := bigquery.NewClient(t.Context(), cred.Place["project"], withToken(machine(t, l).Client(), cred))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

// openPG logs in with pgx and the connection string as it was vended.
func openPG(ctx context.Context, m *lab.Machine, dsn string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the connection string cannot be read")
	}
	config.DialFunc = m.Dial
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	config.TLSConfig.RootCAs = m.Roots()
	return pgx.ConnectConfig(ctx, config)
}

// redshifts are destinations in one file, over one world.
const redshifts = `
tenant: acme
identities:
  aws: {role: arn:aws:iam::111122223333:role/carnet-t-acme, external_id: 5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21}
callers: [{aws: arn:aws:iam::111122223333:role/sync-worker}]
destinations:
  iam: &at
    kind: redshift
    role: arn:aws:iam::999988887777:role/acme-marts
    external_id: 9d2c7b1e-4a55-4f0e-8d13-1c6f2e9a7b34
    region: eu-west-1
    cluster: acme-dw
    database: analytics
    verified: 2026-11-20
`

// redshiftCase is a destination's keys beside those that all of them have, and what
// must hold of it.
type redshiftCase struct {
	keys     string
	policy   string // of the role, beside the sample's
	user     string // as returned
	host     string
	refused  string // the code with which the vend is refused; empty if it is not
	at       string // the call that was refused, where it matters
	badLogin bool   // vended, and no good in the database
	table    string // may be read and written; greetings where empty
}

func TestRedshiftLoginsThroughPgx(t *testing.T) {
	const dw = "acme-dw.c1x2y3z4.eu-west-1.redshift.amazonaws.com"
	const arn = `arn:aws:redshift:eu-west-1:999988887777:`
	asLoader := `{"Effect":"Allow","Action":"redshift:GetClusterCredentials","Resource":["` + arn + `dbuser:acme-dw/loader","` + arn + `dbname:acme-dw/analytics"]}`
	for name, c := range map[string]redshiftCase{
		"as the role, the host in the file": {keys: "host: " + dw, user: "IAMR:acme-marts", host: dw},
		"as the role, the host looked up":   {policy: `{"Effect":"Allow","Action":"redshift:DescribeClusters","Resource":"` + arn + `cluster:acme-dw"}`, user: "IAMR:acme-marts", host: dw},
		"the host may not be looked up":     {refused: "AccessDenied", at: "redshift:DescribeClusters"},
		"by the cluster's own domain":       {keys: "custom_domain: dw.acme.example", user: "IAMR:acme-marts", host: "dw.acme.example"},
		"as a user of the database":         {keys: "host: " + dw + "\n    user: loader", policy: asLoader, user: "IAM:loader", host: dw, table: "loads"},
		"as a user, who may not":            {keys: "host: " + dw + "\n    user: loader", refused: "AccessDenied"},
		"as a user who does not exist":      {keys: "host: " + dw + "\n    user: nobody", policy: strings.ReplaceAll(asLoader, "loader", "nobody"), user: "IAM:nobody", host: dw, badLogin: true},
		"as a user who is made then":        {keys: "host: " + dw + "\n    user: fresh\n    create_user: true\n    groups: [writers]", policy: strings.ReplaceAll(asLoader, "loader", "fresh") + `,{"Effect":"Allow","Action":["redshift:CreateClusterUser"],"Resource":"` + arn + `dbuser:acme-dw/fresh"},{"Effect":"Allow","Action":"redshift:JoinGroup","Resource":"` + arn + `dbgroup:acme-dw/writers"}`, user: "IAMA:fresh", host: dw, table: "shared"},
		"in a group that it may not join":   {keys: "host: " + dw + "\n    user: loader\n    groups: [writers]", policy: asLoader, refused: "AccessDenied"},
		"made, though it may make no one":   {keys: "host: " + dw + "\n    user: loader\n    create_user: true", policy: asLoader, refused: "AccessDenied"},
		"at a workgroup":                    {keys: "workgroup: acme-wg", policy: `{"Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"arn:aws:redshift-serverless:eu-west-1:999988887777:workgroup/11111111-2222-4333-8444-555555555555"}`, user: "IAMR:acme-marts", host: "acme-wg.999988887777.eu-west-1.redshift-serverless.amazonaws.com"},
		"at a workgroup's own domain":       {keys: "workgroup: acme-wg\n    custom_domain: wg.acme.example", policy: `{"Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"arn:aws:redshift-serverless:eu-west-1:999988887777:workgroup/11111111-2222-4333-8444-555555555555"}`, user: "IAMR:acme-marts", host: "wg.acme.example"},
		"at a workgroup nobody granted":     {keys: "workgroup: acme-wg", refused: "AccessDeniedException"},
	} {
		t.Run(name, func(t *testing.T) { tryRedshift(t, c) })
	}
}

func tryRedshift(t *testing.T, c redshiftCase) {
	l, dir := startRedshift(t, c)
	cred, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "iam")
	if c.refused != "" {
		var edge *exchange.EdgeError
		if !errors.As(err, &edge) || edge.Code != c.refused || edge.Owner != exchange.ThirdParty {
			t.Fatalf("%v, and not refused with %s by the third party", err, c.refused)
		}
		if c.at != "" && edge.Edge.Op != c.at {
			t.Errorf("refused at %s, not %s", edge.Edge.Op, c.at)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if cred.Login.User != c.user || cred.Place["host"] != c.host || cred.Place["port"] != "5439" {
		t.Fatalf("%s at %s:%s, not %s at %s", cred.Login.User, cred.Place["host"], cred.Place["port"], c.user, c.host)
	}
	conn, err := openPG(t.Context(), machine(t, l), cred.Login.DSN.Reveal())
	if c.badLogin {
		if err == nil {
			t.Fatal("a user that does not exist is logged in")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	table := c.table
	if table == "" {
		table = "greetings"
	}
	tryAll(t, []operation{
		{"write", func(ctx context.Context) error {
			_, err := conn.Exec(ctx, "insert into "+table+" values ('it''s me')")
			return err
		}, true},
		{"read", func(ctx context.Context) error {
			var got string
			return conn.QueryRow(ctx, "select greeting from "+table).Scan(&got)
		}, true},
		{"read what nobody granted", func(ctx context.Context) error {
			var got string
			return conn.QueryRow(ctx, "select greeting from salaries").Scan(&got)
		}, false},
		{"log in to another database", func(ctx context.Context) error {
			other, err := openPG(ctx, machine(t, l), strings.Replace(cred.Login.DSN.Reveal(), "/analytics", "/private", 1))
			if err == nil {
				other.Close(ctx)
			}
			return err
		}, false},
		{"log in without the prefix of the name", func(ctx context.Context) error {
			_, plain, _ := strings.Cut(cred.Login.User, ":")
			dsn := strings.Replace(cred.Login.DSN.Reveal(), strings.ReplaceAll(cred.Login.User, ":", "%3A"), plain, 1)
			other, err := openPG(ctx, machine(t, l), dsn)
			if err == nil {
				other.Close(ctx)
			}
			return err
		}, false},
	})
}

// TestRedshiftDataAPI: the session runs statements as the file's user, in its database, and
// looks at its own alone, though the role may do anything.
func TestRedshiftDataAPI(t *testing.T) {
	l, dir := startRedshift(t, redshiftCase{keys: "user: loader\n    login: data_api", policy: `{"Effect":"Allow","Action":"*","Resource":"*"}`})
	vended := func() *exchange.Credential {
		cred, err := deploy(t, l, "aws", dir).Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "iam"})
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	cred := vended()
	if cred.Login != nil || cred.Place["db_user"] != "loader" || cred.Place["cluster"] != "acme-dw" || cred.Place["host"] != "" {
		t.Fatalf("%v at %v", cred.Login, cred.Place)
	}
	data, other := openDataAPI(t, l, cred), openDataAPI(t, l, vended())
	run := func(client *redshiftdata.Client, database string, user *string) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.ExecuteStatement(ctx, &redshiftdata.ExecuteStatementInput{ClusterIdentifier: aws.String("acme-dw"), Database: &database, DbUser: user, Sql: aws.String("select greeting from loads")})
			return err
		}
	}
	ran, err := data.ExecuteStatement(t.Context(), &redshiftdata.ExecuteStatementInput{
		ClusterIdentifier: aws.String(cred.Place["cluster"]), Database: aws.String(cred.Place["database"]), DbUser: aws.String(cred.Place["db_user"]), Sql: aws.String("select greeting from loads"),
	})
	if err != nil {
		t.Fatal(err)
	}
	look := func(client *redshiftdata.Client) func(context.Context) error {
		return func(ctx context.Context) error {
			_, err := client.GetStatementResult(ctx, &redshiftdata.GetStatementResultInput{Id: ran.Id})
			return err
		}
	}
	tryAll(t, []operation{
		{"as the file's user", run(data, "analytics", aws.String("loader")), true},
		{"as another", run(data, "analytics", aws.String("admin")), false},
		{"as the role itself", run(data, "analytics", nil), false},
		{"in another database", run(data, "private", aws.String("loader")), false},
		{"its own result", look(data), true},
		{"another session's result", look(other), false},
	})
}

func openDataAPI(t *testing.T, l *lab.Lab, cred *exchange.Credential) *redshiftdata.Client {
	t.Helper()
	s := cred.Session
	return redshiftdata.New(redshiftdata.Options{
		Region: cred.Place["region"], HTTPClient: machine(t, l).Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey.Reveal(), s.SessionToken.Reveal()),
	})
}

// startWith is a lab whose world differs from the sample's.
func startWith(t *testing.T, change string) *lab.Lab {
	t.Helper()
	l, err := lab.Start(worldWith(t, change))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func startRedshift(t *testing.T, c redshiftCase) (*lab.Lab, string) {
	t.Helper()
	change := `
aws:
  accounts:
    "999988887777":
      clusters:
        acme-dw:
          custom_domain: dw.acme.example
          users: [loader]
          groups: [writers]
          databases:
            private: {}
            analytics:
              tables:
                loads: {select: [loader], insert: [loader]}
                shared: {select: ["group:writers"], insert: ["group:writers"]}
      workgroups:
        acme-wg:
          region: eu-west-1
          id: 11111111-2222-4333-8444-555555555555
          custom_domain: wg.acme.example
          databases:
            private: {}
            analytics:
              tables:
                greetings: {select: ["IAMR:acme-marts"], insert: ["IAMR:acme-marts"]}
                salaries: {}
`
	if c.policy != "" {
		change += `
      roles:
        acme-marts:
          policies:
            more: '{"Version":"2012-10-17","Statement":[` + c.policy + `]}'
`
	}
	l := startWith(t, change)
	_, dir := startSample(t)
	keys := "    " + c.keys + "\n"
	text := strings.Replace(redshifts, "&at", "", 1) + keys
	if strings.Contains(c.keys, "workgroup") {
		text = strings.Replace(text, "    cluster: acme-dw\n", "", 1)
	}
	if err := os.WriteFile(filepath.Join(dir, "tenants", "acme.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// openSnowflake is the vendor's driver, as its documentation has it.
func openSnowflake(t *testing.T, l *lab.Lab, cred *exchange.Credential, change func(*gosnowflake.Config)) error {
	t.Helper()
	config := &gosnowflake.Config{
		Account: cred.Place["account"], Host: cred.Place["host"], Protocol: "https", Port: 443, User: cred.Login.User,
		Transporter: machine(t, l).Client().Transport, MaxRetryCount: 1,
		Params: map[string]*string{"CLIENT_TELEMETRY_ENABLED": aws.String("false")},
	}
	switch cred.Login.Authenticator {
	case "WORKLOAD_IDENTITY":
		config.Authenticator = gosnowflake.AuthTypeWorkloadIdentityFederation
		config.WorkloadIdentityProvider, config.Token = cred.Login.Provider, cred.Login.Token.Reveal()
	case "SNOWFLAKE_JWT":
		// The driver makes such tokens itself, of a key. Here the key stays where it
		// is, so the driver is given one that is good for nothing, and its transport
		// puts the vended token in the place of the one made with it.
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		config.Authenticator, config.PrivateKey = gosnowflake.AuthTypeJwt, key
		config.Transporter = vendedToken{config.Transporter, cred.Login.Token.Reveal()}
	}
	if change != nil {
		change(config)
	}
	gosnowflake.GetLogger().SetOutput(io.Discard) // it logs refusals, which are wanted here
	db := sql.OpenDB(gosnowflake.NewConnector(gosnowflake.SnowflakeDriver{}, *config))
	defer db.Close()
	var user string
	if err := db.QueryRowContext(t.Context(), "select current_user()").Scan(&user); err != nil {
		return err
	}
	if user != cred.Login.User {
		t.Errorf("the driver is %s, not %s", user, cred.Login.User)
	}
	return nil
}

type vendedToken struct {
	base  http.RoundTripper
	token string
}

func (v vendedToken) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/login-request") {
		return v.base.RoundTrip(r)
	}
	var body struct {
		Data map[string]any `json:"data"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	body.Data["TOKEN"] = v.token
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return v.base.RoundTrip(r)
}

func TestSnowflakeLoginsThroughTheDriver(t *testing.T) {
	l, dir := startSample(t)
	globex := func(c *gosnowflake.Config) { c.Account, c.Host = "GLOBEX-EU", "globex-eu.snowflakecomputing.com" }
	vended := func(runtime, destination string) *exchange.Credential {
		cred, err := vend(t.Context(), deploy(t, l, runtime, dir), "acme", destination)
		if err != nil {
			t.Fatal(err)
		}
		return cred
	}
	for _, c := range []struct{ name, runtime, destination, provider string }{
		{"AWS's token", "aws", "frost", "OIDC"},
		{"Google's token", "gcp", "frost", "OIDC"},
		{"a key pair's token", "aws", "ledger", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			cred := vended(c.runtime, c.destination)
			if cred.Login.Provider != c.provider {
				t.Errorf("provider %q, not %q", cred.Login.Provider, c.provider)
			}
			if err := openSnowflake(t, l, cred, nil); err != nil {
				t.Errorf("at its own account: %v", err)
			}
			if err := openSnowflake(t, l, cred, globex); err == nil {
				t.Error("another account lets it in")
			}
		})
	}
}

// TestSnowflakeWorkloadIdentities: a user of TYPE=AWS or TYPE=GCP is shown the tenant's own
// token with Snowflake's own audience, signed as the file says. Any account that knows the
// identity takes it: that is what login oidc is for.
func TestSnowflakeWorkloadIdentities(t *testing.T) {
	const identities = `{users: {CARNET_WIF: {workload_identity: [
        {type: AWS, issuer: "https://7c1d9a52-6a0e-4f39-9b0e-2f1c8a6f9d11.tokens.sts.global.api.aws", subject: "arn:aws:iam::111122223333:role/carnet-t-acme"},
        {type: GCP, subject: "100000000000000000002"}]}}}`
	l := startWith(t, `
aws:
  accounts:
    "111122223333":
      roles:
        carnet-t-acme:
          policies:
            snowflake: '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*","Condition":{"ForAllValues:StringEquals":{"sts:IdentityTokenAudience":"snowflakecomputing.com"}}}]}'
snowflake:
  accounts:
    ACME-PROD: `+identities+`
    GLOBEX-EU: `+identities+`
`)
	for name, c := range map[string]struct{ runtime, keys, alg, provider string }{
		"AWS's, as it is":   {"aws", "login: workload_identity", "ES384", "AWS"},
		"AWS's, with RSA":   {"aws", "login: workload_identity\n    algorithm: RS256", "RS256", "AWS"},
		"Google's":          {"gcp", "login: workload_identity", "RS256", "GCP"},
		"AWS's as OIDC":     {"aws", "external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26", "ES384", "OIDC"},
		"the same with RSA": {"aws", "external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26\n    algorithm: RS256", "RS256", "OIDC"},
	} {
		t.Run(name, func(t *testing.T) {
			_, dir := startSample(t)
			oidc := c.provider == "OIDC"
			if !oidc {
				change(t, dir, "acme", "    user: CARNET\n", "    user: CARNET_WIF\n")
			}
			change(t, dir, "acme", "    external_id: 6b1f0c52-2f6e-4d0a-9c1b-7e5a3d8f4b26", "    "+c.keys)
			cred, err := vend(t.Context(), deploy(t, l, c.runtime, dir), "acme", "frost")
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.ParseSigned(cred.Login.Token.Reveal(), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(c.alg)})
			if err != nil || cred.Login.Authenticator != "WORKLOAD_IDENTITY" || cred.Login.Provider != c.provider {
				t.Fatalf("not a JWT signed %s for %s: %v, %+v", c.alg, c.provider, err, cred.Login)
			}
			var claims jwt.Claims
			if err := token.UnsafeClaimsWithoutVerification(&claims); err != nil || len(claims.Audience) != 1 || oidc == (claims.Audience[0] == "snowflakecomputing.com") {
				t.Errorf("its audience is %v (%v)", claims.Audience, err)
			}
			tryAll(t, []operation{
				{"at its own account", func(ctx context.Context) error { return logIn(ctx, machine(t, l), cred, "ACME-PROD") }, true},
				{"at another", func(ctx context.Context) error { return logIn(ctx, machine(t, l), cred, "GLOBEX-EU") }, !oidc},
			})
		})
	}
}

// logIn says what a driver says, with the token of a provider whose tokens drivers make
// themselves.
func logIn(ctx context.Context, m *lab.Machine, cred *exchange.Credential, account string) error {
	ask, err := json.Marshal(map[string]any{"data": map[string]string{
		"ACCOUNT_NAME": account, "AUTHENTICATOR": cred.Login.Authenticator, "PROVIDER": cred.Login.Provider, "TOKEN": cred.Login.Token.Reveal(),
	}})
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+strings.ToLower(account)+".snowflakecomputing.com/session/v1/login-request", bytes.NewReader(ask))
	if err != nil {
		return err
	}
	resp, err := m.Client().Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Success bool
		Code    string
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return err
	}
	if !answer.Success {
		return errors.New(answer.Code)
	}
	return nil
}

// TestTheKeyStaysInSecretManager serves a key pair from Google Cloud.
func TestTheKeyStaysInSecretManager(t *testing.T) {
	w := worldWith(t, `
google:
  projects:
    operator-prod:
      secrets:
        ledger:
          bindings:
            - {role: roles/secretmanager.secretAccessor, members: ["serviceAccount:carnet-f-vend@operator-prod.iam.gserviceaccount.com"]}
`)
	key := w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value
	w.Google.Projects["operator-prod"].Secrets["ledger"].Versions = []string{key}
	l, err := lab.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_, dir := startSample(t)
	change(t, dir, "acme", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:carnet/acme/ledger-Xk3fQz", "projects/operator-prod/secrets/ledger/versions/latest")
	cred, err := vend(t.Context(), deploy(t, l, "gcp", dir), "acme", "ledger")
	if err != nil {
		t.Fatal(err)
	}
	if err := openSnowflake(t, l, cred, nil); err != nil {
		t.Error(err)
	}
	for _, s := range secrets(cred) {
		if strings.Contains(s, "PRIVATE KEY") {
			t.Error("the private key left its place")
		}
	}
	if _, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "ledger"); err == nil || !strings.Contains(err.Error(), "on the other cloud") {
		t.Errorf("from AWS: %v, and not that the key is on the other cloud", err)
	}
	if _, err := vend(t.Context(), deploy(t, l, "aws", dir), "acme", "lake"); err != nil {
		t.Errorf("the tenant's other destination suffers: %v", err)
	}
}

func change(t testing.TB, dir, tenant, from, to string) {
	t.Helper()
	file := filepath.Join(dir, "tenants", tenant+".yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %q", file, from)
	}
	if err := os.WriteFile(file, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600); err != nil {
		t.Fatal(err)
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
		{"a bucket in another Region", func(ctx context.Context) error {
			change(t, dir, "acme", "region: eu-west-1\n    bucket", "region: eu-west-2\n    bucket")
			return openS3(machine(t, l).Client(), narrowed(t, l, "aws", dir, "lake", exchange.Grant{})).put(ctx, "from-operator/a")
		}, false},
	})
}
