package awslab_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"
	"github.com/aws/smithy-go"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/world"
)

const (
	function = "arn:aws:iam::111122223333:role/function"
	tenant   = "arn:aws:iam::111122223333:role/tenants/tenant"
	share    = "arn:aws:iam::999988887777:role/share"
)

const accounts = `
aws:
  jwt_payload: 2000
  accounts:
    "111122223333":
      outbound: id.tokens.sts.global.api.aws
      roles:
        function:
          trust: {Version: "2012-10-17", Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}]}
          policies:
            p: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "sts:*", Resource: "*"}]}
        tenant:
          path: /tenants/
          max_session: 7200
          trust:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:role/function"}, Action: "sts:AssumeRole", Condition: {StringEquals: {"sts:ExternalId": tenants-id}}}
              - {Effect: Deny, Principal: {AWS: "*"}, Action: "sts:AssumeRole", Condition: {StringLike: {"sts:RoleSessionName": "forbidden-*"}}}
          policies:
            p:
              Version: "2012-10-17"
              Statement:
                - {Effect: Allow, Action: "s3:*", Resource: "*"}
                - {Effect: Allow, Action: "sts:GetWebIdentityToken", Resource: "*", Condition: {"ForAllValues:StringEquals": {"sts:IdentityTokenAudience": [known]}}}
      managed_policies:
        readers: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: ["s3:GetObject", "s3:ListBucket"], Resource: "*"}]}
      buckets:
        lake: {region: eu-west-1}
    "999988887777":
      managed_policies:
        theirs: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}
      roles:
        share:
          trust:
            Version: "2012-10-17"
            Statement:
              - {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "sts:AssumeRole"}
              - {Effect: Deny, Principal: {AWS: "*"}, Action: "sts:AssumeRole", Condition: {DateGreaterThan: {"aws:x": never}}}
`

// A stand is a cloud on a test server, with a clock of its own.
type stand struct {
	cloud *awslab.Cloud
	url   string
	now   time.Time
}

// key signs outbound tokens in all tests: to make one takes its time.
var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func start(t *testing.T) *stand {
	t.Helper()
	return startIn(t, strings.Replace(accounts, "never", "2999-01-01", 1))
}

func startIn(t *testing.T, text string) *stand {
	t.Helper()
	w, err := world.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if w.AWS.Key, err = key(); err != nil {
		t.Fatal(err)
	}
	s := &stand{now: time.Now()}
	if s.cloud, err = awslab.New(&w.AWS, awslab.Options{Now: func() time.Time { return s.now }}); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(s.cloud.STS())
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

func (s *stand) as(t *testing.T, role string, change func(*awslab.Credentials)) *sts.Client {
	t.Helper()
	c, err := s.cloud.RoleSession(role, "session")
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&c)
	}
	return sts.New(sts.Options{
		Region: "eu-west-1", BaseEndpoint: &s.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken),
	})
}

// request is one to an endpoint, signed with a role's session.
func (s *stand) request(t *testing.T, role, url string, form *strings.Reader) *http.Request {
	t.Helper()
	c, err := s.cloud.RoleSession(role, "session")
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.New()
	if _, err := form.WriteTo(hash); err != nil {
		t.Fatal(err)
	}
	form.Seek(0, io.SeekStart)
	r := httptest.NewRequest(http.MethodPost, url, form)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	creds := aws.Credentials{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	if err := v4.NewSigner().SignHTTP(t.Context(), creds, r, hex.EncodeToString(hash.Sum(nil)), "sts", "eu-west-1", s.now); err != nil {
		t.Fatal(err)
	}
	return r
}

// signed is what STS answers to a form.
func (s *stand) signed(t *testing.T, role string, form *strings.Reader) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.cloud.STS().ServeHTTP(w, s.request(t, role, "https://sts.eu-west-1.amazonaws.com/", form))
	return w.Body.String()
}

// between is the text of an XML element.
func between(text, element string) string {
	_, rest, _ := strings.Cut(text, "<"+element+">")
	inside, _, _ := strings.Cut(rest, "</"+element+">")
	return inside
}

// code is what AWS calls an error; "" for none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func TestAssumeRole(t *testing.T) {
	s := start(t)
	ask := func(change func(*sts.AssumeRoleInput)) string {
		in := &sts.AssumeRoleInput{RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id")}
		change(in)
		out, err := s.as(t, function, nil).AssumeRole(t.Context(), in)
		if err == nil && !strings.Contains(*out.AssumedRoleUser.Arn, ":assumed-role/tenant/mint") {
			t.Errorf("the session is %s: STS leaves the path out", *out.AssumedRoleUser.Arn)
		}
		return code(err)
	}
	for name, c := range map[string]struct {
		change func(*sts.AssumeRoleInput)
		want   string
	}{
		"as it should be":          {func(in *sts.AssumeRoleInput) {}, ""},
		"without the ExternalId":   {func(in *sts.AssumeRoleInput) { in.ExternalId = nil }, "AccessDenied"},
		"with another ExternalId":  {func(in *sts.AssumeRoleInput) { in.ExternalId = aws.String("another") }, "AccessDenied"},
		"a role that is not there": {func(in *sts.AssumeRoleInput) { in.RoleArn = aws.String(tenant + "-2") }, "AccessDenied"},
		"explicitly denied":        {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("forbidden-1") }, "AccessDenied"},
		"with tags that the trust policy does not allow": {func(in *sts.AssumeRoleInput) {
			in.Tags = append(in.Tags, tag("k", "v"))
		}, "AccessDenied"},
		"a source identity that is not allowed": {func(in *sts.AssumeRoleInput) { in.SourceIdentity = aws.String("me") }, "AccessDenied"},
		"chained for two hours":                 {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(7200) }, "ValidationError"},
		"for a minute":                          {func(in *sts.AssumeRoleInput) { in.DurationSeconds = aws.Int32(60) }, "ValidationError"},
		"a session name with a colon":           {func(in *sts.AssumeRoleInput) { in.RoleSessionName = aws.String("a:b") }, "ValidationError"},
		"a policy of 2,049 characters":          {func(in *sts.AssumeRoleInput) { in.Policy = aws.String(policyOf(2049)) }, "ValidationError"},
		"a policy of 2,048 characters":          {func(in *sts.AssumeRoleInput) { in.Policy = aws.String(policyOf(2048)) }, ""},
		"a policy that is none":                 {func(in *sts.AssumeRoleInput) { in.Policy = aws.String(`{"Version":"2012-10-17","Statement":[{}]}`) }, "MalformedPolicyDocument"},
	} {
		if got := ask(c.change); got != c.want {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
}

func policyOf(size int) string {
	const begin, end = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::`, `"}]}`
	return begin + strings.Repeat("x", size-len(begin)-len(end)) + end
}

// TestAcrossAccountsBothSidesMustAllow: share trusts the whole account, and only the
// function's own policies let it in.
func TestAcrossAccountsBothSidesMustAllow(t *testing.T) {
	s := start(t)
	for role, want := range map[string]string{function: "", tenant: "AccessDenied"} {
		_, err := s.as(t, role, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(share), RoleSessionName: aws.String("mint")})
		if code(err) != want {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestSignatures(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*awslab.Credentials)
		after  time.Duration
		want   string
	}{
		"good":                  {nil, 0, ""},
		"another secret":        {func(c *awslab.Credentials) { c.SecretAccessKey += "x" }, 0, "SignatureDoesNotMatch"},
		"an unknown key":        {func(c *awslab.Credentials) { c.AccessKeyID = "ASIAAAAAAAAAAAAAAAAA" }, 0, "InvalidClientTokenId"},
		"another session token": {func(c *awslab.Credentials) { c.SessionToken = "x" }, 0, "InvalidClientTokenId"},
		"no session token":      {func(c *awslab.Credentials) { c.SessionToken = "" }, 0, "InvalidClientTokenId"},
		"14 minutes late":       {nil, 14 * time.Minute, ""},
		"16 minutes late":       {nil, 16 * time.Minute, "SignatureDoesNotMatch"},
		"16 minutes early":      {nil, -16 * time.Minute, "SignatureDoesNotMatch"},
	} {
		s := start(t)
		client := s.as(t, function, c.change)
		s.now = s.now.Add(c.after)
		if _, err := client.GetCallerIdentity(t.Context(), nil); code(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestExpiredSession(t *testing.T) {
	s := start(t)
	s.now = s.now.Add(-7 * time.Hour)
	client := s.as(t, function, nil)
	s.now = s.now.Add(7 * time.Hour)
	if _, err := client.GetCallerIdentity(t.Context(), nil); code(err) != "ExpiredToken" {
		t.Errorf("a session past its end: %v", err)
	}
}

func TestUnsignedIsRefused(t *testing.T) {
	s := start(t)
	resp, err := http.Post(s.url, "application/x-www-form-urlencoded", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("an unsigned request got %s", resp.Status)
	}
}

func TestOutboundTokens(t *testing.T) {
	s := start(t)
	ask := func(role, audience, algorithm string, seconds int32) string {
		_, err := s.as(t, role, nil).GetWebIdentityToken(t.Context(), &sts.GetWebIdentityTokenInput{
			Audience: []string{audience}, SigningAlgorithm: &algorithm, DurationSeconds: &seconds,
		})
		return code(err)
	}
	for name, got := range map[string][2]string{
		"RS256":                           {ask(tenant, "known", "RS256", 3600), ""},
		"ES384":                           {ask(tenant, "known", "ES384", 60), ""},
		"for an audience not allowed":     {ask(tenant, "other", "RS256", 300), "AccessDenied"},
		"for two hours":                   {ask(tenant, "known", "RS256", 7200), "ValidationError"},
		"of an algorithm that is not":     {ask(tenant, "known", "HS256", 300), "ValidationError"},
		"where nobody enabled the issuer": {ask(share, "known", "RS256", 300), "AccessDenied"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, not %q", name, got[0], got[1])
		}
	}
}

// TestSessionPolicyBoundsTheSession: what the policy does not name is refused,
// though the role may do it.
func TestSessionPolicyBoundsTheSession(t *testing.T) {
	s := start(t)
	server := httptest.NewServer(s.cloud.S3())
	t.Cleanup(server.Close)
	policy := `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["s3:PutObject","s3:GetObject"],"Resource":"arn:aws:s3:::lake/acme/*"},
		{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::lake","Condition":{"StringLike":{"s3:prefix":"acme/*"}}}]}`
	out, err := s.as(t, function, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id"), Policy: &policy,
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	store := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken),
	})
	put := func(key string) string {
		_, err := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader("x")})
		return code(err)
	}
	list := func(prefix string) string {
		_, err := store.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("lake"), Prefix: &prefix})
		return code(err)
	}
	_, deleted := store.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("acme/x")})
	for name, got := range map[string][2]string{
		"writes under its prefix":         {put("acme/x"), ""},
		"writes under a prefix alike":     {put("acme-2/x"), "AccessDenied"},
		"lists its prefix":                {list("acme/"), ""},
		"lists the bucket":                {list(""), "AccessDenied"},
		"lists a prefix alike":            {list("acme"), "AccessDenied"},
		"does what the policy leaves out": {code(deleted), "AccessDenied"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, not %q", name, got[0], got[1])
		}
	}
}

func TestWhatIsNotEvaluatedIsRefusedAtOnce(t *testing.T) {
	for name, trust := range map[string]string{
		"an operator it does not know": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringAlike":{"sts:ExternalId":"x"}}}]}`,
		"an operator with Not behind":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEqualsNot":{"sts:ExternalId":"x"}}}]}`,
		"a date that is none":          `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"DateGreaterThan":{"aws:CurrentTime":"tomorrow"}}}]}`,
		"an ARN of five parts":         `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::role/x"}}}]}`,
		"a principal with a wildcard":  `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"sts:AssumeRole"}]}`,
		"a policy variable":            `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"${aws:username}"}}}]}`,
		"NotPrincipal":                 `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}`,
		"a trust policy's resource":    `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Resource":"*"}]}`,
	} {
		w := &world.AWS{Accounts: map[string]*world.Account{"111122223333": {Roles: map[string]*world.Role{"r": {Trust: world.JSON(trust)}}}}}
		if _, err := awslab.New(w, awslab.Options{}); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func tag(key, value string) types.Tag { return types.Tag{Key: &key, Value: &value} }
