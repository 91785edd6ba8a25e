package main

import (
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// TestTextKeepsTheSecret: what a terminal is shown unasked says what was vended, and
// nothing that opens it; what a shell is given opens it.
func TestTextKeepsTheSecret(t *testing.T) {
	const word = "it-is-a-secret"
	secret := exchange.NewSecret(word)
	for kind, c := range map[string]*exchange.Credential{
		"s3":        {Session: &exchange.Session{AccessKeyID: "ASIA", SecretAccessKey: secret, SessionToken: secret}},
		"gcs":       {Token: &exchange.Token{AccessToken: secret}},
		"redshift":  {Login: &exchange.Login{User: "IAM:loader", Password: secret, DSN: secret}},
		"snowflake": {Login: &exchange.Login{User: "CARNET", Token: secret}},
	} {
		c.Kind, c.Principal, c.Expires = kind, "somebody", time.Now().Add(time.Hour)
		c.Place = map[string]string{"host": "a.host"}
		var text, env strings.Builder
		if err := asText(&text, c); err != nil {
			t.Fatal(err)
		}
		if err := asEnv(&env, c); err != nil {
			t.Fatal(err)
		}
		if got := text.String(); strings.Contains(got, word) || !strings.Contains(got, "somebody") || !strings.Contains(got, "in 1h0m0s") {
			t.Errorf("%s: it says %s", kind, got)
		}
		if !strings.Contains(env.String(), "'"+word+"'") {
			t.Errorf("%s: a shell is given %s", kind, env.String())
		}
	}
}
