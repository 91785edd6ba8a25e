// Package s3 is the kind of place s3: folders of a bucket, which a role of the customer's may use.
//
// carnet assumes the role with a session policy that names the folders, so a session reaches them
// and nothing else, however much the role itself may do.
package s3

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/catalog/keys"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
)

// Name is the kind's in files.
const Name = "s3"

// Kind returns the kind.
func Kind() destination.Kind {
	return destination.Kind{Kind: catalog.Kind{Name: Name, New: func() catalog.Place { return new(Place) }, Keys: placeKeys}}
}

// A Place is a bucket and the role that may use it.
type Place struct {
	Role   catalog.Role
	Region string
	Bucket string
	KMSKey string // ARN; empty where the bucket needs none
	Grant  exchange.Grant
}

func placeKeys() keys.Set {
	return keys.Set{
		catalog.RoleAt(func(p *Place) *catalog.Role { return &p.Role }),
		keys.Text("region", func(p *Place) *string { return &p.Region }, catalog.Region()).Says("The bucket's AWS Region."),
		keys.Text("bucket", func(p *Place) *string { return &p.Bucket }, bucket()).Says("The bucket."),
		keys.Inline(func(p *Place) *exchange.Grant { return &p.Grant }, catalog.GrantKeys()),
		keys.Text("kms_key", func(p *Place) *string { return &p.KMSKey }, kmsKey()).Optional().Says("The ARN of the KMS key that encrypts the bucket, if it has one."),
		keys.Rule((*Place).keyOfRegion, "kms_key", "region"),
	}
}

// keyOfRegion: S3 asks KMS in the bucket's own Region, so another's key can never be used.
func (p *Place) keyOfRegion() error {
	if p.KMSKey != "" && strings.Split(p.KMSKey, ":")[3] != p.Region {
		return fmt.Errorf("kms_key is in another Region than the bucket, %s: write the key that encrypts the bucket there", p.Region)
	}
	return nil
}

// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func bucket() keys.Grammar {
	return keys.Grammar{Name: "the name of a bucket", Example: "acme-lake", Pattern: `^[a-z0-9][a-z0-9.-]+[a-z0-9]$`, Most: 63, Refuses: another}
}

// another refuses names of what is no general purpose bucket: a session policy for one could never
// match.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-alias.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
func another(name string) error {
	for suffix, is := range map[string]string{"-s3alias": "an access point", "--ol-s3": "an Object Lambda access point", "--xa-s3": "an access point of a directory bucket", ".mrap": "a multi-Region access point"} {
		if strings.HasSuffix(name, suffix) {
			return fmt.Errorf("is the alias of %s, which has policies of its own: write the bucket's name", is)
		}
	}
	if strings.HasSuffix(name, "--x-s3") || strings.HasSuffix(name, "--table-s3") {
		return errors.New("is a directory bucket or a table bucket, which takes no prefixes and other permissions: carnet vends for general purpose buckets")
	}
	return nil
}

func kmsKey() keys.Grammar {
	return keys.Grammar{Name: "the ARN of a KMS key", Example: "arn:aws:kms:eu-west-1:111122223333:key/ID", Pattern: `^arn:aws(-cn|-us-gov)?:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$`}
}

// About implements [catalog.Place].
func (p *Place) About() catalog.About {
	return catalog.About{Shown: p.Bucket, Where: "s3://" + p.Bucket, End: catalog.End{Role: &p.Role}, Grant: p.Grant, Gives: catalog.Session}
}

// Fits says what to drop of the grant where AWS does not take as much. Such a destination is
// linked all the same: a job that asks for one of its prefixes can be served.
func (p *Place) Fits() error {
	_, err := p.policy(p.Grant)
	return err
}

// Link implements [destination.Place].
func (p *Place) Link(at destination.At) (destination.Linked, error) {
	return at.Sessions(Name, map[string]string{"region": p.Region, "bucket": p.Bucket}, p.policy), nil
}

func (p *Place) policy(grant exchange.Grant) (string, error) {
	if len(grant.Prefixes) == 0 || grant.Access == "" {
		return "", destination.Nothing(p.Bucket)
	}
	text, err := awsid.SessionPolicy(p.Statements(grant))
	if err == nil && len(text) > awsid.MaxSessionPolicy {
		return "", destination.TooLong("session policy", len(text), awsid.MaxSessionPolicy, grant.Prefixes)
	}
	return text, err
}

// Statements are what a grant allows: objects under the prefixes; for whoever may read, the
// listing of those prefixes; and the bucket's key, if it has one.
func (p *Place) Statements(grant exchange.Grant) []awsid.Statement {
	bucket := "arn:" + awsid.PartitionOf(p.Role.ARN) + ":s3:::" + p.Bucket
	var objects, listed []string
	for _, prefix := range grant.Prefixes {
		objects, listed = append(objects, bucket+"/"+prefix+"*"), append(listed, prefix+"*")
	}
	list := []awsid.Statement{awsid.Allow(objects, objectActions(grant.Access)...)}
	if grant.Access.CanRead() {
		list = append(list, listing(bucket, grant.Prefixes, listed))
	}
	if p.KMSKey != "" {
		list = append(list, p.key(grant.Access))
	}
	return list
}

// listing is asked of the bucket, with a prefix that its condition compares. A request
// without one has nothing to compare, and lists the whole.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html#condition-key-bucket-ops-2
func listing(bucket string, prefixes, listed []string) awsid.Statement {
	list := awsid.Allow([]string{bucket}, "s3:ListBucket")
	if slices.Contains(prefixes, "") {
		return list
	}
	return list.If("StringLike", "s3:prefix", listed...)
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
// depending on a setting of the bucket. A multipart upload decrypts what it has just encrypted,
// so writing needs both actions.
// https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html#mpuAndPermissions
func (p *Place) key(a exchange.Access) awsid.Statement {
	actions := []string{"kms:Decrypt"}
	if a.CanWrite() {
		actions = []string{"kms:GenerateDataKey", "kms:Decrypt"}
	}
	return awsid.Allow([]string{p.KMSKey}, actions...).If("StringEquals", "kms:ViaService", "s3."+p.Region+"."+awsid.DNSSuffix(p.Region))
}
