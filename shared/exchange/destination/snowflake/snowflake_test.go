package snowflake

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"carnet.dev/carnet/shared/exchange/destination"
)

// TestAccountNames: an account has several names. The file's is read as Snowflake's drivers
// read it.
func TestAccountNames(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for account, want := range map[string]struct{ host, subject string }{
		"ACME-PROD":                  {"acme-prod.snowflakecomputing.com", "ACME-PROD.CARNET"},
		"acme-my_data":               {"acme-my-data.snowflakecomputing.com", "ACME-MY_DATA.CARNET"},
		"xy12345":                    {"xy12345.snowflakecomputing.com", "XY12345.CARNET"},
		"xy12345.us-east-2.aws":      {"xy12345.us-east-2.aws.snowflakecomputing.com", "XY12345.CARNET"},
		"xy12345.cn-northwest-1":     {"xy12345.cn-northwest-1.snowflakecomputing.cn", "XY12345.CARNET"},
		"acme-xf000000000000.global": {"acme-xf000000000000.global.snowflakecomputing.com", "ACME.CARNET"},
	} {
		file := `{tenant: acme, identities: {aws: {role: "arn:aws:iam::111122223333:role/t", external_id: abc}}, destinations: {
			frost: {kind: snowflake, account: ` + account + `, user: carnet, login: key_pair, secret: projects/p/secrets/s/versions/latest}}}`
		tenant, err := destination.Kinds{Kind()}.Catalog().ParseTenant("", []byte(file))
		if err != nil {
			t.Fatal(err)
		}
		at := tenant.Destinations["frost"].Place.(*Place)
		if at.host() != want.host {
			t.Errorf("%s is at %s, not %s", account, at.host(), want.host)
		}
		text, err := keyPairJWT(key, at.Account, at.User, time.Now(), time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.RS256})
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := token.Claims(key.Public(), &claims); err != nil || claims.Subject != want.subject || !strings.HasPrefix(claims.Issuer, want.subject+".SHA256:") {
			t.Errorf("%s signs as %s, not %s (%v)", account, claims.Subject, want.subject, err)
		}
	}
}
