// Package apply writes what the administrator of a Snowflake account applies and fixes. It is for
// people: no function links it.
package apply

import (
	"cmp"
	"fmt"
	"strings"

	"carnet.dev/carnet/shared/exchange/destination/snowflake"
	"carnet.dev/carnet/shared/mend"
	"carnet.dev/carnet/shared/trust"
)

// Kind returns the kind's part for people.
func Kind() mend.Kind {
	return mend.Kind{
		Kind: trust.Kind{Apply: sql, Module: module, Facts: []trust.Fact{
			{Flag: "public-key", Says: "the user's public key, in base64"},
			{Flag: "database", Says: "the database to grant on"},
			{Flag: "schema", Says: "the schema to grant on"},
			{Flag: "warehouse", Says: "the warehouse to grant"},
			{Flag: "role", Says: "the role to make"},
			trust.AccessFact(),
		}},
		Remedies: remedies(),
	}
}

func remedies() map[string]mend.Remedy {
	return map[string]mend.Remedy{
		"user_unknown": {
			What: "The user of {{.Name}} in {{.To}} does not take the proof of {{.From}}: Snowflake does not say whether the issuer, the subject or the audience is another, or the user is disabled.",
			Text: "{{.SQL}}\n-- Where the user was disabled:\nALTER USER {{sqlName .Dest.Place.User}} SET DISABLED = FALSE;\n",
		},
		"key_unknown": {
			What: "The user of {{.Name}} in {{.To}} does not know the key that signed.",
			Tell: "`DESCRIBE USER` shows RSA_PUBLIC_KEY_FP: compare it with that of the key in the secret.",
			Text: "{{.SQL}}",
		},
		"snowflake_account": {
			What:  "There is no Snowflake account {{.To}} at its host.",
			Text:  "# In the tenant's file: account: (ORG-ACCOUNT) and, if it is not made of that, host:. SELECT CURRENT_ORGANIZATION_NAME() || '-' || CURRENT_ACCOUNT_NAME() prints it.\n",
			Where: "the tenant's file",
		},
		"network_policy": {
			What: "A network policy of {{.To}} refuses the address that the call comes from.",
			Text: "-- In the Snowflake account: allow the operator's fixed egress address, which Terraform's output egress_ips names.\nSHOW NETWORK POLICIES;\n",
		},
	}
}

// sql makes the user that knows the tenant by its issuer and subject.
func sql(s *trust.Sheet) {
	p := s.Dest.Place.(*snowflake.Place)
	user := trust.SQLName(p.User)
	role := trust.SQLName(cmp.Or(s.Fact("role"), strings.ToUpper(p.User)+"_ROLE"))
	s.Run("A role of its own: none of Snowflake's, which may far more.", "CREATE ROLE IF NOT EXISTS "+role+";")
	s.Run("TYPE = SERVICE cannot have a password.", "CREATE USER IF NOT EXISTS "+user+" TYPE = SERVICE DEFAULT_ROLE = "+role+";")
	if p.Login == snowflake.KeyPair {
		keyPair(s, p, user)
	}
	for _, end := range s.Ends() {
		for _, id := range identities(s, p, end) {
			s.Run(id.why, "ALTER USER "+user+" ADD WORKLOAD IDENTITY "+id.name+" "+id.clause+";")
		}
	}
	retired(s, user)
	s.Run("", "GRANT ROLE "+role+" TO USER "+user+";")
	grants(s, role)
}

func keyPair(s *trust.Sheet, p *snowflake.Place, user string) {
	key := s.Fact("public-key")
	if key == "" {
		key = s.Miss(trust.Missing{
			Placeholder: "PUBLIC-KEY-IN-BASE64",
			What:        "the public half of the key in " + p.Secret,
			Command:     "openssl rsa -in key.pem -pubout | grep -v -- ----- | tr -d '\\n'",
			Flag:        "--public-key BASE64",
		})
	}
	s.Run("The public key. The private one never leaves the operator's side; login: oidc would need neither.", "ALTER USER "+user+" SET RSA_PUBLIC_KEY = "+trust.Literal(key)+";")
}

// An identity is a named way to prove to be a user. It cannot be changed, only added and removed,
// so its name says for which audience it is.
// https://docs.snowflake.com/en/sql-reference/sql/alter-user-add-workload-identity
type identity struct{ name, clause, why string }

// identities are those of the chain's end, once for every audience.
func identities(s *trust.Sheet, p *snowflake.Place, end string) []identity {
	prefix, issuer, subject := "carnet_google", "https://accounts.google.com", ""
	clause := "TYPE = GCP SUBJECT = "
	if trust.OnAWS(end) {
		prefix, issuer, subject = "carnet_aws", s.Issuer(), end
		clause = "TYPE = AWS ARN = "
	} else {
		subject = s.Subject(end)
	}
	clause += trust.Literal(subject)
	if p.Login == snowflake.WorkloadIdentity {
		if trust.OnAWS(end) {
			clause += " ISSUER = " + trust.Literal(issuer)
		}
		return []identity{{prefix, clause, "Exactly this identity. The audience is Snowflake's own, the same for every account: login: oidc would bind the token to this one."}}
	}
	var list []identity
	for _, audience := range s.Dest.End.Audiences {
		list = append(list, identity{
			name:   prefix + "_" + short(audience),
			clause: "TYPE = OIDC ISSUER = " + trust.Literal(issuer) + " SUBJECT = " + trust.Literal(subject) + " OIDC_AUDIENCE_LIST = (" + trust.Literal(audience) + ")",
			why:    "Exactly this issuer's subject, with a token that was made for this account: without an audience of its own, a token for any account of Snowflake's would do.",
		})
	}
	return list
}

// retired takes away what an ExternalId let in that was replaced.
// https://docs.snowflake.com/en/sql-reference/sql/alter-user-remove-workload-identity
func retired(s *trust.Sheet, user string) {
	if s.Retired() == "" {
		return
	}
	for _, end := range s.Ends() {
		prefix := "carnet_google_"
		if trust.OnAWS(end) {
			prefix = "carnet_aws_"
		}
		s.Run("The audience that was replaced. Where it was added under another name, SHOW USER WORKLOAD IDENTITY AUTHENTICATION METHODS FOR USER "+user+" lists it.",
			"ALTER USER "+user+" REMOVE WORKLOAD IDENTITY "+prefix+short(s.Retired())+";")
	}
}

// short is the beginning of an audience, as part of a name.
func short(audience string) string {
	var b strings.Builder
	for _, c := range audience {
		if b.Len() < 8 && ('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9') {
			b.WriteRune(c)
		}
	}
	return b.String()
}

func grants(s *trust.Sheet, role string) {
	database, in, warehouse := s.Fact("database"), s.Fact("schema"), s.Fact("warehouse")
	if warehouse != "" {
		s.Run("", "GRANT USAGE ON WAREHOUSE "+trust.SQLName(warehouse)+" TO ROLE "+role+";")
	}
	if database == "" || in == "" {
		s.Run("What the role may do: --database, --schema and --warehouse print these grants.", "-- GRANT USAGE ON DATABASE … TO ROLE "+role+";")
		return
	}
	schema := trust.SQLName(database) + "." + trust.SQLName(in)
	s.Run("One schema, and no more than is needed there.", "GRANT USAGE ON DATABASE "+trust.SQLName(database)+" TO ROLE "+role+";")
	s.Run("", "GRANT USAGE ON SCHEMA "+schema+" TO ROLE "+role+";")
	access := s.Access()
	for _, t := range []string{"ALL", "FUTURE"} {
		if access.CanRead() {
			s.Run("", "GRANT SELECT ON "+t+" TABLES IN SCHEMA "+schema+" TO ROLE "+role+";")
		}
		if access.CanWrite() {
			s.Run("", "GRANT INSERT, UPDATE, DELETE ON "+t+" TABLES IN SCHEMA "+schema+" TO ROLE "+role+";")
		}
	}
	if access.CanWrite() {
		s.Run("", "GRANT CREATE TABLE ON SCHEMA "+schema+" TO ROLE "+role+";")
	}
}

func module(s *trust.Sheet, h *trust.Block) (string, error) {
	p := s.Dest.Place.(*snowflake.Place)
	if p.Binding.NextExternalID != "" {
		return "", fmt.Errorf("%w: the module knows one ExternalId, and this destination has two while it is rotated: write --as sql", trust.ErrFormat)
	}
	h.Set("", "user", p.User)
	h.Set("", "role", cmp.Or(s.Fact("role"), strings.ToUpper(p.User)+"_ROLE"))
	h.Set("", "login", p.Login)
	if p.Login == snowflake.KeyPair {
		h.Set("The public key, base64 without its PEM lines.", "public_key", cmp.Or(s.Fact("public-key"), "PUBLIC-KEY-IN-BASE64"))
	} else {
		s.EntrantInputs(h)
		if s.EnteredOnAWS() {
			h.Set("", "aws_issuer", s.Issuer())
		}
		h.Set("The tokens' audience, of this account alone.", "external_id", p.Binding.ExternalID)
	}
	h.Set("What the role may do.", "database", named(s, "database"))
	h.Set("", "schema", named(s, "schema"))
	h.Set("", "warehouse", named(s, "warehouse"))
	h.Set("", "access", s.Access())
	return "# Nothing is made: its output is the SQL that an administrator runs.\n" + s.Module(h) +
		"\noutput \"sql\" {\n  value = module." + s.ModuleName() + ".sql\n}\n", nil
}

// named is the name that was given, or a placeholder that the module refuses.
func named(s *trust.Sheet, what string) string {
	if given := s.Fact(what); given != "" {
		return given
	}
	upper := strings.ToUpper(what)
	return s.Miss(trust.Missing{Placeholder: "NAME-OF-THE-" + upper, What: "the " + what + " that the user works in", Command: "SHOW " + upper + "S;", Flag: "--" + what + " NAME"})
}
