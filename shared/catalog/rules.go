package catalog

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// A rule is a grammar, its name, and something that follows it. Each pattern stands
// in the JSON Schema as well, word for word.
type rule struct {
	name    string
	example string
	pattern string
	most    int // characters; 0 where the pattern bounds them

	// match tells the same as the pattern, where one that counts up to 64 would take a
	// third of a cold start to compile. FuzzRules holds the two against each other.
	match func(string) bool
}

func (r rule) ok(s string) bool {
	if r.match != nil {
		return r.match(s)
	}
	return (r.most == 0 || len(s) <= r.most) && pattern(r.pattern).MatchString(s)
}

const (
	digits = "0123456789"
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

// only tells whether a string has from least to most characters, each of them one of those.
func only(s string, least, most int, characters string) bool {
	return len(s) >= least && len(s) <= most && strings.Trim(s, characters) == ""
}

// anARN matches arn:PARTITION:iam::ACCOUNT:KIND/PATH/NAME.
func anARN(s string, kinds ...string) bool {
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "iam" || parts[3] != "" || !only(parts[4], 12, 12, digits) {
		return false
	}
	switch parts[1] {
	case "aws", "aws-cn", "aws-us-gov":
	default:
		return false
	}
	kind, rest, _ := strings.Cut(parts[5], "/")
	path, name := "", rest
	if i := strings.LastIndex(rest, "/"); i >= 0 {
		path, name = rest[:i], rest[i+1:]
		for _, c := range []byte(path) {
			if c < '!' || c > '~' || strings.IndexByte("*?$", c) >= 0 {
				return false
			}
		}
		if path == "" || strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.HasSuffix(path, "/") {
			return false
		}
	}
	return slices.Contains(kinds, kind) && only(name, 1, 64, lower+upper+digits+"_+=,.@-")
}

func anAccount(s string) bool {
	name, domain, ok := strings.Cut(s, "@")
	project, ours := strings.CutSuffix(domain, ".gserviceaccount.com")
	return ok && ours && only(name, 1, 63, lower+digits+"-") && name[0] != '-' &&
		only(project, 1, 253, lower+digits+".-") && project[0] != '.' && project[0] != '-'
}

func aProvider(s string) bool {
	const projects, pools, providers = "//iam.googleapis.com/projects/", "/locations/global/workloadIdentityPools/", "/providers/"
	rest, ok := strings.CutPrefix(s, projects)
	number, rest, inPool := strings.Cut(rest, pools)
	pool, provider, inProvider := strings.Cut(rest, providers)
	return ok && inPool && inProvider && only(number, 1, 32, digits) &&
		only(pool, 4, 32, lower+digits+"-") && only(provider, 4, 32, lower+digits+"-")
}

// compiled keeps expressions by their text: compiling them would be most of the reading of
// a file. There are as many as there are rules.
var compiled sync.Map

func pattern(text string) *regexp.Regexp {
	if p, ok := compiled.Load(text); ok {
		return p.(*regexp.Regexp)
	}
	p, _ := compiled.LoadOrStore(text, regexp.MustCompile(text))
	return p.(*regexp.Regexp)
}

func nameRule() rule {
	return rule{"a name of 1 to 32 lower-case letters, digits and dashes", "acme", `^[a-z0-9-]{1,32}$`, 0, nil}
}

// ValidName tells whether a tenant or a destination can have that name.
func ValidName(s string) bool { return only(s, 1, 32, lower+digits+"-") }

// roleRule: role names have 64 characters of [\w+=,.@-], after a path. IAM takes all of ASCII in
// a path; what a policy's resource would read as a pattern or a variable is refused here.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func roleRule() rule {
	return rule{"the ARN of a role", "arn:aws:iam::111122223333:role/NAME", `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/([!-#%-)+-.0->@-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`, 0,
		func(s string) bool { return anARN(s, "role") }}
}

func principalRule() rule {
	return rule{"the ARN of a role or a user", "arn:aws:iam::111122223333:role/NAME", `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(role|user)/([!-#%-)+-.0->@-~]+/)*[A-Za-z0-9_+=,.@-]{1,64}$`, 0,
		func(s string) bool { return anARN(s, "role", "user") }}
}

// accountRule is wider than the 6 to 30 characters that a new account's name has:
// what exists is what counts, and Google's own accounts are shorter and longer.
func accountRule() rule {
	return rule{"the email of a service account", "name@project.iam.gserviceaccount.com", `^[a-z0-9][a-z0-9-]{0,62}@[a-z0-9][a-z0-9.-]{0,252}\.gserviceaccount\.com$`, 0, anAccount}
}

func emailRule() rule {
	return rule{"an email", "name@project.iam.gserviceaccount.com", `^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$`, 0, nil}
}

// externalIDRule: 2 to 1,224 characters.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func externalIDRule() rule {
	return rule{"an ExternalId of 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -", "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40", `^[A-Za-z0-9_+=,.@:/-]{2,}$`, 1224, nil}
}

func providerRule() rule {
	return rule{"a provider's resource name with the project's number", "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/POOL/providers/PROVIDER", `^//iam\.googleapis\.com/projects/[0-9]{1,32}/locations/global/workloadIdentityPools/[a-z0-9-]{4,32}/providers/[a-z0-9-]{4,32}$`, 0, aProvider}
}

func regionRule() rule {
	return rule{"an AWS Region", "eu-west-1", `^[a-z]{2}(-[a-z]+)+-[0-9]$`, 0, nil}
}

func accountIDRule() rule {
	return rule{"an AWS account, 12 digits in quotes", `"111122223333"`, `^[0-9]{12}$`, 0, nil}
}

// s3BucketRule: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func s3BucketRule() rule {
	return rule{"the name of a bucket", "acme-lake", `^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$`, 0, nil}
}

// gcsBucketRule: https://cloud.google.com/storage/docs/buckets#naming
func gcsBucketRule() rule {
	return rule{"the name of a bucket", "acme-drop", `^[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]$`, 0, nil}
}

func projectRule() rule {
	return rule{"a project's id", "acme-prod", `^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`, 0, nil}
}

// datasetRule: https://cloud.google.com/bigquery/docs/datasets#dataset-naming
func datasetRule() rule {
	return rule{"a dataset's name", "shared", `^[A-Za-z0-9_]+$`, 1024, nil}
}

func kmsKeyRule() rule {
	return rule{"the ARN of a KMS key", "arn:aws:kms:eu-west-1:111122223333:key/ID", `^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`, 0, nil}
}

// clusterRule: https://docs.aws.amazon.com/redshift/latest/APIReference/API_CreateCluster.html
func clusterRule() rule {
	return rule{"the name of a cluster or workgroup", "acme-warehouse", `^[a-z][a-z0-9-]{0,62}$`, 0, nil}
}

// databaseRule: 1 to 64 characters that begin with a letter or underscore, for databases,
// users and groups; nothing that a policy's resource would read as a wildcard or another name.
// https://docs.aws.amazon.com/redshift/latest/APIReference/API_GetClusterCredentials.html
func databaseRule() rule {
	return rule{"the name of a database", "analytics", `^[A-Za-z_][A-Za-z0-9_.@+-]*$`, 64, nil}
}

// redshiftHostRule keeps a password from going to a host that is not Redshift's.
func redshiftHostRule() rule {
	return rule{"a host of Redshift's (a name of your own is a custom_domain)", "acme.abc123.eu-west-1.redshift.amazonaws.com", `^[a-z0-9.-]+\.(redshift|redshift-serverless)\.amazonaws\.com(\.cn)?$`, 0, nil}
}

func domainRule() rule {
	return rule{"a domain name", "warehouse.acme.example", `^[a-z0-9-]+(\.[a-z0-9-]+)+$`, 0, nil}
}

// snowflakeHostRule keeps a token from going to a host that is not Snowflake's.
// https://docs.snowflake.com/en/user-guide/organizations-connect
func snowflakeHostRule() rule {
	return rule{"a host of Snowflake's", "acme-prod.snowflakecomputing.com", `^[a-z0-9_.-]+\.snowflakecomputing\.(com|cn)$`, 0, nil}
}

// snowflakeAccountRule: ORGANIZATION-ACCOUNT, or a locator with its region.
// https://docs.snowflake.com/en/user-guide/admin-account-identifier
func snowflakeAccountRule() rule {
	return rule{"a Snowflake account identifier", "ACME-PROD", `^[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*$`, 0, nil}
}

func snowflakeUserRule() rule {
	return rule{"the name of a Snowflake user", "CARNET_SYNC", `^[A-Za-z_][A-Za-z0-9_$.@-]{0,254}$`, 0, nil}
}

// secretRule: the ARN of a secret of Secrets Manager, or a version of one of Secret
// Manager.
func secretRule() rule {
	return rule{"a secret's name", "projects/operator-prod/secrets/acme-key/versions/latest", `^(arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+|projects/[a-z0-9:.-]+/secrets/[A-Za-z0-9_-]+/versions/(latest|[0-9]+))$`, 0, nil}
}

func issuerRule() rule {
	return rule{"an issuer's https URL", "https://token.actions.githubusercontent.com", `^https://[^\s?#@]+$`, 0, nil}
}

// deliverRule is secretRule without a version: a delivery makes versions.
func deliverRule() rule {
	return rule{"the ARN of a secret of Secrets Manager, or a secret of Secret Manager", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:NAME-AbCdEf, or projects/P/secrets/NAME",
		`^(arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}|projects/[a-z0-9-]+/secrets/[A-Za-z0-9_-]{1,255})$`, 0, nil}
}

// CheckPrefix refuses what could become syntax in a policy or an expression, and
// what a store would not treat as a folder.
func CheckPrefix(p string) error {
	if len(p) > 512 {
		return fmt.Errorf("is longer than 512 bytes")
	}
	for _, c := range p {
		if c < 0x20 || c == 0x7f || c == '\uFFFD' || strings.ContainsRune("*?$'\"`\\{}", c) {
			return fmt.Errorf("has %q in it, which means something in a policy: take it out", c)
		}
	}
	if strings.HasPrefix(p, "/") {
		return fmt.Errorf("begins with a slash: object names do not, so take it off")
	}
	for _, segment := range strings.Split(strings.TrimSuffix(p, "/"), "/") {
		if p != "" && (segment == "" || segment == "." || segment == "..") {
			return fmt.Errorf("has the segment %q: name every folder", segment)
		}
	}
	return nil
}
