package api_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/exchange"
)

// A description is docs/openapi.yaml, with a compiler for its schemas.
type description struct {
	doc      map[string]any
	compiler *jsonschema.Compiler
}

func openapi(t *testing.T) description {
	t.Helper()
	text, err := os.ReadFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jsonschema.UnmarshalJSON(strings.NewReader(string(asJSON)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("openapi.json", plain); err != nil {
		t.Fatal(err)
	}
	return description{plain.(map[string]any), c}
}

func escapedKey(s string) string {
	return strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace(s)
}

// response validates an answer, if the description has its status at that path and method.
func (d description) response(t *testing.T, path, method string, a answer) {
	t.Helper()
	responses := d.doc["paths"].(map[string]any)[path].(map[string]any)[method].(map[string]any)["responses"].(map[string]any)
	r, ok := responses[strconv.Itoa(a.status)].(map[string]any)
	if !ok {
		t.Errorf("%s %s answers %d, which the description does not have", method, path, a.status)
		return
	}
	at := "openapi.json#/paths/" + escapedKey(path) + "/" + method + "/responses/" + strconv.Itoa(a.status)
	if ref, ok := r["$ref"].(string); ok {
		at = "openapi.json" + ref
	}
	schema, err := d.compiler.Compile(at + "/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	body, err := jsonschema.UnmarshalJSON(strings.NewReader(a.body))
	if err != nil {
		t.Errorf("%s %s %d is no JSON: %s", method, path, a.status, a.body)
		return
	}
	if err := schema.Validate(body); err != nil {
		t.Errorf("%s %s %d: %v", method, path, a.status, err)
	}
}

// headers checks that an answer has the headers that the description promises of it.
func (d description) headers(t *testing.T, path, method string, a answer) {
	t.Helper()
	r, _ := d.at("paths", path, method, "responses", strconv.Itoa(a.status)).(map[string]any)
	if ref, ok := r["$ref"].(string); ok {
		r = d.at(strings.Split(strings.TrimPrefix(ref, "#/"), "/")...).(map[string]any)
	}
	promised, _ := r["headers"].(map[string]any)
	for name, h := range promised {
		at := strings.TrimPrefix(h.(map[string]any)["$ref"].(string), "#/")
		schema, err := d.compiler.Compile("openapi.json#/" + at + "/schema")
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(a.header.Get(name)); err != nil {
			t.Errorf("%s %s %d: %s is %q", method, path, a.status, name, a.header.Get(name))
		}
	}
	if a.header.Get("Cache-Control") != "no-store" || a.header.Get("X-Request-Id") == "" || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %s %d: %v", method, path, a.status, a.header)
	}
}

func (d description) at(path ...string) any {
	var here any = d.doc
	for _, name := range path {
		m, _ := here.(map[string]any)
		here = m[name]
	}
	return here
}

// TestTheDescriptionHasEveryRoute, and no other.
func TestTheDescriptionHasEveryRoute(t *testing.T) {
	var described []string
	names := strings.NewReplacer("{tenant}", "{t}", "{destination}", "{d}")
	for path, methods := range openapi(t).doc["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			described = append(described, strings.ToUpper(method)+" "+names.Replace(path))
		}
	}
	slices.Sort(described)
	if routes := slices.Sorted(slices.Values(api.Routes())); !slices.Equal(described, routes) {
		t.Errorf("described: %q\nanswered: %q", described, routes)
	}
}

// TestTheDescriptionAndTheHandlerTakeTheSame: what a client may send by the schema is
// taken, and what it may not is refused.
func TestTheDescriptionAndTheHandlerTakeTheSame(t *testing.T) {
	d, b := openapi(t), newBench()
	schema, err := d.compiler.Compile("openapi.json#/components/schemas/Request")
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]bool{
		`{"tenant":"acme","destination":"lake"}`:                             true,
		`{"tenant":"acme","destination":"lake","min_ttl":"15m"}`:             true,
		`{"tenant":"acme","destination":"lake","min_ttl":900,"job":"x"}`:     true,
		`{"tenant":"acme","destination":"lake","grant":{"access":"read"}}`:   true,
		`{"tenant":"acme","destination":"lake","grant":{"prefixes":["a/"]}}`: true,
		`{"tenant":"acme"}`:                                                               false,
		`{"tenant":"acme","destination":"lake","x":1}`:                                    false,
		`{"tenant":null,"destination":"lake"}`:                                            false,
		`{"tenant":"acme","destination":"lake","min_ttl":0}`:                              false,
		`{"tenant":"acme","destination":"lake","min_ttl":86401}`:                          false,
		`{"tenant":"acme","destination":"lake","min_ttl":1.5}`:                            false,
		`{"tenant":"acme","destination":"lake","min_ttl":null}`:                           false,
		`{"tenant":"acme","destination":"lake","min_ttl":"soon"}`:                         false,
		`{"tenant":"acme","destination":"lake","min_ttl":"-5m"}`:                          false,
		`{"tenant":"acme","destination":"lake","grant":{}}`:                               false,
		`{"tenant":"acme","destination":"lake","grant":{"prefixes":[]}}`:                  false,
		`{"tenant":"acme","destination":"lake","grant":{"access":"admin"}}`:               false,
		`{"tenant":"acme","destination":"lake","grant":{"role":"x"}}`:                     false,
		`{"tenant":"acme","destination":"lake","grant":{"prefixes":"a/"}}`:                false,
		`{"tenant":"acme","destination":"lake","job":7}`:                                  false,
		`{"tenant":"acme","destination":"lake","job":"` + strings.Repeat("x", 257) + `"}`: false,
		`["tenant"]`: false,
	} {
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		byHandler := b.do(post("/v1/credentials", body)).status == http.StatusOK
		if bySchema := schema.Validate(value) == nil; bySchema != want || byHandler != want {
			t.Errorf("%s: the schema takes it: %v, the handler: %v", body, bySchema, byHandler)
		}
	}
}

// TestTheDescriptionIsTrue: each answer of the handler is one that docs/openapi.yaml
// describes, with its headers, and each that it describes is seen here.
func TestTheDescriptionIsTrue(t *testing.T) {
	d, b := openapi(t), newBench()
	form := func(audience, token string) *http.Request {
		return post("/v1/token", "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token_type=urn:ietf:params:oauth:token-type:jwt&audience="+audience+"&subject_token="+token,
			"Content-Type", "application/x-www-form-urlencoded", "Authorization", "")
	}
	get := func(path string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("Authorization", "good")
		return r
	}
	bad := func(r *http.Request) *http.Request { r.Header.Set("Authorization", "bad"); return r }
	const aws = "/v1/tenants/{tenant}/destinations/{destination}/aws"
	one := func(destination string) *http.Request {
		return post("/v1/credentials", `{"tenant":"acme","destination":"`+destination+`"}`)
	}
	checked := func(destination string) *http.Request {
		return post("/v1/check", `{"tenant":"acme","destination":"`+destination+`","probe":true}`)
	}
	lost := newBench(func(c *api.Config) {
		c.Ready = func(context.Context) error { return errors.New("no catalog") }
		c.Verify = func(_ context.Context, token string) (exchange.Caller, error) {
			if token == "away" {
				return exchange.Caller{}, caller.ErrNoKeys
			}
			panic("no verifier")
		}
	})
	const many = "/v1/credentials:batch"
	seen := map[string]bool{}
	check := func(path, method string, got answer) {
		t.Helper()
		seen[method+" "+path+" "+strconv.Itoa(got.status)] = true
		d.response(t, path, method, got)
		d.headers(t, path, method, got)
	}
	check("/readyz", "get", lost.do(get("/readyz")))
	full := newBench(func(c *api.Config) { c.Most = 1 })
	full.lake.vend = func(r exchange.Request) (*exchange.Credential, error) {
		for _, path := range []string{many, "/v1/check"} {
			check(path, "post", full.do(post(path, "{}")))
		}
		return session(r)
	}
	check("/v1/credentials", "post", full.do(one("lake")))
	check(many, "post", lost.do(post(many, "{}")))
	check(many, "post", lost.do(post(many, "{}", "Authorization", "away")))
	check("/v1/check", "post", lost.do(post("/v1/check", "{}", "Authorization", "away")))
	for _, x := range []struct {
		path, method string
		r            *http.Request
	}{
		{aws, "get", get("/v1/tenants/acme/destinations/panics/aws")}, {"/v1/token", "post", form(api.Audience("acme", "panics"), "good")},
		{"/v1/credentials", "post", one("lake")}, {"/v1/credentials", "post", one("drop")}, {"/v1/credentials", "post", one("refused")},
		{"/v1/credentials", "post", one("busy")}, {"/v1/credentials", "post", one("away")}, {"/v1/credentials", "post", one("panics")},
		{"/v1/credentials", "post", one("nothere")}, {"/v1/credentials", "post", post("/v1/credentials", "{}")}, {"/v1/credentials", "post", bad(one("lake"))},
		{"/v1/credentials", "post", get("/v1/credentials")},
		{"/v1/credentials:batch", "post", post("/v1/credentials:batch", `{"requests":[{"tenant":"acme","destination":"lake"},{"tenant":"acme","destination":"refused"},{}]}`)},
		{"/v1/credentials:batch", "post", post("/v1/credentials:batch", `{}`)}, {"/v1/credentials:batch", "post", bad(post("/v1/credentials:batch", `{}`))},
		{"/v1/credentials:batch", "post", get("/v1/credentials:batch")},
		{aws, "get", get("/v1/tenants/acme/destinations/lake/aws")}, {aws, "get", get("/v1/tenants/acme/destinations/drop/aws")},
		{aws, "get", get("/v1/tenants/acme/destinations/refused/aws")}, {aws, "get", get("/v1/tenants/acme/destinations/busy/aws")},
		{aws, "get", get("/v1/tenants/acme/destinations/away/aws")}, {aws, "get", bad(get("/v1/tenants/acme/destinations/lake/aws"))},
		{aws, "get", post("/v1/tenants/acme/destinations/lake/aws", "")},
		{"/v1/token", "post", form(api.Audience("acme", "drop"), "good")}, {"/v1/token", "post", form(api.Audience("acme", "drop"), "bad")},
		{"/v1/token", "post", form(api.Audience("acme", "refused"), "good")}, {"/v1/token", "post", form(api.Audience("acme", "busy"), "good")},
		{"/v1/token", "post", form(api.Audience("acme", "away"), "good")}, {"/v1/token", "post", get("/v1/token")},
		{"/v1/check", "post", checked("lake")}, {"/v1/check", "post", checked("refused")}, {"/v1/check", "post", checked("busy")}, {"/v1/check", "post", checked("panics")},
		{"/v1/check", "post", checked("nothere")}, {"/v1/check", "post", post("/v1/check", "{}")}, {"/v1/check", "post", bad(checked("lake"))}, {"/v1/check", "post", get("/v1/check")},
		{"/healthz", "get", get("/healthz")}, {"/healthz", "get", post("/healthz", "")}, {"/readyz", "get", get("/readyz")}, {"/readyz", "get", post("/readyz", "")},
	} {
		check(x.path, x.method, b.do(x.r))
	}
	for path, methods := range d.doc["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			for status := range op.(map[string]any)["responses"].(map[string]any) {
				if name := method + " " + path + " " + status; !seen[name] {
					t.Errorf("%s is described and never seen", name)
				}
			}
		}
	}
}
