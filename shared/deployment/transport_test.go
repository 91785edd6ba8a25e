package deployment_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carnet.dev/carnet/shared/deployment"
)

const (
	here  = "sts.eu-west-1.amazonaws.com"
	there = "sts.googleapis.com"
)

// An outside is every allowed host at one loopback address, as the lab is.
type outside struct {
	*httptest.Server
	client *http.Client
	open   atomic.Int64 // connections that were ever opened
}

func startOutside(t *testing.T, h http.HandlerFunc) *outside { return startSpeaking(t, false, h) }

func startSpeaking(t *testing.T, http2 bool, h http.HandlerFunc) *outside {
	t.Helper()
	o := &outside{Server: httptest.NewUnstartedServer(h)}
	o.EnableHTTP2 = http2
	o.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			o.open.Add(1)
		}
	}
	o.Config.ErrorLog = nil
	o.StartTLS()
	t.Cleanup(o.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: o.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	tr := deployment.Transport{Lab: o.Listener.Addr().String(), LabCA: ca}
	o.client, err = tr.Client(func(host string) bool { return host == here || host == there })
	if err != nil {
		t.Fatal(err)
	}
	// The test server's certificate is for example.com, whatever it is called.
	o.client.Transport.(*http.Transport).TLSClientConfig.ServerName = "example.com"
	return o
}

func (o *outside) get(ctx context.Context, host string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return nil, err
	}
	return o.client.Do(r)
}

// TestAHostThatHangsHoldsItsOwnConnections: 200 calls hang at one host, and hold 64
// connections; the other host's calls do not wait; when the first is back, all are answered.
func TestAHostThatHangsHoldsItsOwnConnections(t *testing.T) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) { hangs(t, http2) })
	}
}

func hangs(t *testing.T, http2 bool) {
	const most = 2 * 64 // of two hosts
	back := make(chan struct{})
	o := startSpeaking(t, http2, func(w http.ResponseWriter, r *http.Request) {
		if r.Host == here {
			<-back
		}
	})
	var all sync.WaitGroup
	var answered atomic.Int64
	for range 200 {
		all.Go(func() {
			resp, err := o.get(t.Context(), here)
			if err != nil {
				t.Errorf("once the host is back: %v", err)
				return
			}
			resp.Body.Close()
			answered.Add(1)
		})
	}
	for range 100 {
		resp, err := o.get(t.Context(), there)
		if err != nil {
			t.Fatalf("the other host: %v", err)
		}
		resp.Body.Close()
	}
	if n := answered.Load(); n != 0 {
		t.Errorf("%d calls did not hang", n)
	}
	close(back)
	all.Wait()
	if n := o.open.Load(); n > most {
		t.Errorf("%d connections", n)
	}
}

func TestOnlyKnownHostsAreDialled(t *testing.T) {
	o := startOutside(t, func(http.ResponseWriter, *http.Request) {})
	for name, url := range map[string]string{
		"another host":       "https://evil.example/",
		"one that looks so":  "https://sts.googleapis.com.evil.example/",
		"without TLS":        "http://" + there + "/",
		"another port":       "https://" + there + ":8443/",
		"an address":         "https://192.0.2.1/",
		"a machine's own":    "http://169.254.169.254:8080/",
		"somebody's network": "http://10.0.0.1/",
	} {
		resp, err := o.client.Get(url)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s was called", name)
		} else if !strings.Contains(err.Error(), "is not a host that carnet talks to") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := o.open.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	o := startOutside(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+there+"/", http.StatusFound)
	})
	resp, err := o.get(t.Context(), here)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("%s", resp.Status)
	}
}

// TestNoProxyUnlessAsked: one that the environment names would see every host that is called.
func TestNoProxyUnlessAsked(t *testing.T) {
	for _, asked := range []bool{false, true} {
		client, err := deployment.Transport{Proxy: asked}.Client(func(string) bool { return true })
		if err != nil {
			t.Fatal(err)
		}
		if got := client.Transport.(*http.Transport).Proxy != nil; got != asked {
			t.Errorf("asked for %v: %v", asked, got)
		}
	}
}

func TestNothingIsWaitedForWithoutEnd(t *testing.T) {
	client, err := deployment.Transport{}.Client(func(string) bool { return true })
	if err != nil {
		t.Fatal(err)
	}
	tr := client.Transport.(*http.Transport)
	for name, d := range map[string]time.Duration{"TLS": tr.TLSHandshakeTimeout, "first byte": tr.ResponseHeaderTimeout, "whole": client.Timeout} {
		if d <= 0 || d > 20*time.Second {
			t.Errorf("%s: %s", name, d)
		}
	}
}

// TestAnAnswerByteByByte: each byte in time, and the whole never; the caller is back by its
// own deadline.
func TestAnAnswerByteByByte(t *testing.T) {
	o := startOutside(t, func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "x")
			w.(http.Flusher).Flush()
			time.Sleep(10 * time.Millisecond)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	resp, err := o.get(ctx, here)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestHeadersAreBounded(t *testing.T) {
	o := startOutside(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 1<<20))
	})
	if resp, err := o.get(t.Context(), here); err == nil {
		resp.Body.Close()
		t.Error("a header of a megabyte was read")
	}
}
