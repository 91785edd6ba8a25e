package awslab_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/aws-sdk-go-v2/service/sts/types"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/world"
)

// TestSessionPolicies: what IAM does not take, AssumeRole refuses; what IAM takes, it takes.
func TestSessionPolicies(t *testing.T) {
	const (
		allow = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}`
		v     = `{"Version":"2012-10-17","Statement":`
	)
	s := start(t)
	for policy, want := range map[string]bool{
		v + allow + `}`:         true,
		v + `[` + allow + `]} `: true,
		`{"Version":"2008-10-17","Statement":[` + allow + `]}`:                                                                   true,
		`{"Statement":[` + allow + `]}`:                                                                                          true,
		v + `{"Effect":"Allow","NotAction":"s3:Delete*","Resource":"*"}}`:                                                        true,
		v + `{"Effect":"Deny","Action":"s3:*","NotResource":"arn:aws:s3:::lake/*"}}`:                                             true,
		v + `{"Sid":"Read1","Effect":"Allow","Action":["s3:Get*","s3:ListBucket"],"Resource":["arn:aws:s3:::*"]}}`:               true,
		v + `{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::*:role/x"}}`:                                                true,
		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"*","Condition":{"NumericLessThan":{"s3:max-keys":1000000}}}}`: true,

		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"lake/*"}}`:                                                           false, // no ARN
		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:lake/*"}}`:                                                false, // four parts
		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::"}}`:                                                    false,
		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:*:::lake/*"}}`:                                               false, // a service is named
		v + `{"Effect":"Allow","Action":"s3:GetObject","Resource":[]}}`:                                                                 false,
		v + `{"Effect":"Allow","Action":"s3:GetObject"}}`:                                                                               false,
		v + `{"Effect":"Allow","Action":"GetObject","Resource":"*"}}`:                                                                   false, // no service
		v + `{"Effect":"Allow","Action":"s3:Get:Object","Resource":"*"}}`:                                                               false,
		v + `{"Effect":"Allow","Action":[],"Resource":"*"}}`:                                                                            false,
		v + `{"Effect":"Allow","Action":"s3:*","NotAction":"s3:*","Resource":"*"}}`:                                                     false,
		v + `{"Effect":"allow","Action":"s3:*","Resource":"*"}}`:                                                                        false,
		v + `{"Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*"}}`:                                                        false,
		v + `{"Sid":"read objects","Effect":"Allow","Action":"s3:*","Resource":"*"}}`:                                                   false,
		v + `[{"Sid":"A","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"A","Effect":"Deny","Action":"s3:*","Resource":"*"}]}`: false,
		v + `{"effect":"Allow","Action":"s3:*","Resource":"*"}}`:                                                                        false,
		v + `{"Effect":"Allow","Action":"s3:*","action":"s3:Get*","Resource":"*"}}`:                                                     false,
		v + `{"Effect":"Allow","Effect":"Deny","Action":"s3:*","Resource":"*"}}`:                                                        false,
		v + `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"k":"true"},"Bool":{"l":"true"}}}}`:                  false,
		`{"version":"2012-10-17","Statement":` + allow + `}`:                                                                            false,
		`{"Version":"2012-10-17","Version":"2012-10-17","Statement":` + allow + `}`:                                                     false,
		`{"Version":"2012-11-17","Statement":` + allow + `}`:                                                                            false,
		`{"Version":"","Statement":` + allow + `}`:                                                                                      false,
		v + allow + `} x`:                 false,
		v + allow + `}` + v + allow + `}`: false,
		v + `[]}`:                         false,
		`{"Version":"2012-10-17"}`:        false,
		`{}`:                              false,
		`[` + allow + `]`:                 false,
		v + `{}}`:                         false,
		v + `null}`:                       false,
		v + `{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"StringAlike":{"k":"v"}}}}`: false,
	} {
		_, err := s.as(t, function, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{
			RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id"), Policy: &policy,
		})
		if got := code(err); want && got != "" || !want && got != "MalformedPolicyDocument" {
			t.Errorf("%s: %q", policy, got)
		}
	}
}

// TestParametersOfAssumeRole at both ends of what STS takes.
func TestParametersOfAssumeRole(t *testing.T) {
	type input = *sts.AssumeRoleInput
	many := func(n int) (tags []types.Tag) {
		for i := range n {
			tags = append(tags, tag(fmt.Sprint("k", i), "v"))
		}
		return tags
	}
	s := start(t)
	for name, c := range map[string]struct {
		change func(input)
		want   string
	}{
		"a session name of 1":           {func(in input) { in.RoleSessionName = aws.String("x") }, "ValidationError"},
		"a session name of 64":          {func(in input) { in.RoleSessionName = aws.String(strings.Repeat("x", 64)) }, ""},
		"a session name of 65":          {func(in input) { in.RoleSessionName = aws.String(strings.Repeat("x", 65)) }, "ValidationError"},
		"an ARN of 19":                  {func(in input) { in.RoleArn = aws.String("arn:aws:iam::1:role") }, "ValidationError"},
		"an ExternalId of 1":            {func(in input) { in.ExternalId = aws.String("x") }, "ValidationError"},
		"an ExternalId of 1,225":        {func(in input) { in.ExternalId = aws.String(strings.Repeat("x", 1225)) }, "ValidationError"},
		"an ExternalId with a blank":    {func(in input) { in.ExternalId = aws.String("x y") }, "ValidationError"},
		"an ExternalId of a set":        {func(in input) { in.ExternalId = aws.String("a+=,.@:/-_") }, "AccessDenied"},
		"more than twelve hours":        {func(in input) { in.DurationSeconds = aws.Int32(43201) }, "ValidationError"},
		"a source identity of 1":        {func(in input) { in.SourceIdentity = aws.String("x") }, "ValidationError"},
		"a source identity of AWS's":    {func(in input) { in.SourceIdentity = aws.String("aws:x") }, "ValidationError"},
		"51 tags":                       {func(in input) { in.Tags = many(51) }, "ValidationError"},
		"50 tags, which nobody allowed": {func(in input) { in.Tags = many(50) }, "AccessDenied"},
		"a tag's key of 129":            {func(in input) { in.Tags = []types.Tag{tag(strings.Repeat("k", 129), "v")} }, "ValidationError"},
		"a tag's value of 257":          {func(in input) { in.Tags = []types.Tag{tag("k", strings.Repeat("v", 257))} }, "ValidationError"},
		"a tag with a tilde":            {func(in input) { in.Tags = []types.Tag{tag("k~", "v")} }, "ValidationError"},
		"a tag of AWS's":                {func(in input) { in.Tags = []types.Tag{tag("aws:k", "v")} }, "ValidationError"},
		"two tags but for their case":   {func(in input) { in.Tags = []types.Tag{tag("k", "v"), tag("K", "w")} }, "InvalidParameterValue"},
		"51 transitive keys":            {func(in input) { in.TransitiveTagKeys = make([]string, 51) }, "ValidationError"},
		"a token code of five digits":   {func(in input) { in.TokenCode, in.SerialNumber = aws.String("12345"), aws.String("GAHT12345678") }, "ValidationError"},
		"a token code":                  {func(in input) { in.TokenCode, in.SerialNumber = aws.String("123456"), aws.String("GAHT12345678") }, "AccessDenied"},
		"an empty policy":               {func(in input) { in.Policy = aws.String("") }, "ValidationError"},
		"a policy beyond Latin 1":       {func(in input) { in.Policy = aws.String(policyOf(200) + "€") }, "ValidationError"},
		"a managed policy that is none": {func(in input) { in.PolicyArns = managed("arn:aws:iam::111122223333:policy/none") }, "MalformedPolicyDocument"},
		"a managed policy of another's": {func(in input) { in.PolicyArns = managed("arn:aws:iam::999988887777:policy/theirs") }, "MalformedPolicyDocument"},
		"eleven managed policies": {func(in input) {
			in.PolicyArns = managed(strings.Split(strings.Repeat("arn:aws:iam::111122223333:policy/readers ", 11), " ")[:11]...)
		}, "ValidationError"},
		"a context of a provider": {func(in input) {
			in.ProvidedContexts = []types.ProvidedContext{{ProviderArn: aws.String("arn:aws:iam::aws:contextProvider/IdentityCenter"), ContextAssertion: aws.String("assertion")}}
		}, "InvalidContextAssertion"},
	} {
		in := &sts.AssumeRoleInput{RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id")}
		c.change(in)
		if _, err := s.as(t, function, nil).AssumeRole(t.Context(), in); code(err) != c.want {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
}

func managed(arns ...string) (list []types.PolicyDescriptorType) {
	for _, a := range arns {
		list = append(list, types.PolicyDescriptorType{Arn: &a})
	}
	return list
}

// TestManagedSessionPoliciesNarrow: what none of them allows is refused; beside an inline one,
// either may allow.
func TestManagedSessionPoliciesNarrow(t *testing.T) {
	s := start(t)
	server := httptest.NewServer(s.cloud.S3())
	t.Cleanup(server.Close)
	inline := `{"Statement":{"Effect":"Allow","Action":"s3:DeleteObject","Resource":"arn:aws:s3:::lake/*"}}`
	out, err := s.as(t, function, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{
		RoleArn: aws.String(tenant), RoleSessionName: aws.String("mint"), ExternalId: aws.String("tenants-id"),
		Policy: &inline, PolicyArns: managed("arn:aws:iam::111122223333:policy/readers"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c := out.Credentials
	store := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(*c.AccessKeyId, *c.SecretAccessKey, *c.SessionToken),
	})
	_, got := store.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("lake"), Key: aws.String("k")})
	_, put := store.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: aws.String("k"), Body: strings.NewReader("x")})
	_, deleted := store.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("k")})
	if code(got) != "NoSuchKey" || code(put) != "AccessDenied" || code(deleted) != "" {
		t.Errorf("get: %v; put: %v; delete: %v", got, put, deleted)
	}
}

// TestTheSizeOfASessionToken is what was asked for, and told.
func TestTheSizeOfASessionToken(t *testing.T) {
	s := start(t)
	for least, want := range map[int]int{0: 128, 129: 129, 4096: 4096} {
		form := strings.NewReader(fmt.Sprintf("Action=AssumeRole&Version=2011-06-15&RoleArn=%s&RoleSessionName=mint&ExternalId=tenants-id&MinimumSessionTokenSize=%d", tenant, least))
		answer := s.signed(t, function, form)
		token, size, used := between(answer, "SessionToken"), between(answer, "SessionTokenSize"), between(answer, "SessionTokenUtilization")
		if len(token) != want || size != fmt.Sprint(want) || used != fmt.Sprint((want*100+4095)/4096) || strings.Contains(answer, "PackedPolicySize") {
			t.Errorf("for %d bytes: a token of %d, %s%% of the most\n%s", least, len(token), used, answer)
		}
	}
	if answer := s.signed(t, function, strings.NewReader("Action=AssumeRole&Version=2011-06-15&RoleArn="+tenant+"&RoleSessionName=mint&MinimumSessionTokenSize=4097")); !strings.Contains(answer, "ValidationError") {
		t.Errorf("for 4,097 bytes: %s", answer)
	}
}

// TestOutboundParameters: audiences, tags and subject modes have their limits, and tags a
// permission of their own.
func TestOutboundParameters(t *testing.T) {
	type input = *sts.GetWebIdentityTokenInput
	s := start(t)
	audiences := func(n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("a", i))
		}
		return list
	}
	for name, c := range map[string]struct {
		role   string
		change func(input)
		want   string
	}{
		"ten audiences":                 {function, func(in input) { in.Audience = audiences(10) }, ""},
		"eleven audiences":              {function, func(in input) { in.Audience = audiences(11) }, "ValidationError"},
		"no audience":                   {function, func(in input) { in.Audience = []string{} }, "ValidationError"},
		"an empty audience":             {function, func(in input) { in.Audience = []string{""} }, "ValidationError"},
		"an audience of 1,001":          {function, func(in input) { in.Audience = []string{strings.Repeat("a", 1001)} }, "ValidationError"},
		"tags, by whom all is allowed":  {function, func(in input) { in.Tags = []types.Tag{tag("team", "data")} }, ""},
		"tags that nobody allowed":      {tenant, func(in input) { in.Tags = []types.Tag{tag("team", "data")} }, "AccessDenied"},
		"51 tags":                       {function, func(in input) { in.Tags = make([]types.Tag, 51) }, "ValidationError"},
		"for 59 seconds":                {function, func(in input) { in.DurationSeconds = aws.Int32(59) }, "ValidationError"},
		"in more bytes than may be had": {function, func(in input) { in.Audience = []string{strings.Repeat("a", 1000), strings.Repeat("b", 1000)} }, "JWTPayloadSizeExceededException"},
	} {
		in := &sts.GetWebIdentityTokenInput{Audience: []string{"known"}, SigningAlgorithm: aws.String("RS256")}
		c.change(in)
		for i := range in.Tags {
			if in.Tags[i].Key == nil {
				in.Tags[i] = tag(fmt.Sprint("k", i), "v")
			}
		}
		if _, err := s.as(t, c.role, nil).GetWebIdentityToken(t.Context(), in); code(err) != c.want {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		}
	}
	const ask = "Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=known&SigningAlgorithm=RS256"
	for more, want := range map[string]string{
		"": "<WebIdentityToken>", "&SubjectMode=AWSIdentity": "<WebIdentityToken>", "&SubjectMode=OriginIdentity": "ValidationError",
		"&SubjectMode=Other": "ValidationError", "&Scope=read": "ValidationError", "&DurationSeconds=soon": "ValidationError",
	} {
		if answer := s.signed(t, tenant, strings.NewReader(ask+more)); !strings.Contains(answer, want) {
			t.Errorf("%s: %s", more, answer)
		}
	}
}

// TestTheGlobalEndpointGivesNoToken that is shown outside AWS, and sessions nevertheless.
func TestTheGlobalEndpointGivesNoToken(t *testing.T) {
	s := start(t)
	for host, want := range map[string]int{"sts.amazonaws.com": 400, "sts.eu-west-1.amazonaws.com": 200} {
		r := s.request(t, function, "https://"+host+"/", strings.NewReader("Action=GetWebIdentityToken&Version=2011-06-15&Audience.member.1=known&SigningAlgorithm=RS256"))
		w := httptest.NewRecorder()
		s.cloud.STS().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
		r = s.request(t, function, "https://"+host+"/", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
		w = httptest.NewRecorder()
		if s.cloud.STS().ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", host, w.Code, w.Body)
		}
	}
}

// TestDeniesWithADate are not lost, in whatever form the date stands.
func TestDeniesWithADate(t *testing.T) {
	for date, want := range map[string]string{`"2020-01-01"`: "AccessDenied", `"1577836800"`: "AccessDenied", `1577836800`: "AccessDenied", `"2020-01-01T00:00:00Z"`: "AccessDenied", `"2999-01"`: ""} {
		for _, key := range []string{"aws:CurrentTime", "aws:TokenIssueTime", "aws:EpochTime"} {
			s := startIn(t, strings.Replace(accounts, `"aws:x": never`, `"`+key+`": `+date, 1))
			_, err := s.as(t, function, nil).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(share), RoleSessionName: aws.String("mint")})
			if code(err) != want {
				t.Errorf("%s after %s: %v", key, date, err)
			}
		}
	}
	w, err := world.Parse([]byte(strings.Replace(accounts, `"aws:x": never`, `"aws:CurrentTime": soon`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := awslab.New(&w.AWS, awslab.Options{}); err == nil {
		t.Error("a date that is none was read")
	}
}
