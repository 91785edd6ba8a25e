package googlelab

import (
	"fmt"
	"slices"
	"strings"
)

// https://cloud.google.com/iam/docs/downscoping-short-lived-credentials#limits
const (
	maxBoundary = 2048
	maxRules    = 10
)

// A rule of an access boundary lets the permissions of some roles through, on one
// bucket, where its condition holds.
type rule struct {
	Resource    string   `json:"availableResource"`
	Permissions []string `json:"availablePermissions"`
	Condition   *struct {
		Expression string `json:"expression"`
		Title      string `json:"title"`
	} `json:"availabilityCondition"`
}

const bucketResource = "//storage.googleapis.com/projects/_/buckets/"

func (c *Cloud) checkRule(r rule) error {
	if name, ok := strings.CutPrefix(r.Resource, bucketResource); !ok || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("%q is not a bucket of Cloud Storage", r.Resource)
	}
	if len(r.Permissions) == 0 {
		return fmt.Errorf("no available permissions")
	}
	for _, p := range r.Permissions {
		role, ok := strings.CutPrefix(p, "inRole:")
		c.mu.RLock()
		known := c.rolePermissions(role)
		c.mu.RUnlock()
		if !ok || known == nil {
			return fmt.Errorf("%q is not inRole: with a role", p)
		}
	}
	if r.Condition == nil {
		return nil
	}
	_, err := c.compile(r.Condition.Expression)
	return err
}

// lets tells whether the token's boundary lets a permission through on an object,
// or on the listing of a prefix.
func (c *Cloud) lets(t *token, a access) bool {
	if t.bounds == nil {
		return true
	}
	api := map[string]any{}
	if a.listing != nil {
		api["storage.googleapis.com/objectListPrefix"] = *a.listing
	}
	for _, r := range t.bounds {
		if r.Resource == bucketResource+a.bucket && c.ruleHas(r, a.permission) && c.ruleHolds(r, onObject(a.bucket, a.object), api) {
			return true
		}
	}
	return false
}

func (c *Cloud) ruleHas(r rule, permission string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return slices.ContainsFunc(r.Permissions, func(p string) bool {
		return slices.Contains(c.rolePermissions(strings.TrimPrefix(p, "inRole:")), permission)
	})
}

func (c *Cloud) ruleHolds(r rule, resource, api map[string]any) bool {
	if r.Condition == nil {
		return true
	}
	v, err := c.eval(r.Condition.Expression, map[string]any{"resource": resource, "api": api})
	return err == nil && v == true
}

// BoundaryHolds tells whether the condition of an access boundary lets an object through, or
// the listing of a prefix where listing is not nil. It holds what a grant compiles to against
// what the grant means.
func BoundaryHolds(expression, bucket, object string, listing *string) (bool, error) {
	c := &Cloud{programs: map[string]program{}}
	api := map[string]any{}
	if listing != nil {
		api["storage.googleapis.com/objectListPrefix"] = *listing
	}
	v, err := c.eval(expression, map[string]any{"resource": onObject(bucket, object), "api": api})
	return v == true, err
}
