package caller_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/catalog"
)

// A publisher is an issuer whose keys are read in memory, so that hours pass in no time.
type publisher struct {
	key     *rsa.PrivateKey
	fetches atomic.Int32
	answer  atomic.Pointer[func(context.Context) (*http.Response, error)] // nil: the keys
	set     string                                                        // in the place of its one key
}

const publishes = "https://issuer.example"

func newPublisher(t *testing.T, bits int) *publisher {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return &publisher{key: key}
}

func (p *publisher) RoundTrip(r *http.Request) (*http.Response, error) {
	p.fetches.Add(1)
	if answer := p.answer.Load(); answer != nil {
		return (*answer)(r.Context())
	}
	text := p.set
	if text == "" {
		text = keySet(p.jwk(nil))
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(text))}, nil
}

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// jwk is its key as published, with more members.
func (p *publisher) jwk(more map[string]any) string {
	text, err := jose.JSONWebKey{Key: p.key.Public(), KeyID: "r"}.MarshalJSON()
	if err != nil {
		panic(err) // an RSA key can be written
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		panic(err)
	}
	for name, v := range more {
		members[name] = v
	}
	if text, err = json.Marshal(members); err != nil {
		panic(err)
	}
	return string(text)
}

func (p *publisher) fails(f func(context.Context) (*http.Response, error)) { p.answer.Store(&f) }
func (p *publisher) mends()                                                { p.answer.Store(nil) }

func away(context.Context) (*http.Response, error) { return nil, errors.New("no route to host") }

func hangs(ctx context.Context) (*http.Response, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func (p *publisher) verifier() *caller.Verifier {
	return caller.New(&catalog.Operator{Issuers: []catalog.Issuer{{URL: publishes, Audience: "carnet", Keys: publishes + "/keys"}}}, &http.Client{Transport: p})
}

// token is fresh, with the id of a key.
func (p *publisher) token(t *testing.T, kid string) string {
	t.Helper()
	now := time.Now().Unix()
	text, err := json.Marshal(map[string]any{"iss": publishes, "aud": "carnet", "sub": "job-7", "iat": now, "exp": now + 600})
	if err != nil {
		t.Fatal(err)
	}
	return new(issuer).signText(t, jose.RS256, p.key, kid, string(text))
}

func TestKeysLiveAndDie(t *testing.T) {
	for name, story := range map[string]func(t *testing.T, p *publisher, verify func(kid string) error){
		"keys serve for an hour, and are renewed": func(t *testing.T, p *publisher, verify func(string) error) {
			for range 5 {
				hold(t, verify("r"))
				time.Sleep(11 * time.Minute)
			}
			fetched(t, p, 1)
			time.Sleep(10 * time.Minute)
			hold(t, verify("r"))
			fetched(t, p, 2)
		},
		"a made-up id costs one fetch in half a minute": func(t *testing.T, p *publisher, verify func(string) error) {
			for range 60 {
				refuse(t, verify("made-up"), caller.ErrUnverified)
				time.Sleep(time.Second)
			}
			fetched(t, p, 2)
		},
		"an issuer that is away is asked every five seconds": func(t *testing.T, p *publisher, verify func(string) error) {
			p.fails(away)
			for range 20 {
				refuse(t, verify("r"), caller.ErrNoKeys)
				time.Sleep(time.Second)
			}
			if n := p.fetches.Load(); n < 3 || n > 4 {
				t.Errorf("asked %d times in 20 s", n)
			}
			p.mends()
			time.Sleep(6 * time.Second)
			hold(t, verify("r"))
		},
		"known keys serve on while the issuer is away, for a day": func(t *testing.T, p *publisher, verify func(string) error) {
			hold(t, verify("r"))
			p.fails(away)
			time.Sleep(23 * time.Hour)
			hold(t, verify("r"))
			time.Sleep(2 * time.Hour)
			refuse(t, verify("r"), caller.ErrNoKeys)
		},
		"a known key does not wait for an issuer that hangs": func(t *testing.T, p *publisher, verify func(string) error) {
			hold(t, verify("r"))
			p.fails(hangs)
			time.Sleep(2 * time.Hour)
			began := time.Now()
			hold(t, verify("r"))
			if waited := time.Since(began); waited > 500*time.Millisecond {
				t.Errorf("waited %s", waited)
			}
		},
		"an unknown key waits no longer than a fetch may take": func(t *testing.T, p *publisher, verify func(string) error) {
			p.fails(hangs)
			began := time.Now()
			refuse(t, verify("r"), caller.ErrNoKeys)
			if waited := time.Since(began); waited > 5*time.Second {
				t.Errorf("waited %s", waited)
			}
		},
		"a key that is withdrawn is gone with the next renewal": func(t *testing.T, p *publisher, verify func(string) error) {
			hold(t, verify("r"))
			p.set = keySet()
			time.Sleep(61 * time.Minute)
			refuse(t, verify("r"), caller.ErrUnverified)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPublisher(t, 2048)
			synctest.Test(t, func(t *testing.T) {
				v := p.verifier()
				story(t, p, func(kid string) error {
					_, err := v.Verify(t.Context(), p.token(t, kid))
					return err
				})
				time.Sleep(10 * time.Second) // for what is still under way
			})
		})
	}
}

// TestWhoeverComesAsAFetchEndsDoesNotFetchAgain: many find a key unknown at once, and one
// fetch, which is over in no time, answers them all.
func TestWhoeverComesAsAFetchEndsDoesNotFetchAgain(t *testing.T) {
	p := newPublisher(t, 2048)
	token := p.token(t, "made-up")
	for range 400 {
		p.fetches.Store(0)
		v := p.verifier()
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				_, err := v.Verify(t.Context(), token)
				refuse(t, err, caller.ErrUnverified)
			})
		}
		all.Wait()
		fetched(t, p, 1)
	}
}

func hold(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func refuse(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, not %v", err, want)
	}
}

func fetched(t *testing.T, p *publisher, want int32) {
	t.Helper()
	if n := p.fetches.Load(); n != want {
		t.Errorf("the keys were fetched %d times, not %d", n, want)
	}
}

// TestKeysThatCheckNoSignature: what an issuer publishes for something else is no key here.
func TestKeysThatCheckNoSignature(t *testing.T) {
	p, short := newPublisher(t, 2048), newPublisher(t, 1024)
	for name, x := range map[string]struct {
		set string
		ok  bool
	}{
		"for signatures":                      {keySet(p.jwk(map[string]any{"use": "sig", "alg": "RS256", "key_ops": []string{"verify"}})), true},
		"beside one for encryption":           {keySet(p.jwk(map[string]any{"use": "enc"}), p.jwk(map[string]any{"use": "sig"})), true},
		"for encryption":                      {keySet(p.jwk(map[string]any{"use": "enc"})), false},
		"for wrapping keys":                   {keySet(p.jwk(map[string]any{"key_ops": []string{"wrapKey"}})), false},
		"for nothing":                         {keySet(p.jwk(map[string]any{"key_ops": []string{}})), false},
		"for another algorithm":               {keySet(p.jwk(map[string]any{"alg": "PS256"})), false},
		"twice under one id":                  {keySet(p.jwk(nil), p.jwk(nil)), false},
		"a password":                          {keySet(`{"kty":"oct","kid":"r","k":"c2VjcmV0"}`), false},
		"more than a hundred":                 {keySet(strings.Split(strings.Repeat(p.jwk(nil)+"\n", 101), "\n")[:101]...), false},
		"in a document of more than a MiB":    {`{"pad":"` + strings.Repeat("x", 1<<20) + `",` + keySet(p.jwk(nil))[1:], false},
		"in something that is no JSON at all": {"<html>", false},
	} {
		p.set = x.set
		if _, err := p.verifier().Verify(t.Context(), p.token(t, "r")); (err == nil) != x.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := short.verifier().Verify(t.Context(), short.token(t, "r")); !errors.Is(err, caller.ErrUnverified) {
		t.Errorf("a key of 1024 bits: %v", err)
	}
}

// TestKeysAreNotRedirected: an issuer that sends the reader elsewhere has no keys.
func TestKeysAreNotRedirected(t *testing.T) {
	real := newIssuer(t)
	door := httptest.NewUnstartedServer(http.RedirectHandler(real.URL+"/keys", http.StatusFound))
	door.StartTLS()
	defer door.Close()
	op := &catalog.Operator{Issuers: []catalog.Issuer{{URL: real.URL, Audience: "carnet", Keys: door.URL}}}
	if _, err := caller.New(op, real.Client()).Verify(t.Context(), real.sign(t, real.claims())); !errors.Is(err, caller.ErrNoKeys) {
		t.Errorf("%v", err)
	}
	if n := real.fetches.Load(); n != 0 {
		t.Errorf("the redirect was followed %d times", n)
	}
}
