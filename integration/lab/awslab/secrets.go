package awslab

import (
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"
	"sync"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// A secret of Secrets Manager, with its versions.
type secret struct {
	arn, name, account string
	policy             *policy
	key                string // of KMS
	deleted            bool

	mu       sync.Mutex
	versions map[string]string // by id
	stages   map[string]string // version id by staging label
	changed  time.Time
}

const (
	current  = "AWSCURRENT"
	previous = "AWSPREVIOUS"
)

func newSecret(account, name string, w *world.Secret) (*secret, error) {
	suffix := w.Suffix
	if suffix == "" {
		sum := sha256.Sum256([]byte(account + name))
		suffix = base32.StdEncoding.EncodeToString(sum[:])[:6]
	}
	s := &secret{
		arn:  "arn:aws:secretsmanager:" + w.Region + ":" + account + ":secret:" + name + "-" + suffix,
		name: name, account: account, key: w.KMSKey, deleted: w.Deleted, versions: map[string]string{}, stages: map[string]string{},
	}
	if w.Value != "" {
		s.put(requestID(), w.Value)
	}
	var err error
	if len(w.Policy) > 0 {
		s.policy, err = parsePolicy(w.Policy, resourcePolicy)
	}
	return s, err
}

// put makes a version the current one; the one before stays as the previous.
func (s *secret) put(id, value string) {
	s.versions[id] = value
	if was := s.stages[current]; was != "" && was != id {
		s.stages[previous] = was
	}
	s.stages[current] = id
	for v := range s.versions { // what has no label is deprecated, and goes
		if v != s.stages[current] && v != s.stages[previous] {
			delete(s.versions, v)
		}
	}
}

// SecretsManager keeps secrets.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/Welcome.html
func (c *Cloud) SecretsManager() http.Handler {
	return c.jsonService("secretsmanager", "secretsmanager", operations{
		"GetSecretValue": c.getSecretValue, "PutSecretValue": c.putSecretValue, "DescribeSecret": c.describeSecret,
	})
}

// secret finds one by its ARN or, in the account of the session, by name, if the
// session may do the action with it. One that is not there is refused alike for
// whoever has no permission for its name.
func (c *Cloud) secret(s *session, region, action, name string) (*secret, *fault) {
	var found *secret
	for _, x := range c.secrets {
		if (x.arn == name || x.name == name && x.account == s.role.account) && strings.Contains(x.arn, ":"+region+":") {
			found = x
		}
	}
	resource := name
	if found != nil {
		resource = found.arn
	}
	req := request{action: action, resource: resource, context: s.context(), who: principal{role: s.role, session: s.arn()}}
	if ok := found == nil && s.permits(req).allows() || found != nil && s.reaches(req, found.policy, found.account); !ok {
		return nil, accessDenied("User: %s is not authorized to perform: %s on resource: %s because no identity-based policy allows the %s action", s.arn(), action, name, action)
	}
	if found == nil {
		return nil, &fault{http.StatusBadRequest, "ResourceNotFoundException", "Secrets Manager can't find the specified secret."}
	}
	return found, nil
}

func (c *Cloud) getSecretValue(s *session, region string, body []byte) (any, *fault) {
	ask, f := read[struct{ SecretId, VersionId, VersionStage string }](body)
	if f != nil {
		return nil, f
	}
	x, f := c.secret(s, region, "secretsmanager:GetSecretValue", ask.SecretId)
	if f != nil {
		return nil, f
	}
	if f := s.mayOpen(x); f != nil {
		return nil, f
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	stage := ask.VersionStage
	if stage == "" {
		stage = current
	}
	id := ask.VersionId
	if id == "" {
		id = x.stages[stage]
	}
	value, ok := x.versions[id]
	if !ok {
		return nil, &fault{http.StatusBadRequest, "ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: " + stage}
	}
	return map[string]any{"ARN": x.arn, "Name": x.name, "VersionId": id, "SecretString": value, "VersionStages": x.labels(id)}, nil
}

// mayOpen: a key of the customer's own takes a permission of its own.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/troubleshoot.html
func (s *session) mayOpen(x *secret) *fault {
	if x.deleted {
		return &fault{http.StatusBadRequest, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."}
	}
	if x.key == "" || s.may("kms:Decrypt", x.key) == nil {
		return nil
	}
	return &fault{http.StatusBadRequest, "AccessDeniedException", "Access to KMS is not allowed"}
}

func (x *secret) labels(id string) []string {
	var labels []string
	for label, of := range x.stages {
		if of == id {
			labels = append(labels, label)
		}
	}
	return labels
}

// putSecretValue: the token is the version's id. The same one with the same text is
// done already, with another text it is refused.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func (c *Cloud) putSecretValue(s *session, region string, body []byte) (any, *fault) {
	ask, f := read[struct{ SecretId, ClientRequestToken, SecretString string }](body)
	if f != nil {
		return nil, f
	}
	x, f := c.secret(s, region, "secretsmanager:PutSecretValue", ask.SecretId)
	if f != nil {
		return nil, f
	}
	if n := len(ask.ClientRequestToken); n < 32 || n > 64 || ask.SecretString == "" {
		return nil, &fault{http.StatusBadRequest, "InvalidParameterException", "a ClientRequestToken of 32 to 64 characters and a SecretString are required"}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	switch was, exists := x.versions[ask.ClientRequestToken]; {
	case exists && was != ask.SecretString:
		return nil, &fault{http.StatusBadRequest, "ResourceExistsException", "You can't use ClientRequestToken " + ask.ClientRequestToken + " because that value is already in use for a version of secret " + x.arn + "."}
	case !exists:
		x.put(ask.ClientRequestToken, ask.SecretString)
		x.changed = c.now()
	}
	return map[string]any{"ARN": x.arn, "Name": x.name, "VersionId": ask.ClientRequestToken, "VersionStages": x.labels(ask.ClientRequestToken)}, nil
}

func (c *Cloud) describeSecret(s *session, region string, body []byte) (any, *fault) {
	ask, f := read[struct{ SecretId string }](body)
	if f != nil {
		return nil, f
	}
	x, f := c.secret(s, region, "secretsmanager:DescribeSecret", ask.SecretId)
	if f != nil {
		return nil, f
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	versions := map[string][]string{}
	for id := range x.versions {
		versions[id] = x.labels(id)
	}
	answer := map[string]any{"ARN": x.arn, "Name": x.name, "VersionIdsToStages": versions}
	if !x.changed.IsZero() {
		answer["LastChangedDate"] = x.changed.Unix()
	}
	return answer, nil
}
