// Package trust writes down what each owner of a chain must apply, and nothing more.
//
// A chain crosses accounts and projects of up to three parties: the operator, the
// tenant, the third party whose place it ends in. Each arrow needs something on one or
// both of its sides: a trust policy here, a permission there. [For] links the tenant's
// chains as they would be used, goes along them from each runtime that is asked for,
// and collects what one owner's side needs into a [Sheet]: the roles and their policies,
// the accounts and their bindings, the SQL. Every entry says why it is there.
//
// A Sheet knows no syntax. The writers give it the form that its owner applies: JSON,
// a CloudFormation template, gcloud's commands, Terraform's modules, SQL.
//
// What is not in the catalog, such as the numeric id of a service account, is told by
// the caller, or stands in the sheet as a placeholder that no cloud accepts as
// anybody's name, with the command that prints the value.
package trust

import (
	"errors"
	"fmt"
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
	// WorkgroupID is what a serverless workgroup's ARN has in place of its name.
	WorkgroupID string
	// PublicKey is a Snowflake user's, in base64, for login key_pair.
	PublicKey string
	// Retired is an ExternalId that has just been replaced, for what must be taken away
	// by name.
	Retired string
	// Database says what to grant in a database.
	Database Database
}

// A Database says what a login is granted. Without names, the statements are left to
// whoever knows them.
type Database struct {
	Name, Schema, Warehouse string // Name and Warehouse are Snowflake's
	Role                    string // Snowflake's; empty: USER_ROLE
	Access                  exchange.Access
}

// A Sheet is what one owner must apply.
type Sheet struct {
	Tenant      string
	Destination string
	Kind        catalog.Kind
	For         exchange.Owner
	Roles       []*Role
	Google      Google
	SQL         []SQL
	Missing     []Missing

	ask  Ask
	dest *catalog.Destination
	at   *catalog.Destination // whose chain is being followed
	op   *catalog.Operator
	walk walk
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

// ErrNothing wraps why an owner has nothing to apply.
var ErrNothing = errors.New("nothing to apply")

// For writes the sheet of one owner for one destination. The operator's and the
// tenant's own sheet holds what all of the tenant's destinations need of the same
// identity, since a role's policy is replaced as a whole.
func For(op *catalog.Operator, ask Ask) (*Sheet, error) {
	d := ask.Tenant.Destinations[ask.Destination]
	if d == nil {
		return nil, fmt.Errorf("tenant %s has no destination %q: it has %s", ask.Tenant.Name, ask.Destination, names(ask.Tenant))
	}
	s := &Sheet{Tenant: ask.Tenant.Name, Destination: ask.Destination, Kind: d.Kind, For: ask.For, ask: ask, dest: d, op: op}
	var err error
	if s.walk, err = walks(op, ask); err != nil {
		return nil, err
	}
	for _, c := range s.walk.chains {
		s.along(c)
	}
	s.at = d
	if ask.For == exchange.ThirdParty {
		s.place()
	}
	s.settle()
	if len(s.Roles) == 0 && s.Google.empty() && len(s.SQL) == 0 {
		return nil, s.nothing()
	}
	return s, nil
}

func names(t *catalog.Tenant) string {
	var list []string
	for name := range t.Destinations {
		list = append(list, name)
	}
	if len(list) == 0 {
		return "none"
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
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

// miss returns a placeholder, and notes what it stands for.
func (s *Sheet) miss(m Missing) string {
	if !slices.Contains(s.Missing, m) {
		s.Missing = append(s.Missing, m)
	}
	return m.Placeholder
}

// subject is the numeric id of a service account: an email can be taken again by
// another account once the first is deleted, the id cannot.
func (s *Sheet) subject(email string) string {
	if id := s.ask.Subjects[email]; id != "" {
		return id
	}
	name, _, _ := strings.Cut(email, "@")
	return s.miss(Missing{
		Placeholder: "NUMERIC-ID-OF-" + name,
		What:        "the numeric id of " + email,
		Command:     "gcloud iam service-accounts describe " + email + " --format='value(uniqueId)'",
		Flag:        "--google-subject " + email + "=ID",
	})
}

// outbound is the host suffix of AWS's issuers.
const outbound = ".tokens.sts.global.api.aws"

// issuer is that of the operator's outbound tokens.
func (s *Sheet) issuer() string {
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
	return s.miss(Missing{
		Placeholder: "ISSUER-OF-THE-OPERATORS-AWS-ACCOUNT",
		What:        "the issuer of the outbound tokens of the account that the tenant's role is in",
		Command:     "aws iam get-outbound-web-identity-federation-info --query IssuerIdentifier --output text",
		Flag:        "--aws-issuer URL",
	})
}
