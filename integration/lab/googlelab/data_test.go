package googlelab_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/integration/lab/world"
)

// customer is a project with a bucket and a dataset, and one account for each role on them.
const customer = `
google:
  projects:
    p:
      number: "1"
      service_accounts:
        admin@p.iam.gserviceaccount.com: {unique_id: "1"}
        viewer@p.iam.gserviceaccount.com: {unique_id: "2"}
        creator@p.iam.gserviceaccount.com: {unique_id: "3"}
        bucket@p.iam.gserviceaccount.com: {unique_id: "4"}
        nobody@p.iam.gserviceaccount.com: {unique_id: "5"}
        runner@p.iam.gserviceaccount.com: {unique_id: "6"}
        part@p.iam.gserviceaccount.com: {unique_id: "7"}
      roles:
        someParts: [storage.multipartUploads.create]
        someWrites: [bigquery.jobs.create, bigquery.tables.updateData]
      bindings:
        - {role: projects/p/roles/someWrites, members: ["serviceAccount:part@p.iam.gserviceaccount.com"]}
        - role: roles/bigquery.jobUser
          members: ["serviceAccount:admin@p.iam.gserviceaccount.com", "serviceAccount:runner@p.iam.gserviceaccount.com", "serviceAccount:viewer@p.iam.gserviceaccount.com"]
      buckets:
        b:
          bindings:
            - {role: roles/storage.objectAdmin, members: ["serviceAccount:admin@p.iam.gserviceaccount.com"]}
            - {role: roles/storage.objectViewer, members: ["serviceAccount:viewer@p.iam.gserviceaccount.com"]}
            - {role: roles/storage.objectCreator, members: ["serviceAccount:creator@p.iam.gserviceaccount.com"]}
            - {role: projects/p/roles/someParts, members: ["serviceAccount:part@p.iam.gserviceaccount.com"]}
            - {role: roles/storage.legacyBucketReader, members: ["serviceAccount:bucket@p.iam.gserviceaccount.com"]}
      datasets:
        d:
          bindings:
            - {role: roles/bigquery.dataEditor, members: ["serviceAccount:admin@p.iam.gserviceaccount.com"]}
            - {role: roles/bigquery.dataViewer, members: ["serviceAccount:viewer@p.iam.gserviceaccount.com"]}
`

// key is made once: it takes its time.
var key = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// A desk is the project as its users reach it.
type desk struct {
	t     *testing.T
	cloud *googlelab.Cloud
}

func open(t *testing.T) desk {
	t.Helper()
	w, err := world.Parse([]byte(customer))
	if err != nil {
		t.Fatal(err)
	}
	if w.Google.Key, err = key(); err != nil {
		t.Fatal(err)
	}
	c, err := googlelab.New(&w.Google, googlelab.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	return desk{t, c}
}

// token is one of an account's; of cloud-platform where no scope is named.
func (d desk) token(account string, scopes ...string) string {
	d.t.Helper()
	if len(scopes) == 0 {
		scopes = []string{"cloud-platform"}
	}
	r := httptest.NewRequest(http.MethodGet, "/computeMetadata/v1/instance/service-accounts/default/token?scopes=https://www.googleapis.com/auth/"+strings.Join(scopes, ",https://www.googleapis.com/auth/"), nil)
	r.Header.Set("Metadata-Flavor", "Google")
	w := httptest.NewRecorder()
	d.cloud.Metadata(account+"@p.iam.gserviceaccount.com").ServeHTTP(w, r)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		d.t.Fatal(err)
	}
	return answer.Token
}

// bound is an admin's token, narrowed to roles under a prefix.
func (d desk) bound(prefix string, roles ...string) string {
	d.t.Helper()
	options := `{"accessBoundary":{"accessBoundaryRules":[{"availableResource":"//storage.googleapis.com/projects/_/buckets/b","availablePermissions":["inRole:` + strings.Join(roles, `","inRole:`) +
		`"],"availabilityCondition":{"expression":"resource.name.startsWith('projects/_/buckets/b/objects/` + prefix + `') || api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith('` + prefix + `')"}}]}}`
	return d.exchanged(options)
}

func (d desk) exchanged(options string) string {
	d.t.Helper()
	form := url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}, "subject_token": {d.token("admin")}, "options": {options},
	}
	a := d.ask(http.MethodPost, "https://sts.googleapis.com/v1/token", "", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	return a.text("access_token")
}

// An answer is what came back, with its JSON where it is some.
type answer struct {
	*httptest.ResponseRecorder
	json map[string]any
}

// ask sends a request, with headers in pairs, under the real host's name.
func (d desk) ask(method, to, token, body string, headers ...string) answer {
	r := httptest.NewRequest(method, to, strings.NewReader(body))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.cloud.ServeHTTP(w, r)
	a := answer{w, map[string]any{}}
	json.Unmarshal(w.Body.Bytes(), &a.json) // what is no JSON has no fields
	return a
}

// at is a field of the answer, by its path.
func (a answer) at(path ...any) any {
	var v any = a.json
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

func (a answer) text(path ...any) string {
	s, _ := a.at(path...).(string)
	return s
}

const (
	gcs    = "https://storage.googleapis.com"
	upload = gcs + "/upload/storage/v1/b/b/o"
	bq     = "https://bigquery.googleapis.com/bigquery/v2/projects/p"
)

// put stores an object as the admin.
func (d desk) put(name, data string) {
	d.t.Helper()
	if a := d.ask(http.MethodPost, upload+"?uploadType=media&name="+url.QueryEscape(name), d.token("admin"), data, "Content-Type", "text/plain"); a.Code != http.StatusOK {
		d.t.Fatalf("storing %s: %d %s", name, a.Code, a.Body)
	}
}

// code fails unless an answer has the status.
func (d desk) code(name string, a answer, want int) {
	d.t.Helper()
	if a.Code != want {
		d.t.Errorf("%s: %d and not %d: %s", name, a.Code, want, a.Body)
	}
}
