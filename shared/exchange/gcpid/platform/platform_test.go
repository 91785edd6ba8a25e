package platform_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
	"carnet.dev/carnet/shared/exchange/gcpid/platform"
)

const own = "/computeMetadata/v1/instance/service-accounts/default/"

// on puts a metadata server where GCE_METADATA_HOST says, and gives the process's account.
func on(t *testing.T, server http.HandlerFunc) *gcpid.Identity {
	t.Helper()
	s := httptest.NewServer(server)
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	t.Setenv("GCE_METADATA_HOST", s.Listener.Addr().String())
	return gcpid.New(new(http.Client)).Runtime("f@p.iam.gserviceaccount.com", platform.Metadata{})
}

func TestWhatTheServerIsAskedFor(t *testing.T) {
	jwt := "h." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, time.Now().Add(time.Hour).Unix())) + ".s"
	asked := 0
	i := on(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Metadata-Flavor") != "Google" {
			t.Errorf("%s without its header", r.URL)
		}
		switch asked++; r.URL.Path {
		case own + "token":
			if got := r.URL.Query().Get("scopes"); got != "https://www.googleapis.com/auth/cloud-platform" {
				t.Errorf("scopes %q", got)
			}
			fmt.Fprint(w, `{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}`)
		case own + "identity":
			if q := r.URL.Query(); q.Get("audience") != "https://a.example/?b" || q.Get("format") != "full" {
				t.Errorf("asked for %s", r.URL.RawQuery)
			}
			fmt.Fprint(w, jwt)
		default:
			http.NotFound(w, r)
		}
	})
	for range 2 { // the second time from what is kept
		r := &http.Request{Header: http.Header{}}
		if err := i.Authorize(t.Context(), r); err != nil || r.Header.Get("Authorization") != "Bearer ya29.x" {
			t.Errorf("%v, %v", r.Header, err)
		}
		token, err := i.IDToken(t.Context(), "https://a.example/?b")
		if left := time.Until(token.Expires); err != nil || token.Value.Reveal() != jwt || left < 59*time.Minute || left > time.Hour {
			t.Errorf("%s left, %v", left, err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// TestAServerOnABadDay: each fault has its reason and its edge, nothing of the answer is told,
// and the first who asks afterwards is answered.
func TestAServerOnABadDay(t *testing.T) {
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, text)
		}
	}
	for name, x := range map[string]struct {
		fault  http.HandlerFunc
		reason exchange.Reason
		most   int // tries
	}{
		"away":              {say(503, "canary"), exchange.Unavailable, 6},
		"throttled":         {say(429, "canary"), exchange.Throttled, 6},
		"no account":        {say(404, "canary"), exchange.Refused, 1},
		"without a header":  {say(403, "canary"), exchange.Refused, 1},
		"a page":            {say(200, "<html>canary</html>"), exchange.Unavailable, 1},
		"no token":          {say(200, `{"expires_in":3599}`), exchange.Unavailable, 1},
		"a token of no end": {say(200, `{"access_token":"canary"}`), exchange.Unavailable, 1},
		"no string":         {say(200, `{"access_token":["canary"],"expires_in":3599}`), exchange.Unavailable, 1},
	} {
		t.Run(name, func(t *testing.T) {
			well, tries := false, 0
			i := on(t, func(w http.ResponseWriter, r *http.Request) {
				if well {
					fmt.Fprint(w, `{"access_token":"ya29.x","expires_in":3599,"token_type":"Bearer"}`)
					return
				}
				tries++
				x.fault(w, r)
			})
			err := i.Authorize(t.Context(), &http.Request{Header: http.Header{}})
			var edge *exchange.EdgeError
			if !errors.As(err, &edge) || edge.Reason != x.reason || edge.Edge.Op != "metadata.token" || strings.Contains(err.Error(), "canary") {
				t.Errorf("%+v", err)
			}
			if tries < 1 || tries > x.most {
				t.Errorf("%d tries", tries)
			}
			if well = true; x.reason == exchange.Refused {
				return // repeated for seconds
			}
			if err := i.Authorize(t.Context(), &http.Request{Header: http.Header{}}); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestAServerThatHangs holds the library, and nobody who asks for longer than it has time.
func TestAServerThatHangs(t *testing.T) {
	i := on(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	began := time.Now()
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := i.Authorize(ctx, &http.Request{Header: http.Header{}}); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if took := time.Since(began); took > time.Second {
		t.Errorf("the last was back after %s", took)
	}
}
