package gcpid_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// A source is an [oauth2.TokenSource], and the same for whatever is asked for.
type source func() (*oauth2.Token, error)

func (s source) Token() (*oauth2.Token, error)       { return s() }
func (s source) Access(...string) oauth2.TokenSource { return s }
func (s source) ID(string) oauth2.TokenSource        { return s }

func runtimeOn(from gcpid.Tokens) *gcpid.Identity {
	return gcpid.New(new(http.Client)).Runtime("f@p.iam.gserviceaccount.com", from)
}

// TestAPlatformThatHangs: a TokenSource knows no context, and each caller is back by its own
// all the same. The one asking that they share survives them, whether what it gives is kept or
// handed out.
func TestAPlatformThatHangs(t *testing.T) {
	authorize := func(ctx context.Context, i *gcpid.Identity) error {
		return i.Authorize(ctx, &http.Request{Header: http.Header{}})
	}
	handedOut := func(ctx context.Context, i *gcpid.Identity) error {
		_, err := i.SubjectToken(ctx, exchange.RelyingParty{Audience: "a", Accepts: []exchange.Form{exchange.RS256}, Lifetime: time.Hour})
		return err
	}
	for name, ask := range map[string]func(context.Context, *gcpid.Identity) error{"kept": authorize, "handed out": handedOut} {
		synctest.Test(t, func(t *testing.T) {
			var asked atomic.Int64
			i := runtimeOn(source(func() (*oauth2.Token, error) {
				asked.Add(1)
				time.Sleep(3 * time.Second)
				return &oauth2.Token{AccessToken: jwt(time.Now().Add(time.Hour)), Expiry: time.Now().Add(time.Hour)}, nil
			}))
			began := time.Now()
			for range 64 {
				go func() {
					ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
					defer cancel()
					if err := ask(ctx, i); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 100*time.Millisecond {
						t.Errorf("%s: after %s: %v", name, time.Since(began), err)
					}
				}()
			}
			time.Sleep(time.Second)
			if err := ask(t.Context(), i); err != nil || asked.Load() != 1 || time.Since(began) != 3*time.Second {
				t.Errorf("%s: %d askings, the last answered after %s: %v", name, asked.Load(), time.Since(began), err)
			}
		})
	}
}

// TestWhatAPlatformSaysInsteadOfYes has its edge, its reason and no words.
func TestWhatAPlatformSaysInsteadOfYes(t *testing.T) {
	said := func(status int) error {
		return &oauth2.RetrieveError{Response: &http.Response{StatusCode: status, Status: "canary"}, Body: []byte("canary")}
	}
	for name, x := range map[string]struct {
		err    error
		reason exchange.Reason
		code   string
	}{
		"away":      {said(503), exchange.Unavailable, "503"},
		"throttled": {said(429), exchange.Throttled, "429"},
		"nobody":    {said(404), exchange.Refused, "404"},
		"no server": {errors.New("connection refused"), exchange.Unavailable, ""},
	} {
		i := runtimeOn(source(func() (*oauth2.Token, error) { return nil, x.err }))
		_, idErr := i.IDToken(t.Context(), "a")
		for op, err := range map[string]error{"metadata.token": i.Authorize(t.Context(), &http.Request{Header: http.Header{}}), "metadata.identity": idErr} {
			var edge *exchange.EdgeError
			if !errors.As(err, &edge) || edge.Edge.Op != op || edge.Edge.From != "platform" || edge.Reason != x.reason || edge.Code != x.code {
				t.Errorf("%s: %+v", name, err)
			}
			if text := err.Error(); strings.Contains(text, "canary") {
				t.Errorf("%s: %s", name, text)
			}
		}
	}
}

func TestAnIDTokenThatIsNone(t *testing.T) {
	i := runtimeOn(source(func() (*oauth2.Token, error) { return &oauth2.Token{AccessToken: "<html>canary</html>"}, nil }))
	_, err := i.IDToken(t.Context(), "a")
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) || edge.Edge.Op != "metadata.identity" || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}

// TestAnIDTokenLivesForAnHour by our clock too, however far ahead the platform's own is.
func TestAnIDTokenLivesForAnHour(t *testing.T) {
	for ahead, want := range map[time.Duration]time.Duration{0: time.Hour, 19 * time.Minute: time.Hour, -19 * time.Minute: 41 * time.Minute} {
		i := runtimeOn(source(func() (*oauth2.Token, error) {
			return &oauth2.Token{AccessToken: jwt(time.Now().Add(time.Hour + ahead))}, nil
		}))
		token, err := i.IDToken(t.Context(), "a")
		if left := time.Until(token.Expires).Round(time.Minute); err != nil || left != want {
			t.Errorf("%s ahead: %s left, %v", ahead, left, err)
		}
	}
}

func jwt(exp time.Time) string {
	return "h." + base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"exp":%d}`, exp.Unix())) + ".s"
}
