// Package catalog reads the files in which an operator says who its tenants are and
// where their data goes.
//
// There is one file per tenant, tenants/NAME.yaml, and one of the operator's own,
// carnet.yaml. People write them, functions read them, Terraform reads them too. So
// the reading is strict: whatever is not understood is a [Problem] with its file, its
// line and what to write instead, and a file with a problem is not used at all.
//
// A [Source] gives the files one by one, by name. Nothing ever lists them to find
// one, so a look-up among a hundred thousand tenants costs what it costs among ten.
package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
)

// A Tenant is one tenant's file.
type Tenant struct {
	Name         string
	Disabled     bool
	Identities   Identities
	Callers      []Caller
	Destinations map[string]*Destination
}

// Identities are who the tenant is on each cloud; nil where it is nobody.
type Identities struct {
	AWS *Role
	GCP *ServiceAccount
}

// A Role is an IAM role, with what binds it to whoever enters it.
type Role struct {
	ARN            string
	ExternalID     string
	NextExternalID string // accepted too, while ExternalID is being rotated
}

// A ServiceAccount is a Google service account, with how it is entered.
type ServiceAccount struct {
	Email    string
	Entry    Entry
	Provider string // resource name of the third party's own provider; empty: the operator's
}

// An Entry says what was granted on a service account to whoever enters it.
type Entry string

const (
	Delegate Entry = "delegate" // iam.serviceAccounts.implicitDelegation: pass through it
	User     Entry = "user"     // roles/iam.workloadIdentityUser: have its token
)

// A Caller may ask for the destinations, or for all if there are none.
type Caller struct {
	exchange.Caller
	Destinations []string
}

// A Kind of destination.
type Kind string

const (
	S3        Kind = "s3"
	Redshift  Kind = "redshift"
	GCS       Kind = "gcs"
	BigQuery  Kind = "bigquery"
	Snowflake Kind = "snowflake"
)

// A Destination is one place. Which fields are set depends on its kind.
type Destination struct {
	Kind           Kind
	Role           *Role           // s3, redshift
	ServiceAccount *ServiceAccount // gcs, bigquery
	Chain          []ChainLink     // replaces the tenant's identities
	Verified       time.Time       // zero: never
	Disabled       bool
	MinTTL         time.Duration
	Lifetime       time.Duration // 0: the cloud's usual
	Deliver        *Delivery     // nil: nowhere

	Access   exchange.Access
	Region   string
	Bucket   string
	Prefixes []string // each ends in a slash; [""] is the whole bucket
	KMSKey   string
	Project  string
	Dataset  string

	Redshift  RedshiftPlace
	Snowflake SnowflakePlace
}

// A Delivery is a secret that a schedule keeps filled with the credential.
type Delivery struct {
	Secret string // the ARN of a secret, or projects/P/secrets/S
	Every  time.Duration
	Format string // json or aws
}

// A RedshiftPlace is a database of a cluster or of a serverless workgroup.
type RedshiftPlace struct {
	Cluster, Workgroup string // one of the two
	CustomDomain       string // the cluster's or workgroup's own domain name, where it has one
	Host               string // looked up where empty
	Port               int    // 5439 where the file does not say
	Database           string
	User               string   // a database user; empty: the role's own, IAMR:role
	Groups             []string // joined for the session
	CreateUser         bool
	Login              RedshiftLogin
}

// A RedshiftLogin is what a job gets.
type RedshiftLogin string

const (
	RedshiftPassword RedshiftLogin = "password" // a user and a password
	RedshiftDataAPI  RedshiftLogin = "data_api" // the role's session, for the Data API
)

// A SnowflakePlace is a user of a Snowflake account.
type SnowflakePlace struct {
	Account    string // ORG-ACCOUNT, or a locator
	Host       string
	User       string
	Login      SnowflakeLogin
	ExternalID string // the token's audience, for login oidc
	// NextExternalID is accepted too, while ExternalID is being rotated. The old one is
	// shown until it is gone: whether an account knows the new one, no call tells.
	NextExternalID string
	Algorithm      string // RS256 or ES384, of an AWS outbound JWT
	Secret         string // where the private key is, for login key_pair
}

// A SnowflakeLogin is how the user is proven.
type SnowflakeLogin string

const (
	SnowflakeOIDC             SnowflakeLogin = "oidc"
	SnowflakeWorkloadIdentity SnowflakeLogin = "workload_identity"
	SnowflakeKeyPair          SnowflakeLogin = "key_pair"
)

// A ChainLink is either a role or a service account.
type ChainLink struct {
	Role           *Role
	ServiceAccount *ServiceAccount
}

// An Operator is carnet.yaml.
type Operator struct {
	Runtime        Runtime
	Region         string // whose STS is called where the runtime is not on AWS
	Providers      []Provider
	Issuers        []Issuer
	GoogleAudience string // of the Google ID tokens that callers show
	// ServeUnverified serves destinations that were never seen to refuse us.
	ServeUnverified bool
	Nobody          Nobody
}

// Nobody is an identity on the runtime's cloud that no tenant and no third party trusts.
// Empty: there is none.
type Nobody struct {
	AWS string // a role that the runtime may assume
	GCP string // a service account that the runtime may have tokens of
}

// A Runtime is who the functions are, on each cloud.
type Runtime struct {
	AWS struct{ Role, Region string }
	GCP struct{ ServiceAccount string }
}

// A ProviderKind is the form of proof that a provider takes.
type ProviderKind string

const (
	ProviderAWS  ProviderKind = "aws"  // the signed GetCallerIdentity request
	ProviderOIDC ProviderKind = "oidc" // the outbound JWT
)

// A Provider of one of the operator's workload identity pools trusts one account.
type Provider struct {
	Name    string
	Kind    ProviderKind
	Account string
}

// An Issuer is an OIDC issuer whose tokens callers may show.
type Issuer struct {
	URL, Audience string
	Keys          string // where its keys are; empty: as its own document says, on its own host
}

// A Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int
	Message string // what is wrong, and what to write instead
}

func (p Problem) String() string {
	if p.Line == 0 {
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	}
	return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
}

// Problems are all that is wrong with a file, or with several.
type Problems []Problem

func (ps Problems) Error() string {
	var lines []string
	for _, p := range ps {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

func (ps Problems) sorted() Problems {
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return ps
}
