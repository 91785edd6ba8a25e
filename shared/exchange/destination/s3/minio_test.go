package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// TestMinIOEnforcesThePolicies has a real S3 server enforce the session policies that a
// grant compiles to, through its own AssumeRoleWithWebIdentity. scripts/test-peers
// installs MinIO and names it in CARNET_MINIO.
func TestMinIOEnforcesThePolicies(t *testing.T) {
	binary := os.Getenv("CARNET_MINIO")
	if binary == "" {
		t.Skip("CARNET_MINIO names no MinIO: scripts/test-peers installs one and runs this test")
	}
	issuer := newTestIssuer(t)
	address := startMinIO(t, binary, issuer.URL)
	below := []string{"from-operator/2026/"}
	prepare(t, address, issuer)
	for name, grant := range map[string]exchange.Grant{
		"all":         {Access: exchange.ReadWrite, Prefixes: []string{"from-operator/"}},
		"read":        {Access: exchange.Read, Prefixes: []string{"from-operator/"}},
		"write":       {Access: exchange.Write, Prefixes: []string{"from-operator/"}},
		"read below":  {Access: exchange.Read, Prefixes: below},
		"write below": {Access: exchange.Write, Prefixes: below},
		"everything":  {Access: exchange.ReadWrite, Prefixes: []string{""}},
		"elsewhere":   {Access: exchange.ReadWrite, Prefixes: []string{"日本/ü🙂/"}},
	} {
		t.Run(name, func(t *testing.T) {
			policy, err := (&Place{Role: catalog.Role{ARN: "arn:aws:iam::999988887777:role/r"}, Bucket: "lake"}).policy(grant)
			if err != nil {
				t.Fatal(err)
			}
			tryGrant(t, assume(t, address, issuer.token(t), policy), grant)
		})
	}
	t.Run("a policy that is too long", func(t *testing.T) {
		long := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:GetObject"],"Resource":["arn:aws:s3:::lake/` + strings.Repeat("x", awsid.MaxSessionPolicy) + `"]}]}`
		if status, _ := ask(t, address, issuer.token(t), long); status == http.StatusOK {
			t.Error("was taken")
		}
	})
}

func tryGrant(t *testing.T, client *sdk.Client, grant exchange.Grant) {
	t.Helper()
	bucket, ctx := aws.String("lake"), t.Context()
	put := func(key string) error {
		_, err := client.PutObject(ctx, &sdk.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")})
		return err
	}
	get := func(key string) error {
		_, err := client.GetObject(ctx, &sdk.GetObjectInput{Bucket: bucket, Key: &key})
		return err
	}
	list := func(prefix string) error {
		_, err := client.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: bucket, Prefix: &prefix})
		return err
	}
	remove := func(key string) error {
		_, err := client.DeleteObject(ctx, &sdk.DeleteObjectInput{Bucket: bucket, Key: &key})
		return err
	}
	many := func(keys ...string) error {
		ask := new(types.Delete)
		for _, k := range keys {
			ask.Objects = append(ask.Objects, types.ObjectIdentifier{Key: &k})
		}
		out, err := client.DeleteObjects(ctx, &sdk.DeleteObjectsInput{Bucket: bucket, Delete: ask})
		if err == nil && len(out.Errors) > 0 {
			err = errors.New(*out.Errors[0].Code)
		}
		return err
	}
	copied := func(from, to string) error {
		_, err := client.CopyObject(ctx, &sdk.CopyObjectInput{Bucket: bucket, Key: &to, CopySource: aws.String("lake/" + from)})
		return err
	}
	may := func(key string) bool { return strings.HasPrefix(key, grant.Prefixes[0]) }
	reads := func(key string) bool { return grant.Access.CanRead() && may(key) }
	writes := func(key string) bool { return grant.Access.CanWrite() && may(key) }
	const a, b, above, namesake, abroad = "from-operator/2026/a", "from-operator/2026/b", "from-operator/a", "from-operator-2/a", "日本/ü🙂/a"
	for _, op := range []struct {
		name    string
		err     error
		allowed bool
	}{
		{"write a namesake", put(namesake), writes(namesake)},
		{"read below", get(a), reads(a)},
		{"list below", list("from-operator/2026/"), reads("from-operator/2026/")},
		{"write below", put(a), writes(a)},
		{"upload in parts below", inParts(ctx, client, a), writes(a)},
		{"delete below", remove(b), writes(b)},
		{"delete many below", many(b), writes(b)},
		{"delete many, one of them in a namesake", many(b, namesake), writes(b) && writes(namesake)},
		{"write a namesake again", put(namesake), writes(namesake)},
		{"copy within", copied(a, b), reads(a) && writes(b)},
		{"copy out of a namesake", copied(namesake, b), reads(namesake) && writes(b)},
		{"read above", get(above), reads(above)},
		{"list above", list("from-operator/"), reads("from-operator/")},
		{"write above", put(above), writes(above)},
		{"upload in parts to a namesake", inParts(ctx, client, namesake), writes(namesake)},
		{"read a namesake", get(namesake), reads(namesake)},
		{"list a namesake", list("from-operator-2/"), reads("from-operator-2/")},
		{"list without the slash", list("from-operator"), reads("from-operator")},
		{"list everything", list(""), reads("")},
		{"write in another alphabet", put(abroad), writes(abroad)},
		{"list in another alphabet", list("日本/ü🙂/"), reads("日本/ü🙂/")},
	} {
		if (op.err == nil) != op.allowed || op.err != nil && !strings.Contains(op.err.Error(), "AccessDenied") {
			t.Errorf("%s: allowed is %v, and MinIO's answer %v", op.name, op.allowed, op.err)
		}
	}
}

// inParts uploads an object of two parts, and lists them on the way.
func inParts(ctx context.Context, client *sdk.Client, key string) error {
	bucket := aws.String("lake")
	up, err := client.CreateMultipartUpload(ctx, &sdk.CreateMultipartUploadInput{Bucket: bucket, Key: &key})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n, size := range []int{5 << 20, 1} { // all but the last have 5 MiB
		part, err := client.UploadPart(ctx, &sdk.UploadPartInput{Bucket: bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(make([]byte, size))})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: part.ETag})
	}
	if _, err := client.ListParts(ctx, &sdk.ListPartsInput{Bucket: bucket, Key: &key, UploadId: up.UploadId}); err != nil {
		return err
	}
	_, err = client.CompleteMultipartUpload(ctx, &sdk.CompleteMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: up.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return err
}

// prepare fills the bucket with a session that no policy narrows.
func prepare(t *testing.T, address string, issuer *testIssuer) {
	t.Helper()
	client, bucket := assume(t, address, issuer.token(t), ""), aws.String("lake")
	if _, err := client.CreateBucket(t.Context(), &sdk.CreateBucketInput{Bucket: bucket}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"from-operator/a", "from-operator/2026/a", "from-operator/2026/b", "from-operator-2/a"} {
		if _, err := client.PutObject(t.Context(), &sdk.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
}

// ask is AssumeRoleWithWebIdentity without a role: MinIO takes no ARN of AWS's, and
// finds the policies in the token.
func ask(t *testing.T, address, token, policy string) (int, []byte) {
	t.Helper()
	form := url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "WebIdentityToken": {token}, "DurationSeconds": {"900"}}
	if policy != "" {
		form.Set("Policy", policy)
	}
	resp, err := http.PostForm("http://"+address+"/", form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}

func assume(t *testing.T, address, token, policy string) *sdk.Client {
	t.Helper()
	status, text := ask(t, address, token, policy)
	var answer struct {
		Result struct {
			Credentials struct {
				AccessKeyID     string `xml:"AccessKeyId"`
				SecretAccessKey string
				SessionToken    string
			}
		} `xml:"AssumeRoleWithWebIdentityResult"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil || status != http.StatusOK {
		t.Fatalf("MinIO answers %d: %s", status, text)
	}
	c := answer.Result.Credentials
	return sdk.New(sdk.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://" + address), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
}

func startMinIO(t *testing.T, binary, issuer string) string {
	t.Helper()
	address, console := freeAddress(t), freeAddress(t)
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, binary, "server", t.TempDir(), "--address", address, "--console-address", console, "--quiet")
	cmd.Env = []string{
		"HOME=" + t.TempDir(), "MINIO_ROOT_USER=" + rand.Text(), "MINIO_ROOT_PASSWORD=" + rand.Text(), "MINIO_UPDATE=off",
		"MINIO_IDENTITY_OPENID_CONFIG_URL=" + issuer + "/.well-known/openid-configuration",
		"MINIO_IDENTITY_OPENID_CLIENT_ID=carnet", "MINIO_IDENTITY_OPENID_CLAIM_NAME=policy",
	}
	var log strings.Builder
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		stop()
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(); cmd.Wait() })
	for range 150 {
		resp, err := http.Get("http://" + address + "/minio/health/ready")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return address
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
	t.Fatal("MinIO did not come up within 30 s")
	return ""
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// A testIssuer is an OIDC issuer on loopback.
type testIssuer struct {
	*httptest.Server
	key *rsa.PrivateKey
}

func newTestIssuer(t *testing.T) *testIssuer {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i := &testIssuer{key: key}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q,"authorization_endpoint":%q,"token_endpoint":%q,"response_types_supported":["id_token"],"subject_types_supported":["public"],"id_token_signing_alg_values_supported":["RS256"]}`,
			i.URL, i.URL+"/keys", i.URL+"/none", i.URL+"/none")
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

func (i *testIssuer) token(t *testing.T) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: i.key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	text, err := jwt.Signed(signer).Claims(map[string]any{
		"iss": i.URL, "sub": rand.Text(), "aud": "carnet", "policy": "readwrite", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
