package integration

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
)

// A block is a shell block of a page that says of itself that it runs here.
type block struct {
	text    string
	applied bool // once what was printed before it is applied
}

func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile("../docs/" + page)
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	for _, m := range regexp.MustCompile("(?s)<!-- run( after applying)? -->\n```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		list = append(list, block{m[2], m[1] != ""})
	}
	if len(list) == 0 {
		t.Fatalf("docs/%s has no block that runs", page)
	}
	return list
}

// A reader follows a page in a shell, in a folder with the sample's catalog in it.
type reader struct {
	t   *testing.T
	dir string
	set string // what the blocks before have set
}

func newReader(t *testing.T) *reader {
	t.Helper()
	r := &reader{t: t, dir: t.TempDir()}
	if err := sample.WriteCatalog(filepath.Join(r.dir, "catalog")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(built(t, "./cmd/carnet"), filepath.Join(r.dir, "carnet")); err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a block as the operator's function, on AWS.
func (r *reader) run(l *lab.Lab, b block) {
	r.t.Helper()
	cmd := exec.Command("bash", "-euc", r.set+b.text)
	cmd.Dir = r.dir
	cmd.Env = append(environment(r.t, l, filepath.Join(r.dir, "catalog")), asLambda(r.t, l)...)
	cmd.Env = append(cmd.Env, "PATH="+r.dir+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		r.t.Fatalf("%v\n%s\n%s", err, b.text, out.String())
	}
	for _, line := range strings.Split(b.text, "\n") {
		if regexp.MustCompile(`^[A-Z]+=\S+$`).MatchString(line) {
			r.set += line + "\n"
		}
	}
}

func (r *reader) read(file string) string {
	r.t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, file))
	if err != nil {
		r.t.Fatal(err)
	}
	return string(text)
}

// TestOnboardingAsWritten follows docs/onboard.md from the first command to the first
// vend: what the page has printed for either owner is applied in between.
func TestOnboardingAsWritten(t *testing.T) {
	w := sampleWorld(t)
	w.AWS.Accounts["555566667777"] = &world.Account{
		Roles: map[string]*world.Role{}, Buckets: map[string]*world.Bucket{"umbrella-lake": {Region: "eu-west-1"}},
	}
	w.Google.Projects["operator-prod"].ServiceAccounts["carnet-t-umbrella@operator-prod.iam.gserviceaccount.com"] = &world.ServiceAccount{UniqueID: "100000000000000000009"}
	l, _ := labOf(t, w)
	r := newReader(t)
	blocks := blocksOf(t, "onboard.md")
	for len(blocks) > 0 && !blocks[0].applied {
		r.run(l, blocks[0])
		blocks = blocks[1:]
	}
	for _, file := range []string{"operator.json", "third-party.json"} {
		applier{t, w}.json(r.read(file))
	}
	// In the place of the check, whose probes set it.
	replaceIn(t, filepath.Join(r.dir, "catalog"), "tenants/umbrella.yaml", "    kind: s3\n", "    kind: s3\n    verified: 2026-11-24\n")
	l, _ = labOf(t, w)
	for _, b := range blocks {
		r.run(l, b)
	}
	var cred struct {
		Kind    string
		Session map[string]string
	}
	if err := json.Unmarshal([]byte(r.read("credential.json")), &cred); err != nil || cred.Kind != "s3" || cred.Session["session_token"] == "" {
		t.Errorf("%v: the first vend gave a credential of kind %q", err, cred.Kind)
	}
	// The rotation, to its end: both let in, then the new one alone.
	for _, file := range []string{"both.json", "only-the-new.json"} {
		delete(w.AWS.Accounts["555566667777"].Roles, "umbrella-share")
		applier{t, w}.json(r.read(file))
		l, _ = labOf(t, w)
		r.run(l, block{text: "carnet vend umbrella lake > again.json"})
	}
}

// TestMovingAsWritten runs what docs/move.md says.
func TestMovingAsWritten(t *testing.T) {
	l, _ := startSample(t)
	r := newReader(t)
	for _, b := range blocksOf(t, "move.md") {
		r.run(l, b)
	}
	if sql := r.read("acme-reports.sql"); !strings.Contains(sql, `GRANT USAGE ON SCHEMA "reports" TO "loader";`) {
		t.Error(sql)
	}
}
