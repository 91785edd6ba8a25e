package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog/keys"
)

// The grammars that several kinds have keys of. Partitions are named as botocore's
// partitions.json names them.

// Name is a tenant's or a destination's.
func Name() keys.Grammar {
	return keys.Grammar{Name: "a name of 1 to 32 lower-case letters, digits and dashes", Example: "acme", Pattern: `^[a-z0-9-]{1,32}$`}
}

// ValidName tells whether a tenant or a destination can have that name.
func ValidName(s string) bool { return Name().Check(s) == nil }

// awsPath is what stands between the kind of an IAM resource and its name. IAM takes all of ASCII
// there; what a policy's resource would read as a pattern or a variable is refused here.
const awsPath = `([!-#%-)+-.0->@-~]+/)*`

// RoleARN is a role's: its name has 64 characters of [\w+=,.@-], after a path.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func RoleARN() keys.Grammar {
	return keys.Grammar{Name: "the ARN of a role", Example: "arn:aws:iam::111122223333:role/NAME", Pattern: `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:role/` + awsPath + `[A-Za-z0-9_+=,.@-]+$`, Last: 64}
}

func principalARN() keys.Grammar {
	return keys.Grammar{Name: "the ARN of a role or a user", Example: "arn:aws:iam::111122223333:role/NAME", Pattern: `^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:(role|user)/` + awsPath + `[A-Za-z0-9_+=,.@-]+$`, Last: 64}
}

// Account is a service account's email. A name of one's own has 6 to 30 characters; the accounts
// that Google makes with a project are named for the project, PROJECT@appspot, or its number,
// NUMBER-compute@developer.
// https://cloud.google.com/iam/docs/service-account-types
func Account() keys.Grammar {
	return keys.Grammar{
		Name: "the email of a service account", Example: "acme-share@acme-prod.iam.gserviceaccount.com",
		Pattern: `^([a-z][a-z0-9-]{4,}[a-z0-9]@[a-z0-9][a-z0-9.-]*\.iam|[a-z0-9][a-z0-9.-]*@(appspot|developer|cloudbuild|cloudservices))\.gserviceaccount\.com$`, Most: 320,
		Refuses: func(s string) error {
			if name, domain, _ := strings.Cut(s, "@"); len(name) > 30 && strings.HasSuffix(domain, ".iam.gserviceaccount.com") {
				return fmt.Errorf("has a name of %d characters, and a service account's has 6 to 30", len(name))
			}
			return nil
		},
	}
}

func email() keys.Grammar {
	return keys.Grammar{Name: "an email", Example: "sync-worker@operator-prod.iam.gserviceaccount.com", Pattern: `^[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+$`}
}

// ExternalID has 2 to 1,224 characters.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func ExternalID() keys.Grammar {
	return keys.Grammar{Name: "an ExternalId of 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -", Example: "3f0c9c1e-7d0b-4a86-b2a5-5f7e3a1d9c40", Pattern: `^[A-Za-z0-9_+=,.@:/-]{2,}$`, Most: 1224, Refuses: wellKnown}
}

// wellKnown refuses the audiences of services: tokens for them are in many hands.
func wellKnown(id string) error {
	services := []string{"snowflakecomputing.com", "sts.amazonaws.com", "api://AzureADTokenExchange", "https://accounts.google.com", "https://accounts.google.com/"}
	if slices.Contains(services, id) || strings.Contains(id, "//iam.googleapis.com/") || strings.HasSuffix(id, ".apps.googleusercontent.com") {
		return errors.New("is the audience of a service, whose tokens many hold: write one of its own, such as `uuidgen` prints")
	}
	return nil
}

func provider() keys.Grammar {
	return keys.Grammar{
		Name:    "a provider's resource name with the project's number",
		Example: "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/POOL/providers/PROVIDER",
		Pattern: `^//iam\.googleapis\.com/projects/[0-9]+/locations/global/workloadIdentityPools/[a-z0-9-]{4,}/providers/[a-z0-9-]{4,}$`,
		Refuses: func(s string) error {
			for _, part := range strings.Split(s, "/") {
				if len(part) > 32 {
					return fmt.Errorf("has the part %q, and a pool or a provider has 4 to 32 characters", part)
				}
			}
			return nil
		},
	}
}

// Region is one of AWS's.
func Region() keys.Grammar {
	return keys.Grammar{Name: "an AWS Region", Example: "eu-west-1", Pattern: `^[a-z]{2}(-[a-z]+)+-[0-9]$`}
}

func accountID() keys.Grammar {
	return keys.Grammar{Name: "an AWS account, 12 digits in quotes", Example: `"111122223333"`, Pattern: `^[0-9]{12}$`}
}

// Project is a Google Cloud project's id.
func Project() keys.Grammar {
	return keys.Grammar{Name: "a project's id", Example: "acme-prod", Pattern: `^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`}
}

// Secret is the ARN of a secret of Secrets Manager, or a version of one of Secret Manager.
func Secret() keys.Grammar {
	return keys.Grammar{
		Name: "a secret's name", Example: "projects/operator-prod/secrets/acme-key/versions/latest",
		Pattern: `^(arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}|projects/[a-z0-9:.-]+/secrets/[A-Za-z0-9_-]+/versions/(latest|[0-9]+))$`,
	}
}

// delivered is Secret without a version: a delivery makes versions.
func delivered() keys.Grammar {
	return keys.Grammar{
		Name: "the ARN of a secret of Secrets Manager, or a secret of Secret Manager", Example: "arn:aws:secretsmanager:eu-west-1:111122223333:secret:NAME-AbCdEf, or projects/P/secrets/NAME",
		Pattern: `^(arn:aws(-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}|projects/[a-z0-9:.-]+/secrets/[A-Za-z0-9_-]+)$`, Most: 512,
	}
}

func issuer() keys.Grammar {
	return keys.Grammar{Name: "an issuer's https URL", Example: "https://token.actions.githubusercontent.com", Pattern: `^https://[^\s?#@]+$`}
}

// words are any, but not none.
func words(example string) keys.Grammar { return keys.Grammar{Name: "text", Example: example} }

// Prefix is a folder of a bucket: none of the characters that mean something in a policy, and
// neither "." nor "..". It gets a final slash, since acme must not reach acme-2.
func Prefix() keys.Grammar {
	const other = "[^/*?$'\"`\\\\{}\\x00-\\x1f\\x7f]"
	const notDot = "[^./*?$'\"`\\\\{}\\x00-\\x1f\\x7f]"
	const segment = "(" + notDot + other + "*|\\." + notDot + other + "*|\\.\\." + other + "+)"
	return keys.Grammar{
		Name: "a folder", Example: "from-operator/", Pattern: "^(" + segment + "/)*" + segment + "/?$", Most: 512,
		Refuses: CheckPrefix, Clean: func(p string) string { return strings.TrimSuffix(p, "/") + "/" },
		Empty: "has an empty prefix, which is the whole bucket: write `whole_bucket: true` if that is meant",
	}
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
