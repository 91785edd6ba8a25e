// Package snowflake is the kind of place snowflake: a service user of a Snowflake account.
//
// The account has no identity of a cloud. The tenant's is the chain's end, and shows itself with a
// token whose audience is the destination's external_id. With login: key_pair no identity is
// entered: the runtime signs with a private key that it reads from a secret, and that never
// leaves it.
package snowflake

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/check/cause"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/exchange/gcpid"
)

// Name is the kind's in files.
const Name = "snowflake"

// ownAudience is what Snowflake expects of workload identities of type AWS
// and GCP. It is the same for every account, so such a token is good for any of them
// that knows the identity: login oidc, with an audience per account, is tighter.
// https://docs.snowflake.com/en/user-guide/workload-identity-federation
const ownAudience = "snowflakecomputing.com"

// longest is an hour for each form: Google's ID tokens have it, AWS gives its
// outbound JWTs as much, and Snowflake takes a key-pair JWT for no longer.
// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
// https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html
const shortest, longest = time.Minute, time.Hour

// Kind returns the kind.
func Kind() destination.Kind {
	return destination.Kind{
		Kind: catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys, Shortest: shortest, Longest: longest},
		Hosts: func(host string) bool { // a check alone
			_, top, ok := strings.Cut(host, ".snowflakecomputing.")
			return ok && (top == "com" || top == "cn" || top == "mil")
		},
		Answers:  answers,
		Env:      env,
		Outlives: "A Snowflake token gates the login alone: a session that is open stays open.",
	}
}

// A Place is a user of a Snowflake account.
type Place struct {
	Account string // ORG-ACCOUNT, or a locator
	Host    string // made of the account where empty
	User    string
	Login   Login
	// Binding is the token's audience, for login oidc. While it is rotated the old one is shown
	// until it is gone: whether an account knows the new one, no call tells.
	Binding   catalog.Binding
	Algorithm string // RS256 or ES384, of an AWS outbound JWT
	Secret    string // where the private key is, for login key_pair
}

// A Login is how the user is proven.
type Login string

const (
	OIDC             Login = "oidc"
	WorkloadIdentity Login = "workload_identity"
	KeyPair          Login = "key_pair"
)

func placeKeys() keys.Set {
	return keys.Set{
		keys.Text("account", func(p *Place) *string { return &p.Account }, account()).Says("The account's identifier: ORG-ACCOUNT, or a locator."),
		keys.Text("user", func(p *Place) *string { return &p.User }, user()).For(keys.Identity).Says("The service user."),
		keys.Word("login", func(p *Place) *Login { return &p.Login }, OIDC, WorkloadIdentity, KeyPair).Or("oidc").
			Says("How the user is proven. `oidc`: by a token for this account alone. `workload_identity`: by a token for Snowflake as a whole. `key_pair`: by a private key that carnet reads."),
		keys.Inline(func(p *Place) *catalog.Binding { return &p.Binding }, catalog.TokenKeys("login", string(OIDC))),
		keys.Text("host", func(p *Place) *string { return &p.Host }, host()).Optional().Says("Where to log in. Without it the host is made of the account. Only hosts under Snowflake's own suffixes are taken."),
		keys.Word("algorithm", func(p *Place) *string { return &p.Algorithm }, "ES384", "RS256").Or("ES384").Says("How a token of AWS is signed."),
		keys.Text("secret", func(p *Place) *string { return &p.Secret }, catalog.Secret()).When("login", string(KeyPair)).Says("Where the private key is kept: the ARN of a secret, or `projects/P/secrets/S/versions/latest`, on the cloud that carnet runs on."),
	}
}

// host keeps a token from going to a host that is not Snowflake's.
// https://docs.snowflake.com/en/user-guide/organizations-connect
func host() keys.Grammar {
	return keys.Grammar{Name: "a host of Snowflake's", Example: "acme-prod.snowflakecomputing.com", Pattern: `^[a-z0-9_.-]+\.snowflakecomputing\.(com|cn|mil)$`}
}

// account is ORGANIZATION-ACCOUNT, or a locator with its region.
// https://docs.snowflake.com/en/user-guide/admin-account-identifier
func account() keys.Grammar {
	return keys.Grammar{
		Name: "a Snowflake account identifier", Example: "ACME-PROD", Pattern: `^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`,
		Refuses: func(s string) error {
			if name, _, isHost := strings.Cut(s, ".snowflakecomputing."); isHost {
				return fmt.Errorf("is a host: write the account, %s, and the host as `host:`", name)
			}
			return nil
		},
	}
}

func user() keys.Grammar {
	return keys.Grammar{Name: "the name of a Snowflake user", Example: "CARNET_SYNC", Pattern: `^[A-Za-z_][A-Za-z0-9_$.@-]*$`, Most: 255}
}

// About implements [catalog.Place]. What a user may do is granted in the account.
func (p *Place) About() catalog.About {
	about := catalog.About{Shown: p.Account + " as " + p.User, Where: p.Account, Gives: catalog.Login}
	about.End = catalog.End{User: strings.ToUpper(p.Account + "." + p.User), Binding: p.Binding}
	switch p.Login {
	case KeyPair:
		about.End.Secret = p.Secret
	case WorkloadIdentity:
		about.End.Audiences = []string{ownAudience}
	default:
		for _, audience := range []string{p.Binding.ExternalID, p.Binding.NextExternalID} {
			if audience != "" {
				about.End.Audiences = append(about.End.Audiences, audience)
			}
		}
	}
	return about
}

// host is where to log in. Regions in China have a suffix of their own.
// https://github.com/snowflakedb/gosnowflake/blob/master/dsn.go
func (p *Place) host() string {
	name, top := strings.ToLower(strings.ReplaceAll(p.Account, "_", "-")), "com"
	if strings.Contains(name, ".cn-") {
		top = "cn"
	}
	return cmp.Or(p.Host, name+".snowflakecomputing."+top)
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	u := linked{p, at}
	most := cmp.Or(at.Lifetime, longest)
	if _, google := at.End.(*gcpid.Identity); google && p.Login != KeyPair {
		most = longest // whatever is asked
	}
	return destination.Linked{Longest: most, Mint: u.mint, Try: u.try}, nil
}

// A linked place is at the end of a chain.
type linked struct {
	*Place
	at destination.At
}

func (u linked) mint(ctx context.Context, _ exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	cred := &exchange.Credential{
		Kind: Name, Principal: u.Account + "." + u.User,
		Place: map[string]string{"account": u.Account, "host": u.host()},
	}
	if u.Login == KeyPair {
		return cred, u.signed(ctx, cred, lifetime)
	}
	audience := ownAudience
	if u.Login == OIDC {
		audience = u.Binding.ExternalID
	}
	token, err := u.at.End.SubjectToken(ctx, exchange.RelyingParty{Audience: audience, Accepts: u.forms(), Lifetime: lifetime})
	if err != nil {
		return nil, err
	}
	cred.Expires, cred.Trail = token.Expires, token.Trail
	cred.Login = &exchange.Login{User: u.User, Token: token.Value, Authenticator: "WORKLOAD_IDENTITY", Provider: u.provider()}
	return cred, nil
}

// forms: an AWS identity signs as the user's setting needs, a Google one RS256. A
// signed request is no form here: it would be good for Snowflake as a whole.
func (u linked) forms() []exchange.Form {
	if u.Algorithm == "RS256" {
		return []exchange.Form{exchange.RS256}
	}
	return []exchange.Form{exchange.ES384, exchange.RS256}
}

// provider is Snowflake's name for the kind of token.
func (u linked) provider() string {
	switch {
	case u.Login == OIDC:
		return "OIDC"
	case strings.HasPrefix(u.at.End.Principal(), "arn:"):
		return "AWS"
	}
	return "GCP"
}

// Probes implements [destination.Prober].
func (p *Place) Probes(at destination.At, others []destination.Other) []destination.Probe {
	if p.Login == KeyPair {
		return []destination.Probe{{Name: "with another key", As: p.Secret, At: p.Account, Attempt: linked{p, at}.anotherKey}}
	}
	other := *p
	other.Login, other.Binding.ExternalID = OIDC, rand.Text()
	list := []destination.Probe{p.probe("with a token for another audience", &other, at)}
	for _, o := range others {
		from := at
		from.End = o.Identity
		list = append(list, p.probe("as "+o.Name, p, from))
	}
	return list
}

// probe mints as one place says and shows it as the other expects.
func (p *Place) probe(name string, minted *Place, from destination.At) destination.Probe {
	return destination.Probe{Name: name, As: from.End.Principal(), At: p.Account, Attempt: func(ctx context.Context) error {
		cred, err := linked{minted, from}.mint(ctx, exchange.Grant{}, 5*time.Minute)
		if err != nil {
			return err
		}
		real := linked{p, from}
		cred.Login.Provider = real.provider()
		return real.try(ctx, cred)
	}}
}

// env has the names that Snowflake's own command line reads.
func env(c *exchange.Credential) [][2]string {
	return [][2]string{
		{"SNOWFLAKE_ACCOUNT", c.Place["account"]}, {"SNOWFLAKE_HOST", c.Place["host"]},
		{"SNOWFLAKE_USER", c.Login.User}, {"SNOWFLAKE_AUTHENTICATOR", c.Login.Authenticator},
		{"SNOWFLAKE_WORKLOAD_IDENTITY_PROVIDER", c.Login.Provider}, {"SNOWFLAKE_TOKEN", c.Login.Token.Reveal()},
	}
}

// answers to a login.
// https://docs.snowflake.com/en/user-guide/key-pair-auth-troubleshooting, gosnowflake's errors.go
func answers() []cause.Rule {
	const op = "snowflake.login"
	return []cause.Rule{
		{Ops: op, Code: "390201", Means: []cause.Cause{cause.Ours("snowflake_account", "there is no such Snowflake account at this host")}},
		{Ops: op, Code: "390422", Means: []cause.Cause{cause.Far("network_policy", "a network policy of the Snowflake account refuses the address that the call comes from")}},
		{Ops: op, Code: "390144", Means: []cause.Cause{cause.Far("key_unknown", "the Snowflake user does not know the public key, or is not there"), cause.Clock()}},
		{Ops: op, Means: []cause.Cause{cause.Far("user_unknown", "the Snowflake user does not know this identity with this audience, is disabled, or is not there")}},
	}
}
