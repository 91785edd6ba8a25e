package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
)

// A fault is what becomes of a call; nil leaves it alone.
type fault func(*http.Request, http.RoundTripper) (*http.Response, error)

// faults is the way to the clouds, with whatever goes wrong on it.
type faults struct {
	base  http.RoundTripper
	mu    sync.Mutex
	at    map[string]fault // by a part of the host's name
	calls atomic.Int64
}

func (f *faults) set(host string, to fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at = map[string]fault{}
	if to != nil {
		f.at[host] = to
	}
}

// RoundTrip implements [http.RoundTripper].
func (f *faults) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	var hit fault
	for part, to := range f.at {
		if strings.Contains(r.URL.Host, part) {
			hit = to
		}
	}
	f.mu.Unlock()
	if hit == nil {
		return f.base.RoundTrip(r)
	}
	f.calls.Add(1)
	return hit(r, f.base)
}

// startFaulty is the sample's catalog with a process whose way to the clouds can be broken.
func startFaulty(t testing.TB, l *lab.Lab, runtime, dir string) (*deployment.Deployment, *faults) {
	t.Helper()
	account := map[string]string{"gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"}[runtime]
	m, err := l.Machine(account)
	if err != nil {
		t.Fatal(err)
	}
	f := &faults{base: m.Client().Transport}
	c := deployment.Config{
		Catalog: dir, Runtime: runtime, Audit: io.Discard, HTTP: &http.Client{
			Transport: f, Timeout: 2 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if c.Google = (lab.Tokens{HTTP: c.HTTP}); runtime == "aws" {
		c.Credentials = fromLambda(t, l)
	}
	d, err := deployment.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return d, f
}

func answering(status int, contentType, body string, header ...string) fault {
	return func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
		h := http.Header{"Content-Type": {contentType}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Status: fmt.Sprint(status), Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: int64(len(body))}, nil
	}
}

// changed edits a good answer.
func changed(edit func(text string) string) fault {
	return func(r *http.Request, base http.RoundTripper) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return nil, err
		}
		text = []byte(edit(string(text)))
		resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
		return resp, nil
	}
}

func hanging(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// retyped gives a good answer another content type.
func retyped(contentType string) fault {
	return func(r *http.Request, base http.RoundTripper) (*http.Response, error) {
		resp, err := base.RoundTrip(r)
		if err == nil {
			resp.Header.Set("Content-Type", contentType)
		}
		return resp, err
	}
}

func truncated(r *http.Request, base http.RoundTripper) (*http.Response, error) {
	resp, err := base.RoundTrip(r)
	if err == nil {
		resp.Body = io.NopCloser(broken{io.LimitReader(resp.Body, 40)})
	}
	return resp, err
}

func endlessBody(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(endless{}), Request: r}, nil
}

func reset(*http.Request, http.RoundTripper) (*http.Response, error) { return nil, syscall.ECONNRESET }

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

type broken struct{ io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

const stsError = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>r</RequestId></ErrorResponse>`

// A badAnswer is a fault at a host, and what is to come of it.
type badAnswer struct {
	host   string
	fault  fault
	reason exchange.Reason
	once   bool // not tried again
}

const (
	atAWS, atGoogle, atAccounts = "sts.eu-west-1", "sts.googleapis", "iamcredentials"
	atRedshift, atSecrets       = "redshift.eu-west-1", "secretsmanager"
	atMetadata                  = "169.254.169.254"
)

// asked is what is vended over a host, and from where.
func (b badAnswer) asked() (runtime, tenant, destination string) {
	switch b.host {
	case atRedshift:
		return "aws", "acme", "marts"
	case atSecrets:
		return "aws", "acme", "ledger"
	case atMetadata:
		return "gcp", "globex", "warehouse"
	}
	return "aws", "acme", "warehouse"
}

func badAnswers() map[string]badAnswer {
	xml := func(status int, code string) fault {
		return answering(status, "text/xml", fmt.Sprintf(stsError, code, "x"))
	}
	json := func(status int, text string) fault { return answering(status, "application/json", text) }
	return map[string]badAnswer{
		"a reset":               {atAWS, reset, exchange.Unavailable, false},
		"a 503 of AWS's":        {atAWS, xml(503, "ServiceUnavailable"), exchange.Unavailable, false},
		"a 500 without words":   {atAWS, answering(500, "text/html", "<html>oops</html>"), exchange.Unavailable, false},
		"throttled with a 400":  {atAWS, xml(400, "Throttling"), exchange.Throttled, false},
		"too many requests":     {atAWS, xml(400, "RequestLimitExceeded"), exchange.Throttled, false},
		"a 429 without words":   {atAWS, answering(429, "text/html", "<html>slow down</html>"), exchange.Throttled, false},
		"an earlier request":    {atAWS, xml(400, "PriorRequestNotComplete"), exchange.Throttled, false},
		"a refusal":             {atAWS, xml(403, "AccessDenied"), exchange.Refused, true},
		"a policy it dislikes":  {atAWS, xml(400, "MalformedPolicyDocument"), exchange.Refused, true},
		"an empty 200":          {atAWS, answering(200, "text/xml", ""), exchange.Unavailable, false},
		"another document":      {atAWS, answering(200, "text/xml", `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>canary</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`), exchange.Unavailable, false},
		"half a document":       {atAWS, changed(func(s string) string { return s[:len(s)/2] }), exchange.Unavailable, false},
		"a document and a half": {atAWS, changed(func(s string) string { return s + s[:len(s)/2] }), exchange.Unavailable, false},
		"two keys in it": {atAWS, changed(func(s string) string {
			return strings.Replace(s, "<AccessKeyId>", "<AccessKeyId>canary</AccessKeyId><AccessKeyId>", 1)
		}), exchange.Unavailable, false},
		"a namespace of its own": {atAWS, changed(func(s string) string {
			return strings.Replace(s, "<AccessKeyId>", `<AccessKeyId xmlns="https://canary.example/">`, 1)
		}), exchange.Unavailable, false},
		"XML that says HTML": {atAWS, retyped("text/html"), exchange.Unavailable, false},
		"a truncated body":   {atAWS, truncated, exchange.Unavailable, false},
		"a body without end": {atAWS, endlessBody, exchange.Unavailable, false},
		"a header without end": {atAWS, func(r *http.Request, _ http.RoundTripper) (*http.Response, error) {
			return nil, errors.New("net/http: server response headers exceeded 65536 bytes; aborted")
		}, exchange.Unavailable, false},
		"an answer for another role": {atAWS, changed(func(s string) string {
			return strings.Replace(s, "assumed-role/carnet-t-acme/", "assumed-role/carnet-t-globex/", 1)
		}), exchange.Unavailable, true},
		"an expiry that is past":  {atAWS, changed(func(s string) string { return replaceYear(s, "2001") }), exchange.Unavailable, true},
		"an expiry in a century":  {atAWS, changed(func(s string) string { return replaceYear(s, "2126") }), exchange.Unavailable, true},
		"entities in the XML":     {atAWS, answering(200, "text/xml", `<!DOCTYPE a [<!ENTITY b "canary">]><AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>&b;</AccessKeyId></Credentials></AssumeRoleResult></AssumeRoleResponse>`), exchange.Unavailable, false},
		"a panic on the way":      {atAWS, func(*http.Request, http.RoundTripper) (*http.Response, error) { panic("canary") }, exchange.Unavailable, true},
		"a quota of Google's":     {atGoogle, json(429, `{"error":"quota_exceeded","error_description":"The request was throttled due to rate limit"}`), exchange.Throttled, false},
		"a quota without a 429":   {atGoogle, json(400, `{"error":"quota_exceeded","error_description":"x"}`), exchange.Throttled, false},
		"a refused proof":         {atGoogle, json(400, `{"error":"invalid_grant","error_description":"no"}`), exchange.Refused, true},
		"a target that is none":   {atGoogle, json(400, `{"error":"invalid_target","error_description":"no"}`), exchange.Refused, true},
		"an issuer out of reach":  {atGoogle, json(400, `{"error":"invalid_grant","error_description":"Error connecting to the given credential's issuer."}`), exchange.Unavailable, false},
		"HTML for JSON":           {atGoogle, answering(200, "text/html", `<html>{"access_token":"canary"}</html>`), exchange.Unavailable, false},
		"a list for an object":    {atGoogle, json(200, `["canary"]`), exchange.Unavailable, false},
		"two objects":             {atGoogle, json(200, `{"access_token":"canary","expires_in":3600}{"access_token":"canary2"}`), exchange.Unavailable, false},
		"a key twice":             {atGoogle, json(200, `{"access_token":"canary","Access_Token":"canary2","expires_in":3600}`), exchange.Unavailable, false},
		"as deep as it goes":      {atGoogle, json(200, `{"access_token":`+strings.Repeat("[", 20000)), exchange.Unavailable, false},
		"a token without an end":  {atGoogle, json(200, `{"access_token":"canary","token_type":"Bearer"}`), exchange.Unavailable, true},
		"a token that has ended":  {atGoogle, json(200, `{"access_token":"canary","expires_in":-3600}`), exchange.Unavailable, true},
		"a token of many years":   {atGoogle, json(200, `{"access_token":"canary","expires_in":18446744077}`), exchange.Unavailable, true}, // in nanoseconds, 3.3 s
		"no number for an end":    {atGoogle, json(200, `{"access_token":"canary","expires_in":NaN}`), exchange.Unavailable, false},
		"too large an end":        {atGoogle, json(200, `{"access_token":"canary","expires_in":1e999}`), exchange.Unavailable, false},
		"no token":                {atAccounts, json(200, `{"expireTime":"2100-01-01T00:00:00Z"}`), exchange.Unavailable, true},
		"a token for ever":        {atAccounts, json(200, `{"accessToken":"canary","expireTime":"2100-01-01T00:00:00Z"}`), exchange.Unavailable, true},
		"a token of yesterday":    {atAccounts, json(200, `{"accessToken":"canary","expireTime":"2020-01-01T00:00:00Z"}`), exchange.Unavailable, true},
		"exhausted":               {atAccounts, answering(429, "application/json", `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"Quota exceeded"}}`, "Retry-After", "1"), exchange.Throttled, false},
		"exhausted, with a delay": {atAccounts, json(403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Quota","details":[{"reason":"RATE_LIMIT_EXCEEDED"},{"retryDelay":"0.2s"}]}}`), exchange.Throttled, false},
		"a redirect":              {atAccounts, answering(302, "text/html", "", "Location", "https://evil.example/"), exchange.Refused, true},
		"Redshift's throttle":     {atRedshift, xml(400, "Throttling"), exchange.Throttled, false},
		"no login in it":          {atRedshift, answering(200, "text/xml", `<GetClusterCredentialsWithIAMResponse><GetClusterCredentialsWithIAMResult><DbUser>canary</DbUser></GetClusterCredentialsWithIAMResult></GetClusterCredentialsWithIAMResponse>`), exchange.Unavailable, true},
		"a login for a century":   {atRedshift, changed(func(s string) string { return replaceYear(s, "2126") }), exchange.Unavailable, true},
		"a page for a login":      {atRedshift, answering(200, "text/html", `<html>canary</html>`), exchange.Unavailable, false},
		"a secret's throttle":     {atSecrets, answering(400, "application/x-amz-json-1.1", `{"__type":"ThrottlingException","message":"Rate exceeded"}`), exchange.Throttled, false},
		"a secret that is none":   {atSecrets, answering(200, "application/x-amz-json-1.1", `{"SecretString":"canary"}`), exchange.Unavailable, true},
		"a page for a secret":     {atSecrets, answering(200, "text/html", `<html>canary</html>`), exchange.Unavailable, false},
		"metadata that is away":   {atMetadata, answering(503, "text/plain", "canary"), exchange.Unavailable, false},
		"metadata without words":  {atMetadata, answering(200, "text/html", "<html>canary</html>"), exchange.Unavailable, false},
		"metadata without end":    {atMetadata, endlessBody, exchange.Unavailable, false},
		"metadata of many years":  {atMetadata, json(200, `{"access_token":"canary","expires_in":18446744077}`), exchange.Unavailable, true},
		"no account here":         {atMetadata, answering(404, "text/html", "Not Found"), exchange.Refused, true},
	}
}

// TestWhatCloudsAnswerOnABadDay: each fault at each host has its reason, at most three
// tries, and an edge; nothing is vended, nothing of the answer leaks, and once the cloud is
// itself again so is carnet.
func TestWhatCloudsAnswerOnABadDay(t *testing.T) {
	l, dir := onlyRole(t)
	for name, x := range badAnswers() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runtime, tenant, destination := x.asked()
			d, f := startFaulty(t, l, runtime, dir)
			f.set(x.host, x.fault)
			cred, err := vend(t.Context(), d, tenant, destination)
			var edge *exchange.EdgeError
			if cred != nil || err == nil {
				t.Fatalf("vended %v", cred)
			}
			if errors.As(err, &edge) && (edge.Reason != x.reason || edge.Edge.Op == "") {
				t.Errorf("%s (%s): %v", edge.Reason, edge.Code, err)
			}
			if !errors.As(err, &edge) && x.reason != exchange.Unavailable {
				t.Errorf("no edge: %v", err)
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the answer is in the error: %v", err)
			}
			if n := f.calls.Load(); n < 1 || n > 3 || x.once && n != 1 {
				t.Errorf("%d tries", n)
			}
			f.set("", nil)
			switch {
			case x.reason == exchange.Refused:
				return // repeated for seconds: keep's own tests wait them out
			case edge != nil && edge.RetryAfter > 0:
				time.Sleep(edge.RetryAfter)
			}
			if _, err := vend(t.Context(), d, tenant, destination); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func replaceYear(s, year string) string {
	i := strings.Index(s, "<Expiration>") + len("<Expiration>")
	return s[:i] + year + s[i+4:]
}

// TestOneCloudsHangIsNotTheOthers: 64 requests hang on Google, and AWS's are served.
func TestOneCloudsHangIsNotTheOthers(t *testing.T) {
	l, dir := onlyRole(t)
	d, f := startFaulty(t, l, "aws", dir)
	f.set("googleapis", hanging)
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			if _, err := vend(ctx, d, "acme", "warehouse"); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a hanging cloud: %v", err)
			}
		})
	}
	time.Sleep(50 * time.Millisecond)
	for range 20 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := vend(ctx, d, "acme", "lake"); err != nil {
			t.Errorf("the other cloud: %v", err)
		}
		cancel()
	}
	all.Wait()
	if n := f.calls.Load(); n > 3 {
		t.Errorf("64 callers made %d calls", n)
	}
	f.set("", nil)
	if _, err := vend(t.Context(), d, "acme", "warehouse"); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}

// TestAStormOfRefusals: 64 callers, one round, the same answer for all.
func TestAStormOfRefusals(t *testing.T) {
	l, dir := onlyRole(t)
	d, f := startFaulty(t, l, "aws", dir)
	f.set("sts.eu-west-1", answering(403, "text/xml", fmt.Sprintf(stsError, "AccessDenied", "no")))
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := vend(context.Background(), d, "acme", "lake"); err == nil {
				t.Error("vended")
			}
		})
	}
	all.Wait()
	if n := f.calls.Load(); n != 1 {
		t.Errorf("64 callers made %d calls", n)
	}
}

// TestDeadConnections: a process was frozen, and every connection that it had is dead.
func TestDeadConnections(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	for range 3 {
		if _, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: exchange.Console, Tenant: "acme", Destination: "lake", Fresh: true}); err != nil {
			t.Errorf("with what connections there are: %v", err)
		}
		l.Cut()
	}
}

// TestNothingIsEverCrossed asks 100,000 times, all tenants and destinations mixed, and holds
// each credential against the tenant that asked.
func TestNothingIsEverCrossed(t *testing.T) {
	const tenants, workers, asks = 20, 16, 100_000
	l, dir := crowdedLab(t, tenants)
	d := deploy(t, l, "aws", dir)
	kinds := []string{"lake", "frost"}
	var all sync.WaitGroup
	var wrong atomic.Int64
	for w := range workers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(w)))
			for range asks / workers {
				n, kind := r.IntN(tenants), kinds[r.IntN(len(kinds))]
				cred, err := vend(context.Background(), d, fmt.Sprint("t", n), kind)
				if err != nil || !belongs(cred, n) {
					wrong.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := wrong.Load(); n != 0 {
		t.Errorf("%d of %d answers were not the tenant's own", n, asks)
	}
}

// belongs reads the tenant's stamp off a credential: the role's name of a session, the
// subject of a token.
func belongs(c *exchange.Credential, tenant int) bool {
	if c.Session != nil {
		return strings.Contains(c.Principal, fmt.Sprintf("/share-%d/", tenant))
	}
	_, payload, ok := strings.Cut(c.Login.Token.Reveal(), ".")
	return ok && bytes.Contains(claimsOf(payload), []byte(fmt.Sprintf(`role/carnet-t-%d"`, tenant)))
}

// crowdedLab has so many tenants like acme, each with a role of its own and a customer's.
func crowdedLab(t *testing.T, n int) (*lab.Lab, string) {
	t.Helper()
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	operator, customer := w.AWS.Accounts["111122223333"], w.AWS.Accounts["999988887777"]
	policies := func(text string) map[string]world.JSON { return map[string]world.JSON{"p": world.JSON(text)} }
	var roles []string
	dir := t.TempDir()
	if err := sample.WriteCatalog(dir); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		mine, theirs := fmt.Sprint("carnet-t-", i), fmt.Sprint("share-", i)
		roles = append(roles, `"arn:aws:iam::111122223333:role/`+mine+`"`)
		operator.Roles[mine] = &world.Role{
			Trust:    world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + function + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"own-` + mine + `"}}}]}`),
			Policies: policies(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":"arn:aws:iam::999988887777:role/` + theirs + `"},{"Effect":"Allow","Action":"sts:GetWebIdentityToken","Resource":"*"}]}`),
		}
		customer.Roles[theirs] = &world.Role{
			Trust:    world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:role/` + mine + `"},"Action":"sts:AssumeRole","Condition":{"StringEquals":{"sts:ExternalId":"id-` + theirs + `"}}}]}`),
			Policies: policies(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`),
		}
		file := map[string]any{
			"tenant": fmt.Sprint("t", i), "identities": map[string]any{"aws": map[string]string{"role": "arn:aws:iam::111122223333:role/" + mine, "external_id": "own-" + mine}},
			"callers": []map[string]string{{"aws": "arn:aws:iam::111122223333:role/sync-worker"}},
			"destinations": map[string]any{
				"lake":  map[string]any{"kind": "s3", "role": "arn:aws:iam::999988887777:role/" + theirs, "external_id": "id-" + theirs, "region": region, "bucket": "acme-lake", "prefixes": []string{"a/"}, "access": "read", "verified": "2026-11-20"},
				"frost": map[string]any{"kind": "snowflake", "account": "ACME-PROD", "user": "CARNET", "external_id": fmt.Sprint("snow-", i), "verified": "2026-11-20"},
			},
		}
		text, err := yaml.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte(`"2026-11-20"`), []byte("2026-11-20"), -1)
		if err := os.WriteFile(filepath.Join(dir, "tenants", fmt.Sprintf("t%d.yaml", i)), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	operator.Roles["carnet-f-vend"].Policies["crowd"] = world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Resource":[` + strings.Join(roles, ",") + `]}]}`)
	return started(t, w), dir
}

// claimsOf decodes the middle of a JWT.
func claimsOf(rest string) []byte {
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64URL(payload)
	if err != nil || !json.Valid(text) {
		return nil
	}
	return text
}
