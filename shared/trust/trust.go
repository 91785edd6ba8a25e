// Package trust writes down what each owner of a chain must apply, and nothing more.
//
// A chain crosses accounts and projects of up to three parties: the operator, the
// tenant, the third party whose place it ends in. Each arrow needs something on one or
// both of its sides: a trust policy here, a permission there. [For] links the tenant's
// chains as they would be used, goes along them from each runtime that is asked for,
// and collects what one owner's side needs into a [Sheet]: the roles and their policies,
// the accounts and their bindings, the SQL. Every entry says why it is there.
//
// A Sheet is its own JSON, and knows no other syntax. The writers give it the form that its
// owner applies: a CloudFormation template, gcloud's commands, Terraform's modules, SQL.
//
// What is not in the catalog, such as the numeric id of a service account, is told by
// the caller, or stands in the sheet as a placeholder that no cloud accepts as
// anybody's name, with the command that prints the value.
package trust

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
)

// An Ask says whose sheet it is and what the catalog does not know.
type Ask struct {
	Tenant      *catalog.Tenant
	Destination string
	For         exchange.Owner
	Runtimes    []string // aws, gcp: where carnet runs; empty: wherever carnet.yaml names a runtime

	// Subjects are numeric ids of service accounts, by email.
	Subjects map[string]string
	// Issuer is that of the AWS account's outbound tokens; empty: the one such issuer
	// that carnet.yaml names.
	Issuer string
	// Retired is an ExternalId that has just been replaced, for what must be taken away
	// by name.
	Retired string
	// Facts are what the kind of the place asks for besides, by [Fact.Flag].
	Facts map[string]string
}

// A Kind writes what the owner of one kind of place applies there.
type Kind struct {
	// Apply adds to the sheet what the place itself takes: its role's policy, bindings, SQL.
	Apply func(*Sheet)
	// Module is Terraform's, of which the block has the source already: it returns all of the text.
	Module func(*Sheet, *Block) (string, error)
	// Facts are what Apply and Module ask for that the catalog does not know.
	Facts []Fact
}

// A Fact is told by a flag of `carnet trust`.
type Fact struct {
	Flag, Says string
	Words      []string // that it is one of, the default first; nil: any
}

// Kinds are all that a process knows, by name.
type Kinds map[string]Kind

// Fact is what was told, or the first of the fact's words; empty where there is neither.
func (s *Sheet) Fact(flag string) string {
	if told := s.ask.Facts[flag]; told != "" {
		return told
	}
	for _, f := range s.kind.Facts {
		if f.Flag == flag && len(f.Words) > 0 {
			return f.Words[0]
		}
	}
	return ""
}

// AccessFact is what statements of SQL grant.
func AccessFact() Fact {
	return Fact{Flag: "access", Says: "what the SQL grants: read, write or read_write", Words: []string{string(exchange.ReadWrite), string(exchange.Read), string(exchange.Write)}}
}

// Access is what was told of [AccessFact].
func (s *Sheet) Access() exchange.Access { return exchange.Access(s.Fact("access")) }

// QuotedName writes any name into a statement of SQL.
func QuotedName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// SQLName writes a name into a statement: a plain one as it is, which databases fold into one case,
// any other in quotes.
func SQLName(name string) string {
	if regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_$]*$`).MatchString(name) {
		return name
	}
	return QuotedName(name)
}

// Literal writes a string into a statement of Snowflake's SQL, where a backslash escapes too.
func Literal(text string) string {
	return "'" + strings.NewReplacer("'", "''", `\`, `\\`).Replace(text) + "'"
}

// Retired is an ExternalId that has just been replaced; empty: there is none.
func (s *Sheet) Retired() string { return s.ask.Retired }

// A Sheet is what one owner must apply.
type Sheet struct {
	Tenant      string               `json:"tenant"`
	Destination string               `json:"destination"`
	Kind        string               `json:"kind"`
	For         exchange.Owner       `json:"for"`
	Missing     []Missing            `json:"missing,omitempty"`
	Roles       []*Role              `json:"roles,omitempty"`
	Google      Google               `json:"google,omitzero"`
	SQL         []SQL                `json:"sql,omitempty"`
	Dest        *catalog.Destination `json:"-"`

	ask    Ask
	kind   Kind
	at     *catalog.Destination // whose chain is being followed
	op     *catalog.Operator
	chains []chain
	owners map[string]exchange.Owner // of each principal of the chains
}

// A Missing value has a placeholder in the sheet.
type Missing struct {
	Placeholder string `json:"placeholder"`
	What        string `json:"what"`
	Command     string `json:"command"` // prints it
	Flag        string `json:"flag"`    // takes it
}

// An SQL is one statement and its reason.
type SQL struct{ Why, Text string }

// MarshalText is the statement alone.
func (q SQL) MarshalText() ([]byte, error) { return []byte(q.Text), nil }

// ErrNothing wraps why an owner has nothing to apply.
var ErrNothing = errors.New("nothing to apply")

// For writes the sheet of one owner for one destination. The operator's and the
// tenant's own sheet holds what all of the tenant's destinations need of the same
// identity, since a role's policy is replaced as a whole.
func (ks Kinds) For(op *catalog.Operator, ask Ask) (*Sheet, error) {
	d := ask.Tenant.Destinations[ask.Destination]
	if d == nil {
		names := strings.Join(slices.Sorted(maps.Keys(ask.Tenant.Destinations)), ", ")
		return nil, fmt.Errorf("tenant %s has no destination %q: it has %s", ask.Tenant.Name, ask.Destination, cmp.Or(names, "none"))
	}
	s := &Sheet{Tenant: ask.Tenant.Name, Destination: ask.Destination, Kind: d.Kind, kind: ks[d.Kind], For: ask.For, ask: ask, Dest: d, op: op}
	if err := s.walk(); err != nil {
		return nil, err
	}
	for _, c := range s.chains {
		s.along(c)
	}
	s.at = d
	if ask.For == exchange.ThirdParty && s.kind.Apply != nil {
		s.kind.Apply(s)
	}
	// An order that does not change from run to run.
	slices.SortFunc(s.Roles, func(a, b *Role) int { return strings.Compare(a.ARN, b.ARN) })
	slices.Sort(s.Google.Accounts)
	if len(s.Roles) == 0 && s.Google.IsZero() && len(s.SQL) == 0 {
		return nil, s.nothing()
	}
	return s, nil
}

func (s *Sheet) nothing() error {
	switch s.For {
	case exchange.TenantSide:
		return fmt.Errorf("%w for the tenant: the identities of %s are in the operator's account and project, so write --for operator", ErrNothing, s.Tenant)
	case exchange.Operator:
		return fmt.Errorf("%w for the operator: the identities of %s are the tenant's own, so write --for tenant", ErrNothing, s.Tenant)
	}
	return fmt.Errorf("%w at %s/%s", ErrNothing, s.Tenant, s.Destination)
}

// Run adds a statement of SQL.
func (s *Sheet) Run(why, text string) { s.SQL = append(s.SQL, SQL{why, text}) }

// Miss returns a placeholder, and notes what it stands for.
func (s *Sheet) Miss(m Missing) string {
	if !slices.Contains(s.Missing, m) {
		s.Missing = append(s.Missing, m)
	}
	return m.Placeholder
}

// Subject is the numeric id of a service account: an email can be taken again by
// another account once the first is deleted, the id cannot.
func (s *Sheet) Subject(email string) string {
	if id := s.ask.Subjects[email]; id != "" {
		return id
	}
	name, _, _ := strings.Cut(email, "@")
	return s.Miss(Missing{
		Placeholder: "NUMERIC-ID-OF-" + name,
		What:        "the numeric id of " + email,
		Command:     "gcloud iam service-accounts describe " + email + " --format='value(uniqueId)'",
		Flag:        "--google-subject " + email + "=ID",
	})
}

// outbound is the host suffix of AWS's issuers.
const outbound = ".tokens.sts.global.api.aws"

// Issuer is that of the operator's outbound tokens.
func (s *Sheet) Issuer() string {
	if s.ask.Issuer != "" {
		return s.ask.Issuer
	}
	var found []string
	for _, i := range s.op.Issuers {
		if strings.HasSuffix(i.URL, outbound) {
			found = append(found, i.URL)
		}
	}
	if len(found) == 1 {
		return found[0]
	}
	return s.Miss(Missing{
		Placeholder: "ISSUER-OF-THE-OPERATORS-AWS-ACCOUNT",
		What:        "the issuer of the outbound tokens of the account that the tenant's role is in",
		Command:     "aws iam get-outbound-web-identity-federation-info --query IssuerIdentifier --output text",
		Flag:        "--aws-issuer URL",
	})
}
