package client_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// A deployment answers what the API would, one answer after the other, the last for ever.
type deployment struct {
	answers []answer
	mu      sync.Mutex
	asked   []time.Time
}

type answer struct {
	status int
	body   string
	header string // Retry-After
}

// RoundTrip implements [http.RoundTripper].
func (d *deployment) RoundTrip(r *http.Request) (*http.Response, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked = append(d.asked, time.Now())
	a := d.answers[min(len(d.asked), len(d.answers))-1]
	w := httptest.NewRecorder()
	if a.header != "" {
		w.Header().Set("Retry-After", a.header)
	}
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
	return w.Result(), nil
}

func (d *deployment) client() *client.Client {
	return &client.Client{URL: "https://carnet.example/", HTTP: &http.Client{Transport: d}, Proof: client.Token(func(context.Context) (string, error) { return "proof", nil })}
}

func no(code string) string {
	return `{"error":{"code":"` + code + `","message":"no","request_id":"R1","owner":"tenant"}}`
}

func login(t *testing.T, lives time.Duration) string {
	t.Helper()
	text, err := wire.Encode(&exchange.Credential{Kind: "redshift", Principal: "p", Expires: time.Now().Add(lives), Login: &exchange.Login{User: "u", Password: exchange.NewSecret("w")}}, "R1")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWhatIsTemporaryIsTriedAgain after the pause that carnet asks for, and nothing else is.
func TestWhatIsTemporaryIsTriedAgain(t *testing.T) {
	for name, x := range map[string]struct {
		answers []answer
		tries   int
		took    time.Duration
		code    string
	}{
		"throttled, then not":    {[]answer{{429, no("throttled"), "7"}, {200, "", ""}}, 2, 7 * time.Second, ""},
		"away all the time":      {[]answer{{503, no("upstream_unavailable"), ""}}, 3, 2 * time.Second, "upstream_unavailable"},
		"refused":                {[]answer{{403, no("trust_refused"), ""}}, 1, 0, "trust_refused"},
		"denied":                 {[]answer{{403, no("denied"), ""}}, 1, 0, "denied"},
		"a mistake of ours":      {[]answer{{400, no("bad_request"), ""}}, 1, 0, "bad_request"},
		"the platform's refusal": {[]answer{{403, `{"Message":"Forbidden"}`, ""}}, 1, 0, "platform"},
		"somebody's page":        {[]answer{{502, "<html>", ""}}, 1, 0, "platform"},
		"to be left for a day":   {[]answer{{429, no("throttled"), "86400"}}, 1, 0, "throttled"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for i := range x.answers {
					if x.answers[i].status == 200 {
						x.answers[i].body = login(t, time.Hour)
					}
				}
				d, began := &deployment{answers: x.answers}, time.Now()
				_, err := d.client().Vend(t.Context(), client.Request{Tenant: "acme", Destination: "marts"})
				var refused *client.Error
				if errors.As(err, &refused); refused == nil && x.code != "" || refused != nil && refused.Code != x.code {
					t.Errorf("%v", err)
				}
				if took := time.Since(began); len(d.asked) != x.tries || took != x.took {
					t.Errorf("%d tries in %s", len(d.asked), took)
				}
			})
		})
	}
}

// TestAnAnswerThatIsNoCredential tells nothing of what stands in it.
func TestAnAnswerThatIsNoCredential(t *testing.T) {
	for _, body := range []string{"", "{}", `{"kind":"s3","session":{"secret_access_key":"hush"`, `{"kind":"s3","expires_at":"hush"}`} {
		d := &deployment{answers: []answer{{200, body, ""}}}
		if _, err := d.client().Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake"}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// TestAProofStaysWithItsHost: a redirect is no answer, and gets no proof.
func TestAProofStaysWithItsHost(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("another host is shown %q", r.Header.Get("Authorization"))
	}))
	defer elsewhere.Close()
	s := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	c := &client.Client{URL: s.URL, Proof: client.Token(func(context.Context) (string, error) { return "proof", nil })}
	var refused *client.Error
	if _, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake"}); !errors.As(err, &refused) || refused.Status != http.StatusTemporaryRedirect {
		t.Errorf("%v", err)
	}
}

// TestNothingTravelsInTheClear but on loopback: whoever is on the way would have the proof, and
// the credential.
func TestNothingTravelsInTheClear(t *testing.T) {
	for _, at := range []string{"http://carnet.example", "http://127.0.0.1.carnet.example", "http://localhost@carnet.example", "ftp://127.0.0.1", "carnet.example"} {
		d := &deployment{answers: []answer{{200, login(t, time.Hour), ""}}}
		c := d.client()
		c.URL = at
		if _, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "marts"}); err == nil || len(d.asked) > 0 {
			t.Errorf("%s: asked %d times, %v", at, len(d.asked), err)
		}
	}
}

func TestWithoutAProofNobodyIsAsked(t *testing.T) {
	d := &deployment{answers: []answer{{200, "", ""}}}
	for name, proof := range map[string]client.Proof{
		"none":           nil,
		"one that fails": client.Token(func(context.Context) (string, error) { return "", errors.New("no token here") }),
		"an empty file":  client.Token(client.File("/dev/null")),
	} {
		c := d.client()
		c.Proof = proof
		if _, err := c.Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake"}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(d.asked) != 0 {
		t.Errorf("it was asked %d times", len(d.asked))
	}
}

// opened counts the logins that a driver was given.
type opened struct{ logins int }

func (o *opened) open(*exchange.Credential) (driver.Connector, error) { o.logins++; return o, nil }
func (o *opened) Connect(context.Context) (driver.Conn, error)        { return nil, nil }
func (o *opened) Driver() driver.Driver                               { return nil }

// TestAConnectorHasALoginThatIsGood: many connections at once ask for one login, which serves
// until near its end.
func TestAConnectorHasALoginThatIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, o := &deployment{answers: []answer{{200, login(t, 15*time.Minute), ""}}}, &opened{}
		c := d.client().Connector("acme", "marts", o.open)
		connect := func() {
			if _, err := c.Connect(t.Context()); err != nil {
				t.Error(err)
			}
		}
		var all sync.WaitGroup
		for range 20 {
			all.Go(connect)
		}
		all.Wait()
		time.Sleep(12 * time.Minute)
		connect()
		if len(d.asked) != 1 || o.logins != 1 {
			t.Errorf("asked %d times for %d logins", len(d.asked), o.logins)
		}
		time.Sleep(90 * time.Second)
		d.answers = append(d.answers, answer{200, login(t, 15*time.Minute), ""})
		connect()
		if len(d.asked) != 2 || o.logins != 2 {
			t.Errorf("near its end: asked %d times for %d logins", len(d.asked), o.logins)
		}
	})
}

// TestAConnectorsWaiterMayLeave: who waits for another's login is not held up by it.
func TestAConnectorsWaiterMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &deployment{answers: []answer{{429, no("throttled"), "60"}}}
		c := d.client().Connector("acme", "marts", (&opened{}).open)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		go c.Connect(ctx)
		synctest.Wait()
		soon, leave := context.WithTimeout(t.Context(), time.Second)
		defer leave()
		began := time.Now()
		if _, err := c.Connect(soon); err == nil || time.Since(began) > time.Second {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

func TestAnErrorSaysWhoseItIs(t *testing.T) {
	d := &deployment{answers: []answer{{403, no("trust_refused"), ""}}}
	_, err := d.client().Vend(t.Context(), client.Request{Tenant: "acme", Destination: "lake"})
	if text := fmt.Sprint(err); !strings.Contains(text, "R1") || !strings.Contains(text, "tenant") {
		t.Error(text)
	}
}
