package integration

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
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

// TestTheLabEndsWhileClientsConnect within a second of the interrupt.
func TestTheLabEndsWhileClientsConnect(t *testing.T) {
	cmd := exec.Command(built(t, "./cmd/carnet"), "lab", "--serve", "--json")
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var guide map[string]map[string]string
	if err := json.NewDecoder(pipe).Decode(&guide); err != nil {
		t.Fatal(err)
	}
	for range 16 {
		go knock(guide["aws"]["CARNET_LAB"])
	}
	time.Sleep(50 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	endsWithin(t, cmd, time.Second)
}

// knock opens connections until nobody listens.
func knock(address string) {
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return
		}
		conn.Close()
	}
}

// endsWithin has a process end, by itself or by a signal, before so much time is over.
func endsWithin(t *testing.T, cmd *exec.Cmd, limit time.Duration) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-ended:
	case <-time.After(limit):
		t.Errorf("%s runs on %v after the interrupt", cmd, limit)
		cmd.Process.Kill()
		<-ended
	}
}

// TestASecondInterruptEnds what waits for a client after the first: here, for a request's
// header.
func TestASecondInterruptEnds(t *testing.T) {
	l, dir := startSample(t)
	at, cmd := startServe(t, l, dir, asLambda(t, l)...)
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\n"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // the server reads
	for range 2 {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond) // two that come at once are one
	}
	endsWithin(t, cmd, time.Second)
}

// TestTheLabLeavesInterruptsToItsCommand: a shell in it is interrupted more than once.
func TestTheLabLeavesInterruptsToItsCommand(t *testing.T) {
	cmd := exec.Command(built(t, "./cmd/carnet"), "lab", "--", "bash", "-c", `kill -INT $PPID; sleep 0.2; kill -INT $PPID; sleep 0.2; echo done`)
	if out, err := cmd.Output(); err != nil || string(out) != "done\n" {
		t.Errorf("%v: %q", err, out)
	}
}
