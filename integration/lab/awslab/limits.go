package awslab

import (
	"bytes"
	"compress/flate"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

// limits are what stands above an account's own policies.
type limits struct {
	service  *policy // on what its identities do
	resource *policy // on who enters its roles
	off      []string
}

func newLimits(a *world.Account) (*limits, error) {
	l := &limits{off: a.DisabledRegions}
	var err error
	if len(a.ServiceControlPolicy) > 0 {
		if l.service, err = parsePolicy(a.ServiceControlPolicy, identityPolicy); err != nil {
			return nil, fmt.Errorf("service control policy: %w", err)
		}
	}
	if len(a.ResourceControlPolicy) > 0 {
		if l.resource, err = parsePolicy(a.ResourceControlPolicy, resourcePolicy); err != nil {
			return nil, fmt.Errorf("resource control policy: %w", err)
		}
	}
	return l, nil
}

// around sets the clock, and the endpoint through which STS is called.
func (c *Cloud) around(w *world.AWS) error {
	if c.now == nil {
		c.now = time.Now
	}
	if w.Ahead != "" {
		by, err := time.ParseDuration(w.Ahead)
		if err != nil {
			return fmt.Errorf("clock_ahead: %w", err)
		}
		own := c.now
		c.now = func() time.Time { return own().Add(by) }
	}
	if len(w.EndpointPolicy) == 0 {
		return nil
	}
	var err error
	c.endpoint, err = parsePolicy(w.EndpointPolicy, resourcePolicy)
	return err
}

// above says which policy above both roles refuses, in AWS's words; nothing where none
// does. A service control policy counts for the account of who asks, a resource control
// policy for that of what is asked for. Neither gives anything; one of the latter that says
// nothing lets it be, since RCPFullAWSAccess stands beside it always.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
// https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html
func (c *Cloud) above(req request, to *role) string {
	policies := map[string]*policy{"VPC endpoint policy": c.endpoint}
	if l := c.limits[req.who.role.account]; l != nil {
		policies["service control policy"] = l.service
	}
	if l := c.limits[accountIn(req.resource)]; to != nil && l != nil {
		policies["resource control policy"] = l.resource
	}
	for _, kind := range []string{"service control policy", "resource control policy", "VPC endpoint policy"} {
		p := policies[kind]
		if p == nil {
			continue
		}
		switch d := p.decide(req); {
		case d == denied:
			return " with an explicit deny in a " + kind
		case d == silent && kind != "resource control policy":
			return " because no " + kind + " allows the " + req.action + " action"
		}
	}
	return ""
}

func accountIn(arn string) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[4]
	}
	return ""
}

// regionOff refuses where the account of the role has switched the Region's STS off.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_temp_enable-regions.html
func (c *Cloud) regionOff(role, region string) *fault {
	account := accountIn(role)
	if l := c.limits[account]; l != nil && slices.Contains(l.off, region) {
		return &fault{http.StatusForbidden, "RegionDisabledException", "STS is not activated in this region for account:" + account + ". Your account administrator can activate STS in this region using the IAM Console."}
	}
	return nil
}

// packed refuses a session policy that is too large for a session's token.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html#API_AssumeRole_Errors
func (c *Cloud) packed(policy string) *fault {
	limit := c.world.PackedPolicy
	if limit == 0 || policy == "" {
		return nil
	}
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err == nil {
		_, err = w.Write([]byte(policy))
	}
	if err != nil || w.Close() != nil || b.Len() <= limit {
		return nil
	}
	return &fault{http.StatusBadRequest, "PackedPolicyTooLarge", fmt.Sprintf("Packed policy consumes %d%% of allotted space, please use smaller policy.", b.Len()*100/limit)}
}
