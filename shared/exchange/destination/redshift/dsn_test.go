package redshift

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"carnet.dev/carnet/shared/exchange"
)

// FuzzDSN: whatever stands in a name or a password, a driver reads out of the connection
// string what went into it, and insists on TLS to that host.
func FuzzDSN(f *testing.F) {
	f.Add("IAMR:acme-marts", "analytics", "Zm9v/YmFy+g==")
	f.Add("IAMA:a.b@c+d", "a.b@c+d-e_f", "#?%&=;'\"\\ :@[]{}|^`~$!*(),<>")
	f.Add("IAM:ü", "日本", "pässword\u2028")
	f.Fuzz(func(t *testing.T, user, database, secret string) {
		const host = "acme-dw.c1x2y3z4.eu-west-1.redshift.amazonaws.com"
		for _, s := range []string{user, database, secret} {
			if s == "" || !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
				return // nothing that the protocol could send
			}
		}
		config, err := pgx.ParseConfig(dsn(host, 5439, database, password{user: user, secret: exchange.NewSecret(secret)}).Reveal())
		if err != nil {
			t.Fatal("the connection string cannot be read")
		}
		if config.User != user || config.Database != database || config.Password != secret || config.Host != host || config.Port != 5439 {
			t.Errorf("%q at %q becomes %q at %q of %s:%d", user, database, config.User, config.Database, config.Host, config.Port)
		}
		if config.TLSConfig == nil || config.TLSConfig.ServerName != host || config.TLSConfig.InsecureSkipVerify || len(config.Fallbacks) > 0 {
			t.Error("TLS is not insisted on")
		}
	})
}
