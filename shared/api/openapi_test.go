package api_test

import (
	"encoding/json"
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

// TestTheDescriptionIsTrue: each answer of the handler is one that docs/openapi.yaml
// describes, each that it describes is seen here (a 500 and a 503 of readyz apart, in other
// tests), and it has every route.
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
	seen := map[string]bool{}
	for _, x := range []struct {
		path, method string
		r            *http.Request
	}{
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
		{"/healthz", "get", get("/healthz")}, {"/healthz", "get", post("/healthz", "")}, {"/readyz", "get", get("/readyz")}, {"/readyz", "get", post("/readyz", "")},
	} {
		got := b.do(x.r)
		seen[x.method+" "+x.path+" "+strconv.Itoa(got.status)] = true
		d.response(t, x.path, x.method, got)
	}
	elsewhere := []string{"get /readyz 503"}
	for path, methods := range d.doc["paths"].(map[string]any) {
		for method, op := range methods.(map[string]any) {
			for status := range op.(map[string]any)["responses"].(map[string]any) {
				if name := method + " " + path + " " + status; !seen[name] && !slices.Contains(elsewhere, name) {
					t.Errorf("%s is described and never seen", name)
				}
			}
		}
	}
}
