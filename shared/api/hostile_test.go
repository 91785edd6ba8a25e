package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/exchange"
)

// in answers the same question in each of the three shapes.
func in(shape, destination string) *http.Request {
	switch shape {
	case "json":
		return post("/v1/credentials", `{"tenant":"acme","destination":"`+destination+`"}`)
	case "container":
		r := httptest.NewRequest(http.MethodGet, "/v1/tenants/acme/destinations/"+destination+"/aws", nil)
		r.Header.Set("Authorization", "good")
		return r
	}
	return tokenForm("audience=" + api.Audience("acme", destination))
}

// tokenForm is a good exchange with more parameters.
func tokenForm(more string) *http.Request {
	return post("/v1/token", "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=good&subject_token_type=urn:ietf:params:oauth:token-type:jwt&"+more,
		"Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
}

var shapes = []string{"json", "container", "token"}

// TestAnIssuerThatIsAwayIsWorthAnotherTry: 503 and not 401, or a job would throw its good
// token away; and not 500, which is the operator's to mend.
func TestAnIssuerThatIsAwayIsWorthAnotherTry(t *testing.T) {
	b := newBench(func(c *api.Config) {
		c.Verify = func(context.Context, string) (exchange.Caller, error) {
			return exchange.Caller{}, fmt.Errorf("%w: https://issuer.example: %s", caller.ErrNoKeys, secretWord)
		}
	})
	for _, shape := range shapes {
		got := b.do(in(shape, "drop"))
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" || strings.Contains(got.body, secretWord) || strings.Contains(got.body, "issuer.example") {
			t.Errorf("%s: %d %s, Retry-After %q", shape, got.status, got.body, got.header.Get("Retry-After"))
		}
	}
	if !strings.Contains(b.log.String(), secretWord) {
		t.Error("the log does not say why")
	}
}

func TestWhoeverIsNotVerifiedLearnsHowToBe(t *testing.T) {
	b := newBench()
	for path, r := range map[string]*http.Request{
		"json":      post("/v1/credentials", `{"tenant":"acme","destination":"lake"}`, "Authorization", "bad"),
		"batch":     post("/v1/credentials:batch", `{"requests":[]}`, "Authorization", ""),
		"container": httptest.NewRequest(http.MethodGet, "/v1/tenants/acme/destinations/lake/aws", nil),
	} {
		if got := b.do(r); got.status != http.StatusUnauthorized || got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %d, WWW-Authenticate %q", path, got.status, got.header.Get("WWW-Authenticate"))
		}
	}
	got := b.do(post("/v1/token", "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=bad&subject_token_type=urn:ietf:params:oauth:token-type:jwt&audience="+api.Audience("acme", "drop"),
		"Content-Type", "application/x-www-form-urlencoded", "Authorization", ""))
	if !strings.Contains(got.body, `"invalid_grant"`) || got.status != http.StatusBadRequest || got.header.Get("WWW-Authenticate") != "" {
		t.Errorf("a token endpoint answers 400: %d, %v", got.status, got.header)
	}
}

// TestAnEdgesOwnErrorIsNotRead: whatever a cloud's words are wrapped in, they stay here.
func TestAnEdgesOwnErrorIsNotRead(t *testing.T) {
	for name, inner := range map[string]error{
		"a bad request":   fmt.Errorf("%w: %s", exchange.ErrBadRequest, secretWord),
		"a denial":        fmt.Errorf("%w: %s", exchange.ErrDenied, secretWord),
		"an unverified":   fmt.Errorf("%w: %s", caller.ErrUnverified, secretWord),
		"a cancelled one": fmt.Errorf("%s: %w", secretWord, context.Canceled),
	} {
		b := newBench()
		b.lake.vend = func(exchange.Request) (*exchange.Credential, error) {
			return nil, &exchange.EdgeError{Edge: exchange.Edge{From: "arn:aws:iam::1:role/t", To: "arn:aws:iam::2:role/theirs", Op: "sts:AssumeRole"}, Reason: exchange.Refused, Code: "AccessDenied", Err: inner}
		}
		got := b.do(in("json", "lake"))
		if got.code(t) != "trust_refused" || strings.Contains(got.body, secretWord) || strings.Contains(got.body, "arn:") {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

// TestWhatCannotBeRecordedIsNotVended, and the reason stays with the operator.
func TestWhatCannotBeRecordedIsNotVended(t *testing.T) {
	for name, why := range map[string]error{
		"a full disk": errors.New("no space left: " + secretWord), "a deadline": context.DeadlineExceeded, "an odd one": exchange.ErrBadRequest,
	} {
		b := newBench(func(c *api.Config) {
			broker := &exchange.Broker{
				Tenants: catalogue{"acme": {Name: "acme", Rules: []exchange.Rule{{Caller: worker}}, Destinations: map[string]exchange.Destination{"lake": &place{kind: "s3", vend: session}}}},
				Audit:   func(context.Context, exchange.Record) error { return why },
			}
			c.Vend = broker.Vend
		})
		got := b.do(in("json", "lake"))
		if got.status != http.StatusInternalServerError || got.code(t) != "internal" || strings.Contains(got.body, secretWord) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
}

func TestNothingStandsBesideWhatIsAsked(t *testing.T) {
	b := newBench()
	good := `{"tenant":"acme","destination":"lake"}`
	refused := func(name string, want int, r *http.Request) {
		t.Helper()
		if got := b.do(r); got.status != want || b.lake.asks.Load() != 0 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	refused("a query", 400, post("/v1/credentials?tenant=other", good))
	refused("an empty query", 400, post("/v1/credentials?", good))
	refused("a batch's query", 400, post("/v1/credentials:batch?x", `{"requests":[`+good+`]}`))
	refused("a container's query", 400, func() *http.Request { r := in("container", "lake"); r.URL.RawQuery = "x=y"; return r }())
	refused("a container's empty query", 400, func() *http.Request { r := in("container", "lake"); r.URL.ForceQuery = true; return r }())
	refused("a control character in a path", 404, in("container", "lake%0A"))
	refused("two content types", 400, func() *http.Request {
		r := post("/v1/credentials", good)
		r.Header.Add("Content-Type", "application/json")
		return r
	}())
	refused("a key with a long s", 400, post("/v1/credentials", `{"tenant":"acme","deſtination":"lake"}`))
	refused("a key twice, once with a long s", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","deſtination":"drop"}`))
	refused("a key twice, once escaped", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","\u0074enant":"other"}`))
	refused("a body out of UTF-8", 400, post("/v1/credentials", "{\"tenant\":\"acme\",\"destination\":\"lake\",\"job\":\"\xff\"}"))
	refused("a control character of Latin-1", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","job":"\u0085"}`))
	refused("a prefix that is null", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","grant":{"prefixes":[null]}}`))
	refused("a min_ttl of half a second more", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","min_ttl":900.5}`))
	refused("a min_ttl of a week", 400, post("/v1/credentials", `{"tenant":"acme","destination":"lake","min_ttl":"168h"}`))
	lake := "audience=" + api.Audience("acme", "lake")
	refused("an audience twice, once in capitals", 400, tokenForm(lake+"&AUDIENCE="+api.Audience("acme", "drop")))
	refused("a control character in a form", 400, tokenForm(lake+"%0A"))
	refused("a form out of UTF-8", 400, tokenForm(lake+"&scope=%FF"))
	refused("a resource", 400, tokenForm(lake+"&resource=https://storage.example"))
	refused("a form's query", 400, func() *http.Request { r := tokenForm(lake); r.URL.RawQuery = "scope=x"; return r }())
}

// TestTheDeadlineIsTheCallers: the destination sees it, and who ran out of it is told to
// come again.
func TestTheDeadlineIsTheCallers(t *testing.T) {
	b := newBench(func(c *api.Config) {
		c.Vend = func(ctx context.Context, _ exchange.Request) (*exchange.Credential, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
	})
	for _, shape := range shapes {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		got := b.do(in(shape, "drop").WithContext(ctx))
		cancel()
		if got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", shape, got.status, got.body)
		}
	}
}

// TestRequestIDsAreOurs: one that comes with a request is not repeated.
func TestRequestIDsAreOurs(t *testing.T) {
	b := newBench()
	seen := map[string]bool{}
	for range 3 {
		r := in("json", "nothere")
		r.Header.Set("X-Request-Id", "theirs")
		got := b.do(r)
		id := got.header.Get("X-Request-Id")
		if len(id) != 26 || seen[id] || strings.Contains(got.body, "theirs") {
			t.Errorf("the id is %q: %s", id, got.body)
		}
		seen[id] = true
	}
}

// TestNoSecretIsLogged: whatever goes wrong, neither a caller's proof nor a credential is
// in the log.
func TestNoSecretIsLogged(t *testing.T) {
	const proof = "eyJhbGciOi-canary-proof"
	b := newBench()
	for _, shape := range shapes {
		for _, destination := range []string{"lake", "drop", "panics", "nothere", "refused"} {
			for _, token := range []string{"good", proof} {
				r := in(shape, destination)
				if r.Header.Get("Authorization") != "" {
					r.Header.Set("Authorization", token)
				}
				b.do(r)
			}
		}
	}
	b.do(tokenForm("subject_token=" + proof))
	if log := b.log.String(); strings.Contains(log, secretWord) || strings.Contains(log, proof) || !strings.Contains(log, `"panic"`) {
		t.Errorf("the log: %s", log)
	}
}

func TestRoutes(t *testing.T) {
	b := newBench()
	for _, route := range api.Routes() {
		method, path, _ := strings.Cut(route, " ")
		path = strings.NewReplacer("{t}", "acme", "{d}", "lake").Replace(path)
		if got := b.do(httptest.NewRequest(method, path, nil)); got.status == http.StatusNotFound || got.status == http.StatusMethodNotAllowed {
			t.Errorf("%s: %d", route, got.status)
		}
	}
}

// TestAWarmRequestAllocatesLittle: 60 is the bar for the whole way through a function, of
// which a handler is a part.
func TestAWarmRequestAllocatesLittle(t *testing.T) {
	b := newBench(func(c *api.Config) { c.Principals, c.Log = true, slog.New(slog.DiscardHandler) })
	kept, err := session(exchange.Request{})
	if err != nil {
		t.Fatal(err)
	}
	b.lake.vend = func(exchange.Request) (*exchange.Credential, error) { return kept, nil }
	body := bytes.NewReader([]byte(`{"tenant":"acme","destination":"lake"}`))
	r := httptest.NewRequestWithContext(api.WithPrincipal(t.Context(), worker), http.MethodPost, "/v1/credentials", body)
	r.Header.Set("Content-Type", "application/json")
	n := testing.AllocsPerRun(100, func() {
		body.Seek(0, 0)
		w := &sink{header: http.Header{}}
		if b.api.ServeHTTP(w, r); !json.Valid(w.body) || w.status != http.StatusOK {
			t.Fatalf("%d %s", w.status, w.body)
		}
	})
	if n > 45 {
		t.Errorf("%.0f allocations", n)
	}
	t.Logf("%.0f allocations", n)
}

type sink struct {
	header http.Header
	status int
	body   []byte
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(p []byte) (int, error) { s.body = append(s.body, p...); return len(p), nil }

// TestWhoComesAboveTheMost is told to come again, in the words of each shape. Probes are
// answered, and so is the next request once a seat is free.
func TestWhoComesAboveTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(func(c *api.Config) { c.Most = 2 })
		b.lake.vend = func(r exchange.Request) (*exchange.Credential, error) { time.Sleep(time.Minute); return session(r) }
		one := func() answer { return b.do(post("/v1/credentials", `{"tenant":"acme","destination":"lake"}`)) }
		for range 2 {
			go one()
		}
		synctest.Wait()
		for shape, want := range map[string]string{"json": `"code":"throttled"`, "container": `"code":"throttled"`, "token": `"error":"slow_down"`} {
			if got := b.do(in(shape, "lake")); got.status != 429 || got.header.Get("Retry-After") != "1" || !strings.Contains(got.body, want) {
				t.Errorf("%s: %d %s", shape, got.status, got.body)
			}
		}
		if got := b.do(httptest.NewRequest(http.MethodGet, "/healthz", nil)); got.status != 200 {
			t.Errorf("a probe: %d", got.status)
		}
		time.Sleep(2 * time.Minute)
		for range 3 { // a panic gives its seat back
			b.do(in("json", "panics"))
		}
		if got := one(); got.status != 200 {
			t.Errorf("with free seats: %d %s", got.status, got.body)
		}
	})
}
