package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/kinds/apply"
	"carnet.dev/carnet/shared/mend"
	sheets "carnet.dev/carnet/shared/trust"
)

// A chainOf the eight: where carnet runs, the tenant's one identity, the destination.
type chainOf struct{ runtime, tenant, dest string }

func (c chainOf) String() string { return c.runtime + "→" + c.tenant + "→" + c.dest }

// eight are all chains of two clouds, with the tightest grants.
func eight() []chainOf {
	var list []chainOf
	for _, runtime := range []string{"aws", "gcp"} {
		for _, tenant := range []string{"aws", "gcp"} {
			for _, dest := range []string{"lake", "drop"} {
				list = append(list, chainOf{runtime, tenant, dest})
			}
		}
	}
	return list
}

// alone leaves acme one identity.
func (c chainOf) alone(t *testing.T, dir string) {
	t.Helper()
	const aws = "  aws:\n    role: arn:aws:iam::111122223333:role/carnet-t-acme\n    external_id: 5d1e6a3c-0b52-4c1e-8f57-0d4f0c1a7e21\n"
	const gcp = "  gcp:\n    service_account: carnet-t-acme@operator-prod.iam.gserviceaccount.com\n"
	other := map[string]string{"aws": gcp, "gcp": aws}[c.tenant]
	if other != "" {
		replaceIn(t, dir, "tenants/acme.yaml", other, "")
	}
}

// checked runs a check in a lab of its own, and says what to change.
func checked(t *testing.T, w *world.World, c chainOf, probe bool, edits ...func(*testing.T, string)) (check.Report, []mend.Change) {
	t.Helper()
	l, dir := labOf(t, w)
	defer l.Close()
	c.alone(t, dir)
	for _, edit := range edits {
		edit(t, dir)
	}
	d := deploy(t, l, c.runtime, dir)
	r, err := d.Check.Check(t.Context(), exchange.Request{ID: "R", Caller: exchange.Console, Tenant: "acme", Destination: c.dest}, probe)
	if err != nil {
		t.Fatal(err)
	}
	return r, mender(t, w, d.Operator, dir).Changes(r)
}

func mender(t *testing.T, w *world.World, op *catalog.Operator, dir string) mend.Mender {
	t.Helper()
	subjects := map[string]string{}
	for _, p := range w.Google.Projects {
		for email, a := range p.ServiceAccounts {
			subjects[email] = a.UniqueID
		}
	}
	return mend.Mender{Kinds: apply.All(), Operator: op, Tenant: tenantsIn(t, dir)["acme"], Facts: sheets.Ask{Subjects: subjects}}
}

// TestTheEightChainsPass: with the tightest grants, with as many calls as a vend takes, and
// each refuses what it must.
func TestTheEightChainsPass(t *testing.T) {
	for _, c := range eight() {
		t.Run(c.String(), func(t *testing.T) {
			l, dir := labOf(t, sampleWorld(t))
			c.alone(t, dir)
			if _, err := vend(t.Context(), deploy(t, l, c.runtime, dir), "acme", c.dest); err != nil {
				t.Fatal(err)
			}
			calls := len(l.Calls())
			d := deploy(t, l, c.runtime, dir)
			ask := exchange.Request{ID: "R", Caller: exchange.Console, Tenant: "acme", Destination: c.dest}
			for range 2 { // nothing is kept from the first
				r, err := d.Check.Check(t.Context(), ask, false)
				if err != nil || r.Outcome != check.Sound || r.Finding != nil {
					t.Fatalf("%+v %v", r, err)
				}
				if got := len(l.Calls()); got > calls {
					t.Errorf("%d calls, and a vend takes %d", got, calls)
				}
				for _, e := range r.Edges {
					if e.State != check.Held {
						t.Errorf("%s → %s: %s", e.From, e.To, e.State)
					}
				}
			}
			r, err := d.Check.Check(t.Context(), ask, true)
			if err != nil || !r.Proven() {
				t.Errorf("probes: %+v %v", r.Probes, err)
			}
		})
	}
}

// A breakage of one edge.
type breakage struct {
	name  string
	cause string               // that check has to name
	owner func(e arrow) string // whose it is
	also  bool                 // the cloud's answer is true of another cause too
	run   bool                 // and of another account of a run
	hand  bool                 // no command mends it
	away  bool                 // nothing has to be mended: no useful answer came
	apply func(t *testing.T, w *world.World, e arrow)
}

// An arrow of a healthy chain.
type arrow struct {
	at       int // 1 leaves the runtime
	from, to string
	runtime  string
}

func (e arrow) far() string { return ownerOf(e.to) }

func (e arrow) near() string { return ownerOf(e.from) }

func ownerOf(principal string) string {
	if strings.Contains(principal, "111122223333") || strings.Contains(principal, "operator-prod") {
		return "operator"
	}
	return "third-party"
}

// breakages of an edge, by the clouds at its ends.
func (e arrow) breakages() []breakage {
	fromRole, toRole := strings.HasPrefix(e.from, "arn:"), strings.HasPrefix(e.to, "arn:")
	switch {
	case fromRole && toRole:
		return slices.Concat(intoRole(), fromRoleToRole(e), aboveRoles(e))
	case toRole:
		return slices.Concat(intoRole(), fromAccountToRole(), shownToAWS(e))
	case fromRole:
		return slices.Concat(intoAccount(e), throughPool(), outOfReach(e))
	}
	return intoAccount(e)
}

func atFar(e arrow) string  { return e.far() }
func atNear(e arrow) string { return e.near() }
func ours(arrow) string     { return "operator" }

func intoRole() []breakage {
	trust := func(edit func(string) string) func(*testing.T, *world.World, arrow) {
		return func(t *testing.T, w *world.World, e arrow) {
			r := roleIn(t, w, e.to)
			changed := edit(string(r.Trust))
			if changed == string(r.Trust) {
				t.Fatal("the trust policy is as it was")
			}
			r.Trust = world.JSON(changed)
		}
	}
	return []breakage{
		{name: "the Region is switched off", cause: "region_disabled", owner: atFar, hand: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			w.AWS.Accounts[strings.Split(e.to, ":")[4]].DisabledRegions = []string{region}
		}},
		{name: "the role is gone", cause: "trust_policy", owner: atFar, also: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			delete(w.AWS.Accounts[strings.Split(e.to, ":")[4]].Roles, e.to[strings.LastIndex(e.to, "/")+1:])
		}},
		{name: "nobody is trusted", cause: "trust_policy", owner: atFar, also: true, apply: trust(func(string) string {
			return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}`
		})},
		{name: "another ExternalId or audience", cause: "trust_policy", owner: atFar, also: true, apply: trust(func(s string) string {
			return strings.NewReplacer(acmeShareID, someID, acmeTenantID, someID).Replace(s)
		})},
		{name: "a deny in the trust policy", cause: "trust_policy", owner: atFar, also: true, apply: trust(func(s string) string {
			return strings.Replace(s, `"Statement":[`, `"Statement":[{"Effect":"Deny","Principal":"*","Action":["sts:AssumeRole","sts:AssumeRoleWithWebIdentity"]},`, 1)
		})},
	}
}

func fromRoleToRole(e arrow) []breakage {
	list := []breakage{
		{name: "another role is trusted", cause: "trust_policy", owner: atFar, also: true, apply: func(t *testing.T, w *world.World, e arrow) {
			r := roleIn(t, w, e.to)
			r.Trust = world.JSON(strings.ReplaceAll(string(r.Trust), e.from, "arn:aws:iam::111122223333:role/sync-worker"))
		}},
		{name: "a boundary that leaves it out", cause: "permissions_boundary", owner: atNear, hand: true, apply: func(t *testing.T, w *world.World, e arrow) {
			roleIn(t, w, e.from).Boundary = world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`)
		}},
		{name: "a deny of its own", cause: "explicit_deny", owner: atNear, hand: true, apply: func(t *testing.T, w *world.World, e arrow) {
			roleIn(t, w, e.from).Policies["cut-off"] = world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
		}},
	}
	if strings.Split(e.from, ":")[4] == strings.Split(e.to, ":")[4] {
		return list // within an account the trust policy is enough
	}
	bare := func(t *testing.T, w *world.World, e arrow) { roleIn(t, w, e.from).Policies = map[string]world.JSON{} }
	return append(list,
		breakage{name: "no permission of its own", cause: "caller_policy", owner: atNear, apply: bare},
		breakage{name: "the same, and AWS does not say so", cause: "caller_policy", owner: atNear, also: true, apply: func(t *testing.T, w *world.World, e arrow) {
			bare(t, w, e)
			w.AWS.Terse = true
		}})
}

func fromAccountToRole() []breakage {
	return []breakage{
		{name: "another subject", cause: "trust_policy", owner: atFar, apply: func(t *testing.T, w *world.World, e arrow) {
			r := roleIn(t, w, e.to)
			r.Trust = world.JSON(strings.NewReplacer("100000000000000000001", "100000000000000000009", "100000000000000000002", "100000000000000000009").Replace(string(r.Trust)))
		}},
	}
}

// aboveRoles are policies that neither of the roles has.
func aboveRoles(e arrow) []breakage {
	deny := func(principal string) world.JSON {
		return world.JSON(fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",%s"Action":"*","Resource":"*"},{"Effect":"Deny",%s"Action":"sts:AssumeRole","Resource":%q}]}`, principal, principal, e.to))
	}
	const anyone = `"Principal":"*",`
	list := []breakage{
		{name: "a service control policy", cause: "organization_policy", owner: atNear, hand: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			w.AWS.Accounts[strings.Split(e.from, ":")[4]].ServiceControlPolicy = deny("")
		}},
		{name: "a resource control policy", cause: "organization_policy_far", owner: atFar, hand: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			w.AWS.Accounts[strings.Split(e.to, ":")[4]].ResourceControlPolicy = deny(anyone)
		}},
		{name: "the VPC endpoint's policy", cause: "endpoint_policy", owner: ours, hand: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			w.AWS.EndpointPolicy = deny(anyone)
		}},
	}
	if e.at > 1 {
		return list // what is true of every call of STS shows at the first
	}
	return append(list,
		breakage{name: "the rate is used up", cause: "throttled", owner: ours, away: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.AWS.Throttled = true }},
		breakage{name: "a clock that is hours off", cause: "clock", owner: ours, hand: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.AWS.Ahead = "3h" }})
}

// shownToAWS are ways of an ID token that is shown to AWS.
func shownToAWS(e arrow) []breakage {
	list := []breakage{
		{name: "a resource control policy", cause: "organization_policy_far", owner: atFar, also: true, hand: true, apply: func(_ *testing.T, w *world.World, e arrow) {
			w.AWS.Accounts[strings.Split(e.to, ":")[4]].ResourceControlPolicy = world.JSON(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRoleWithWebIdentity","Resource":"*"}]}`)
		}},
		{name: "AWS does not reach the issuer", cause: "issuer_unreachable", owner: ours, away: true, apply: func(_ *testing.T, w *world.World, _ arrow) {
			w.AWS.Unreachable = []string{"accounts.google.com"}
		}},
		{name: "keys that did not sign", cause: "issuer_keys", owner: ours, hand: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.Google.OtherKeys = true }},
	}
	if e.runtime == "aws" {
		return list // whose first edge a clock breaks
	}
	return append(list,
		breakage{name: "a token that has expired", cause: "proof_expired", owner: ours, hand: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.AWS.Ahead = "2h" }},
		breakage{name: "a token from the future", cause: "clock", owner: ours, also: true, hand: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.AWS.Ahead = "-15m" }})
}

// outOfReach are bad days of a pool.
func outOfReach(e arrow) []breakage {
	return []breakage{
		{name: "Google does not reach AWS", cause: "issuer_unreachable", owner: ours, away: true, apply: func(_ *testing.T, w *world.World, _ arrow) {
			w.Google.Unreachable = []string{"sts.eu-west-1.amazonaws.com"}
		}},
		{name: "the quota is used up", cause: "throttled", owner: ours, away: true, apply: func(_ *testing.T, w *world.World, _ arrow) { w.Google.Throttled = true }},
	}
}

func intoAccount(e arrow) []breakage {
	cause := "token_binding"
	return []breakage{
		{name: "no binding", cause: cause, owner: atFar, apply: func(t *testing.T, w *world.World, e arrow) { accountIn(t, w, e.to).Bindings = nil }},
		{name: "a binding for another", cause: cause, owner: atFar, apply: func(t *testing.T, w *world.World, e arrow) {
			for i := range accountIn(t, w, e.to).Bindings {
				accountIn(t, w, e.to).Bindings[i].Members = []string{"serviceAccount:sync-worker@operator-prod.iam.gserviceaccount.com"}
			}
		}},
		{name: "another permission", cause: cause, owner: atFar, apply: func(t *testing.T, w *world.World, e arrow) {
			for i := range accountIn(t, w, e.to).Bindings {
				accountIn(t, w, e.to).Bindings[i].Role = "roles/iam.serviceAccountViewer"
			}
		}},
		{name: "the account is disabled", cause: "account_disabled", owner: atFar, also: true, run: true, apply: func(t *testing.T, w *world.World, e arrow) { accountIn(t, w, e.to).Disabled = true }},
		{name: "the account is gone", cause: cause, owner: atFar, apply: func(_ *testing.T, w *world.World, e arrow) {
			for _, p := range w.Google.Projects {
				delete(p.ServiceAccounts, e.to)
			}
		}},
		{name: "a service perimeter", cause: "service_perimeter", owner: atFar, also: true, run: true, hand: true, apply: func(t *testing.T, w *world.World, e arrow) {
			for _, p := range w.Google.Projects {
				p.Perimeter = p.ServiceAccounts[e.to] != nil
			}
		}},
		{name: "a binding that does not count yet", cause: cause, owner: atFar, hand: true, apply: func(t *testing.T, w *world.World, e arrow) {
			for i := range accountIn(t, w, e.to).Bindings {
				accountIn(t, w, e.to).Bindings[i].After = "3m"
			}
		}},
		{name: "the API is off", cause: "api_disabled", owner: atFar, run: true, apply: func(t *testing.T, w *world.World, e arrow) {
			for _, p := range w.Google.Projects {
				if p.ServiceAccounts[e.to] != nil {
					p.DisabledAPIs = []string{"iamcredentials.googleapis.com"}
				}
			}
		}},
	}
}

func throughPool() []breakage {
	pool := func(edit func(*world.Pool, *world.Provider)) func(*testing.T, *world.World, arrow) {
		return func(_ *testing.T, w *world.World, _ arrow) {
			p := w.Google.Projects["operator-prod"].Pools["carnet-aws"]
			edit(p, p.Providers["aws-roles"])
		}
	}
	return []breakage{
		{name: "the pool is disabled", cause: "provider_disabled", owner: ours, also: true, apply: pool(func(p *world.Pool, _ *world.Provider) { p.Disabled = true })},
		{name: "the provider is disabled", cause: "provider_disabled", owner: ours, also: true, apply: pool(func(_ *world.Pool, p *world.Provider) { p.Disabled = true })},
		{name: "the provider is gone", cause: "provider_missing", owner: ours, also: true, apply: pool(func(p *world.Pool, _ *world.Provider) { p.Providers = map[string]*world.Provider{} })},
		{name: "it trusts another account", cause: "other_account", owner: ours, also: true, apply: pool(func(_ *world.Pool, p *world.Provider) { p.AWSAccount = "444455556666" })},
		{name: "a mapping to what is not there", cause: "mapping_value", owner: ours, apply: pool(func(_ *world.Pool, p *world.Provider) {
			p.Mapping = map[string]string{"google.subject": "assertion.email", "attribute.aws_role": p.Mapping["attribute.aws_role"]}
		})},
		{name: "a condition that lets another in", cause: "attribute_condition", owner: ours, apply: pool(func(_ *world.Pool, p *world.Provider) {
			p.Condition = "assertion.arn.startsWith('arn:aws:sts::111122223333:assumed-role/billing-')"
		})},
		{name: "a subject that is too long", cause: "mapping", owner: ours, apply: pool(func(_ *world.Pool, p *world.Provider) {
			p.Mapping = map[string]string{"google.subject": "assertion.arn + '" + strings.Repeat("x", 100) + "'", "attribute.aws_role": p.Mapping["attribute.aws_role"]}
		})},
	}
}

func roleIn(t *testing.T, w *world.World, arn string) *world.Role {
	t.Helper()
	r := w.AWS.Accounts[strings.Split(arn, ":")[4]].Roles[arn[strings.LastIndex(arn, "/")+1:]]
	if r == nil {
		t.Fatalf("the world has no %s", arn)
	}
	return r
}

func accountIn(t *testing.T, w *world.World, email string) *world.ServiceAccount {
	t.Helper()
	for _, p := range w.Google.Projects {
		if a := p.ServiceAccounts[email]; a != nil {
			return a
		}
	}
	t.Fatalf("the world has no %s", email)
	return nil
}

// TestEveryBreakageIsNamedAndMended breaks each edge of each of the eight chains in each way
// that its clouds have: check names the edge, a cause and its owner, and what it prints,
// applied, mends the chain. CARNET_TABLE=FILE writes the table.
func TestEveryBreakageIsNamedAndMended(t *testing.T) {
	var rows []string
	for _, c := range eight() {
		healthy, _ := checked(t, sampleWorld(t), c, false)
		for i, edge := range healthy.Edges[:len(healthy.Edges)-1] {
			e := arrow{at: i + 1, from: edge.From, to: edge.To, runtime: c.runtime}
			for _, b := range e.breakages() {
				t.Run(fmt.Sprintf("%s/%d/%s", c, e.at, b.name), func(t *testing.T) {
					rows = append(rows, broken1(t, c, e, b))
				})
			}
		}
	}
	table(t, rows)
}

// broken1 breaks one edge in one way and has it mended.
func broken1(t *testing.T, c chainOf, e arrow, b breakage) string {
	t.Helper()
	w := sampleWorld(t)
	b.apply(t, w, e)
	r, changes := checked(t, w, c, false)
	want := check.BrokenChain
	if b.away {
		want = check.NoAnswer
	}
	if r.Outcome != want || r.Finding == nil {
		t.Fatalf("the chain is %s", r.Outcome)
	}
	if named := r.Finding.Position == e.at || b.run && r.Edges[e.at-1].State == check.Suspect; !named {
		t.Errorf("edge %d is named, and not %d (%s)", r.Finding.Position, e.at, r.Broke())
	}
	i := slices.IndexFunc(changes, func(m mend.Change) bool { return m.Cause == b.cause && string(m.Owner) == b.owner(e) })
	switch {
	case passing(b.cause):
		i = slices.IndexFunc(changes, func(m mend.Change) bool { return passing(m.Cause) })
	case i < 0:
	case i > 0 && !b.also:
		t.Errorf("%s is named only after %s", b.cause, changes[0].Cause)
	}
	if i < 0 {
		t.Fatalf("%s is not among %+v", b.cause, changes)
	}
	if got := string(changes[i].Owner); got != b.owner(e) || !b.also && got != string(changes[0].Owner) {
		t.Errorf("the %s is named, and not the %s", got, b.owner(e))
	}
	mended := "by hand"
	switch {
	case b.away:
		mended = "it passes"
	case !b.hand:
		mended = repaired(t, w, c, changes)
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s", c, e.at, b.name, causesOf(changes), changes[i].Owner, mended)
}

// passing: which permission is missing on an account follows from where the chain goes on.
func passing(cause string) bool {
	return cause == "token_binding" || cause == "id_token_binding" || cause == "pass_binding"
}

func causesOf(changes []mend.Change) string {
	var list []string
	for _, c := range changes {
		list = append(list, c.Cause)
	}
	return strings.Join(slices.Compact(list), " or ")
}

// repaired applies what is printed, as the owners would, and looks again. An account that is
// made anew is another one to AWS, so that the next edge has its turn.
func repaired(t *testing.T, w *world.World, c chainOf, changes []mend.Change) string {
	t.Helper()
	for round := 1; round <= 3; round++ {
		for _, m := range changes {
			applier{t, w}.pasted(m.Text)
		}
		var r check.Report
		if r, changes = checked(t, w, c, false); r.Outcome == check.Sound {
			return map[int]string{1: "mended"}[round] + map[bool]string{true: fmt.Sprintf("mended in %d rounds", round)}[round > 1]
		}
		if round == 3 {
			t.Errorf("what is printed does not mend it: %v\n%+v", r.Broke(), changes)
		}
	}
	return "not mended"
}

func table(t *testing.T, rows []string) {
	t.Helper()
	file := os.Getenv("CARNET_TABLE")
	if file == "" {
		return
	}
	out, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "chain\tedge\tbroken by\tdiagnosis\towner\twhat was printed, applied")
	for _, r := range rows {
		fmt.Fprintln(w, r)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
}

// pasted runs the commands of a text, and leaves its comments.
func (a applier) pasted(text string) {
	a.t.Helper()
	for _, words := range shellWords(a.t, text) {
		if looks(words) {
			continue
		}
		if err := a.awsCommand(words); err != nil {
			if err := a.command(words); err != nil {
				a.t.Fatalf("%q: %v", words, err)
			}
		}
	}
}

// looks tells of a command that changes nothing.
func looks(words []string) bool {
	return slices.ContainsFunc(words[:min(4, len(words))], func(w string) bool {
		return regexp.MustCompile(`^(get|list|describe|simulate)\b`).MatchString(w)
	})
}

// awsCommand runs the AWS command line, in the account that the names say.
func (a applier) awsCommand(words []string) error {
	flags := map[string]string{}
	for i := 3; i+1 < len(words); i += 2 {
		flags[strings.TrimPrefix(words[i], "--")] = words[i+1]
	}
	name := flags["role-name"]
	account := a.w.AWS.Accounts[home(name)]
	switch strings.Join(words[:min(3, len(words))], " ") {
	case "aws iam create-role":
		if account.Roles[name] == nil {
			account.Roles[name] = &world.Role{Path: flags["path"], Trust: world.JSON(flags["assume-role-policy-document"]), Policies: map[string]world.JSON{}}
		}
	case "aws iam update-assume-role-policy":
		account.Roles[name].Trust = world.JSON(flags["policy-document"])
	case "aws iam put-role-policy":
		account.Roles[name].Policies[flags["policy-name"]] = world.JSON(flags["policy-document"])
	case "aws iam update-role":
		return json.Unmarshal([]byte(flags["max-session-duration"]), &account.Roles[name].MaxSession)
	case "aws iam enable-outbound-web-identity-federation":
		a.w.AWS.Accounts["111122223333"].Outbound = outboundIssuer
	default:
		return fmt.Errorf("%q is no command that is known here", words)
	}
	return nil
}

const outboundIssuer = "7c1d9a52-6a0e-4f39-9b0e-2f1c8a6f9d11.tokens.sts.global.api.aws"
