package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
)

// The destinations of these tests are real ones of a broker, in memory; the whole way,
// from a token to a cloud's data, is in package integration.

const secretWord = "canary-9f2c"

type place struct {
	kind string
	vend func(exchange.Request) (*exchange.Credential, error)
	asks atomic.Int32
}

func (p *place) Kind() string                  { return p.kind }
func (p *place) Chain() []string               { return []string{"tenant", "end"} }
func (p *place) OwnerOf(string) exchange.Owner { return exchange.ThirdParty }
func (p *place) Vend(_ context.Context, r exchange.Request) (*exchange.Credential, error) {
	p.asks.Add(1)
	return p.vend(r)
}

func session(exchange.Request) (*exchange.Credential, error) {
	return &exchange.Credential{
		Kind: "s3", Principal: "arn:aws:sts::999988887777:assumed-role/share/MINT", Expires: time.Now().Add(time.Hour), Place: map[string]string{"bucket": "lake"},
		Session: &exchange.Session{AccessKeyID: "ASIA1", SecretAccessKey: exchange.NewSecret(secretWord), SessionToken: exchange.NewSecret("token"), AccountID: "999988887777"},
	}, nil
}

func token(exchange.Request) (*exchange.Credential, error) {
	return &exchange.Credential{Kind: "gcs", Principal: "share@p", Expires: time.Now().Add(time.Hour), Token: &exchange.Token{AccessToken: exchange.NewSecret(secretWord), Scopes: []string{"a", "b"}}}, nil
}

func broken(reason exchange.Reason, code string) func(exchange.Request) (*exchange.Credential, error) {
	return func(exchange.Request) (*exchange.Credential, error) {
		return nil, &exchange.EdgeError{
			Edge: exchange.Edge{From: "arn:aws:iam::1:role/t", To: "arn:aws:iam::2:role/theirs", Op: "sts:AssumeRole"}, Crossed: exchange.Trail{{From: "r", To: "t", Op: "x"}},
			Reason: reason, Code: code, RetryAfter: 7 * time.Second, Err: errors.New("upstream said " + secretWord),
		}
	}
}

type catalogue map[string]*exchange.Tenant

func (c catalogue) Tenant(_ context.Context, name string) (*exchange.Tenant, error) {
	if name == "unreadable" {
		return nil, errors.New("tenants/unreadable.yaml:3: " + secretWord)
	}
	if t := c[name]; t != nil {
		return t, nil
	}
	return nil, exchange.ErrNoTenant
}

type bench struct {
	api  http.Handler
	lake *place
	log  *bytes.Buffer
}

var worker = exchange.Caller{Issuer: "https://issuer.example", Subject: "worker"}

func newBench(change ...func(*api.Config)) *bench {
	b := &bench{lake: &place{kind: "s3", vend: session}, log: new(bytes.Buffer)}
	destinations := map[string]exchange.Destination{
		"lake": b.lake, "drop": &place{kind: "gcs", vend: token},
		"refused": &place{kind: "s3", vend: broken(exchange.Refused, "AccessDenied")},
		"busy":    &place{kind: "s3", vend: broken(exchange.Throttled, "Throttling")},
		"away":    &place{kind: "s3", vend: broken(exchange.Unavailable, "")},
		"panics":  &place{kind: "s3", vend: func(exchange.Request) (*exchange.Credential, error) { panic(secretWord) }},
		"new": &place{kind: "s3", vend: func(exchange.Request) (*exchange.Credential, error) {
			return nil, fmt.Errorf("%w: %s", exchange.ErrUnverified, secretWord)
		}},
		"too-long": &place{kind: "s3", vend: func(exchange.Request) (*exchange.Credential, error) {
			return nil, fmt.Errorf("%w: ask for 45m at the most", exchange.ErrBadRequest)
		}},
	}
	broker := &exchange.Broker{
		Tenants: catalogue{
			"acme":  {Name: "acme", Rules: []exchange.Rule{{Caller: worker}}, Destinations: destinations},
			"other": {Name: "other", Rules: []exchange.Rule{{Caller: exchange.Caller{Issuer: "aws", Subject: "x"}}}, Destinations: destinations},
		},
		Audit: func(_ context.Context, r exchange.Record) error { return nil },
	}
	c := api.Config{
		Vend: broker.Vend, Check: checking(broker), Log: slog.New(slog.NewJSONHandler(b.log, nil)),
		Verify: func(_ context.Context, token string) (exchange.Caller, error) {
			if strings.TrimPrefix(token, "Bearer ") == "good" {
				return worker, nil
			}
			return exchange.Caller{}, caller.ErrUnverified
		},
	}
	for _, f := range change {
		f(&c)
	}
	b.api = api.New(c)
	return b
}

// checking reports in names of others, as a Checker does.
func checking(b *exchange.Broker) func(context.Context, exchange.Request, bool) (check.Report, error) {
	return func(ctx context.Context, req exchange.Request, probe bool) (check.Report, error) {
		cred, err := b.Vend(ctx, req)
		r := check.Report{
			Tenant: req.Tenant, Destination: req.Destination, Kind: "s3", Runtime: "aws", Outcome: check.Sound, RequestID: req.ID, Verified: "2026-11-20",
			Edges: []check.Edge{{From: "arn:aws:iam::1:role/t", To: "arn:aws:iam::2:role/theirs", Ops: []string{"sts:AssumeRole"}, State: check.Held, Owner: exchange.ThirdParty}},
		}
		var edge *exchange.EdgeError
		switch {
		case errors.As(err, &edge):
			cause := check.Cause{Code: "trust_policy", Owner: exchange.ThirdParty, Says: "the role does not let this identity in", At: edge.Edge.To}
			r.Outcome, r.Edges[0].State = check.BrokenChain, check.Broken
			r.Finding = &check.Finding{Position: 1, Op: edge.Edge.Op, Reason: edge.Reason, Code: edge.Code, Causes: []check.Cause{cause}}
		case err != nil:
			return check.Report{}, err
		default:
			r.Expires = cred.Expires
		}
		if probe {
			r.Probes = []check.Probed{{Name: "without the ExternalId", Verdict: "refused", Code: "AccessDenied"}}
		}
		return r, nil
	}
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (b *bench) do(r *http.Request) answer {
	w := httptest.NewRecorder()
	b.api.ServeHTTP(w, r)
	return answer{w.Code, w.Header(), w.Body.String()}
}

func post(path, body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer good")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Set(header[i], header[i+1])
		}
	}
	return r
}

func (a answer) code(t *testing.T) string {
	t.Helper()
	var body struct {
		Error struct {
			Code      string `json:"code"`
			RequestID string `json:"request_id"`
		} `json:"error"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
	if body.Error.Code != "" && body.Error.RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("the body's request id is %q, the header's %q", body.Error.RequestID, a.header.Get("X-Request-Id"))
	}
	return body.Error.Code
}

func TestACredentialAsJSON(t *testing.T) {
	b := newBench()
	got := b.do(post("/v1/credentials", `{"tenant":"acme","destination":"lake","min_ttl":"10m","grant":{"access":"read","prefixes":["a/"]},"job":"run 7"}`))
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "application/json" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v", got)
	}
	var body map[string]any
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatal(err)
	}
	keys := slices.Sorted(maps.Keys(body))
	if fmt.Sprint(keys) != "[expires_at kind place principal request_id session]" || body["request_id"] != got.header.Get("X-Request-Id") {
		t.Errorf("%v", body)
	}
	if s := body["session"].(map[string]any); s["secret_access_key"] != secretWord || s["access_key_id"] != "ASIA1" {
		t.Errorf("%v", s)
	}
}

func TestWhatIsNotUnderstoodIsRefused(t *testing.T) {
	b := newBench()
	good := `{"tenant":"acme","destination":"lake"}`
	for name, r := range map[string]*http.Request{
		"no body":                   post("/v1/credentials", ""),
		"a list":                    post("/v1/credentials", "["+good+"]"),
		"two objects":               post("/v1/credentials", good+good),
		"an unknown key":            post("/v1/credentials", `{"tenant":"acme","destination":"lake","tennant":"x"}`),
		"a key twice":               post("/v1/credentials", `{"tenant":"acme","destination":"lake","tenant":"other"}`),
		"a key in capitals":         post("/v1/credentials", `{"Tenant":"acme","destination":"lake"}`),
		"no tenant":                 post("/v1/credentials", `{"destination":"lake"}`),
		"a tenant that is null":     post("/v1/credentials", `{"tenant":null,"destination":"lake"}`),
		"a tenant that is a number": post("/v1/credentials", `{"tenant":7,"destination":"lake"}`),
		"a control character":       post("/v1/credentials", `{"tenant":"acme","destination":"lake","job":"a\nb"}`),
		"an empty grant":            post("/v1/credentials", `{"tenant":"acme","destination":"lake","grant":{}}`),
		"a grant of no prefixes":    post("/v1/credentials", `{"tenant":"acme","destination":"lake","grant":{"prefixes":[]}}`),
		"a key twice in the grant":  post("/v1/credentials", `{"tenant":"acme","destination":"lake","grant":{"access":"read","access":"write"}}`),
		"an access nobody knows":    post("/v1/credentials", `{"tenant":"acme","destination":"lake","grant":{"access":"admin"}}`),
		"a min_ttl below nothing":   post("/v1/credentials", `{"tenant":"acme","destination":"lake","min_ttl":"-5m"}`),
		"a min_ttl of words":        post("/v1/credentials", `{"tenant":"acme","destination":"lake","min_ttl":"long"}`),
		"a very long job":           post("/v1/credentials", `{"tenant":"acme","destination":"lake","job":"`+strings.Repeat("x", 300)+`"}`),
		"a very long body":          post("/v1/credentials", `{"tenant":"acme","destination":"lake","job":"`+strings.Repeat("x", 65<<10)+`"}`),
		"another content type":      post("/v1/credentials", good, "Content-Type", "text/plain"),
		"no content type":           post("/v1/credentials", good, "Content-Type", ""),
		"a packed body":             post("/v1/credentials", good, "Content-Encoding", "gzip"),
		"more than the chain has":   post("/v1/credentials", `{"tenant":"acme","destination":"too-long"}`),
		"an empty batch":            post("/v1/credentials:batch", `{"requests":[]}`),
		"a batch of 101":            post("/v1/credentials:batch", `{"requests":[`+strings.Repeat(good+",", 100)+good+`]}`),
		"a batch with a key beside": post("/v1/credentials:batch", `{"requests":[`+good+`],"tenant":"acme"}`),
	} {
		got := b.do(r)
		if got.status != http.StatusBadRequest || got.code(t) != "bad_request" {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := b.lake.asks.Load(); n != 0 {
		t.Errorf("the destination was asked %d times", n)
	}
}

func TestPathsAndMethodsAreExact(t *testing.T) {
	b := newBench()
	for path, want := range map[string]int{
		"POST /v1/credentials/": 404, "POST //v1/credentials": 404, "POST /v1/Credentials": 404, "POST /": 404,
		"GET /v1/credentials": 405, "DELETE /v1/token": 405, "HEAD /v1/tenants/acme/destinations/lake/aws": 405,
		"GET /v1/tenants/acme/destinations//aws": 404, "GET /v1/tenants/acme/destinations/lake/aws/": 404,
		"GET /v1/tenants/acme%2Fdestinations/lake/x/aws": 404, "GET /v1/tenants/a/b/destinations/lake/aws": 404,
	} {
		method, at, _ := strings.Cut(path, " ")
		r := httptest.NewRequest(method, at, nil)
		r.Header.Set("Authorization", "good")
		got := b.do(r)
		if got.status != want || got.status == 405 && got.header.Get("Allow") == "" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestOneProofOrNone(t *testing.T) {
	body := `{"tenant":"acme","destination":"lake"}`
	twice := post("/v1/credentials", body)
	twice.Header.Add("Authorization", "Bearer good")
	twicePlatform := post("/v1/credentials", body)
	twicePlatform.Header["X-Serverless-Authorization"] = []string{"Bearer x", "Bearer y"}
	principal := func(r *http.Request) *http.Request { return r.WithContext(api.WithPrincipal(r.Context(), worker)) }
	signed := "AWS4-HMAC-SHA256 Credential=ASIA1/20261124/eu-west-1/lambda/aws4_request, SignedHeaders=host, Signature=00"
	iam := func(c *api.Config) { c.Principals = true }
	noTokens := func(c *api.Config) { c.Principals, c.Verify = true, nil }
	for name, x := range map[string]struct {
		config func(*api.Config)
		r      *http.Request
		want   string // a code; empty: served
	}{
		"a token":                                  {nil, post("/v1/credentials", body), ""},
		"a token without Bearer":                   {nil, post("/v1/credentials", body, "Authorization", "good"), ""},
		"a token beside the platform's":            {nil, post("/v1/credentials", body, "X-Serverless-Authorization", "Bearer x"), ""},
		"the platform's alone":                     {nil, post("/v1/credentials", body, "Authorization", "", "X-Serverless-Authorization", "Bearer good"), "unauthenticated"},
		"nothing":                                  {nil, post("/v1/credentials", body, "Authorization", ""), "unauthenticated"},
		"another token":                            {nil, post("/v1/credentials", body, "Authorization", "Bearer bad"), "unauthenticated"},
		"two tokens":                               {nil, twice, "bad_request"},
		"two of the platform's":                    {nil, twicePlatform, "bad_request"},
		"a principal":                              {iam, principal(post("/v1/credentials", body, "Authorization", "")), ""},
		"a principal and its signature":            {iam, principal(post("/v1/credentials", body, "Authorization", signed)), ""},
		"a principal and a token":                  {iam, principal(post("/v1/credentials", body)), "bad_request"},
		"a principal where tokens alone count":     {nil, principal(post("/v1/credentials", body, "Authorization", "")), "unauthenticated"},
		"a token where principals alone count":     {noTokens, post("/v1/credentials", body), "unauthenticated"},
		"a signature that no platform has checked": {iam, post("/v1/credentials", body, "Authorization", signed), "unauthenticated"},
		"a header that names a principal":          {iam, post("/v1/credentials", body, "Authorization", "", "X-Amzn-Iam-Arn", "arn:aws:sts::1:assumed-role/a/b"), "unauthenticated"},
	} {
		b := newBench()
		if x.config != nil {
			b = newBench(x.config)
		}
		got := b.do(x.r)
		if code := got.code(t); code != x.want || (x.want == "") != (got.status == http.StatusOK) {
			t.Errorf("%s: %d %q, not %q", name, got.status, code, x.want)
		}
	}
}

func TestErrorsTellWhatACallerMayKnow(t *testing.T) {
	b := newBench()
	for destination, want := range map[string]struct {
		status int
		code   string
		after  string
	}{
		"refused": {403, "trust_refused", ""}, "busy": {429, "throttled", "7"}, "away": {503, "upstream_unavailable", "7"},
		"panics": {500, "internal", ""}, "nothere": {403, "denied", ""}, "new": {403, "trust_refused", ""},
	} {
		got := b.do(post("/v1/credentials", `{"tenant":"acme","destination":"`+destination+`"}`))
		if got.status != want.status || got.code(t) != want.code || got.header.Get("Retry-After") != want.after {
			t.Errorf("%s: %d %s, Retry-After %q", destination, got.status, got.body, got.header.Get("Retry-After"))
		}
		if strings.Contains(got.body, secretWord) || strings.Contains(got.body, "arn:") {
			t.Errorf("%s: the answer tells too much: %s", destination, got.body)
		}
	}
	if got := b.do(post("/v1/credentials", `{"tenant":"unreadable","destination":"lake"}`)); got.status != 500 || strings.Contains(got.body, secretWord) {
		t.Errorf("a file that cannot be read: %d %s", got.status, got.body)
	}
	got := b.do(post("/v1/credentials", `{"tenant":"acme","destination":"refused"}`))
	if !strings.Contains(got.body, `"edge":{"position":2,"op":"sts:AssumeRole","code":"AccessDenied"},"owner":"third-party"`) {
		t.Errorf("%s", got.body)
	}
	if strings.Contains(b.log.String(), `"panic":"`+secretWord) {
		t.Error("what was panicked with is in the log")
	}
	if got := b.do(post("/v1/credentials", `{"tenant":"acme","destination":"lake"}`)); got.status != 200 {
		t.Errorf("after a panic: %d", got.status)
	}
}

// TestUnknownLooksLikeForbidden: the answers are the same, byte by byte but for the id.
func TestUnknownLooksLikeForbidden(t *testing.T) {
	b := newBench()
	seen := map[string]bool{}
	for _, body := range []string{
		`{"tenant":"acme","destination":"nothere"}`, `{"tenant":"nobody","destination":"lake"}`, `{"tenant":"other","destination":"lake"}`,
		`{"tenant":"../acme","destination":"lake"}`, `{"tenant":"other","destination":"nothere"}`,
	} {
		got := b.do(post("/v1/credentials", body))
		seen[fmt.Sprint(got.status, regexp.MustCompile(`[A-Z2-7]{26}`).ReplaceAllString(got.body, "ID"))] = true
	}
	if len(seen) != 1 {
		t.Errorf("%d different answers: %v", len(seen), seen)
	}
}

// TestUnknownLastsAsLongAsForbidden: the bucket is asked for a name that nobody knows, and
// what is there is at hand. The clock tells a caller nothing of it, in any shape.
func TestUnknownLastsAsLongAsForbidden(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(func(c *api.Config) {
			vend := c.Vend
			c.Vend = func(ctx context.Context, r exchange.Request) (*exchange.Credential, error) {
				if r.Tenant == "nobody" {
					time.Sleep(90 * time.Millisecond)
				}
				return vend(ctx, r)
			}
		})
		lasts := func(r *http.Request) time.Duration {
			began := time.Now()
			b.do(r)
			return time.Since(began)
		}
		shapes := map[string]func(tenant string) *http.Request{
			"json": func(tenant string) *http.Request {
				return post("/v1/credentials", `{"tenant":"`+tenant+`","destination":"lake"}`)
			},
			"batch": func(tenant string) *http.Request {
				return post("/v1/credentials:batch", `{"requests":[{"tenant":"`+tenant+`","destination":"lake"}]}`)
			},
			"token": func(tenant string) *http.Request { return tokenForm("audience=" + api.Audience(tenant, "drop")) },
			"container": func(tenant string) *http.Request {
				r := httptest.NewRequest(http.MethodGet, "/v1/tenants/"+tenant+"/destinations/lake/aws", nil)
				r.Header.Set("Authorization", "good")
				return r
			},
		}
		for shape, ask := range shapes {
			if unknown, forbidden := lasts(ask("nobody")), lasts(ask("other")); unknown != forbidden || unknown == 0 {
				t.Errorf("%s: unknown lasts %s, forbidden %s", shape, unknown, forbidden)
			}
		}
		if d := lasts(shapes["json"]("acme")); d != 0 {
			t.Errorf("what is granted waits for %s", d)
		}
	})
}

func TestABatchIsVendedSideBySide(t *testing.T) {
	var now, most atomic.Int32
	b := newBench()
	b.lake.vend = func(r exchange.Request) (*exchange.Credential, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(5 * time.Millisecond)
		return session(r)
	}
	one := `{"tenant":"acme","destination":"lake"}`
	body := `{"requests":[` + strings.Repeat(one+",", 96) + `{"tenant":"acme","destination":"refused"},{"tenant":"acme","destination":"panics"},{"tenant":"acme"},` + one + `]}`
	got := b.do(post("/v1/credentials:batch", body))
	var out struct {
		Results []struct {
			Credential struct {
				RequestID string `json:"request_id"`
			} `json:"credential"`
			Error struct{ Code string } `json:"error"`
		} `json:"results"`
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal([]byte(got.body), &out); err != nil || got.status != http.StatusOK || len(out.Results) != 100 {
		t.Fatalf("%d, %d results, %v", got.status, len(out.Results), err)
	}
	for i, want := range map[int]string{95: "", 96: "trust_refused", 97: "internal", 98: "bad_request", 99: ""} {
		if out.Results[i].Error.Code != want || want == "" && out.Results[i].Credential.RequestID != fmt.Sprintf("%s-%d", out.RequestID, i) {
			t.Errorf("result %d: %+v", i, out.Results[i])
		}
	}
	if n := most.Load(); n < 2 || n > 16 {
		t.Errorf("%d at a time", n)
	}
}

func TestAContainerEndpointToTheLetter(t *testing.T) {
	b := newBench()
	get := func(destination string) answer {
		r := httptest.NewRequest(http.MethodGet, "/v1/tenants/acme/destinations/"+destination+"/aws", nil)
		r.Header.Set("Authorization", "good")
		r.Header.Set("Accept", "application/json")
		return b.do(r)
	}
	var asked time.Duration
	b.lake.vend = func(r exchange.Request) (*exchange.Credential, error) {
		asked = r.MinTTL
		return session(r)
	}
	got := get("lake")
	var body map[string]string
	if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != 200 || got.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%+v, %v", got, err)
	}
	if body["Token"] != "token" || body["SecretAccessKey"] != secretWord || body["AccessKeyId"] != "ASIA1" || body["AccountId"] != "999988887777" || asked != 15*time.Minute {
		t.Errorf("%v, asked for %s", body, asked)
	}
	if _, err := time.Parse(time.RFC3339, body["Expiration"]); err != nil {
		t.Error(err)
	}
	for destination, want := range map[string]int{"drop": 400, "refused": 403, "busy": 429, "away": 503, "nothere": 403} {
		got := get(destination)
		var body struct{ Code, Message string }
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || got.status != want || body.Code == "" || body.Message == "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %+v, %v", destination, got, err)
		}
	}
}

func TestATokenEndpoint(t *testing.T) {
	b := newBench()
	form := func(pairs ...string) *http.Request {
		fields := map[string]string{
			"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
			"audience": api.Audience("acme", "drop"), "scope": "https://www.googleapis.com/auth/cloud-platform",
			"subject_token": "good", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
		}
		for i := 0; i < len(pairs); i += 2 {
			fields[pairs[i]] = pairs[i+1]
		}
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(fields)) {
			parts = append(parts, k+"="+fields[k])
		}
		return post("/v1/token", strings.Join(parts, "&"), "Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
	}
	got := b.do(form())
	var ok struct {
		AccessToken     string `json:"access_token"`
		IssuedTokenType string `json:"issued_token_type"`
		TokenType       string `json:"token_type"`
		ExpiresIn       int    `json:"expires_in"`
		Scope           string
	}
	if err := json.Unmarshal([]byte(got.body), &ok); err != nil || got.status != 200 || ok.AccessToken != secretWord || ok.TokenType != "Bearer" ||
		ok.ExpiresIn < 3500 || ok.Scope != "a b" || ok.IssuedTokenType != "urn:ietf:params:oauth:token-type:access_token" || got.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%+v, %v", got, err)
	}
	withHeader := form()
	withHeader.Header.Set("Authorization", "Bearer good")
	for name, x := range map[string]struct {
		r    *http.Request
		want string
	}{
		"another token":           {form("subject_token", "bad"), "invalid_grant"},
		"no token":                {form("subject_token", ""), "invalid_grant"},
		"an audience of nothing":  {form("audience", "//iam.googleapis.com/x"), "invalid_target"},
		"another's destination":   {form("audience", api.Audience("other", "drop")), "invalid_target"},
		"a destination of no use": {form("audience", api.Audience("acme", "lake")), "invalid_target"},
		"another grant":           {form("grant_type", "client_credentials"), "invalid_request"},
		"a signed request":        {form("subject_token_type", "urn:ietf:params:aws:token-type:aws4_request"), "invalid_request"},
		"a refresh token":         {form("requested_token_type", "urn:ietf:params:oauth:token-type:refresh_token"), "invalid_request"},
		"a parameter twice":       {form("scope", "a&scope=b"), "invalid_request"},
		"an actor":                {form("actor_token", "good"), "invalid_request"},
		"two credentials":         {withHeader, "invalid_request"},
		"a refused edge":          {form("audience", api.Audience("acme", "refused")), "trust_refused"},
	} {
		got := b.do(x.r)
		var body struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if err := json.Unmarshal([]byte(got.body), &body); err != nil || body.Error != x.want || body.Description == "" || got.status < 400 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestHealth(t *testing.T) {
	b := newBench(func(c *api.Config) { c.Ready = func(context.Context) error { return errors.New("no catalog") } })
	if got := b.do(httptest.NewRequest(http.MethodGet, "/healthz", nil)); got.status != 200 {
		t.Errorf("healthz: %+v", got)
	}
	if got := b.do(httptest.NewRequest(http.MethodGet, "/readyz", nil)); got.status != 503 || strings.Contains(got.body, "catalog") {
		t.Errorf("readyz: %+v", got)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add(`{"tenant":"acme","destination":"lake","min_ttl":900,"grant":{"access":"read","prefixes":["a/"]},"job":"x"}`)
	f.Add(`{"tenant":"acme","tenant":"other","destination":"lake"}`)
	f.Add("{")
	b := newBench()
	f.Fuzz(func(t *testing.T, body string) {
		got := b.do(post("/v1/credentials", body))
		if got.status >= 500 || !json.Valid([]byte(got.body)) {
			t.Fatalf("%d %s", got.status, got.body)
		}
	})
}

func BenchmarkCredentials(b *testing.B) {
	bench := newBench(func(c *api.Config) { c.Principals, c.Log = true, slog.New(slog.DiscardHandler) })
	ctx := api.WithPrincipal(context.Background(), worker)
	body := []byte(`{"tenant":"acme","destination":"lake"}`)
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/v1/credentials", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		bench.api.ServeHTTP(w, r)
		if w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
		io.Copy(io.Discard, w.Body)
	}
}

// TestACheckNamesNobody: a caller learns where and whose, and no name.
func TestACheckNamesNobody(t *testing.T) {
	b := newBench()
	got := b.do(post("/v1/check", `{"tenant":"acme","destination":"refused","probe":true}`))
	if got.status != http.StatusOK || !strings.Contains(got.body, `"code":"trust_policy","owner":"third-party"`) || !strings.Contains(got.body, `"position":1`) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, name := range []string{"arn:", "theirs", secretWord, "upstream"} {
		if strings.Contains(got.body, name) {
			t.Errorf("%s is in %s", name, got.body)
		}
	}
	for _, denied := range []string{`{"tenant":"other","destination":"lake"}`, `{"tenant":"acme","destination":"nothere"}`, `{"tenant":"nobody","destination":"lake"}`} {
		if got := b.do(post("/v1/check", denied)); got.status != http.StatusForbidden || got.code(t) != "denied" {
			t.Errorf("%s: %d %s", denied, got.status, got.body)
		}
	}
	for _, body := range []string{`{"tenant":"acme","destination":"lake","probe":"yes"}`, `{"tenant":"acme","destination":"lake","probe":null}`, `{"tenant":"acme"}`, `{"tenant":"acme","destination":"lake","min_ttl":"5m"}`} {
		if got := b.do(post("/v1/check", body)); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
}
