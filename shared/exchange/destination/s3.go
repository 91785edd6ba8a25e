package destination

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

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

func (d s3) mint(ctx context.Context, grant exchange.Grant, lifetime time.Duration) (*exchange.Credential, error) {
	policy, err := d.policy(grant)
	if err != nil {
		return nil, err
	}
	s, err := d.end.Session(ctx, awsid.Ask{Policy: policy, Lifetime: lifetime})
	if err != nil {
		return nil, err
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
	var objects, listed []string
	for _, p := range grant.Prefixes {
		objects = append(objects, bucket+"/"+p+"*")
		listed = append(listed, p+"*")
	}
	doc := policyDocument{Version: "2012-10-17", Statement: []statement{
		{Effect: "Allow", Action: objectActions(grant.Access), Resource: objects},
	}}
	if grant.Access.CanRead() {
		doc.Statement = append(doc.Statement, statement{
			Effect: "Allow", Action: []string{"s3:ListBucket"}, Resource: []string{bucket},
			Condition: map[string]map[string][]string{"StringLike": {"s3:prefix": listed}},
		})
	}
	if d.kmsKey != "" {
		doc.Statement = append(doc.Statement, statement{
			Effect: "Allow", Action: keyActions(grant.Access), Resource: []string{d.kmsKey},
		})
	}
	text, err := json.Marshal(doc)
	if err == nil && len(text) > maxSessionPolicy {
		return "", tooLong("session policy", len(text), maxSessionPolicy, grant.Prefixes)
	}
	return string(text), err
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
	longest := prefixes[0]
	for _, p := range prefixes {
		if len(p) > len(longest) {
			longest = p
		}
	}
	return fmt.Errorf("%w: %d prefixes make a %s of %d characters, and the cloud takes %d: drop some, %q first, or grant the folder above them",
		exchange.ErrBadRequest, len(prefixes), what, size, most, longest)
}
