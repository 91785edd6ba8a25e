package integration

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// TestSecretsDoNotPrint vends everything from both clouds and prints all there is
// to print, in every way that prints.
func TestSecretsDoNotPrint(t *testing.T) {
	l, dir := startSample(t)
	var out bytes.Buffer
	var canaries []string
	log := slog.New(slog.NewJSONHandler(&out, nil))
	show := func(v any) {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		log.Info("shown", "value", v)
		if text, err := json.Marshal(v); err == nil {
			out.Write(text)
		}
	}
	for _, runtime := range []string{"aws", "gcp"} {
		d, err := l.Deploy(t.Context(), runtime, dir, &out)
		if err != nil {
			t.Fatal(err)
		}
		show(d.Runtime)
		for _, tenant := range []string{"acme", "globex"} {
			for _, dest := range []string{"lake", "drop", "warehouse", "marts", "frost", "ledger"} {
				if dest == "ledger" && (tenant != "acme" || runtime != "aws") {
					continue // its key is on AWS
				}
				cred, err := vend(t.Context(), d, tenant, dest)
				if err != nil {
					t.Fatal(err)
				}
				canaries = append(canaries, secrets(cred)...)
				show(cred)
				show(*cred)
				show([]any{cred.Session, cred.Token, cred.Login})
				if cred.Session != nil {
					show(*cred.Session)
				}
				if cred.Token != nil {
					show(*cred.Token)
				}
				if cred.Login != nil {
					show(*cred.Login)
				}
			}
		}
		if own, ok := d.Runtime.(*gcpid.Identity); ok {
			token, err := own.SubjectToken(t.Context(), exchange.RelyingParty{Audience: "a", Accepts: []exchange.Form{exchange.RS256}})
			if err != nil {
				t.Fatal(err)
			}
			canaries = append(canaries, token.Value.Reveal())
			show(token)
			show(own)
		}
	}
	if len(canaries) < 15 {
		t.Fatalf("only %d secrets were vended", len(canaries))
	}
	for _, secret := range canaries {
		if strings.Contains(out.String(), secret) || strings.Contains(out.String(), fmt.Sprintf("%x", secret)) {
			t.Errorf("a secret was printed: %.6s…", secret)
		}
	}
}

func secrets(c *exchange.Credential) []string {
	if c.Session != nil {
		return []string{c.Session.SecretAccessKey.Reveal(), c.Session.SessionToken.Reveal()}
	}
	if c.Token != nil {
		return []string{c.Token.AccessToken.Reveal()}
	}
	var found []string
	for _, s := range []exchange.Secret{c.Login.Password, c.Login.Token, c.Login.DSN} {
		if s.Reveal() != "" {
			found = append(found, s.Reveal())
		}
	}
	return found
}

// TestWhatCannotBeRecordedIsNotVended.
func TestWhatCannotBeRecordedIsNotVended(t *testing.T) {
	l, dir := startSample(t)
	d, err := l.Deploy(t.Context(), "aws", dir, full{})
	if err != nil {
		t.Fatal(err)
	}
	cred, err := vend(t.Context(), d, "acme", "lake")
	if cred != nil || !errors.Is(err, exchange.ErrNotRecorded) {
		t.Errorf("with a full disk: %v, %v", cred, err)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestWhoMayAsk: the tenant's file decides, an unknown tenant looks like a forbidden
// one, and no cloud hears of either.
func TestWhoMayAsk(t *testing.T) {
	l, dir := startSample(t)
	d := deploy(t, l, "aws", dir)
	worker := exchange.Caller{Issuer: "aws", Subject: "arn:aws:iam::111122223333:role/sync-worker"}
	ask := func(c exchange.Caller, tenant, dest string) error {
		_, err := d.Broker.Vend(t.Context(), exchange.Request{Caller: c, Tenant: tenant, Destination: dest})
		return err
	}
	if err := ask(worker, "acme", "lake"); err != nil {
		t.Errorf("whom the file names: %v", err)
	}
	l.Calls()
	for name, err := range map[string]error{
		"a tenant whose file does not name it": ask(exchange.Caller{Issuer: "aws", Subject: "arn:aws:iam::111122223333:role/reporter"}, "globex", "lake"),
		"a tenant that is not there":           ask(worker, "nobody", "lake"),
		"a name that is none":                  ask(worker, "../acme", "lake"),
		"a destination that is not there":      ask(worker, "acme", "nowhere"),
		"nobody":                               ask(exchange.Caller{}, "acme", "lake"),
		"the same subject of another issuer":   ask(exchange.Caller{Issuer: "https://issuer.example", Subject: worker.Subject}, "acme", "lake"),
	} {
		if err != exchange.ErrDenied {
			t.Errorf("%s: %v", name, err)
		}
	}
	if calls := l.Calls(); len(calls) != 0 {
		t.Errorf("clouds were called for callers who may not ask: %v", calls)
	}
}
