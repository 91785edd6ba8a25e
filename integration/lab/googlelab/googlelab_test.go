package googlelab_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/integration/lab/world"
)

const (
	pool     = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool"
	provider = pool + "/providers/roles"
	cloud    = "https://www.googleapis.com/auth/cloud-platform"
)

const projects = `
google:
  projects:
    operator:
      number: "1"
      roles: {pass: [iam.serviceAccounts.implicitDelegation]}
      pools:
        pool:
          providers:
            roles:
              aws_account: "111122223333"
              attribute_condition: "assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/carnet-')"
      service_accounts:
        function@operator.iam.gserviceaccount.com: {unique_id: "101"}
        tenant@operator.iam.gserviceaccount.com:
          unique_id: "102"
          bindings:
            - {role: projects/operator/roles/pass, members: ["serviceAccount:function@operator.iam.gserviceaccount.com", "principalSet://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/attribute.aws_role/arn:aws:sts::111122223333:assumed-role/carnet-t"]}
        user-entry@operator.iam.gserviceaccount.com:
          unique_id: "103"
          bindings:
            - {role: roles/iam.workloadIdentityUser, members: ["serviceAccount:function@operator.iam.gserviceaccount.com"]}
        turned-off@operator.iam.gserviceaccount.com:
          unique_id: "104"
          disabled: true
          bindings:
            - {role: roles/iam.workloadIdentityUser, members: ["serviceAccount:function@operator.iam.gserviceaccount.com"]}
        speaks@operator.iam.gserviceaccount.com:
          unique_id: "105"
          bindings:
            - {role: roles/iam.serviceAccountOpenIdTokenCreator, members: ["serviceAccount:function@operator.iam.gserviceaccount.com"]}
    customer:
      number: "2"
      service_accounts:
        customer-share@customer.iam.gserviceaccount.com:
          unique_id: "201"
          bindings:
            - {role: roles/iam.workloadIdentityUser, members: ["serviceAccount:tenant@operator.iam.gserviceaccount.com", "serviceAccount:user-entry@operator.iam.gserviceaccount.com"]}
        long-lived@customer.iam.gserviceaccount.com:
          unique_id: "202"
          extended_lifetime: true
          bindings:
            - {role: roles/iam.workloadIdentityUser, members: ["serviceAccount:tenant@operator.iam.gserviceaccount.com"]}
`

// aws answers GetCallerIdentity as the ARN says, or refuses.
type aws struct{ arn, refusal string }

func (a *aws) RoundTrip(r *http.Request) (*http.Response, error) {
	status, text := http.StatusOK, ""
	if a.refusal != "" {
		status = http.StatusForbidden
		text = "<ErrorResponse><Error><Code>" + a.refusal + "</Code><Message>The security token included in the request is invalid.</Message></Error></ErrorResponse>"
	} else {
		account := strings.Split(a.arn, ":")[4]
		text = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>` + a.arn + `</Arn><UserId>AROA:s</UserId><Account>` + account + `</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
}

type stand struct {
	cloud *googlelab.Cloud
	aws   *aws
	now   time.Time
}

func start(t *testing.T) *stand {
	t.Helper()
	w, err := world.Parse([]byte(projects))
	if err != nil {
		t.Fatal(err)
	}
	s := &stand{aws: &aws{arn: "arn:aws:sts::111122223333:assumed-role/carnet-t/session"}, now: time.Now()}
	if s.cloud, err = googlelab.New(&w.Google, googlelab.Options{Now: func() time.Time { return s.now }, Transport: s.aws}); err != nil {
		t.Fatal(err)
	}
	return s
}

// signed is a subject token in Google's form, with one thing changed.
func signed(replace ...string) string {
	text := `{"url":"https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity\u0026Version=2011-06-15","method":"POST","headers":[{"key":"Authorization","value":"AWS4-HMAC-SHA256 …"},{"key":"Host","value":"sts.eu-west-1.amazonaws.com"},{"key":"X-Goog-Cloud-Target-Resource","value":"` + provider + `"}]}`
	return url.QueryEscape(strings.NewReplacer(replace...).Replace(text))
}

func exchangeForm(token string) url.Values {
	return url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"audience": {provider}, "scope": {cloud}, "subject_token_type": {"urn:ietf:params:aws:token-type:aws4_request"}, "subject_token": {token},
	}
}

// exchange gives the access token, or the error's code and description.
func (s *stand) exchange(form url.Values, header http.Header) (token, refusal string) {
	r := httptest.NewRequest(http.MethodPost, "/v1/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for k := range header {
		r.Header.Set(k, header.Get(k))
	}
	w := httptest.NewRecorder()
	s.cloud.STS().ServeHTTP(w, r)
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		return "", err.Error()
	}
	if w.Code == http.StatusOK {
		return body["access_token"].(string), ""
	}
	return "", fmt.Sprint(body["error"], ": ", body["error_description"])
}

func TestTokenExchange(t *testing.T) {
	long := "arn:aws:sts::111122223333:assumed-role/carnet-" + strings.Repeat("x", 50) + "/" + strings.Repeat("y", 64)
	for name, c := range map[string]struct {
		do   func(*stand) (string, string)
		want string // in the refusal; empty where a token must come
	}{
		"as it should be": {plain(), ""},
		"https before the provider's name": {func(s *stand) (string, string) {
			f := exchangeForm(signed())
			f.Set("audience", "https:"+provider)
			return s.exchange(f, nil)
		}, ""},
		"no target resource":         {plain("X-Goog-Cloud-Target-Resource", "X-Other"), "invalid_grant: Invalid format"},
		"another provider's request": {plain("providers/roles\"", "providers/other\""), "invalid_grant: Invalid format"},
		"another host":               {plain("sts.eu-west-1.amazonaws.com", "sts.example.com"), "invalid_grant: Invalid format"},
		"another action":             {plain("GetCallerIdentity", "GetSessionToken"), "invalid_grant: Invalid format"},
		"a GET":                      {plain(`"POST"`, `"GET"`), "invalid_grant: Invalid format"},
		"plain http":                 {plain("https://sts", "http://sts"), "invalid_grant: Invalid format"},
		"AWS refuses": {with(func(s *stand) { s.aws.refusal = "InvalidClientTokenId" }),
			"Received invalid AWS response of type InvalidClientTokenId with error message: The security token included in the request is invalid."},
		"another account": {with(func(s *stand) { s.aws.arn = "arn:aws:sts::444455556666:assumed-role/carnet-t/session" }), "unauthorized_client"},
		"a role that the condition leaves out": {with(func(s *stand) { s.aws.arn = "arn:aws:sts::111122223333:assumed-role/other/session" }),
			"unauthorized_client: The given credential is rejected by the attribute condition."},
		"a subject of more than 127 bytes": {with(func(s *stand) { s.aws.arn = long }), "invalid_request: The size of mapped attribute google.subject exceeds the 127 bytes limit."},
		"the pool disabled":                {with(func(s *stand) { s.change(func(p *world.Pool) { p.Disabled = true }) }), "invalid_target"},
		"the provider disabled":            {with(func(s *stand) { s.change(func(p *world.Pool) { p.Providers["roles"].Disabled = true }) }), "invalid_target"},
		"an Authorization header": {func(s *stand) (string, string) {
			return s.exchange(exchangeForm(signed()), http.Header{"Authorization": {"Bearer x"}})
		}, "invalid_client"},
		"a JWT at an AWS provider": {func(s *stand) (string, string) {
			f := exchangeForm("a.b.c")
			f.Set("subject_token_type", "urn:ietf:params:oauth:token-type:jwt")
			return s.exchange(f, nil)
		}, "invalid_request"},
		"no scope": {func(s *stand) (string, string) {
			f := exchangeForm(signed())
			f.Del("scope")
			return s.exchange(f, nil)
		}, "invalid_scope"},
	} {
		token, refusal := c.do(start(t))
		if (c.want == "") != (token != "") || !strings.Contains(refusal, c.want) {
			t.Errorf("%s: %q, not %q", name, refusal, c.want)
		}
	}
}

func plain(replace ...string) func(*stand) (string, string) {
	return func(s *stand) (string, string) { return s.exchange(exchangeForm(signed(replace...)), nil) }
}

func with(change func(*stand)) func(*stand) (string, string) {
	return func(s *stand) (string, string) {
		change(s)
		return s.exchange(exchangeForm(signed()), nil)
	}
}

func (s *stand) change(edit func(*world.Pool)) {
	s.cloud.Change(func(w *world.Google) { edit(w.Projects["operator"].Pools["pool"]) })
}

// call asks IAM Credentials and gives the status, with the permission that is missing.
func (s *stand) call(token, target, verb, body string) string {
	r := httptest.NewRequest(http.MethodPost, "/v1/projects/-/serviceAccounts/"+target+":"+verb, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.cloud.IAMCredentials().ServeHTTP(w, r)
	var answer struct {
		Error struct {
			Status  string
			Details []struct{ Metadata map[string]string }
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		return err.Error()
	}
	if w.Code == http.StatusOK {
		return "OK"
	}
	for _, d := range answer.Error.Details {
		if p := d.Metadata["permission"]; p != "" {
			return answer.Error.Status + " " + strings.TrimPrefix(p, "iam.serviceAccounts.")
		}
	}
	return answer.Error.Status
}

func (s *stand) metadata(t *testing.T, scopes string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/computeMetadata/v1/instance/service-accounts/default/token?scopes="+url.QueryEscape(scopes), nil)
	r.Header.Set("Metadata-Flavor", "Google")
	w := httptest.NewRecorder()
	s.cloud.Metadata("function@operator.iam.gserviceaccount.com").ServeHTTP(w, r)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		t.Fatal(err)
	}
	return answer.Token
}

func TestImpersonation(t *testing.T) {
	const (
		tenant = "tenant@operator.iam.gserviceaccount.com"
		user   = "user-entry@operator.iam.gserviceaccount.com"
		off    = "turned-off@operator.iam.gserviceaccount.com"
		speaks = "speaks@operator.iam.gserviceaccount.com"
		share  = "customer-share@customer.iam.gserviceaccount.com"
		long   = "long-lived@customer.iam.gserviceaccount.com"
	)
	through := func(delegate, lifetime string) string {
		return `{"delegates":["projects/-/serviceAccounts/` + delegate + `"],"scope":["` + cloud + `"],"lifetime":"` + lifetime + `"}`
	}
	const own = `{"scope":["` + cloud + `"]}`
	const speak = `{"audience":"a","includeEmail":true}`
	s := start(t)
	token := s.metadata(t, cloud)
	for name, got := range map[string][2]string{
		"through a delegate":                           {s.call(token, share, "generateAccessToken", through(tenant, "3600s")), "OK"},
		"a delegate cannot be held":                    {s.call(token, tenant, "generateAccessToken", own), "PERMISSION_DENIED getAccessToken"},
		"a user account is no delegate":                {s.call(token, share, "generateAccessToken", through(user, "3600s")), "PERMISSION_DENIED implicitDelegation"},
		"a user account can be held":                   {s.call(token, user, "generateAccessToken", own), "OK"},
		"directly to the destination":                  {s.call(token, share, "generateAccessToken", own), "PERMISSION_DENIED getAccessToken"},
		"an account that is not there":                 {s.call(token, "nothing@operator.iam.gserviceaccount.com", "generateAccessToken", own), "PERMISSION_DENIED getAccessToken"},
		"a disabled account":                           {s.call(token, off, "generateAccessToken", own), "FAILED_PRECONDITION"},
		"an ID token, where only that is granted":      {s.call(token, speaks, "generateIdToken", speak), "OK"},
		"an access token, where only an ID token is":   {s.call(token, speaks, "generateAccessToken", own), "PERMISSION_DENIED getAccessToken"},
		"an ID token without an audience":              {s.call(token, speaks, "generateIdToken", `{}`), "INVALID_ARGUMENT"},
		"two hours":                                    {s.call(token, share, "generateAccessToken", through(tenant, "7200s")), "INVALID_ARGUMENT"},
		"twelve hours, where the organisation lets it": {s.call(token, long, "generateAccessToken", through(tenant, "43200s")), "OK"},
		"an unknown field":                             {s.call(token, speaks, "generateIdToken", `{"audience":"a","x":1}`), "INVALID_ARGUMENT"},
		"no token":                                     {s.call("", share, "generateAccessToken", own), "UNAUTHENTICATED"},
		"a token of a narrow scope":                    {s.call(s.metadata(t, "https://www.googleapis.com/auth/bigquery"), user, "generateAccessToken", own), "PERMISSION_DENIED"},
	} {
		if got[0] != got[1] {
			t.Errorf("%s: %q, not %q", name, got[0], got[1])
		}
	}
	s.now = s.now.Add(2 * time.Hour)
	if got := s.call(token, user, "generateAccessToken", own); got != "UNAUTHENTICATED" {
		t.Errorf("an expired token: %q", got)
	}
}

func TestAccessBoundaries(t *testing.T) {
	const rule = `{"availableResource":"//storage.googleapis.com/projects/_/buckets/b","availablePermissions":["inRole:roles/storage.objectViewer"]}`
	const user = "user-entry@operator.iam.gserviceaccount.com"
	s := start(t)
	bound := func(token string, rules ...string) (narrowed, refusal string) {
		form := exchangeForm(token)
		form.Del("audience")
		form.Set("subject_token_type", "urn:ietf:params:oauth:token-type:access_token")
		form.Set("options", `{"accessBoundary":{"accessBoundaryRules":[`+strings.Join(rules, ",")+`]}}`)
		return s.exchange(form, nil)
	}
	token := s.metadata(t, cloud)
	narrowed, refusal := bound(token, rule)
	if refusal != "" {
		t.Fatal(refusal)
	}
	if got := s.call(narrowed, user, "generateAccessToken", `{"scope":["`+cloud+`"]}`); got != "PERMISSION_DENIED" {
		t.Errorf("a boundary for a bucket at IAM: %s", got)
	}
	for name, c := range map[string]struct {
		token string
		rules []string
		want  string
	}{
		"a narrow scope":      {s.metadata(t, "https://www.googleapis.com/auth/devstorage.read_only"), []string{rule}, "invalid_scope"},
		"a second boundary":   {narrowed, []string{rule}, "invalid_request"},
		"no rule":             {token, nil, "invalid_request"},
		"eleven rules":        {token, slices.Repeat([]string{rule}, 11), "invalid_request"},
		"2,048 characters":    {token, []string{strings.Replace(rule, "buckets/b", "buckets/"+strings.Repeat("b", 2048), 1)}, "invalid_request"},
		"no bucket":           {token, []string{strings.Replace(rule, "/buckets/b", "", 1)}, "invalid_request"},
		"an unknown role":     {token, []string{strings.Replace(rule, "objectViewer", "everything", 1)}, "invalid_request"},
		"a token of nobody's": {"ya29.c.none", []string{rule}, "invalid_grant"},
	} {
		if _, refusal := bound(c.token, c.rules...); !strings.HasPrefix(refusal, c.want) {
			t.Errorf("%s: %q, not %s", name, refusal, c.want)
		}
	}
}

// TestFederatedTokenEndsWithItsPool, and not with its provider.
func TestFederatedTokenEndsWithItsPool(t *testing.T) {
	const through = `{"delegates":["projects/-/serviceAccounts/tenant@operator.iam.gserviceaccount.com"],"scope":["` + cloud + `"]}`
	s := start(t)
	token, refusal := s.exchange(exchangeForm(signed()), nil)
	if refusal != "" {
		t.Fatal(refusal)
	}
	ask := func() string {
		return s.call(token, "customer-share@customer.iam.gserviceaccount.com", "generateAccessToken", through)
	}
	if got := ask(); got != "OK" {
		t.Errorf("at first: %s", got)
	}
	s.change(func(p *world.Pool) { p.Providers["roles"].Disabled = true })
	if got := ask(); got != "OK" {
		t.Errorf("with the provider disabled: %s", got)
	}
	s.change(func(p *world.Pool) { p.Disabled = true })
	if got := ask(); got != "UNAUTHENTICATED" {
		t.Errorf("with the pool disabled: %s", got)
	}
}

func TestFederatedDelegatesCanBeTurnedOff(t *testing.T) {
	s := start(t)
	token, _ := s.exchange(exchangeForm(signed()), nil)
	s.cloud.Change(func(w *world.Google) { w.FederatedDelegates = new(bool) })
	got := s.call(token, "customer-share@customer.iam.gserviceaccount.com", "generateAccessToken",
		`{"delegates":["projects/-/serviceAccounts/tenant@operator.iam.gserviceaccount.com"],"scope":["`+cloud+`"]}`)
	if got != "PERMISSION_DENIED implicitDelegation" {
		t.Errorf("a federated principal passed through a delegate: %s", got)
	}
}
