package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// inLab runs a script by `carnet lab -- bash`, with nothing of this machine's but PATH.
func inLab(t *testing.T, runtime, script string) (out, wrong string, code int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), built(t, "./cmd/carnet"), "lab", "--runtime", runtime, "--", "bash", "-euc", script)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return string(text), stderr.String(), cmd.ProcessState.ExitCode()
}

// TestTheLabRunsACommand as the function of either cloud, and ends as it does.
func TestTheLabRunsACommand(t *testing.T) {
	for runtime, own := range map[string]string{"aws": "arn:aws:iam::111122223333:role/carnet-f-vend", "gcp": "carnet-f-vend@operator-prod.iam.gserviceaccount.com"} {
		out, wrong, code := inLab(t, runtime, "carnet vend acme/lake")
		var cred struct{ Kind string }
		if err := json.Unmarshal([]byte(out), &cred); err != nil || cred.Kind != "s3" || code != 0 || !strings.Contains(wrong, `"from":"`+own+`"`) {
			t.Errorf("on %s: code %d: %v\n%s", runtime, code, err, wrong)
		}
	}
	if _, wrong, code := inLab(t, "aws", "exit 7"); code != 7 || wrong != "" {
		t.Errorf("a command that ends with 7: code %d: %s", code, wrong)
	}
	if _, wrong, code := inLab(t, "aws", "carnet vend acme/nothing"); code != 4 || !strings.Contains(wrong, "no such tenant or destination") {
		t.Errorf("a destination that is not there: code %d: %s", code, wrong)
	}
}

// TestTheLabServesShells: what --serve prints for each cloud makes another shell the
// function there, and an interrupt ends it and leaves no file.
func TestTheLabServesShells(t *testing.T) {
	cmd := exec.Command(built(t, "./cmd/carnet"), "lab", "--serve")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var scripts []string
	for lines := bufio.NewScanner(pipe); len(scripts) < 2 && lines.Scan(); {
		if file, ok := strings.CutPrefix(lines.Text(), ". "); ok {
			scripts = append(scripts, file)
		}
	}
	for _, file := range scripts {
		if out, err := exec.Command("bash", "-euc", ". "+file+"; carnet vend acme/lake --json").CombinedOutput(); err != nil || !strings.Contains(string(out), `"session_token"`) {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || len(scripts) < 2 {
		t.Errorf("%v: it printed %q", err, scripts)
	} else if _, err := os.Stat(scripts[0]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is left: %v", scripts[0], err)
	}
}
