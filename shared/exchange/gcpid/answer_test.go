package gcpid

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// This file looks inside: what is read out of an answer is no part of the public surface.

func answered(status int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header}
}

// TestEveryWayToSayThrottled, and what else Google says, in both of its shapes.
func TestEveryWayToSayThrottled(t *testing.T) {
	for name, x := range map[string]struct {
		status int
		text   string
		reason exchange.Reason
		code   string
		after  time.Duration
	}{
		"the token endpoint's":    {429, `{"error":"quota_exceeded","error_description":"x"}`, exchange.Throttled, "quota_exceeded", 0},
		"the same with a 400":     {400, `{"error":"quota_exceeded","error_description":"x"}`, exchange.Throttled, "quota_exceeded", 0},
		"IAM's":                   {429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x"}}`, exchange.Throttled, "RESOURCE_EXHAUSTED", 0},
		"the same with a 403":     {403, `{"error":{"code":403,"status":"RESOURCE_EXHAUSTED","message":"x"}}`, exchange.Throttled, "RESOURCE_EXHAUSTED", 0},
		"a reason in a detail":    {403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"x","details":[{"reason":"RATE_LIMIT_EXCEEDED"}]}}`, exchange.Throttled, "RATE_LIMIT_EXCEEDED", 0},
		"a delay in a detail":     {429, `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}`, exchange.Throttled, "RESOURCE_EXHAUSTED", 7 * time.Second},
		"a front end's":           {429, `<html>`, exchange.Throttled, "429", 0},
		"away":                    {503, `{"error":{"code":503,"status":"UNAVAILABLE","message":"x"}}`, exchange.Unavailable, "UNAVAILABLE", 0},
		"a front end that fails":  {502, `<html>`, exchange.Unavailable, "502", 0},
		"an issuer that is away":  {400, `{"error":"invalid_grant","error_description":"Error connecting to the given credential's issuer."}`, exchange.Unavailable, "invalid_grant", 0},
		"a refused proof":         {400, `{"error":"invalid_grant","error_description":"x"}`, exchange.Refused, "invalid_grant", 0},
		"a target that is none":   {400, `{"error":"invalid_target","error_description":"x"}`, exchange.Refused, "invalid_target", 0},
		"a condition":             {401, `{"error":"unauthorized_client","error_description":"x"}`, exchange.Refused, "unauthorized_client", 0},
		"a right that is missing": {403, `{"error":{"code":403,"status":"PERMISSION_DENIED","message":"x"}}`, exchange.Refused, "PERMISSION_DENIED", 0},
		"no account":              {404, `{"error":{"code":404,"status":"NOT_FOUND","message":"x"}}`, exchange.Refused, "NOT_FOUND", 0},
		"a redirect":              {302, ``, exchange.Refused, "302", 0},
	} {
		err := failed(parseError(answered(x.status, nil), []byte(x.text)), exchange.Edge{}, nil)
		edge, ok := err.(*exchange.EdgeError)
		if !ok || edge.Reason != x.reason || edge.Code != x.code || edge.RetryAfter != x.after {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

func TestTokensThatMakeNoSense(t *testing.T) {
	now := time.Now()
	for seconds, want := range map[int]time.Duration{3600: time.Hour, 0: 0, -60: -time.Minute, 18446744077: 365 * 24 * time.Hour, -18446744077: -365 * 24 * time.Hour} {
		if got := within(seconds).Sub(now).Round(time.Minute); got != want {
			t.Errorf("%d seconds are %s", seconds, got)
		}
	}
	for name, payload := range map[string]string{"no exp": `{}`, "a string": `{"exp":"1"}`, "a fraction": `{"exp":1.5}`, "too large": `{"exp":1e40}`, "no JSON": `exp`} {
		if _, err := expiry("h." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".s"); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// FuzzAnswer: of what Google answers there is one reading or none.
func FuzzAnswer(f *testing.F) {
	for _, text := range []string{
		`{"access_token":"t","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3599}`,
		`{"accessToken":"t","expireTime":"2026-11-26T12:00:00Z"}`, `{"token":"h.e30.s"}`,
		`{"access_token":"t","Access_Token":"u"}`, `{"expires_in":1e999}`, `{"expires_in":-1}`, `{}{}`, `[]`, `null`, "\xff",
		`{"error":"invalid_grant","error_description":"x"}`, `{"error":{"code":403,"status":"PERMISSION_DENIED","details":[{"metadata":{"permission":"p"}}]}}`,
		"h." + base64.RawURLEncoding.EncodeToString([]byte(`{"exp":1700000000}`)) + ".s",
	} {
		f.Add([]byte(text))
	}
	json200 := http.Header{"Content-Type": {"application/json; charset=UTF-8"}}
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = parseError(answered(http.StatusForbidden, nil), text)
		_, _ = expiry(string(text))
		var a exchangeAnswer
		if into(&a)(answered(http.StatusOK, json200), text) == nil && a.AccessToken != "" {
			if n := keys(t, text, "access_token"); n != 1 {
				t.Errorf("%q was read, and could have been read in %d places", a.AccessToken, n)
			}
		}
		var b accessTokenAnswer
		_ = into(&b)(answered(http.StatusOK, json200), text)
		var c idTokenAnswer
		_ = into(&c)(answered(http.StatusOK, json200), text)
	})
}

// keys counts those of an object that a reader who minds no case would take for the name.
func keys(t *testing.T, text []byte, name string) (n int) {
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := dec.Token(); err != nil {
		t.Fatal(err)
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		if strings.EqualFold(key.(string), name) {
			n++
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
