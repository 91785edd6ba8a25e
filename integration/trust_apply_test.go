package integration

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
	"carnet.dev/carnet/shared/exchange/destination/snowflake"
)

// What `carnet trust` prints is applied here to a world without the trust, as its owner
// would: policies put, commands run, a template deployed, SQL executed.

// An applier is an owner with something printed in hand.
type applier struct {
	t *testing.T
	w *world.World
}

// facts are what the catalog does not know of a world, as flags.
func facts(w *world.World) []string {
	var args []string
	for _, p := range w.Google.Projects {
		for email, a := range p.ServiceAccounts {
			args = append(args, "--google-subject", email+"="+a.UniqueID)
		}
	}
	key := regexp.MustCompile(`-----.*-----|\s`).ReplaceAllString(w.Snowflake.Accounts["ACME-PROD"].Users["CARNET_KEYS"].PublicKey, "")
	return append(args, "--workgroup-id", w.AWS.Accounts["444455556666"].Workgroups["globex-wg"].ID, "--public-key", key)
}

// printed runs the command.
func printed(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(built(t, "./cmd/carnet"), append([]string{"trust", "--catalog", dir}, args...)...)
	var out, wrong bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &wrong
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%w: %s", err, wrong.String())
	}
	return out.String(), nil
}

func (a applier) apply(format, text, frost string) {
	a.t.Helper()
	switch format {
	case "json":
		a.json(text)
	case "cloudformation":
		a.template(text)
	case "gcloud":
		a.commands(text)
	case "aws":
		a.pasted(text)
	case "sql":
		a.statements(text, frost)
	}
}

type printedStatement = map[string]any

type printedSheet struct {
	Roles []struct {
		ARN    string                                            `json:"role"`
		Path   string                                            `json:"path"`
		Max    int                                               `json:"max_session_duration"`
		Trust  *struct{ Statement []printedStatement }           `json:"trust_policy"`
		Policy map[string]struct{ Statement []printedStatement } `json:"policies"`
	} `json:"roles"`
	Google *struct {
		Roles []struct {
			Name        string   `json:"name"`
			Permissions []string `json:"permissions"`
		} `json:"custom_roles"`
		Bindings []struct{ On, Name, Role, Member, Condition string } `json:"bindings"`
	} `json:"google"`
}

func (a applier) json(text string) {
	a.t.Helper()
	var s printedSheet
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		a.t.Fatal(err)
	}
	for _, r := range s.Roles {
		to := a.role(r.ARN, r.Path, r.Max)
		if r.Trust != nil {
			to.Trust = a.merged(to.Trust, r.Trust.Statement)
		}
		for name, p := range r.Policy {
			to.Policies[name] = a.merged(to.Policies[name], p.Statement)
		}
	}
	if s.Google == nil {
		return
	}
	for _, r := range s.Google.Roles {
		parts := strings.Split(r.Name, "/")
		a.project(parts[1]).Roles[parts[3]] = r.Permissions
	}
	for _, b := range s.Google.Bindings {
		a.bind(b.On, b.Name, world.Binding{Role: b.Role, Members: []string{b.Member}, Condition: b.Condition})
	}
}

func (a applier) role(arn, path string, most int) *world.Role {
	parts := strings.SplitN(arn, ":", 6)
	name := arn[strings.LastIndex(arn, "/")+1:]
	account := a.w.AWS.Accounts[parts[4]]
	if account.Roles[name] == nil {
		account.Roles[name] = &world.Role{Path: path, MaxSession: most, Policies: map[string]world.JSON{}}
	}
	return account.Roles[name]
}

// merged puts statements into a policy, each in the place of its namesake.
func (a applier) merged(have world.JSON, add []printedStatement) world.JSON {
	a.t.Helper()
	doc := struct {
		Version   string
		Statement []printedStatement
	}{Version: "2012-10-17"}
	if len(have) > 0 {
		if err := json.Unmarshal(have, &doc); err != nil {
			a.t.Fatal(err)
		}
	}
	for _, st := range add {
		doc.Statement = slices.DeleteFunc(doc.Statement, func(old printedStatement) bool { return old["Sid"] == st["Sid"] && same(old, st) })
		if slices.ContainsFunc(doc.Statement, func(old printedStatement) bool { return old["Sid"] == st["Sid"] }) {
			st["Sid"] = fmt.Sprint(st["Sid"], len(doc.Statement))
		}
		doc.Statement = append(doc.Statement, st)
	}
	text, err := json.Marshal(doc)
	if err != nil {
		a.t.Fatal(err)
	}
	return text
}

func same(x, y any) bool {
	a, errA := json.Marshal(x)
	b, errB := json.Marshal(y)
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func (a applier) project(id string) *world.Project {
	a.t.Helper()
	for name, p := range a.w.Google.Projects {
		if name == id || p.Number == id {
			return p
		}
	}
	a.t.Fatalf("the world has no project %s", id)
	return nil
}

func (a applier) bind(on, name string, b world.Binding) {
	a.t.Helper()
	done := false
	for id, p := range a.w.Google.Projects {
		var to *[]world.Binding
		switch {
		case on == "service-account" && p.ServiceAccounts[name] != nil:
			to = &p.ServiceAccounts[name].Bindings
		case on == "bucket" && p.Buckets[name] != nil:
			to = &p.Buckets[name].Bindings
		case on == "dataset" && strings.HasPrefix(name, id+":"):
			to = &p.Datasets[strings.TrimPrefix(name, id+":")].Bindings
		case on == "project" && name == id:
			to = &p.Bindings
		case on == "secret" && strings.HasPrefix(name, "projects/"+id+"/secrets/"):
			to = &p.Secrets[name[strings.LastIndex(name, "/")+1:]].Bindings
		default:
			continue
		}
		*to, done = append(*to, b), true
	}
	if !done {
		a.t.Fatalf("the world has no %s %s", on, name)
	}
}

// template deploys CloudFormation.
func (a applier) template(text string) {
	a.t.Helper()
	type document struct {
		Statement []printedStatement `yaml:"Statement"`
	}
	var stack struct {
		Resources map[string]struct {
			Type       string `yaml:"Type"`
			Properties struct {
				RoleName string   `yaml:"RoleName"`
				Path     string   `yaml:"Path"`
				Max      int      `yaml:"MaxSessionDuration"`
				Trust    document `yaml:"AssumeRolePolicyDocument"`
				Policies []struct {
					Name string   `yaml:"PolicyName"`
					Doc  document `yaml:"PolicyDocument"`
				} `yaml:"Policies"`
			} `yaml:"Properties"`
		} `yaml:"Resources"`
		Outputs map[string]any `yaml:"Outputs"`
		Rest    map[string]any `yaml:",inline"`
	}
	if err := yaml.Unmarshal([]byte(text), &stack); err != nil {
		a.t.Fatal(err)
	}
	for _, r := range stack.Resources {
		if r.Type != "AWS::IAM::Role" {
			a.t.Fatalf("a resource of type %s", r.Type)
		}
		// The template does not say its account: whoever deploys it is in one.
		p := r.Properties
		to := a.role("arn:aws:iam::"+home(p.RoleName)+":role/"+p.RoleName, p.Path, p.Max)
		to.Trust = a.merged(to.Trust, p.Trust.Statement)
		for _, policy := range p.Policies {
			to.Policies[policy.Name] = a.merged(to.Policies[policy.Name], policy.Doc.Statement)
		}
	}
}

func home(role string) string {
	switch {
	case strings.HasPrefix(role, "carnet-"):
		return "111122223333"
	case strings.HasPrefix(role, "acme-"):
		return "999988887777"
	}
	return "444455556666"
}

// commands runs gcloud and bq. What is not known here fails the test.
func (a applier) commands(text string) {
	a.t.Helper()
	for _, words := range shellWords(a.t, text) {
		if err := a.command(words); err != nil {
			a.t.Fatalf("%q: %v", words, err)
		}
	}
}

func (a applier) command(words []string) error {
	flags, plain := map[string]string{}, []string(nil)
	for i := 0; i < len(words); i++ {
		if words[i] == "--no-disabled" {
			flags["no-disabled"] = "true"
			continue
		}
		if name, ok := strings.CutPrefix(words[i], "--"); ok && i+1 < len(words) {
			flags[name] = words[i+1]
			i++
			continue
		}
		plain = append(plain, words[i])
	}
	b := world.Binding{Role: flags["role"], Members: []string{flags["member"]}, Condition: expression(flags["condition"])}
	last := plain[len(plain)-1]
	switch what := strings.Join(plain[:len(plain)-1], " "); what {
	case "gcloud services enable":
		a.project(flags["project"]).DisabledAPIs = nil
	case "gcloud iam service-accounts create":
		a.account(last, flags["project"])
	case "gcloud iam service-accounts enable":
		a.project(flags["project"]).ServiceAccounts[last].Disabled = false
	case "gcloud iam workload-identity-pools create":
	case "gcloud iam workload-identity-pools update":
		a.project(flags["project"]).Pools[last].Disabled = false
	case "gcloud iam workload-identity-pools providers update-aws", "gcloud iam workload-identity-pools providers update-oidc":
		if have := a.project(flags["project"]).Pools[flags["workload-identity-pool"]].Providers[last]; have != nil {
			a.provider(last, flags, *have)
		}
	case "gcloud iam roles create":
		a.project(flags["project"]).Roles[last] = strings.Split(flags["permissions"], ",")
	case "gcloud iam service-accounts add-iam-policy-binding":
		a.bind("service-account", last, b)
	case "gcloud storage buckets add-iam-policy-binding":
		a.bind("bucket", strings.TrimPrefix(last, "gs://"), b)
	case "gcloud projects add-iam-policy-binding":
		a.bind("project", last, b)
	case "bq add-iam-policy-binding":
		a.bind("dataset", last, b)
	case "gcloud secrets add-iam-policy-binding":
		a.bind("secret", "projects/"+flags["project"]+"/secrets/"+last, b)
	case "gcloud iam workload-identity-pools providers create-aws":
		if pool := a.project(flags["project"]).Pools[flags["workload-identity-pool"]]; pool == nil || pool.Providers[last] == nil {
			a.provider(last, flags, world.Provider{})
		}
	default:
		return errors.New("this is no command that is known here")
	}
	return nil
}

// account makes an account where there is none. It is another one than any before it.
func (a applier) account(name, project string) {
	p := a.project(project)
	email := name + "@" + project + ".iam.gserviceaccount.com"
	if p.ServiceAccounts[email] == nil {
		p.ServiceAccounts[email] = &world.ServiceAccount{UniqueID: fmt.Sprintf("3%020d", len(p.ServiceAccounts))}
	}
}

// provider makes one, or changes what the flags name of one that stands.
func (a applier) provider(name string, flags map[string]string, now world.Provider) {
	p := a.project(flags["project"])
	if p.Pools == nil {
		p.Pools = map[string]*world.Pool{}
	}
	if p.Pools[flags["workload-identity-pool"]] == nil {
		p.Pools[flags["workload-identity-pool"]] = &world.Pool{Providers: map[string]*world.Provider{}}
	}
	if _, off := flags["no-disabled"]; off {
		now.Disabled = false
	}
	if given := flags["attribute-mapping"]; given != "" {
		now.Mapping = map[string]string{}
		for _, pair := range splitPairs(given) {
			key, value, _ := strings.Cut(pair, "=")
			now.Mapping[key] = value
		}
	}
	if audiences := flags["allowed-audiences"]; audiences != "" {
		now.AllowedAudiences = []string{audiences}
	}
	now.Issuer = cmp.Or(flags["issuer-uri"], now.Issuer)
	now.AWSAccount = cmp.Or(flags["account-id"], now.AWSAccount)
	now.Condition = cmp.Or(flags["attribute-condition"], now.Condition)
	p.Pools[flags["workload-identity-pool"]].Providers[name] = &now
}

// splitPairs splits as gcloud does: at commas, or at what stands between two carets.
func splitPairs(text string) []string {
	by := ","
	if rest, ok := strings.CutPrefix(text, "^"); ok {
		by, text, _ = strings.Cut(rest, "^")
	}
	return strings.Split(text, by)
}

func expression(condition string) string {
	for _, pair := range splitPairs(condition) {
		if e, ok := strings.CutPrefix(pair, "expression="); ok {
			return e
		}
	}
	return ""
}

// shellWords splits commands as a shell would, as far as they are written here.
func shellWords(t *testing.T, text string) [][]string {
	t.Helper()
	var all [][]string
	for _, line := range strings.Split(strings.ReplaceAll(text, "\\\n", " "), "\n") {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		var words []string
		for line != "" {
			m := regexp.MustCompile(`^(?:'([^']*)'|"([^"$\x60\\!]*)"|([A-Za-z0-9_@%+=:,./-]+))(?:\s+|$)`).FindStringSubmatchIndex(line)
			if m == nil {
				t.Fatalf("a shell would not read this as one word: %s", line)
			}
			for g := 2; g < 8; g += 2 {
				if m[g] >= 0 {
					words = append(words, line[m[g]:m[g+1]])
				}
			}
			line = line[m[1]:]
		}
		all = append(all, words)
	}
	return all
}

// statements executes SQL in a Snowflake account, as far as it says who may log in.
func (a applier) statements(text, account string) {
	a.t.Helper()
	add := regexp.MustCompile(`^ALTER USER (\w+) ADD WORKLOAD IDENTITY \w+ TYPE = (\w+) (.*);$`)
	key := regexp.MustCompile(`^ALTER USER (\w+) SET RSA_PUBLIC_KEY = '([^']+)';$`)
	made := regexp.MustCompile(`^CREATE USER IF NOT EXISTS (\w+) `)
	on := regexp.MustCompile(`^ALTER USER (\w+) SET DISABLED = FALSE;$`)
	part := regexp.MustCompile(`(ISSUER|SUBJECT|ARN|OIDC_AUDIENCE_LIST) = \(?'([^']*)'\)?`)
	users := a.w.Snowflake.Accounts[account].Users
	for _, line := range strings.Split(text, "\n") {
		if m := made.FindStringSubmatch(line); m != nil && users[m[1]] == nil {
			users[m[1]] = &world.SnowflakeUser{}
		}
		if m := on.FindStringSubmatch(line); m != nil {
			users[m[1]].Disabled = false
		}
		if m := add.FindStringSubmatch(line); m != nil {
			id := world.SnowflakeWorkloadIdentity{Type: m[2]}
			for _, p := range part.FindAllStringSubmatch(m[3], -1) {
				switch p[1] {
				case "ISSUER":
					id.Issuer = p[2]
				case "OIDC_AUDIENCE_LIST":
					id.Audiences = []string{p[2]}
				default:
					id.Subject = p[2]
				}
			}
			users[m[1]].WorkloadIdentity = append(users[m[1]].WorkloadIdentity, id)
		}
		if m := key.FindStringSubmatch(line); m != nil {
			users[m[1]].PublicKey = "-----BEGIN PUBLIC KEY-----\n" + m[2] + "\n-----END PUBLIC KEY-----\n"
		}
	}
}

// bareOf takes the trust of a third party's side out of a world.
func bareOf(w *world.World, d *catalog.Destination) {
	end := d.End
	if end.Role != nil {
		parts := strings.SplitN(end.Role.ARN, ":", 6)
		delete(w.AWS.Accounts[parts[4]].Roles, end.Role.ARN[strings.LastIndex(end.Role.ARN, "/")+1:])
	}
	if end.ServiceAccount != nil {
		_, dataset, _ := strings.Cut(d.Where, ".")
		for _, p := range w.Google.Projects {
			if a := p.ServiceAccounts[end.ServiceAccount.Email]; a != nil {
				a.Bindings, p.Bindings, p.Roles = nil, nil, map[string][]string{}
			}
			if b := p.Buckets[strings.TrimPrefix(d.Where, "gs://")]; b != nil {
				b.Bindings = nil
			}
			if s := p.Datasets[dataset]; s != nil {
				s.Bindings = nil
			}
		}
	}
	if frost, ok := d.Place.(*snowflake.Place); ok {
		u := w.Snowflake.Accounts[frost.Account].Users[frost.User]
		u.WorkloadIdentity, u.PublicKey = nil, ""
	}
}

// operatorsBare takes the operator's trust out, but for the runtimes' own and the pools.
func operatorsBare(w *world.World) {
	account := w.AWS.Accounts["111122223333"]
	for name, r := range account.Roles {
		if strings.HasPrefix(name, "carnet-t-") {
			delete(account.Roles, name)
		}
		if name == "carnet-f-vend" {
			r.Policies = map[string]world.JSON{}
		}
	}
	p := w.Google.Projects["operator-prod"]
	p.Roles = map[string][]string{}
	for email, a := range p.ServiceAccounts {
		if strings.HasPrefix(email, "carnet-t-") {
			a.Bindings = nil
		}
	}
}

func tenantsIn(t *testing.T, dir string) map[string]*catalog.Tenant {
	t.Helper()
	all := map[string]*catalog.Tenant{}
	names, err := catalog.Folder{Dir: dir}.Tenants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		text, _, err := catalog.Folder{Dir: dir}.Read(t.Context(), "tenants/"+name+".yaml")
		if err != nil {
			t.Fatal(err)
		}
		if all[name], err = kinds.All().Catalog().ParseTenant("tenants/"+name+".yaml", text); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// formatsOf lists in what each kind's whole trust can be printed and applied here.
func formatsOf(d *catalog.Destination) []string {
	switch end := d.End; {
	case end.Role != nil:
		return []string{"json", "cloudformation", "aws"}
	case end.ServiceAccount == nil:
		return []string{"sql"}
	}
	return []string{"json", "gcloud"}
}

func sampleWorld(t *testing.T) *world.World {
	t.Helper()
	text, err := sample.WorldYAML()
	if err != nil {
		t.Fatal(err)
	}
	return keyed(t, text)
}

// keyed parses a world and gives it the keys that all worlds of these tests have: to make
// new ones takes longer than what is tried.
func keyed(t testing.TB, text []byte) *world.World {
	t.Helper()
	of, err := keys()
	if err != nil {
		t.Fatal(err)
	}
	w, err := world.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	w.AWS.Key, w.Google.Key = of.AWS.Key, of.Google.Key
	w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value = of.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value
	w.Snowflake.Accounts["ACME-PROD"].Users["CARNET_KEYS"].PublicKey = of.Snowflake.Accounts["ACME-PROD"].Users["CARNET_KEYS"].PublicKey
	return w
}

var keys = sync.OnceValues(func() (*world.World, error) {
	w, err := sample.World()
	if err != nil {
		return nil, err
	}
	if w.AWS.Key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	w.Google.Key, err = rsa.GenerateKey(rand.Reader, 2048)
	return w, err
})
