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
	"time"

	"carnet.dev/carnet/shared/catalog/keys"
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

// A Binding ties a customer's trust to one destination: the ExternalId where a role enters, the
// token's audience where anybody else does.
type Binding struct {
	ExternalID     string
	NextExternalID string // accepted too, while ExternalID is being rotated
}

// A Role is an IAM role, with what binds it to whoever enters it.
type Role struct {
	ARN string
	Binding
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

// A Destination is one place and how it is reached and served.
type Destination struct {
	Kind     string
	Place    Place
	About                // of the place
	Chain    []ChainLink // replaces the tenant's identities
	Verified time.Time   // zero: never
	Disabled bool
	MinTTL   time.Duration
	Lifetime time.Duration // 0: the cloud's usual
	Deliver  *Delivery     // nil: nowhere
}

// A Place is what the keys of one kind say: where the data is, and who is let in there.
type Place interface{ About() About }

// About is what all of carnet needs to know of a place, whatever its kind.
type About struct {
	Shown string // in a list, with the user where an account has several
	Where string // the place alone, such as s3://acme-lake
	End   End
	Grant exchange.Grant // the most that a credential reaches; zero: that is granted at the place
	Gives Gives
}

// Gives is what a credential is.
type Gives string

// What the kinds give.
const (
	Session Gives = "session" // of AWS
	Token   Gives = "token"   // an access token
	Login   Gives = "login"   // what a database takes
)

// An End is who acts at a place. It is the customer's own identity, which the chain enters last;
// or the tenant's identity shows itself to the place; or a key pair does, which the runtime reads.
type End struct {
	Role           *Role
	ServiceAccount *ServiceAccount

	// User is the customer's user that is proven, where the place has no identity of a cloud.
	User string
	// Binding is that of the user's tokens.
	Binding Binding
	// Audiences are those of the tokens that prove the tenant's identity to the place.
	Audiences []string
	// Secret is where a private key is kept. No identity is entered.
	Secret string
}

// Principal is the name of who acts at the place: a role's ARN, an email, or a user.
func (e End) Principal() string {
	switch {
	case e.Role != nil:
		return e.Role.ARN
	case e.ServiceAccount != nil:
		return e.ServiceAccount.Email
	}
	return e.User
}

// Bound is the binding of the role or of the user's tokens; of a service account there is none.
func (e End) Bound() Binding {
	if e.Role != nil {
		return e.Role.Binding
	}
	return e.Binding
}

// A Kind is one kind of place, as files have it.
type Kind struct {
	Name string
	// New makes an empty place, a pointer to what Keys are declared for.
	New  func() Place
	Keys func() keys.Set
	// Shortest and Longest are what `lifetime:` takes. 0: what sessions and access tokens take,
	// 15 minutes and 12 hours.
	Shortest, Longest time.Duration
}

// A Delivery is a secret that a schedule keeps filled with the credential.
type Delivery struct {
	Secret string // the ARN of a secret, or projects/P/secrets/S
	Every  time.Duration
	Format string // json or aws
}

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
	AWS AWSRuntime
	GCP GCPRuntime
}

// An AWSRuntime is the functions' role, and the Region that they run in.
type AWSRuntime struct{ Role, Region string }

// A GCPRuntime is the functions' service account.
type GCPRuntime struct{ ServiceAccount string }

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

// Problems are all that is wrong with a file, or with several.
type Problems = keys.Problems

// A Problem is one thing that is wrong with a file.
type Problem = keys.Problem
