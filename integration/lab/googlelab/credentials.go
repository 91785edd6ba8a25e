package googlelab

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/world"
)

const (
	delegation   = "iam.serviceAccounts.implicitDelegation"
	accessTokens = "iam.serviceAccounts.getAccessToken"
	idTokens     = "iam.serviceAccounts.getOpenIdToken"
)

// IAMCredentials is the service that impersonates.
func (c *Cloud) IAMCredentials() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/projects/{project}/serviceAccounts/{call}", c.impersonate)
	return unpacked(mux)
}

type impersonation struct {
	Delegates    []string `json:"delegates"`
	Scope        []string `json:"scope"`
	Lifetime     string   `json:"lifetime"`
	Audience     string   `json:"audience"`
	IncludeEmail bool     `json:"includeEmail"`
}

func (c *Cloud) impersonate(w http.ResponseWriter, r *http.Request) {
	target, verb, _ := strings.Cut(r.PathValue("call"), ":")
	w.Header().Set("Lab-Operation", "iamcredentials."+verb)
	answer, f := c.impersonated(r, target, verb)
	if f != nil {
		f.write(w)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (c *Cloud) impersonated(r *http.Request, target, verb string) (any, *fault) {
	t, f := c.bearer(r)
	if f != nil {
		return nil, f
	}
	if c.world.Throttled {
		return nil, &fault{code: http.StatusTooManyRequests, status: "RESOURCE_EXHAUSTED", message: "Quota exceeded for quota metric 'Generate credentials requests' and limit 'Generate credentials requests per minute' of service 'iamcredentials.googleapis.com'.", reason: "RATE_LIMIT_EXCEEDED"}
	}
	if f := scoped(t, "iamcredentials"); f != nil {
		return nil, f
	}
	if r.PathValue("project") != "-" {
		return nil, invalid("The project must be a wildcard: projects/-/serviceAccounts/{ACCOUNT_EMAIL_OR_UNIQUEID}.")
	}
	var ask impersonation
	dec := json.NewDecoder(io.LimitReader(r.Body, 1<<16))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&ask); err != nil {
		return nil, invalid("Invalid JSON payload received. " + err.Error())
	}
	switch verb {
	case "generateAccessToken":
		return c.generateAccessToken(t, target, ask)
	case "generateIdToken":
		return c.generateIDToken(t, target, ask)
	}
	return nil, &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Method not found."}
}

// walk checks the arrows from a token through the delegates to the target, each by
// its permission on the account that it points at. Google's answer does not say at
// which of them it broke.
// https://cloud.google.com/iam/docs/create-short-lived-credentials-delegated
func (c *Cloud) walk(t *token, target string, delegates []string, last string) (*world.ServiceAccount, string, *fault) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if t.account == "" && len(delegates) > 0 && c.world.FederatedDelegates != nil && !*c.world.FederatedDelegates {
		return nil, "", denied(delegation)
	}
	who := t.who()
	var account *world.ServiceAccount
	var email string
	for i, name := range append(slices.Clone(delegates), "projects/-/serviceAccounts/"+target) {
		short, ok := strings.CutPrefix(name, "projects/-/serviceAccounts/")
		if !ok {
			return nil, "", invalid("Invalid delegate: each must be of the form projects/-/serviceAccounts/{ACCOUNT_EMAIL_OR_UNIQUEID}.")
		}
		permission := delegation
		if i == len(delegates) {
			permission = last
		}
		account, email = c.account(short)
		if account == nil {
			return nil, "", c.missing(who, short, permission)
		}
		if f := c.arrow(who, account, email, permission); f != nil {
			return nil, "", f
		}
		who = []string{"serviceAccount:" + email}
	}
	return account, email, nil
}

func (c *Cloud) arrow(who []string, account *world.ServiceAccount, email, permission string) *fault {
	project := c.projectOf(email)
	if slices.Contains(project.DisabledAPIs, "iamcredentials.googleapis.com") {
		return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "IAM Service Account Credentials API has not been used in project " + project.Number + " before or it is disabled.", reason: "SERVICE_DISABLED"}
	}
	if project.Perimeter {
		// https://cloud.google.com/vpc-service-controls/docs/troubleshooting
		return &fault{code: http.StatusForbidden, status: "PERMISSION_DENIED", message: "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: LAB.", reason: "SECURITY_POLICY_VIOLATED"}
	}
	if !c.holds(who, permission, account.Bindings, project.Bindings) {
		return denied(permission)
	}
	if account.Disabled {
		return &fault{code: http.StatusBadRequest, status: "FAILED_PRECONDITION", message: "Service account is disabled."}
	}
	return nil
}

// missing is the answer for an account that is not there: nobody is told so, but whoever
// has the permission on all of the project's.
func (c *Cloud) missing(who []string, email, permission string) *fault {
	_, domain, _ := strings.Cut(email, "@")
	project, _, _ := strings.Cut(domain, ".")
	if p := c.world.Projects[project]; p != nil && c.holds(who, permission, p.Bindings) {
		return &fault{code: http.StatusNotFound, status: "NOT_FOUND", message: "Not found; Gaia id not found for email " + email}
	}
	return denied(permission)
}

func (c *Cloud) generateAccessToken(t *token, target string, ask impersonation) (any, *fault) {
	if len(ask.Scope) == 0 || ask.Audience != "" {
		return nil, invalid("The scope list is empty or invalid for a request of an access token.")
	}
	account, email, f := c.walk(t, target, ask.Delegates, accessTokens)
	if f != nil {
		return nil, f
	}
	life, f := lifetime(ask.Lifetime, account.ExtendedLifetime)
	if f != nil {
		return nil, f
	}
	expires := c.now().Add(life).Truncate(time.Second)
	value := c.open(&token{account: email, scopes: ask.Scope, expires: expires})
	return map[string]string{"accessToken": value, "expireTime": expires.UTC().Format(time.RFC3339)}, nil
}

// lifetime: an hour, or twelve where the organisation lists the account.
// https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oauth
func lifetime(text string, extended bool) (time.Duration, *fault) {
	if text == "" {
		return time.Hour, nil
	}
	if !regexp.MustCompile(`^[0-9]+s$`).MatchString(text) {
		return 0, invalid("Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), \"" + text + "\"")
	}
	n, err := strconv.Atoi(strings.TrimSuffix(text, "s"))
	most := 3600
	if extended {
		most = 43200
	}
	if err != nil || n < 1 || n > most {
		return 0, invalid("Access token lifetime cannot exceed " + strconv.Itoa(most) + " seconds. If you require a longer lifetime, set the organization policy constraints/iam.allowServiceAccountCredentialLifetimeExtension.")
	}
	return time.Duration(n) * time.Second, nil
}

func (c *Cloud) generateIDToken(t *token, target string, ask impersonation) (any, *fault) {
	if ask.Audience == "" || len(ask.Scope) > 0 || ask.Lifetime != "" {
		return nil, invalid("The audience is required, and an ID token has neither scope nor lifetime.")
	}
	account, email, f := c.walk(t, target, ask.Delegates, idTokens)
	if f != nil {
		return nil, f
	}
	value, err := c.signIDToken(account.UniqueID, email, ask.Audience, ask.IncludeEmail)
	if err != nil {
		return nil, &fault{code: http.StatusInternalServerError, status: "INTERNAL", message: err.Error()}
	}
	return map[string]string{"token": value}, nil
}
