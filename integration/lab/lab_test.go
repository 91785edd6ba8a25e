package lab_test

import (
	"crypto/tls"
	"testing"
	"time"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/sample"
)

func start(t *testing.T) *lab.Lab {
	t.Helper()
	w, err := sample.World()
	if err != nil {
		t.Fatal(err)
	}
	l, err := lab.Start(w)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// knock opens connections to the lab until nobody listens.
func knock(l *lab.Lab) {
	for {
		conn, err := tls.Dial("tcp", l.Addr(), l.CA.ClientConfig())
		if conn != nil {
			conn.Close()
		}
		if err != nil {
			return
		}
	}
}

// within fails the test where something that takes milliseconds takes seconds.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan bool)
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal(what + " hangs")
	}
}

// TestCloseWhileClientsConnect: whoever connects at that moment does not keep it open.
func TestCloseWhileClientsConnect(t *testing.T) {
	for range 20 {
		l := start(t)
		for range 16 {
			go knock(l)
		}
		time.Sleep(20 * time.Millisecond)
		within(t, "Close", func() { l.Close() })
	}
}

// TestCutWhileClientsConnect leaves the lab open to those who come after.
func TestCutWhileClientsConnect(t *testing.T) {
	l := start(t)
	for range 16 {
		go knock(l)
	}
	for range 20 {
		within(t, "Cut", l.Cut)
	}
	within(t, "Close", func() { l.Close() })
}

// TestNothingIsServedAfterClose: a machine that is asked for meanwhile is refused, and leaves
// no server behind.
func TestNothingIsServedAfterClose(t *testing.T) {
	l := start(t)
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	if addr, err := l.Serve(l.AWS.STS(), false); err == nil {
		t.Errorf("a closed lab serves at %s", addr)
	}
	if err := l.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}
