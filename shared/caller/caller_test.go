package caller_test

import (
	"cmp"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

func TestFromARN(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws:sts::111122223333:assumed-role/sync-worker/i-0abc":   "arn:aws:iam::111122223333:role/sync-worker",
		"arn:aws:sts::111122223333:assumed-role/sync-worker/other":    "arn:aws:iam::111122223333:role/sync-worker",
		"arn:aws-cn:sts::111122223333:assumed-role/sync-worker/x":     "arn:aws-cn:iam::111122223333:role/sync-worker",
		"arn:aws:iam::444455556666:user/people/ana":                   "arn:aws:iam::444455556666:user/ana",
		"arn:aws:iam::111122223333:root":                              "",
		"arn:aws:sts::111122223333:federated-user/ana":                "",
		"arn:aws:iam::111122223333:role/sync-worker":                  "",
		"arn:aws:sts::111122223333:assumed-role/sync-worker":          "",
		"arn:aws:sts::111122223333:assumed-role/sync-worker/":         "",
		"arn:aws:sts::111122223333:assumed-role//session":             "",
		"arn:aws:sts::111122223333:assumed-role/a/b/c":                "",
		"arn:aws:iam::111122223333:assumed-role/a/b":                  "",
		"arn:aws:sts::1111:assumed-role/a/b":                          "",
		"arn:evil:sts::111122223333:assumed-role/a/b":                 "",
		"arn:aws:sts::111122223333:assumed-role/sync-worker/x\nhello": "",
		"arn:aws:sts::111122223333:assumed-role/sync worker/x":        "",
		"arn:aws:sts:eu-west-1:111122223333:assumed-role/a/b":         "",
		"arn:aws:sts::11112222333x:assumed-role/a/b":                  "",
		"arn:aws:sts::111122223333:assumed-role/a/b:assumed-role/c/d": "",
		"arn:aws:iam::111122223333:user/people/":                      "",
		"aws:sts::111122223333:assumed-role/a/b":                      "",
		"ARN:aws:sts::111122223333:assumed-role/a/b":                  "",
		"*": "", "": "",
	} {
		got, err := caller.FromARN(arn)
		if want == "" {
			if !errors.Is(err, caller.ErrUnverified) {
				t.Errorf("%q is taken for %v, %v", arn, got, err)
			}
			continue
		}
		if err != nil || got != (exchange.Caller{Issuer: "aws", Subject: want}) {
			t.Errorf("%q is taken for %v, %v", arn, got, err)
		}
	}
}

// An issuer is an OIDC issuer on loopback, over TLS.
type issuer struct {
	*httptest.Server
	rsa     *rsa.PrivateKey
	ec      *ecdsa.PrivateKey
	fetches atomic.Int32
	mu      sync.Mutex
	down    bool
	use     string
	alg     string
	jwksAt  string
	name    string // as its document has it; empty: its URL
	slow    time.Duration
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{use: "sig"}
	var err error
	if i.rsa, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	if i.ec, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.Server = httptest.NewTLSServer(i)
	i.jwksAt = i.URL + "/keys"
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	down, slow, use, alg, at, name := i.down, i.slow, i.use, i.alg, i.jwksAt, i.name
	i.mu.Unlock()
	time.Sleep(slow)
	switch {
	case down:
		http.Error(w, "away", http.StatusServiceUnavailable)
	case r.URL.Path == "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]string{"issuer": cmp.Or(name, i.URL), "jwks_uri": at})
	case r.URL.Path == "/keys":
		i.fetches.Add(1)
		odd := json.RawMessage(`{"kty":"AKP","kid":"later"}`)
		json.NewEncoder(w).Encode(map[string]any{"keys": []any{
			jose.JSONWebKey{Key: i.rsa.Public(), KeyID: "r", Algorithm: alg, Use: use},
			jose.JSONWebKey{Key: i.ec.Public(), KeyID: "e", Use: use}, odd,
		}})
	default:
		http.NotFound(w, r)
	}
}

func (i *issuer) set(change func(*issuer)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	change(i)
}

func (i *issuer) verifier() *caller.Verifier {
	return caller.New(&catalog.Operator{Issuers: []catalog.Issuer{{URL: i.URL, Audience: "carnet"}}}, i.Client())
}

func (i *issuer) claims(pairs ...any) map[string]any {
	now := time.Now().Unix()
	c := map[string]any{"iss": i.URL, "aud": "carnet", "sub": "job-7", "iat": now, "exp": now + 600}
	for n := 0; n < len(pairs); n += 2 {
		if pairs[n+1] == nil {
			delete(c, pairs[n].(string))
		} else {
			c[pairs[n].(string)] = pairs[n+1]
		}
	}
	return c
}

func (i *issuer) sign(t *testing.T, claims any, header ...string) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return i.signText(t, jose.RS256, i.rsa, "r", string(text), header...)
}

func (i *issuer) signText(t *testing.T, alg jose.SignatureAlgorithm, key any, kid, payload string, header ...string) string {
	t.Helper()
	o := (&jose.SignerOptions{}).WithHeader("kid", kid)
	for n := 0; n < len(header); n += 2 {
		o = o.WithHeader(jose.HeaderKey(header[n]), header[n+1])
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := s.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func raw(header, payload, signature string) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload)) + "." + e.EncodeToString([]byte(signature))
}

func TestVerify(t *testing.T) {
	i := newIssuer(t)
	v := i.verifier()
	now := time.Now().Unix()
	allow := func(name, token string) {
		t.Helper()
		got, err := v.Verify(t.Context(), token)
		if err != nil || got != (exchange.Caller{Issuer: i.URL, Subject: "job-7"}) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	deny := func(name, token string) {
		t.Helper()
		if got, err := v.Verify(t.Context(), token); !errors.Is(err, caller.ErrUnverified) || got != (exchange.Caller{}) {
			t.Errorf("%s is taken for %v, %v", name, got, err)
		}
	}
	good := i.sign(t, i.claims())
	parts := strings.Split(good, ".")
	text, err := json.Marshal(i.claims())
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(i.rsa.Public())
	if err != nil {
		t.Fatal(err)
	}

	allow("a token", good)
	allow("with Bearer", "Bearer "+good)
	allow("with bearer", "bearer "+good)
	allow("a list of this audience", i.sign(t, i.claims("aud", []string{"carnet"})))
	deny("one of several audiences", i.sign(t, i.claims("aud", []string{"x", "carnet"})))
	allow("an elliptic curve", i.signText(t, jose.ES384, i.ec, "e", string(text)))
	allow("issued by a clock a little ahead", i.sign(t, i.claims("iat", now+30)))

	deny("nothing", "")
	deny("a word", "secret")
	deny("another audience", i.sign(t, i.claims("aud", "carnet-2")))
	deny("no audience", i.sign(t, i.claims("aud", nil)))
	deny("another issuer", i.sign(t, i.claims("iss", "https://accounts.google.com")))
	deny("the issuer with a slash", i.sign(t, i.claims("iss", i.URL+"/")))
	deny("no issuer", i.sign(t, i.claims("iss", nil)))
	deny("after its time", i.sign(t, i.claims("exp", now-1)))
	deny("without an end", i.sign(t, i.claims("exp", nil)))
	deny("before its time", i.sign(t, i.claims("nbf", now+120)))
	deny("issued in the future", i.sign(t, i.claims("iat", now+120)))
	deny("issued at no time", i.sign(t, i.claims("iat", nil)))
	deny("no subject", i.sign(t, i.claims("sub", nil)))
	deny("without its signature", parts[0]+"."+parts[1]+".")
	deny("with its signature removed by the platform", parts[0]+"."+parts[1]+".SIGNATURE_REMOVED_BY_GOOGLE")
	deny("with another's payload", parts[0]+"."+strings.Split(i.sign(t, i.claims("sub", "job-8")), ".")[1]+"."+parts[2])
	deny("signed by nobody", raw(`{"alg":"none","kid":"r"}`, string(text), ""))
	deny("signed with the public key as a password", hs256(public, `{"alg":"HS256","kid":"r"}`, string(text)))
	deny("with a key nobody knows", i.signText(t, jose.RS256, i.rsa, "other", string(text)))
	deny("without a key's name", i.signText(t, jose.RS256, i.rsa, "", string(text)))
	deny("with the wrong key's name", i.signText(t, jose.RS256, i.rsa, "e", string(text)))
	deny("with a repeated claim", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), "{", `{"sub":"job-8",`, 1)))
	deny("with a claim repeated in capitals", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), "{", `{"SUB":"job-8",`, 1)))
	deny("with a subject that Unicode folds to sub", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), "{", `{"\u017fub":"job-8",`, 1)))
	deny("with the same behind it", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), `"sub":"job-7"`, `"sub":"job-7","\u017fub":"job-8"`, 1)))
	deny("with a subject in capitals alone", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), `"sub":`, `"SUB":`, 1)))
	deny("with an issuer in capitals alone", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), `"iss":`, `"Iss":`, 1)))
	deny("with an audience in capitals alone", i.signText(t, jose.RS256, i.rsa, "r", strings.Replace(string(text), `"aud":`, `"Aud":`, 1)))
	deny("with a header's key in capitals", rawHeader(good, `{"alg":"RS256","kid":"r","ALG":"none"}`))
	allow("of a header of ours", rs256(t, i.rsa, `{"alg":"RS256","kid":"r"}`, string(text)))
	deny("signed, with a header's key twice", rs256(t, i.rsa, `{"alg":"RS256","kid":"r","kid":"r"}`, string(text)))
	deny("signed, with what must be understood and is not", rs256(t, i.rsa, `{"alg":"RS256","kid":"r","crit":["exp"],"exp":1}`, string(text)))
	deny("signed, with a payload that is not encoded", rs256(t, i.rsa, `{"alg":"RS256","kid":"r","crit":["b64"],"b64":false}`, string(text)))
	deny("signed, and said to be signed otherwise", rs256(t, i.rsa, `{"alg":"PS256","kid":"r"}`, string(text)))
	deny("signed, and said to be signed by nobody", rs256(t, i.rsa, `{"alg":"none","kid":"r"}`, string(text)))
	deny("signed, with an algorithm in small letters", rs256(t, i.rsa, `{"alg":"rs256","kid":"r"}`, string(text)))
	deny("signed, with a list of algorithms", rs256(t, i.rsa, `{"alg":["RS256","none"],"kid":"r"}`, string(text)))
	deny("with a subject that is a list", i.sign(t, i.claims("sub", []string{"job-7"})))
	deny("with an end that is a word", i.sign(t, i.claims("exp", "never")))
	deny("with an audience that is an object", i.sign(t, i.claims("aud", map[string]string{"carnet": "carnet"})))
	deny("with more behind it", i.signText(t, jose.RS256, i.rsa, "r", string(text)+`{"sub":"job-8"}`))
	deny("of five parts", good+".x.y")
	deny("of very many parts", strings.Repeat(".", 9000))
	deny("very long", good+strings.Repeat("a", 9<<10))
	allow("of nearly eight KiB", i.sign(t, i.claims("pad", strings.Repeat("x", 5500))))
	deny("of more than eight KiB, and signed", i.sign(t, i.claims("pad", strings.Repeat("x", 6500))))
	deny("two of them", good+","+good)
	deny("with a line behind it", good+"\n")
	deny("with padding", parts[0]+"=."+parts[1]+"."+parts[2])
}

// rawHeader puts another header before a signed token.
func rawHeader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
}

// rs256 signs whatever header there is.
func rs256(t *testing.T, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	e := base64.RawURLEncoding
	text := e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload))
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + e.EncodeToString(signature)
}

func hs256(key []byte, header, payload string) string {
	e := base64.RawURLEncoding
	text := e.EncodeToString([]byte(header)) + "." + e.EncodeToString([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return text + "." + e.EncodeToString(mac.Sum(nil))
}

// TestATokenBringsNoKey: keys that a token carries or points at are not looked at.
func TestATokenBringsNoKey(t *testing.T) {
	i, thief := newIssuer(t), newIssuer(t)
	text, err := json.Marshal(i.claims())
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []string{"jku", "x5u"} {
		token := thief.signText(t, jose.RS256, thief.rsa, "r", string(text), header, thief.URL+"/keys")
		if _, err := i.verifier().Verify(t.Context(), token); !errors.Is(err, caller.ErrUnverified) {
			t.Errorf("%s: %v", header, err)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: thief.rsa}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := i.verifier().Verify(t.Context(), token); !errors.Is(err, caller.ErrUnverified) {
		t.Errorf("jwk: %v", err)
	}
	if n := thief.fetches.Load(); n != 0 {
		t.Errorf("the thief's keys were fetched %d times", n)
	}
}

// TestAnIssuersFinalSlash counts in its name, and not in where its document is.
func TestAnIssuersFinalSlash(t *testing.T) {
	i := newIssuer(t)
	i.set(func(i *issuer) { i.name = i.URL + "/" })
	v := caller.New(&catalog.Operator{Issuers: []catalog.Issuer{{URL: i.URL + "/", Audience: "carnet"}}}, i.Client())
	if got, err := v.Verify(t.Context(), i.sign(t, i.claims("iss", i.URL+"/"))); err != nil || got.Issuer != i.URL+"/" {
		t.Errorf("%v, %v", got, err)
	}
	if got, err := v.Verify(t.Context(), i.sign(t, i.claims())); !errors.Is(err, caller.ErrUnverified) {
		t.Errorf("without the slash: %v, %v", got, err)
	}
}

func TestKeysAreForOnePurpose(t *testing.T) {
	for name, change := range map[string]func(*issuer){
		"a key for encryption":        func(i *issuer) { i.use = "enc" },
		"a key for another algorithm": func(i *issuer) { i.alg = "RS512" },
		"another issuer's document":   func(i *issuer) { i.name = "https://elsewhere.example" },
		"keys on another host":        func(i *issuer) { i.jwksAt = "https://elsewhere.example/keys" },
		"keys without TLS":            func(i *issuer) { i.jwksAt = strings.Replace(i.URL, "https", "http", 1) + "/keys" },
	} {
		i := newIssuer(t)
		i.set(change)
		if _, err := i.verifier().Verify(t.Context(), i.sign(t, i.claims())); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestKeysAreFetchedSeldom(t *testing.T) {
	i := newIssuer(t)
	v := i.verifier()
	text, err := json.Marshal(i.claims())
	if err != nil {
		t.Fatal(err)
	}
	i.set(func(i *issuer) { i.slow = 20 * time.Millisecond })
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			v.Verify(context.Background(), i.sign(t, i.claims()))
			v.Verify(context.Background(), i.signText(t, jose.RS256, i.rsa, fmt.Sprint("made-up-", n), string(text)))
		})
	}
	all.Wait()
	if n := i.fetches.Load(); n != 1 {
		t.Errorf("64 tokens had the keys fetched %d times", n)
	}
}

func TestAnIssuerThatIsAwayIsNoVerdict(t *testing.T) {
	i := newIssuer(t)
	v := i.verifier()
	i.set(func(i *issuer) { i.down = true })
	for range 3 {
		if _, err := v.Verify(t.Context(), i.sign(t, i.claims())); !errors.Is(err, caller.ErrNoKeys) || errors.Is(err, caller.ErrUnverified) {
			t.Errorf("an issuer that is away gives %v", err)
		}
	}
}

func TestGooglesTokens(t *testing.T) {
	i := newIssuer(t)
	// Google's host names are found at the issuer on loopback.
	client := &http.Client{Transport: redirected{i.Client().Transport, strings.TrimPrefix(i.URL, "https://"), "/keys"}}
	v := caller.New(&catalog.Operator{GoogleAudience: "carnet"}, client)
	google := func(pairs ...any) string {
		return i.sign(t, i.claims(append([]any{"iss", "https://accounts.google.com", "email", "a@p.iam.gserviceaccount.com", "email_verified", true}, pairs...)...))
	}
	if got, err := v.Verify(t.Context(), google()); err != nil || got != (exchange.Caller{Issuer: "google", Subject: "a@p.iam.gserviceaccount.com"}) {
		t.Errorf("%v, %v", got, err)
	}
	for name, token := range map[string]string{
		"without an email":     google("email", nil),
		"an unverified email":  google("email_verified", false),
		"verified as a word":   google("email_verified", "true"),
		"for another audience": google("aud", "somebody"),
	} {
		if _, err := v.Verify(t.Context(), token); !errors.Is(err, caller.ErrUnverified) {
			t.Errorf("%s: %v", name, err)
		}
	}
	none := caller.New(&catalog.Operator{}, client)
	if _, err := none.Verify(t.Context(), google()); !errors.Is(err, caller.ErrUnverified) {
		t.Errorf("without google_audience: %v", err)
	}
}

type redirected struct {
	base http.RoundTripper
	host string
	path string
}

func (r redirected) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Host, req.URL.Path = r.host, r.path
	return r.base.RoundTrip(req)
}

func TestHosts(t *testing.T) {
	got := caller.Hosts(&catalog.Operator{GoogleAudience: "x", Issuers: []catalog.Issuer{
		{URL: "https://oidc.eks.eu-west-1.amazonaws.com/id/EXAMPLE"}, {URL: "https://a.example", Keys: "https://keys.a.example/k"},
	}})
	want := "www.googleapis.com oidc.eks.eu-west-1.amazonaws.com a.example keys.a.example"
	if strings.Join(got, " ") != want {
		t.Errorf("%v, not %s", got, want)
	}
}

func FuzzVerify(f *testing.F) {
	v := caller.New(&catalog.Operator{Issuers: []catalog.Issuer{{URL: "https://issuer.invalid", Audience: "carnet"}}},
		&http.Client{Transport: redirected{host: "127.0.0.1:1", base: http.DefaultTransport}})
	f.Add("Bearer " + raw(`{"alg":"RS256","kid":"k"}`, `{"iss":"https://issuer.invalid"}`, "s"))
	f.Add(raw(`{"alg":"none"}`, `{"iss":"x","iss":"y"}`, ""))
	f.Add("...")
	f.Fuzz(func(t *testing.T, token string) {
		if c, err := v.Verify(t.Context(), token); err == nil {
			t.Fatalf("%q is taken for %v", token, c)
		}
	})
}

// FuzzFromARN: a principal that counts is of the account and has the name that stand in the
// ARN, and no other.
func FuzzFromARN(f *testing.F) {
	for _, arn := range []string{
		"arn:aws:sts::111122223333:assumed-role/sync-worker/i-0abc", "arn:aws:iam::111122223333:user/team/ann", "arn:aws:iam::111122223333:root",
		"arn:aws:sts::111122223333:assumed-role/a/b/c", "arn:aws:sts::111122223333:federated-user/x", "arn:aws:sts::111122223333:assumed-role/:sts::444455556666:assumed-role/x/y",
	} {
		f.Add(arn)
	}
	f.Fuzz(func(t *testing.T, arn string) {
		who, err := caller.FromARN(arn)
		if err != nil {
			return
		}
		parts := strings.SplitN(arn, ":", 6)
		named := strings.SplitN(who.Subject, ":", 6)
		if len(parts) != 6 || len(named) != 6 || named[1] != parts[1] || named[2] != "iam" || named[3] != "" || named[4] != parts[4] || len(named[4]) != 12 {
			t.Fatalf("%q is taken for %q", arn, who.Subject)
		}
		kind, name, _ := strings.Cut(named[5], "/")
		if kind != "role" && kind != "user" || name == "" || strings.Contains(name, "/") || !strings.Contains(parts[5], "/"+name) {
			t.Errorf("%q is taken for %q", arn, who.Subject)
		}
	})
}

func BenchmarkFromARN(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := caller.FromARN("arn:aws:sts::111122223333:assumed-role/sync-worker/i-0abc"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	i := newIssuer(&testing.T{})
	defer i.Close()
	v := i.verifier()
	token := i.sign(&testing.T{}, i.claims())
	for b.Loop() {
		if _, err := v.Verify(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
