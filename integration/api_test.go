package integration

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/shared/api"
	"carnet.dev/carnet/shared/deployment"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

const worker = "sync-worker@operator-prod.iam.gserviceaccount.com"

// idTokenOf is one of Google's for an account of the lab.
func idTokenOf(t *testing.T, l *lab.Lab, account, audience string) string {
	t.Helper()
	m, err := l.Machine(account)
	if err != nil {
		t.Fatal(err)
	}
	token, err := gcpid.New(m.Client()).Runtime(account, m.Tokens()).IDToken(t.Context(), audience)
	if err != nil {
		t.Fatal(err)
	}
	return token.Value.Reveal()
}

// tokenDoor is the handler of a deployment that takes tokens alone.
func tokenDoor(t *testing.T, l *lab.Lab, runtime, dir string, audit *bytes.Buffer) http.Handler {
	t.Helper()
	identity := map[string]string{"aws": function, "gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"}[runtime]
	d, err := l.DeployAs(t.Context(), deployment.Config{Catalog: dir, Runtime: runtime, Audit: audit, Log: slog.New(slog.DiscardHandler), Doors: []deployment.Door{deployment.DoorToken}}, identity)
	if err != nil {
		t.Fatal(err)
	}
	return d.Handler
}

func served(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func asking(method, path, contentType, body, token string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	return r
}

// TestABatchOfEveryKind: one request has every destination of a tenant from either
// runtime, each in its kind's form, and errors beside them.
func TestABatchOfEveryKind(t *testing.T) {
	l, dir := startSample(t)
	forms := map[string]string{"lake": "session", "drop": "token", "warehouse": "token", "marts": "login", "frost": "login", "nothere": "error"}
	names := slices.Sorted(maps.Keys(forms))
	var requests []string
	for _, name := range names {
		requests = append(requests, fmt.Sprintf(`{"tenant":"acme","destination":%q,"job":"night"}`, name))
	}
	body := `{"requests":[` + strings.Join(requests, ",") + `]}`
	for _, runtime := range []string{"aws", "gcp"} {
		var audit bytes.Buffer
		h := tokenDoor(t, l, runtime, dir, &audit)
		w := served(h, asking(http.MethodPost, "/v1/credentials:batch", "application/json", body, "Bearer "+idTokenOf(t, l, worker, "https://carnet.lab")))
		var out struct {
			Results []struct {
				Credential map[string]any
				Error      struct{ Code string }
			}
			RequestID string `json:"request_id"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil || w.Code != http.StatusOK || len(out.Results) != len(names) {
			t.Fatalf("%s: %d %s, %v", runtime, w.Code, w.Body, err)
		}
		for i, r := range out.Results {
			form := forms[names[i]]
			_, has := r.Credential[form]
			if form == "error" && r.Error.Code != "denied" || form != "error" && !has {
				t.Errorf("%s: %s has no %s: %s", runtime, names[i], form, r.Error.Code)
			}
		}
		isAudited(t, &audit, out.RequestID, len(names))
	}
}

// isAudited: each request of a batch has a record of its own, under its own id, with the
// caller who was verified.
func isAudited(t *testing.T, audit *bytes.Buffer, id string, want int) {
	t.Helper()
	seen := map[string]bool{}
	for line := range strings.Lines(audit.String()) {
		var kept struct{ Audit exchange.Record }
		if err := json.Unmarshal([]byte(line), &kept); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		r := kept.Audit
		if r.Caller != (exchange.Caller{Issuer: "google", Subject: worker}) || r.Job != "night" {
			t.Errorf("%s", line)
		}
		seen[r.RequestID] = true
	}
	for i := range want {
		if !seen[fmt.Sprintf("%s-%d", id, i)] {
			t.Errorf("no record of %s-%d", id, i)
		}
	}
}

// TestStrangersReachNoCloud: who is not verified, or may not ask, costs no call to either
// cloud, in each of the shapes; not even one for the keys, which are known.
func TestStrangersReachNoCloud(t *testing.T) {
	l, dir := startSample(t)
	good := idTokenOf(t, l, worker, "https://carnet.lab")
	elsewhere := idTokenOf(t, l, worker, "https://somebody.example")
	runtime := idTokenOf(t, l, "carnet-f-vend@operator-prod.iam.gserviceaccount.com", "https://carnet.lab")
	for _, cloud := range []string{"aws", "gcp"} {
		var audit bytes.Buffer
		h := tokenDoor(t, l, cloud, dir, &audit)
		if w := served(h, asking(http.MethodPost, "/v1/credentials", "application/json", lakeRequest, good)); w.Code != http.StatusOK {
			t.Fatalf("%s: %d %s", cloud, w.Code, w.Body)
		}
		l.Calls()
		for name, x := range map[string]struct {
			token, tenant, destination string
			status                     int
		}{
			"nobody":                            {"", "acme", "lake", 401},
			"a token for somebody else":         {elsewhere, "acme", "lake", 401},
			"a token without a signature":       {good[:strings.LastIndex(good, ".")+1], "acme", "lake", 401},
			"a token with its signature cut":    {good[:strings.LastIndex(good, ".")] + ".SIGNATURE_REMOVED_BY_GOOGLE", "acme", "lake", 401},
			"a token that names another":        {renamed(t, good), "acme", "lake", 401},
			"the runtime itself":                {runtime, "acme", "lake", 403},
			"a tenant that is not there":        {good, "initech", "lake", 403},
			"a destination that is not there":   {good, "acme", "nothere", 403},
			"a tenant that is a path":           {good, "../acme", "lake", 403},
			"the runtime, for what is not here": {runtime, "initech", "nothere", 403},
		} {
			for shape, r := range inAllShapes(x.token, x.tenant, x.destination) {
				want := x.status
				if shape == "token" {
					want = 400 // RFC 6749: invalid_grant, invalid_target
				}
				if w := served(h, r); w.Code != want && !(shape == "container" && strings.Contains(x.tenant, "/") && w.Code == 404) {
					t.Errorf("%s: %s by %s: %d %s", cloud, name, shape, w.Code, w.Body)
				}
			}
		}
		if calls := l.Calls(); len(calls) != 0 {
			t.Errorf("%s: strangers made it call %v", cloud, calls)
		}
		if strings.Contains(audit.String(), good[:40]) {
			t.Error("a caller's token is in the audit record")
		}
	}
}

// renamed is a token of the same header and signature that claims to be the administrator's.
func renamed(t *testing.T, token string) string {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	other := bytes.ReplaceAll(text, []byte("sync-worker@"), []byte("carnet-admin@"))
	if bytes.Equal(other, text) {
		t.Fatal("the token has no email")
	}
	return parts[0] + "." + base64.RawURLEncoding.EncodeToString(other) + "." + parts[2]
}

func inAllShapes(token, tenant, destination string) map[string]*http.Request {
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"},
		"audience": {api.Audience(tenant, destination)}, "subject_token": {token},
	}.Encode()
	return map[string]*http.Request{
		"json":      asking(http.MethodPost, "/v1/credentials", "application/json", fmt.Sprintf(`{"tenant":%q,"destination":%q}`, tenant, destination), token),
		"container": asking(http.MethodGet, "/v1/tenants/"+tenant+"/destinations/"+destination+"/aws", "", "", token),
		"token":     asking(http.MethodPost, "/v1/token", "application/x-www-form-urlencoded", form, ""),
	}
}

// TestACallerMayHaveSomeOfATenantsDestinations: the rule of the tenant's file counts in every
// shape, each rule for its own caller, and one caller's rules add up.
func TestACallerMayHaveSomeOfATenantsDestinations(t *testing.T) {
	l, dir := startSample(t)
	change(t, dir, "acme", "  - google: "+worker+"\n",
		"  - {google: "+worker+", destinations: [drop]}\n  - {google: "+worker+", destinations: [lake]}\n  - {google: other-worker@operator-prod.iam.gserviceaccount.com, destinations: [warehouse]}\n")
	token := idTokenOf(t, l, worker, "https://carnet.lab")
	for _, cloud := range []string{"aws", "gcp"} {
		h := tokenDoor(t, l, cloud, dir, new(bytes.Buffer))
		for destination, want := range map[string][3]int{ // json, container, token
			"lake": {200, 200, 400}, "drop": {200, 400, 200}, "warehouse": {403, 403, 400}, "marts": {403, 403, 400},
		} {
			for i, shape := range []string{"json", "container", "token"} {
				if w := served(h, inAllShapes(token, "acme", destination)[shape]); w.Code != want[i] {
					t.Errorf("%s: %s by %s: %d %s", cloud, destination, shape, w.Code, w.Body)
				}
			}
		}
	}
}
