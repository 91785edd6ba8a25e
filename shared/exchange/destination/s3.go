package destination

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// maxSessionPolicy is in characters.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const maxSessionPolicy = 2048

// An s3 destination is a bucket that a role may use.
type s3 struct {
	end       *awsid.Identity
	partition string // aws, aws-cn, aws-us-gov
	region    string
	bucket    string
	kmsKey    string // ARN, empty where the bucket needs none
}

func s3Of(d *catalog.Destination, end *awsid.Identity) s3 {
	return s3{end: end, partition: partition(d.Role.ARN), region: d.Region, bucket: d.Bucket, kmsKey: d.KMSKey}
}

func (d s3) mint(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	policy, err := d.policy(grant)
	if err != nil {
		return nil, err
	}
	s, err := d.end.Session(ctx, awsid.Ask{Policy: policy, Lifetime: lifetime})
	if err != nil {
		return nil, packed(err, grant.Prefixes)
	}
	return &exchange.Credential{
		Kind:      "s3",
		Principal: s.ARN,
		Expires:   s.Expires,
		Place:     map[string]string{"region": d.region, "bucket": d.bucket},
		Trail:     s.Trail,
		Session:   &s.Session,
	}, nil
}

type policyDocument struct {
	Version   string
	Statement []statement
}

type statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// policy compiles the grant: objects under the prefixes, and the listing of those
// prefixes for whoever may read.
func (d s3) policy(grant exchange.Grant) (string, error) {
	if len(grant.Prefixes) == 0 || grant.Access == "" {
		return "", fmt.Errorf("%w: an empty grant reaches nothing of %s", exchange.ErrBadRequest, d.bucket)
	}
	bucket := "arn:" + d.partition + ":s3:::" + d.bucket
	var objects []string
	for _, p := range grant.Prefixes {
		objects = append(objects, bucket+"/"+p+"*")
	}
	list := []statement{{Effect: "Allow", Action: objectActions(grant.Access), Resource: objects}}
	if grant.Access.CanRead() {
		list = append(list, listing(bucket, grant.Prefixes))
	}
	if d.kmsKey != "" {
		list = append(list, d.key(grant.Access))
	}
	text, err := compile(list)
	if err == nil && len(text) > maxSessionPolicy {
		return "", tooLong("session policy", len(text), maxSessionPolicy, grant.Prefixes)
	}
	return text, err
}

// compile writes a session policy. STS takes no character above U+00FF in one, and JSON has
// another way to write them.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func compile(list []statement) (string, error) {
	text, err := json.Marshal(policyDocument{Version: "2012-10-17", Statement: list})
	var ascii strings.Builder
	for _, unit := range utf16.Encode([]rune(string(text))) {
		if unit < utf8.RuneSelf {
			ascii.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	return ascii.String(), err
}

// listing is asked of the bucket, with a prefix that its condition compares. A request
// without one has nothing to compare, and lists the whole.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html#condition-key-bucket-ops-2
func listing(bucket string, prefixes []string) statement {
	s := statement{Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucket}}
	if slices.Contains(prefixes, "") {
		return s
	}
	var under []string
	for _, p := range prefixes {
		under = append(under, p+"*")
	}
	s.Condition = map[string]map[string][]string{"StringLike": {"s3:prefix": under}}
	return s
}

func objectActions(a exchange.Access) []string {
	var actions []string
	if a.CanRead() {
		actions = append(actions, "s3:GetObject")
	}
	if a.CanWrite() {
		actions = append(actions, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
	}
	return actions
}

// key lets S3 use the bucket's key, and nobody else: whoever holds the session cannot ask KMS
// itself to decrypt what the key has encrypted elsewhere. Which objects S3 uses it for is what
// the other statements say; an encryption context would be the object's or the bucket's,
// depending on a setting of the bucket.
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
func (d s3) key(a exchange.Access) statement {
	return statement{
		Effect: "Allow", Action: keyActions(a), Resource: []string{d.kmsKey},
		Condition: map[string]map[string][]string{"StringEquals": {"kms:ViaService": {"s3." + d.region + "." + awsid.DNSSuffix(d.region)}}},
	}
}

// keyActions: a multipart upload decrypts what it has just encrypted, so writing
// needs both.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
func keyActions(a exchange.Access) []string {
	if a.CanWrite() {
		return []string{"kms:GenerateDataKey", "kms:Decrypt"}
	}
	return []string{"kms:Decrypt"}
}

// tooLong says which prefix to drop: the longest frees the most.
func tooLong(what string, size, most int, prefixes []string) error {
	return fmt.Errorf("%w: %d prefixes make a %s of %d characters, and the cloud takes %d: drop some, %q first, or grant the folder above them",
		exchange.ErrBadRequest, len(prefixes), what, size, most, longest(prefixes))
}

func longest(prefixes []string) string {
	return slices.MaxFunc(prefixes, func(a, b string) int { return cmp.Compare(len(a), len(b)) })
}

// packed says the same where AWS finds the policy too large once it has packed it, which
// nobody can tell beforehand: how it packs is not published.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
func packed(err error, prefixes []string) error {
	var edge *exchange.EdgeError
	if !errors.As(err, &edge) || edge.Code != "PackedPolicyTooLarge" {
		return err
	}
	told := *edge
	told.Err = fmt.Errorf("%w: drop some of the %d prefixes, %q first, or grant the folder above them", edge.Err, len(prefixes), longest(prefixes))
	return &told
}
