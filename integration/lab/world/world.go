// Package world describes two clouds: what stands in the lab's accounts and
// projects, and who trusts whom. It is data only; awslab and googlelab give it
// life, and refuse what the description does not allow.
package world

import (
	"bytes"
	"crypto/rsa"
	"encoding/json"

	"go.yaml.in/yaml/v3"
)

// A World is both clouds, and what stands beside them.
type World struct {
	AWS       AWS       `yaml:"aws"`
	Google    Google    `yaml:"google"`
	Snowflake Snowflake `yaml:"snowflake"`
}

// Parse reads a world from YAML. Unknown keys are errors.
func Parse(text []byte) (*World, error) {
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	w := new(World)
	return w, dec.Decode(w)
}

// AWS is one partition of accounts, by their 12-digit id.
type AWS struct {
	Accounts map[string]*Account `yaml:"accounts"`
	// Terse says that a refused AssumeRole does not name the type of policy that refused.
	Terse bool `yaml:"terse"`
	// NamesTrust says that a refused AssumeRole names the role's trust policy too.
	NamesTrust bool `yaml:"names_trust"`
	// EndpointPolicy is that of the VPC endpoint through which STS is called. A JSON policy
	// with a Principal; none where empty.
	EndpointPolicy JSON `yaml:"endpoint_policy"`
	// Throttled says that the rate of STS is used up.
	Throttled bool `yaml:"throttled"`
	// PackedPolicy is how many bytes a session policy may have once it is packed; 0: no
	// limit. AWS does not say how it packs; the lab deflates.
	PackedPolicy int `yaml:"packed_policy"`
	// JWTPayload is how many bytes the claims of an outbound token may have; 0: no limit. AWS
	// does not say how many.
	JWTPayload int `yaml:"jwt_payload"`
	// Ahead is how far AWS's clock is ahead of everybody else's, such as 2h or -20m.
	Ahead string `yaml:"clock_ahead"`
	// Unreachable names issuers' hosts to which AWS has no way.
	Unreachable []string `yaml:"unreachable"`
	// Key signs the accounts' outbound tokens. Nil: one is made, which takes its time.
	Key *rsa.PrivateKey `yaml:"-"`
}

// An Account is an AWS account.
type Account struct {
	// Outbound is the issuer's host, such as
	// 7c1d….tokens.sts.global.api.aws, once iam:EnableOutboundWebIdentityFederation
	// was called; empty before.
	Outbound string           `yaml:"outbound"`
	Roles    map[string]*Role `yaml:"roles"` // by name, without the path
	// ManagedPolicies are the account's own, by name. They can be session policies.
	ManagedPolicies map[string]JSON `yaml:"managed_policies"`
	// OIDCProviders are the account's IAM OIDC providers: issuer URL to client ids.
	OIDCProviders map[string][]string `yaml:"oidc_providers"`
	Buckets       map[string]*Bucket  `yaml:"buckets"`
	// Clusters and Workgroups are Redshift's, by name.
	Clusters   map[string]*Cluster   `yaml:"clusters"`
	Workgroups map[string]*Workgroup `yaml:"workgroups"`
	// Secrets are those of Secrets Manager, by name.
	Secrets map[string]*Secret `yaml:"secrets"`
	// DisabledRegions are those in which the account's STS is switched off.
	DisabledRegions []string `yaml:"disabled_regions"`
	// ServiceControlPolicy limits what the account's identities may do,
	// ResourceControlPolicy who may enter its roles. None where empty.
	ServiceControlPolicy  JSON `yaml:"service_control_policy"`
	ResourceControlPolicy JSON `yaml:"resource_control_policy"`
}

// A Cluster of Redshift. Users and Groups are those that its databases know; a
// user of the name IAMR:ROLE comes to be when that role first asks for it.
type Cluster struct {
	Region       string               `yaml:"region"`
	Host         string               `yaml:"host"` // NAME.lab.REGION.redshift.amazonaws.com where empty
	CustomDomain string               `yaml:"custom_domain"`
	Users        []string             `yaml:"users"`
	Groups       []string             `yaml:"groups"`
	Databases    map[string]*Database `yaml:"databases"`
}

// A Workgroup of Redshift Serverless.
type Workgroup struct {
	Region       string               `yaml:"region"`
	ID           string               `yaml:"id"` // which its ARN has in place of its name
	CustomDomain string               `yaml:"custom_domain"`
	Databases    map[string]*Database `yaml:"databases"`
}

// A Database has tables of one column of text each.
type Database struct {
	Tables map[string]*Table `yaml:"tables"`
}

// A Table says which users, and groups as group:NAME, may do what with it.
type Table struct {
	Select []string `yaml:"select"`
	Insert []string `yaml:"insert"`
}

// A Secret of Secrets Manager. Its ARN ends in a dash and six letters, which are
// made of its name where Suffix is empty.
type Secret struct {
	Region string `yaml:"region"`
	Suffix string `yaml:"suffix"`
	Value  string `yaml:"value"` // the current version; none yet where empty
	Policy JSON   `yaml:"policy"`
	KMSKey string `yaml:"kms_key"` // ARN of the key, where it is not the account's default one
	// Deleted says that it is marked for deletion.
	Deleted bool `yaml:"deleted"`
}

// A Role is an IAM role. Trust is its trust policy; Policies are its identity
// policies; Boundary, where set, is its permissions boundary.
type Role struct {
	Path       string          `yaml:"path"`        // "/" where empty
	UniqueID   string          `yaml:"unique_id"`   // AROA…; derived from the ARN where empty
	MaxSession int             `yaml:"max_session"` // seconds; 3600 where 0
	Trust      JSON            `yaml:"trust"`
	Policies   map[string]JSON `yaml:"policies"` // by name
	Boundary   JSON            `yaml:"boundary"`
}

// A Bucket of S3. Policy is its bucket policy, where it has one.
type Bucket struct {
	Region string `yaml:"region"`
	Policy JSON   `yaml:"policy"`
	KMSKey string `yaml:"kms_key"` // ARN of the default encryption key, where there is one
}

// Google is Google Cloud, by project id.
type Google struct {
	Projects map[string]*Project `yaml:"projects"`
	// FederatedDelegates says whether a federated principal may pass through
	// delegates. What the real cloud answers is not known (docs/protocol-notes.md),
	// so a world can have it either way; nil means yes.
	FederatedDelegates *bool `yaml:"federated_delegates"`
	// Unreachable names hosts to which Google's STS has no way: issuers, or AWS's STS.
	Unreachable []string `yaml:"unreachable"`
	// Throttled says that the quotas of STS and IAM Credentials are used up.
	Throttled bool `yaml:"throttled"`
	// OtherKeys says that the keys which Google publishes have signed no token.
	OtherKeys bool `yaml:"other_keys"`
	// Key signs ID tokens. Nil: one is made, which takes its time.
	Key *rsa.PrivateKey `yaml:"-"`
}

// A Project is a Google Cloud project.
type Project struct {
	Number          string                     `yaml:"number"`
	ServiceAccounts map[string]*ServiceAccount `yaml:"service_accounts"` // by email
	// Roles are custom roles by id: their permissions. Their full name is
	// projects/PROJECT/roles/ID.
	Roles    map[string][]string   `yaml:"roles"`
	Bindings []Binding             `yaml:"bindings"` // on the project
	Pools    map[string]*Pool      `yaml:"pools"`    // workload identity pools, location global
	Buckets  map[string]*GCSBucket `yaml:"buckets"`
	Datasets map[string]*Dataset   `yaml:"datasets"`
	Secrets  map[string]*GCPSecret `yaml:"secrets"` // of Secret Manager, by name
	// DisabledAPIs names services that are off, such as iamcredentials.googleapis.com.
	DisabledAPIs []string `yaml:"disabled_apis"`
	// Perimeter says that a service perimeter of VPC Service Controls keeps callers out.
	Perimeter bool `yaml:"perimeter"`
}

// A ServiceAccount with the bindings that stand on it.
type ServiceAccount struct {
	UniqueID         string    `yaml:"unique_id"` // 21 digits
	Disabled         bool      `yaml:"disabled"`
	Bindings         []Binding `yaml:"bindings"`
	ExtendedLifetime bool      `yaml:"extended_lifetime"` // listed in iam.allowServiceAccountCredentialLifetimeExtension
	// Scopes are those of the machine that runs as the account; all that are asked for where
	// empty.
	Scopes []string `yaml:"scopes"`
}

// A Binding gives members a role: roles/iam.workloadIdentityUser or
// projects/P/roles/ID. A member is serviceAccount:EMAIL, principal://… or
// principalSet://…. A condition is evaluated where objects of a bucket are reached; a
// binding that has one gives nothing elsewhere.
type Binding struct {
	Role      string   `yaml:"role"`
	Members   []string `yaml:"members"`
	Condition string   `yaml:"condition"` // CEL; none where empty
	// After is how long the binding takes to count, from when the world began, such as 3m.
	After string `yaml:"after"`
}

// A Pool is a workload identity pool with its providers.
type Pool struct {
	Disabled  bool                 `yaml:"disabled"`
	Providers map[string]*Provider `yaml:"providers"`
}

// A Provider trusts either an AWS account or an OIDC issuer.
type Provider struct {
	Disabled         bool              `yaml:"disabled"`
	AWSAccount       string            `yaml:"aws_account"`
	Issuer           string            `yaml:"issuer"`            // https://…
	AllowedAudiences []string          `yaml:"allowed_audiences"` // OIDC; the provider's own name where empty
	Mapping          map[string]string `yaml:"attribute_mapping"` // google.subject and attribute.…: CEL
	Condition        string            `yaml:"attribute_condition"`
}

// A GCSBucket has uniform bucket-level access.
type GCSBucket struct {
	Bindings []Binding `yaml:"bindings"`
}

// A Dataset of BigQuery.
type Dataset struct {
	Bindings []Binding `yaml:"bindings"`
}

// A GCPSecret of Secret Manager, with the bindings that stand on it.
type GCPSecret struct {
	Versions []string  `yaml:"versions"` // the first is version 1
	Bindings []Binding `yaml:"bindings"`
}

// Snowflake is its accounts, by the name that a connection gives: ORG-ACCOUNT, or a
// locator.
type Snowflake struct {
	Accounts map[string]*SnowflakeAccount `yaml:"accounts"`
}

// A SnowflakeAccount answers at a host of its own.
type SnowflakeAccount struct {
	Host  string                    `yaml:"host"`
	Users map[string]*SnowflakeUser `yaml:"users"` // by name, upper case
	// NetworkPolicy says that one refuses every address.
	NetworkPolicy bool `yaml:"network_policy"`
}

// A SnowflakeUser is a service user, with the ways in which it may prove itself.
type SnowflakeUser struct {
	Disabled         bool                        `yaml:"disabled"`
	WorkloadIdentity []SnowflakeWorkloadIdentity `yaml:"workload_identity"`
	PublicKey        string                      `yaml:"rsa_public_key"` // PEM, for key pairs
}

// A SnowflakeWorkloadIdentity is as in CREATE USER … WORKLOAD_IDENTITY = (…).
type SnowflakeWorkloadIdentity struct {
	Type      string   `yaml:"type"` // OIDC, GCP, AWS
	Issuer    string   `yaml:"issuer"`
	Subject   string   `yaml:"subject"`
	Audiences []string `yaml:"oidc_audience_list"` // OIDC; snowflakecomputing.com where empty
}

// JSON is a JSON document that may be written as YAML, or as a string of JSON.
type JSON json.RawMessage

// UnmarshalYAML implements [yaml.Unmarshaler].
func (j *JSON) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode && json.Valid([]byte(n.Value)) && n.Value != "" {
		*j = JSON(n.Value)
		return nil
	}
	var v any
	if err := n.Decode(&v); err != nil {
		return err
	}
	text, err := json.Marshal(v)
	*j = text
	return err
}
