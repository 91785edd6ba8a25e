package gcpid

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"carnet.dev/carnet/shared/exchange"
)

// A Boundary is a Credential Access Boundary: the most that a token may do, in
// Cloud Storage and nowhere else. At most 10 rules and 2,048 characters.
// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials
type Boundary struct {
	Rules []BoundaryRule `json:"accessBoundaryRules"`
}

// A BoundaryRule lets the roles' permissions through on one bucket, where the
// condition holds.
type BoundaryRule struct {
	AvailableResource    string     `json:"availableResource"`    // //storage.googleapis.com/projects/_/buckets/BUCKET
	AvailablePermissions []string   `json:"availablePermissions"` // inRole:roles/storage.objectViewer
	Condition            *Condition `json:"availabilityCondition,omitempty"`
}

// A Condition is an expression in CEL.
type Condition struct {
	Expression string `json:"expression"`
}

// JSON returns the form in which the boundary is sent.
func (b Boundary) JSON() ([]byte, error) {
	return json.Marshal(struct {
		AccessBoundary Boundary `json:"accessBoundary"`
	}{b})
}

// downscope narrows a token. The narrowed one ends with it.
func (c *Cloud) downscope(ctx context.Context, email string, t Token, b Boundary) (Token, error) {
	edge := exchange.Edge{From: email, To: email, Op: "sts.token (access boundary)"}
	options, err := b.JSON()
	if err != nil {
		return Token{}, fmt.Errorf("encoding the access boundary: %w", err)
	}
	answer, err := c.exchangeToken(ctx, url.Values{
		"subject_token_type": {typeAccessToken},
		"subject_token":      {t.Value.Reveal()},
		"options":            {string(options)},
	}, &edge)
	if err != nil {
		return Token{}, failed(err, edge, t.Trail)
	}
	narrowed := answer.token(t.Trail.Then(edge))
	if answer.ExpiresIn == 0 || t.Expires.Before(narrowed.Expires) {
		narrowed.Expires = t.Expires
	}
	return narrowed, nil
}
