package awslab_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// with is a session of tenant that may do these things with the bucket lake, and no more.
func (s *stand) with(t *testing.T, actions ...string) aws.Credentials {
	t.Helper()
	policy := `{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["s3:` + strings.Join(actions, `","s3:`) + `"],"Resource":["arn:aws:s3:::lake","arn:aws:s3:::lake/*"]}}`
	out, err := s.as(t, function, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id"), Policy: &policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	return aws.Credentials{AccessKeyID: *out.Credentials.AccessKeyId, SecretAccessKey: *out.Credentials.SecretAccessKey, SessionToken: *out.Credentials.SessionToken}
}

// ask sends one request to S3, signed, with pairs of a header's name and value.
func (s *stand) ask(t *testing.T, as aws.Credentials, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, "https://lake.s3.eu-west-1.amazonaws.com"+path, strings.NewReader(body))
	payload := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if sent := r.Header.Get("X-Amz-Content-Sha256"); sent != "" {
		payload = sent
	}
	r.Header.Set("X-Amz-Content-Sha256", payload)
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(t.Context(), as, r, payload, "s3", "eu-west-1", s.now); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	s.cloud.S3().ServeHTTP(w, r)
	return w
}

// TestEachSubResourceHasItsPermission: with all of them a request gets through to the answer,
// and without any one of them it is refused, and changes nothing.
func TestEachSubResourceHasItsPermission(t *testing.T) {
	for _, c := range []struct {
		request string // method, path, and headers
		needs   string
		status  int
	}{
		{"GET /k", "GetObject", 200},
		{"HEAD /k", "GetObject", 200},
		{"GET /k?versionId=null", "GetObjectVersion", 200},
		{"DELETE /k?versionId=null", "DeleteObjectVersion", 204},
		{"GET /k?attributes", "GetObjectAttributes GetObject", 501},
		{"GET /k?attributes&versionId=v", "GetObjectVersionAttributes GetObjectVersion", 501},
		{"GET /k?acl", "GetObjectAcl", 501},
		{"GET /k?acl&versionId=v", "GetObjectVersionAcl", 501},
		{"PUT /k?acl", "PutObjectAcl", 501},
		{"PUT /k?acl&versionId=v", "PutObjectVersionAcl", 501},
		{"GET /k?legal-hold", "GetObjectLegalHold", 400},
		{"PUT /k?legal-hold", "PutObjectLegalHold", 400},
		{"GET /k?retention", "GetObjectRetention", 400},
		{"PUT /k?retention", "PutObjectRetention", 400},
		{"PUT /k?retention X-Amz-Bypass-Governance-Retention:true", "PutObjectRetention BypassGovernanceRetention", 400},
		{"POST /k?restore", "RestoreObject", 403},
		{"GET /k?torrent", "GetObjectTorrent", 501},
		{"POST /k?select&select-type=2", "GetObject", 501},
		{"GET /k?annotation&annotationName=a", "GetObjectAnnotation", 501},
		{"PUT /k?annotation&annotationName=a", "PutObjectAnnotation", 501},
		{"DELETE /k?annotation&annotationName=a&versionId=v", "DeleteObjectVersionAnnotation", 501},
		{"PUT /k?encryption", "UpdateObjectEncryption", 501},
		{"PUT /k?renameObject", "PutObject", 501},
		{"GET /k?tagging", "GetObjectTagging", 200},
		{"DELETE /k?tagging", "DeleteObjectTagging", 204},
		{"GET /k?tagging&versionId=v", "GetObjectVersionTagging", 501},
		{"POST /k?uploads", "PutObject", 200},
		{"POST /k?uploads X-Amz-Tagging:a=b", "PutObject PutObjectTagging", 200},
		{"GET /k?uploadId=u", "ListMultipartUploadParts", 404},
		{"DELETE /k?uploadId=u", "AbortMultipartUpload", 404},
		{"PUT /k", "PutObject", 200},
		{"PUT /k X-Amz-Tagging:a=b", "PutObject PutObjectTagging", 200},
		{"PUT /k X-Amz-Acl:bucket-owner-full-control", "PutObject PutObjectAcl", 200},
		{"PUT /k X-Amz-Grant-Read:id=x", "PutObject PutObjectAcl", 200},
		{"PUT /k X-Amz-Object-Lock-Mode:GOVERNANCE", "PutObject PutObjectRetention", 400},
		{"PUT /k X-Amz-Object-Lock-Retain-Until-Date:2030-01-01T00:00:00Z", "PutObject PutObjectRetention", 400},
		{"PUT /k X-Amz-Object-Lock-Legal-Hold:ON", "PutObject PutObjectLegalHold", 400},
		{"DELETE /k X-Amz-Bypass-Governance-Retention:true", "DeleteObject BypassGovernanceRetention", 400},
		{"PUT /other X-Amz-Copy-Source:/lake/k", "PutObject GetObject", 200},
		{"PUT /other X-Amz-Copy-Source:lake/k?versionId=null", "PutObject GetObjectVersion", 200},
		{"PUT /other X-Amz-Copy-Source:lake/tagged", "PutObject GetObject GetObjectTagging PutObjectTagging", 200},
		{"PUT /other X-Amz-Copy-Source:lake/tagged X-Amz-Tagging-Directive:REPLACE", "PutObject GetObject", 200},
		{"PUT /other X-Amz-Copy-Source:lake%2Fk%3Fx", "PutObject GetObject", 404}, // a key with a question mark
		{"GET /", "ListBucket", 200},
		{"HEAD /", "ListBucket", 200},
		{"GET /?location", "GetBucketLocation", 200},
		{"GET /?versions", "ListBucketVersions", 200},
		{"GET /?uploads", "ListBucketMultipartUploads", 404}, // there is none,
		{"GET /?acl", "GetBucketAcl", 501},
		{"GET /?policy", "GetBucketPolicy", 501},
		{"DELETE /?policy", "DeleteBucketPolicy", 501},
		{"DELETE /?lifecycle", "PutLifecycleConfiguration", 501},
		{"PUT /?cors", "PutBucketCORS", 501},
		{"GET /?object-lock", "GetBucketObjectLockConfiguration", 501},
		{"GET /?session", "CreateSession", 501},
	} {
		fields := strings.Fields(c.request)
		var headers []string
		for _, h := range fields[2:] {
			name, value, _ := strings.Cut(h, ":")
			headers = append(headers, name, value)
		}
		s := start(t)
		everything := s.with(t, "*")
		s.ask(t, everything, "PUT", "/k", "hello")
		s.ask(t, everything, "PUT", "/tagged", "hello", "X-Amz-Tagging", "team=data")
		needs := strings.Fields(c.needs)
		for i := range needs {
			left := append(slices.Delete(slices.Clone(needs), i, i+1), "ListAllMyBuckets")
			w := s.ask(t, s.with(t, left...), fields[0], fields[1], "", headers...)
			if w.Code != http.StatusForbidden || fields[0] != "HEAD" && !strings.Contains(w.Body.String(), "AccessDenied") || w.Header().Get("X-Amz-Bucket-Region") != "eu-west-1" {
				t.Errorf("%s without %s: %d %s", c.request, needs[i], w.Code, w.Body)
			}
		}
		if got := s.ask(t, everything, "GET", "/k", "").Body.String(); got != "hello" {
			t.Errorf("%s was refused, and the object is %q", c.request, got)
		}
		if w := s.ask(t, s.with(t, needs...), fields[0], fields[1], "", headers...); w.Code != c.status || strings.Contains(w.Body.String(), "AccessDenied") {
			t.Errorf("%s with %s: %d %s", c.request, c.needs, w.Code, w.Body)
		}
		if got := s.ask(t, everything, "GET", "/k", "").Body.String(); c.status >= 400 && got != "hello" {
			t.Errorf("%s is not done, and the object is %q", c.request, got)
		}
	}
}

// TestWhatIsNoOperation of S3's is refused whoever asks.
func TestWhatIsNoOperation(t *testing.T) {
	s := start(t)
	all := s.with(t, "*")
	s.ask(t, all, "PUT", "/k", "hello")
	for request, want := range map[string]string{
		"PUT /k?attributes": "MethodNotAllowed", "POST /k": "MethodNotAllowed", "POST /": "MethodNotAllowed", "PUT /k?torrent": "MethodNotAllowed",
		"PUT /k?acl&tagging": "InvalidArgument", "HEAD /k?acl": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		if w := s.ask(t, all, method, path, "x"); w.Code/100 != 4 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s", request, w.Code, w.Body)
		}
	}
	if w := s.ask(t, all, "PUT", "/k", "x", "X-Amz-Expected-Bucket-Owner", "999988887777"); w.Code != http.StatusForbidden {
		t.Errorf("another owner than the bucket's: %d", w.Code)
	}
	if got := s.ask(t, all, "GET", "/k", "").Body.String(); got != "hello" {
		t.Errorf("the object is %q", got)
	}
}

// TestVersionsAreDeletedByPermission, one by one in one request.
func TestVersionsAreDeletedByPermission(t *testing.T) {
	s := start(t)
	const body = `<Delete><Object><Key>a</Key></Object><Object><Key>b</Key><VersionId>null</VersionId></Object></Delete>`
	for actions, want := range map[string]string{"DeleteObject": "b", "DeleteObjectVersion": "a", "ListBucket": "a b", "DeleteObject DeleteObjectVersion": ""} {
		w := s.ask(t, s.with(t, strings.Fields(actions)...), "POST", "/?delete", body)
		var refused []string
		for _, e := range strings.Split(w.Body.String(), "<Error>")[1:] {
			refused = append(refused, between(e, "Key"))
		}
		if got := strings.Join(refused, " "); w.Code != http.StatusOK || got != want {
			t.Errorf("with %s: %d, refused %q: %s", actions, w.Code, got, w.Body)
		}
	}
}

// TestTheRegionIsToldToAnyone, at the global endpoint too.
func TestTheRegionIsToldToAnyone(t *testing.T) {
	s := start(t)
	for _, host := range []string{"lake.s3.amazonaws.com", "lake.s3.us-east-1.amazonaws.com", "lake.s3.eu-west-1.amazonaws.com"} {
		if !s.cloud.Owns(host) {
			t.Errorf("%s is nobody's", host)
			continue
		}
		w := httptest.NewRecorder()
		s.cloud.ServeHTTP(w, httptest.NewRequest(http.MethodHead, "https://"+host+"/", nil))
		if w.Code != http.StatusForbidden || w.Header().Get("X-Amz-Bucket-Region") != "eu-west-1" {
			t.Errorf("%s: %d, Region %q", host, w.Code, w.Header().Get("X-Amz-Bucket-Region"))
		}
	}
}

func crc(text string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE([]byte(text))))
}

// TestBodies: what is sent in chunks arrives without them, and what does not fit its length,
// hash or checksum does not arrive.
func TestBodies(t *testing.T) {
	const trailing = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	s := start(t)
	all := s.with(t, "*")
	chunked := []string{"X-Amz-Content-Sha256", trailing, "Content-Encoding", "aws-chunked", "X-Amz-Decoded-Content-Length", "10", "X-Amz-Trailer", "x-amz-checksum-crc32"}
	text := "5\r\nhello\r\n5\r\nworld\r\n0\r\nx-amz-checksum-crc32:" + crc("helloworld") + "\r\n\r\n"
	for name, c := range map[string]struct {
		body    string
		headers []string
		want    string // a part of the answer; nothing: it is kept
	}{
		"chunks and a trailer":            {text, chunked, ""},
		"another length":                  {text, replaced(chunked, "10", "11"), "IncompleteBody"},
		"another checksum":                {strings.Replace(text, crc("helloworld"), crc("hello"), 1), chunked, "BadDigest"},
		"a checksum that is none":         {strings.Replace(text, crc("helloworld"), "x", 1), chunked, "InvalidRequest"},
		"no trailer":                      {"a\r\nhelloworld\r\n0\r\n\r\n", chunked, "MalformedTrailerError"},
		"a trailer that nobody announced": {text, replaced(chunked, "x-amz-checksum-crc32", ""), "MalformedTrailerError"},
		"a chunk that breaks off":         {"a\r\nhello", chunked, "InvalidChunk"},
		"a chunk's length that is none":   {"x\r\nhelloworld\r\n0\r\n\r\n", chunked, "InvalidChunk"},
		"no chunks":                       {"helloworld", chunked, "InvalidChunk"},
		"a plain body":                    {"helloworld", nil, ""},
		"another hash":                    {"helloworld", []string{"X-Amz-Content-Sha256", strings.Repeat("0", 64)}, "XAmzContentSHA256Mismatch"},
		"no hash":                         {"helloworld", []string{"X-Amz-Content-Sha256", "none"}, "InvalidArgument"},
		"no promise":                      {"helloworld", []string{"X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD"}, ""},
		"a checksum in the header":        {"helloworld", []string{"X-Amz-Checksum-Crc32", crc("helloworld")}, ""},
		"another checksum in the header":  {"helloworld", []string{"X-Amz-Checksum-Crc32", crc("hello")}, "BadDigest"},
		"CRC64NVME":                       {"123456789", []string{"X-Amz-Checksum-Crc64nvme", "rosUhgypLGU="}, "BadDigest"},
		"another MD5":                     {"helloworld", []string{"Content-Md5", "XUFAKrxLKna5cZ2REBfFkg=="}, "BadDigest"},
		"an MD5 that is none":             {"helloworld", []string{"Content-Md5", "x"}, "InvalidDigest"},
	} {
		s.ask(t, all, "DELETE", "/k", "")
		w := s.ask(t, all, "PUT", "/k", c.body, c.headers...)
		kept := s.ask(t, all, "GET", "/k", "")
		switch {
		case c.want == "" && (w.Code != http.StatusOK || kept.Body.String() != "helloworld" || kept.Header().Get("Content-Encoding") != ""):
			t.Errorf("%s: %d %s, and kept is %q", name, w.Code, w.Body, kept.Body)
		case c.want != "" && (!strings.Contains(w.Body.String(), c.want) || kept.Code != http.StatusNotFound):
			t.Errorf("%s: %d %s, and kept is %q", name, w.Code, w.Body, kept.Body)
		}
	}
}

func replaced(list []string, old, by string) []string {
	list = slices.Clone(list)
	for i := range list {
		if list[i] == old {
			list[i] = by
		}
	}
	return list
}

// TestTheSDKWritesOverTLS: over TLS it sends chunks with a trailing checksum, and no length.
func TestTheSDKWritesOverTLS(t *testing.T) {
	s := start(t)
	server := httptest.NewTLSServer(s.cloud.S3())
	t.Cleanup(server.Close)
	c := s.with(t, "PutObject", "GetObject", "GetObjectTagging", "PutObjectTagging", "AbortMultipartUpload")
	store := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1, HTTPClient: server.Client(),
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
	lake, key := aws.String("lake"), aws.String("k")
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256, types.ChecksumAlgorithmCrc64nvme} {
		text := strings.Repeat(string(algorithm), 20_000)
		_, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: lake, Key: key, ChecksumAlgorithm: algorithm, Body: io.MultiReader(strings.NewReader(text)), ContentLength: aws.Int64(int64(len(text)))},
			s3.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
		if err != nil {
			t.Errorf("%s: %v", algorithm, err)
			continue
		}
		out, err := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: lake, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(out.Body); err != nil || string(got) != text {
			t.Errorf("%s: %d bytes were kept, not %d, %v", algorithm, len(got), len(text), err)
		}
	}
}

// TestPartsAreCopied, in ranges, with the tags that the upload began with.
func TestPartsAreCopied(t *testing.T) {
	s := start(t)
	all := s.with(t, "*")
	s.ask(t, all, "PUT", "/from", "hello, world")
	upload := between(s.ask(t, all, "POST", "/to?uploads", "", "X-Amz-Tagging", "team=data").Body.String(), "UploadId")
	part := s.ask(t, all, "PUT", "/to?partNumber=1&uploadId="+upload, "", "X-Amz-Copy-Source", "lake/from", "X-Amz-Copy-Source-Range", "bytes=0-4")
	etag := between(part.Body.String(), "ETag")
	done := s.ask(t, all, "POST", "/to?uploadId="+upload, `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>`+etag+`</ETag></Part></CompleteMultipartUpload>`)
	if got := s.ask(t, all, "GET", "/to", "").Body.String(); got != "hello" || done.Code != http.StatusOK || !strings.Contains(part.Body.String(), "<CopyPartResult>") {
		t.Errorf("the copy is %q: %d %s %s", got, done.Code, done.Body, part.Body)
	}
	if tags := s.ask(t, all, "GET", "/to?tagging", "").Body.String(); between(tags, "Key") != "team" || between(tags, "Value") != "data" {
		t.Errorf("its tags are %s", tags)
	}
	s.ask(t, all, "PUT", "/copy", "", "X-Amz-Copy-Source", "lake/to")
	if tags := s.ask(t, all, "GET", "/copy?tagging", "").Body.String(); between(tags, "Key") != "team" {
		t.Errorf("a copy's tags are %s", tags)
	}
	s.ask(t, all, "PUT", "/to", "new")
	if tags := s.ask(t, all, "GET", "/to?tagging", "").Body.String(); between(tags, "Key") != "" {
		t.Errorf("the tags of what was replaced: %s", tags)
	}
}
