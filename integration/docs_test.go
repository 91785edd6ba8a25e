package integration

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
	"carnet.dev/carnet/integration/lab/world"
)

// A block is what a page shows between fences. A comment before it, which no reader sees,
// says of each block of commands whether it is run here:
//
//	<!-- run -->                       in a shell of the page's own, one block after the other
//	<!-- run after applying -->        the same, once what was printed before it is applied
//	<!-- run in the lab -->            by carnet lab -- bash; "on gcp" as the function there
//	<!-- run in the clone -->          where the repository was cloned to
//	<!-- not run: why -->
//
// "with aws" at the end names a program without which a block is not run.
type block struct {
	page, language, mark, text string
	line                       int
}

func (b block) applied() bool { return b.mark == "run after applying" }

func (b block) name() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// isCommands tells of what a reader would paste into a shell.
func (b block) isCommands() bool {
	return slices.Contains([]string{"sh", "bash", "shell", "console"}, b.language)
}

// pages are all that is written for people, by their path in the repository.
func pages(t *testing.T) []string {
	t.Helper()
	list := []string{"README.md"}
	for _, dir := range []string{"docs", "terraform", "deploy"} {
		err := filepath.WalkDir(filepath.Join("..", dir), func(path string, _ os.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				list = append(list, strings.TrimPrefix(filepath.ToSlash(path), "../"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return list
}

func blocksOf(t *testing.T, page string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", page))
	if err != nil {
		t.Fatal(err)
	}
	var list []block
	var open *block
	mark, indent := "", ""
	for i, line := range strings.Split(string(text), "\n") {
		trimmed := strings.TrimLeft(line, " ")
		fence, isFence := strings.CutPrefix(trimmed, "```")
		switch {
		case isFence && open == nil:
			open = &block{page: page, language: fence, mark: mark, line: i + 1}
			indent = line[:len(line)-len(trimmed)]
		case isFence:
			list, open, mark = append(list, *open), nil, ""
		case open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		default:
			if m := regexp.MustCompile(`^<!-- ((?:run|not run:).*) -->$`).FindStringSubmatch(trimmed); m != nil {
				mark = m[1]
			} else if trimmed != "" {
				mark = ""
			}
		}
	}
	if open != nil {
		t.Fatalf("%s: the block of line %d has no end", page, open.line)
	}
	return list
}

// run are the blocks of a page that are run one after the other.
func run(t *testing.T, page string) []block {
	t.Helper()
	list := slices.DeleteFunc(blocksOf(t, page), func(b block) bool { return b.mark != "run" && !b.applied() })
	if len(list) == 0 {
		t.Fatalf("%s has no block that runs", page)
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
		r.t.Fatalf("%s: %v\n%s\n%s", b.name(), err, b.text, out.String())
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

// TestOnboardingAsWritten follows docs/add-a-customer.md from the first command to the first
// vend: what the page has printed for either owner is applied in between.
func TestOnboardingAsWritten(t *testing.T) {
	w := sampleWorld(t)
	w.AWS.Accounts["555566667777"] = &world.Account{
		Roles: map[string]*world.Role{}, Buckets: map[string]*world.Bucket{"umbrella-lake": {Region: "eu-west-1"}},
	}
	w.Google.Projects["operator-prod"].ServiceAccounts["carnet-t-umbrella@operator-prod.iam.gserviceaccount.com"] = &world.ServiceAccount{UniqueID: "100000000000000000009"}
	l, _ := labOf(t, w)
	r := newReader(t)
	blocks := run(t, "docs/add-a-customer.md")
	for len(blocks) > 0 && !blocks[0].applied() {
		r.run(l, blocks[0])
		blocks = blocks[1:]
	}
	for _, file := range []string{"operator.json", "third-party.json"} {
		applier{t, w}.json(r.read(file))
	}
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
		r.run(l, block{text: "carnet vend umbrella/lake > again.json"})
	}
}

// TestMovingAsWritten runs what docs/move.md says.
func TestMovingAsWritten(t *testing.T) {
	l, _ := startSample(t)
	r := newReader(t)
	for _, b := range run(t, "docs/move.md") {
		r.run(l, b)
	}
	if sql := r.read("acme-reports.sql"); !strings.Contains(sql, `GRANT USAGE ON SCHEMA "reports" TO "loader";`) {
		t.Error(sql)
	}
}

// TestEveryBlockOfCommandsIsMarked: what is not run says why, parses as a shell's, and no
// commands hide in a block without a language.
func TestEveryBlockOfCommandsIsMarked(t *testing.T) {
	followed := []string{"docs/add-a-customer.md", "docs/move.md"}
	count := map[string]int{}
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			kind, _, _ := strings.Cut(b.mark, ":")
			count[kind]++
			switch {
			case b.language == "" && regexp.MustCompile(`(?m)^ *(\$ )?(carnet|go|aws|gcloud|curl|scripts/\w+|terraform) [a-z-]`).MatchString(b.text):
				t.Errorf("%s has commands: write ```sh", b.name())
			case !b.isCommands() && b.mark != "":
				t.Errorf("%s is marked %q, but is no block of commands", b.name(), b.mark)
			case !b.isCommands():
			case b.mark == "":
				t.Errorf("%s: say before it how it is run, or <!-- not run: why -->", b.name())
			case b.mark == "run" && !slices.Contains(followed, page):
				t.Errorf("%s: nothing follows this page: write <!-- run in the lab -->", b.name())
			case kind == "not run" && exec.Command("bash", "-nc", b.text).Run() != nil:
				t.Errorf("%s is no shell's", b.name())
			}
		}
	}
	t.Logf("blocks by mark: %v", count)
}

// TestBlocksRun runs what is marked to run in the lab, or in a clone.
func TestBlocksRun(t *testing.T) {
	place := regexp.MustCompile(`^run in the (lab|clone)( on gcp)?((?: with \w+)*)$`)
	ran := 0
	for _, page := range pages(t) {
		for _, b := range blocksOf(t, page) {
			if !strings.HasPrefix(b.mark, "run in") {
				continue
			}
			m := place.FindStringSubmatch(b.mark)
			if m == nil {
				t.Errorf("%s: %q is no mark", b.name(), b.mark)
				continue
			}
			ran++
			t.Run(b.name(), func(t *testing.T) { b.runs(t, m[1], m[2], strings.Fields(m[3])) })
		}
	}
	if ran < 5 {
		t.Errorf("%d blocks were run", ran)
	}
}

func (b block) runs(t *testing.T, where, runtime string, with []string) {
	for _, program := range with {
		if _, err := exec.LookPath(program); program != "with" && err != nil {
			t.Skipf("%s is not installed", program)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", b.text)
	cmd.Dir = ".."
	if where == "lab" {
		args := []string{"lab", "--runtime", cmp.Or(strings.TrimPrefix(runtime, " on "), "aws"), "--"}
		cmd = exec.CommandContext(t.Context(), built(t, "./cmd/carnet"), append(args, cmd.Args...)...)
		cmd.Dir = t.TempDir()
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, b.text, out)
	}
}
