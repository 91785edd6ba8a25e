package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/world"
	"carnet.dev/carnet/shared/check"
)

// A typed command with what it printed and how it ended.
type typed struct {
	out, err string
	code     int
}

// checkAs types `carnet check` with the environment of a process in the lab.
func checkAs(t *testing.T, l *lab.Lab, dir string, env []string, args ...string) typed {
	t.Helper()
	cmd := exec.Command(built(t, "./cmd/carnet"), append([]string{"check"}, args...)...)
	cmd.Env = environment(t, l, dir, env...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return typed{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

func (g typed) says(t *testing.T, code int, parts ...string) {
	t.Helper()
	if g.code != code {
		t.Errorf("it ends with %d, and not %d", g.code, code)
	}
	for _, p := range parts {
		if !strings.Contains(g.out+g.err, p) {
			t.Errorf("%q is missing", p)
		}
	}
	if t.Failed() {
		t.Fatalf("%s\n%s", g.out, g.err)
	}
}

// shut is a world whose third party lets nobody into acme-share.
func shut(t *testing.T) *world.World {
	w := sampleWorld(t)
	r := roleIn(t, w, "arn:aws:iam::999988887777:role/acme-share")
	r.Trust = world.JSON(strings.ReplaceAll(string(r.Trust), acmeShareID, someID))
	return w
}

func TestCheckOnTheCommandLine(t *testing.T) {
	l, dir := labOf(t, shut(t))
	on := asLambda(t, l)
	checkAs(t, l, dir, on, "acme/drop").says(t, 0, "✓ acme/drop", "aws:carnet-t-acme ─✓─▶ gcp:carnet-t-acme", "gs://acme-drop")
	broken := checkAs(t, l, dir, on, "acme")
	broken.says(t, 2, "✗ acme/lake  broken at edge 2 of 3: the third party's or the operator's to mend", "╰ edge 2",
		"aws:carnet-t-acme ─✗─▶ aws:acme-share ┄┄┄▷ s3://acme-lake", "\naws iam update-assume-role-policy", "How to tell:", "6 destinations: 5 sound, 1 broken.")
	if strings.Contains(broken.out+broken.err, "\x1b[") {
		t.Error("there is colour off a terminal")
	}
	checkAs(t, l, dir, on, "acme/nothere").says(t, 1, "acme/nothere  not checked", "it has drop, frost, lake")
	checkAs(t, l, dir, on, "nobody").says(t, 1, `no tenant "nobody"`)
	checkAs(t, l, dir, on, "acme/lake", "--record").says(t, 1, "--probe")
	replaceIn(t, dir, "tenants/globex.yaml", "    kind: s3\n", "    kind: s3\n    disabled: true\n")
	checkAs(t, l, dir, on, "globex/lake").says(t, 0, "disabled")
}

func TestCheckPrintsJSONAndAPage(t *testing.T) {
	l, dir := labOf(t, shut(t))
	file := filepath.Join(t.TempDir(), "report.html")
	got := checkAs(t, l, dir, asLambda(t, l), "--json", "--html", file)
	var all struct {
		Reports []struct {
			check.Report
			Changes []struct{ Cause, Owner, Text string }
		}
	}
	if err := json.Unmarshal([]byte(got.out), &all); err != nil || len(all.Reports) != 11 {
		t.Fatalf("%v: %s", err, got.out)
	}
	for _, r := range all.Reports {
		want := check.Sound
		if r.Tenant+"/"+r.Destination == "acme/lake" {
			want = check.BrokenChain
		}
		if r.Outcome != want || (want == check.Sound) != (len(r.Changes) == 0) {
			t.Errorf("%s/%s is %s: %+v", r.Tenant, r.Destination, r.Outcome, r.Changes)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"✗ broken", "✓ held", "· not reached", "globex", "prefers-color-scheme: dark", "update-assume-role-policy"} {
		if !bytes.Contains(text, []byte(part)) {
			t.Errorf("the page has no %q", part)
		}
	}
	if m := regexp.MustCompile(`<script|<link|<img|src=|url\(|@import`).Find(text); m != nil {
		t.Errorf("the page is not whole in itself: %s", m)
	}
}

// TestProbesAreRecorded: who refused gets the day into its file, who let a probe in is told
// loudly and loses it, and comments stay.
func TestProbesAreRecorded(t *testing.T) {
	w := sampleWorld(t)
	marts := roleIn(t, w, "arn:aws:iam::999988887777:role/acme-marts")
	marts.Trust = world.JSON(strings.ReplaceAll(string(marts.Trust), `"Condition":{"StringEquals":{"sts:ExternalId":"9d2c7b1e-4a55-4f0e-8d13-1c6f2e9a7b34"}},`, ""))
	l, dir := labOf(t, w)
	replaceIn(t, dir, "tenants/acme.yaml", "    access: read_write\n    verified: 2026-11-20\n  drop:", "    access: read_write # as agreed\n  drop:")
	got := checkAs(t, l, dir, asLambda(t, l), "acme/lake", "acme/marts", "--probe", "--record")
	got.says(t, 6, "✗ acme/marts  UNSAFE", "LET IN   without the ExternalId", "✓ refused  without the ExternalId (AccessDenied)", "unsafe, for the third party", "aws iam update-assume-role-policy")
	text, err := os.ReadFile(filepath.Join(dir, "tenants/acme.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	today := time.Now().UTC().Format(time.DateOnly)
	if !strings.Contains(string(text), "access: read_write # as agreed\n    verified: "+today) {
		t.Errorf("the day is not in the file:\n%s", text)
	}
	if !strings.Contains(string(text), "    database: analytics\n  frost:") || !strings.Contains(string(text), "# not moved to workload identity yet") {
		t.Errorf("the unsafe one is verified still, or a comment is gone:\n%s", text)
	}
}

// TestCheckAtADeployment: a function tells no names; the catalog here has them, or it is
// said that they are missing.
func TestCheckAtADeployment(t *testing.T) {
	l, dir := labOf(t, shut(t))
	at, _ := startServe(t, l, dir, asLambda(t, l)...)
	_, token := workersTokens(t, l)
	proof := []string{"CARNET_URL=" + at, "CARNET_PROOF=env:JOB_TOKEN", "JOB_TOKEN=" + token}
	named := checkAs(t, l, dir, proof)
	named.says(t, 2, "aws:carnet-t-acme ─✗─▶ aws:acme-share", "\naws iam update-assume-role-policy", "1 of 2: trust_policy", "11 destinations: 10 sound, 1 broken.")
	bare := checkAs(t, l, dir, append(proof, "CARNET_CATALOG="), "acme/lake", "acme/drop")
	bare.says(t, 2, "aws:runtime ─✓─▶ ○ ─✗─▶ ○ ┄┄┄▷ s3", "trust_policy, the third party's to mend", "There is no catalog here")
	if strings.Contains(bare.out, "arn:") {
		t.Errorf("a name came over the API:\n%s", bare.out)
	}
	checkAs(t, l, dir, append(proof, "CARNET_CATALOG="), "acme").says(t, 1, "name them, as TENANT/DESTINATION")
	checkAs(t, l, dir, append(proof, "JOB_TOKEN=x"), "acme/lake").says(t, 1, "unauthenticated")
}
