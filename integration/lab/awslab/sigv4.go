package awslab

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// signedFor is how far from our clock a signature's date may be.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
const signedFor = 15 * time.Minute

const sigTime = "20060102T150405Z"

// A fault is an error as AWS answers it.
type fault struct {
	status  int
	code    string
	message string
}

func (f *fault) Error() string { return f.code + ": " + f.message }

func accessDenied(format string, args ...any) *fault {
	return &fault{http.StatusForbidden, "AccessDenied", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *fault {
	return &fault{http.StatusBadRequest, "ValidationError", fmt.Sprintf(format, args...)}
}

// A signature is an Authorization header of AWS4-HMAC-SHA256, taken apart.
type signature struct {
	keyID, date, region, service string
	signed                       []string // header names, sorted
	mac                          string
}

func parseSignature(header string) (signature, error) {
	rest, ok := strings.CutPrefix(header, "AWS4-HMAC-SHA256 ")
	if !ok {
		return signature{}, fmt.Errorf("not AWS4-HMAC-SHA256")
	}
	fields := map[string]string{}
	for _, part := range strings.Split(rest, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || fields[key] != "" {
			return signature{}, fmt.Errorf("malformed")
		}
		fields[key] = value
	}
	scope := strings.Split(fields["Credential"], "/")
	if len(scope) != 5 || scope[4] != "aws4_request" || fields["Signature"] == "" || fields["SignedHeaders"] == "" {
		return signature{}, fmt.Errorf("malformed")
	}
	return signature{scope[0], scope[1], scope[2], scope[3], strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]}, nil
}

// authenticate finds whose session signed a request, and recomputes the signature.
// payload is the hash that was signed for the body.
func (c *Cloud) authenticate(r *http.Request, service, payload string) (*session, *fault) {
	if len(r.Header.Values("Authorization")) != 1 {
		return nil, &fault{http.StatusForbidden, "MissingAuthenticationToken", "Request is missing Authentication Token"}
	}
	sig, err := parseSignature(r.Header.Get("Authorization"))
	if err != nil {
		return nil, &fault{http.StatusBadRequest, "IncompleteSignature", "Authorization header is " + err.Error() + "."}
	}
	s := c.session(sig.keyID)
	if s == nil || !hmac.Equal([]byte(s.token), []byte(r.Header.Get("X-Amz-Security-Token"))) {
		return nil, &fault{http.StatusForbidden, "InvalidClientTokenId", "The security token included in the request is invalid."}
	}
	if !slices.Contains(sig.signed, "host") || !slices.Contains(sig.signed, "x-amz-date") {
		return nil, &fault{http.StatusForbidden, "SignatureDoesNotMatch", "'Host' and 'X-Amz-Date' must be 'SignedHeaders' in the AWS Authorization."}
	}
	if f := c.inTime(r.Header.Get("X-Amz-Date"), sig); f != nil {
		return nil, f
	}
	want := sig.sign(s.secret, r.Header.Get("X-Amz-Date"), canonical(r, sig.signed, payload, service))
	if sig.service != service || !hmac.Equal([]byte(want), []byte(sig.mac)) {
		return nil, &fault{http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details."}
	}
	if !c.now().Before(s.expires) {
		return nil, &fault{http.StatusForbidden, "ExpiredToken", "The security token included in the request is expired"}
	}
	return s, nil
}

// inTime holds the signature's date against the clock, in AWS's own words.
func (c *Cloud) inTime(date string, sig signature) *fault {
	at, err := time.Parse(sigTime, date)
	if err != nil || !strings.HasPrefix(date, sig.date) {
		return &fault{http.StatusForbidden, "SignatureDoesNotMatch", "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP"}
	}
	now := c.now().UTC()
	message := ""
	switch {
	case at.Before(now.Add(-signedFor)):
		message = fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 15 min.)", date, now.Add(-signedFor).Format(sigTime), now.Format(sigTime))
	case at.After(now.Add(signedFor)):
		message = fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 15 min.)", date, now.Add(signedFor).Format(sigTime), now.Format(sigTime))
	default:
		return nil
	}
	return &fault{http.StatusForbidden, "SignatureDoesNotMatch", message}
}

// canonical rebuilds what was signed.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func canonical(r *http.Request, signed []string, payload, service string) string {
	path := encodePath(r.URL.Path)
	if service != "s3" { // all others encode what is encoded already
		path = encodePath(path)
	}
	if path == "" {
		path = "/"
	}
	var headers strings.Builder
	for _, name := range signed {
		headers.WriteString(name + ":" + headerValue(r, name) + "\n")
	}
	return strings.Join([]string{r.Method, path, canonicalQuery(r.URL.Query()), headers.String(), strings.Join(signed, ";"), payload}, "\n")
}

// canonicalQuery is sorted by name, and by value where a name is there twice, as they are
// encoded.
func canonicalQuery(query url.Values) string {
	byName := map[string][]string{}
	for name, values := range query {
		for _, v := range values {
			byName[encode(name)] = append(byName[encode(name)], encode(v))
		}
	}
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		for _, v := range slices.Sorted(slices.Values(byName[name])) {
			pairs = append(pairs, name+"="+v)
		}
	}
	return strings.Join(pairs, "&")
}

func headerValue(r *http.Request, name string) string {
	switch name {
	case "host":
		return r.Host
	case "content-length":
		if r.ContentLength >= 0 {
			return fmt.Sprint(r.ContentLength)
		}
	case "transfer-encoding":
		return strings.Join(r.TransferEncoding, ",")
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Join(strings.Fields(v), " "))
	}
	return strings.Join(values, ",")
}

func encode(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func encodePath(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		segments[i] = encode(s)
	}
	return strings.Join(segments, "/")
}

func (sig signature) sign(secret, date, request string) string {
	hash := sha256.Sum256([]byte(request))
	scope := strings.Join([]string{sig.date, sig.region, sig.service, "aws4_request"}, "/")
	text := "AWS4-HMAC-SHA256\n" + date + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
	return hex.EncodeToString(sum(sig.key(secret), text))
}

// key is derived from the secret for a day, a Region and a service.
func (sig signature) key(secret string) []byte {
	key := []byte("AWS4" + secret)
	for _, part := range []string{sig.date, sig.region, sig.service, "aws4_request"} {
		key = sum(key, part)
	}
	return key
}

func sum(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// maxSessions bounds the table; the expired are swept when it is full.
const maxSessions = 200_000

// open starts a session of a role.
func (c *Cloud) open(r *role, a ask) *session {
	now := c.now()
	s := &session{
		keyID: "ASIA" + rand.Text()[:16], secret: random(30), token: sessionToken(a.least), role: r, name: a.name,
		policies: a.policies, tags: a.tags, issued: now, expires: now.Add(a.life).Truncate(time.Second), now: c.now,
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.sessions) >= maxSessions {
		for id, old := range c.sessions {
			if old.expires.Before(now) {
				delete(c.sessions, id)
			}
		}
	}
	c.sessions[s.keyID] = s
	return s
}

func (c *Cloud) session(keyID string) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[keyID]
}

func random(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}
