package integration

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// A reply is an answer that is documented and that no state of the lab gives: carnet does
// not ask for what brings it, or it is a cloud's own bad day. It is put into the way of one
// call, unlike those of the catalogue of failures, which a broken world gives.
type reply struct {
	name, destination string
	host, asked       string // of the call, and a part of its body
	answer            fault
	want              check.Outcome
	codes             []string
}

func inXML(status int, code, message string) fault {
	return answering(status, "text/xml", fmt.Sprintf(stsError, code, message))
}

func inStatus(code int, status, message string) fault {
	return answering(code, "application/json", fmt.Sprintf(`{"error":{"code":%d,"status":%q,"message":%q}}`, code, status, message))
}

func inOAuth(code, message string) fault {
	return answering(http.StatusBadRequest, "application/json", fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, message))
}

// replies: https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and the
// errors of each operation; https://cloud.google.com/apis/design/errors;
// https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation.
func replies() []reply {
	const sts, google, credentials = "sts.eu-west-1", "sts.googleapis.com", "iamcredentials"
	return []reply{
		{"a policy that AWS does not read", "lake", sts, "Policy=", inXML(400, "MalformedPolicyDocument", "Syntax errors in policy."), check.BrokenChain, []string{"malformed_policy"}},
		{"more than an hour of a chained role", "lake", sts, "acme-share", inXML(400, "ValidationError", "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."), check.BrokenChain, []string{"chained_duration"}},
		{"a Region that is not opted in to", "lake", sts, "AssumeRole", inXML(403, "OptInRequired", "The AWS access key ID needs a subscription for the service."), check.BrokenChain, []string{"region_disabled"}},
		{"a request that came late", "lake", sts, "AssumeRole", inXML(400, "RequestExpired", "Request has expired."), check.BrokenChain, []string{"clock"}},
		{"a signature that is not whole", "lake", sts, "AssumeRole", inXML(400, "IncompleteSignature", "The request signature does not conform to AWS standards."), check.BrokenChain, []string{"session_invalid"}},
		{"a token that outlives the session", "frost", sts, "GetWebIdentityToken", inXML(403, "SessionDurationEscalationException", "The requested token duration would extend the session beyond its original expiration time."), check.BrokenChain, []string{"session_too_short"}},
		{"AWS's bad day", "lake", sts, "AssumeRole", inXML(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."), check.NoAnswer, []string{"unavailable"}},
		{"a code that is in no list", "lake", sts, "AssumeRole", inXML(403, "SomethingNew", "No."), check.BrokenChain, []string{"unknown"}},
		{"a connection that is cut", "lake", sts, "AssumeRole", reset, check.NoAnswer, []string{"unavailable"}},
		{"a host that says nothing", "lake", sts, "AssumeRole", hanging, check.NoAnswer, []string{"deadline"}},
		{"a token for the account's own OIDC provider's other clients", "globex/lake", sts, "WithWebIdentity", inXML(400, "InvalidIdentityToken", "Incorrect token audience"), check.BrokenChain, []string{"wrong_audience"}},
		{"an issuer that the account does not know", "globex/lake", sts, "WithWebIdentity", inXML(400, "InvalidIdentityToken", "No OpenIDConnect provider found in your account for https://accounts.google.com"), check.BrokenChain, []string{"issuer_unknown"}},
		{"a token that its issuer took back", "globex/lake", sts, "WithWebIdentity", inXML(403, "IDPRejectedClaim", "The identity provider rejected the claim."), check.BrokenChain, []string{"proof_rejected"}},
		{"a boundary that Google does not read", "drop", google, "options=", inOAuth("invalid_request", "Invalid access boundary."), check.BrokenChain, []string{"access_boundary"}},
		{"an answer of AWS's that Google relays", "drop", google, "aws4_request", inOAuth("invalid_grant", "Received invalid AWS response of type InternalFailure with error message: none"), check.BrokenChain, []string{"aws_refused_proof"}},
		{"a federated token whose pool is disabled meanwhile", "drop", credentials, "scope", inStatus(401, "UNAUTHENTICATED", "Request had invalid authentication credentials."), check.BrokenChain, []string{"token_refused"}},
		{"a constraint of the organization", "drop", credentials, "scope", inStatus(400, "FAILED_PRECONDITION", "Operation denied by org policy: constraints/iam.disableCrossProjectServiceAccountUsage"), check.BrokenChain, []string{"organization_constraint"}},
		{"Google's bad day", "drop", credentials, "scope", inStatus(503, "UNAVAILABLE", "The service is currently unavailable."), check.NoAnswer, []string{"unavailable"}},
		{"a KMS key that is disabled", "ledger", "secretsmanager", "SecretId", answering(400, "application/x-amz-json-1.1", `{"__type":"DecryptionFailure","Message":"Secrets Manager can't decrypt the protected secret text using the provided KMS key."}`), check.BrokenChain, []string{"secret_key"}},
		{"a cluster that is being made", "marts", "redshift.eu-west-1", "GetCluster", inXML(400, "UnsupportedOperation", "The requested operation isn't supported."), check.BrokenChain, []string{"login_not_allowed", "database_missing"}},
	}
}

// TestRepliesThatNoWorldGives keeps the canned answers apart from the catalogue.
func TestRepliesThatNoWorldGives(t *testing.T) {
	l, dir := startSample(t)
	for _, r := range replies() {
		t.Run(r.name, func(t *testing.T) {
			d, way := startFaulty(t, l, "aws", dir)
			way.set(r.host, r.once())
			ask := exchange.Request{ID: "R", Caller: exchange.Console, Tenant: "acme", Destination: r.destination}
			if tenant, destination, ok := strings.Cut(r.destination, "/"); ok {
				ask.Tenant, ask.Destination = tenant, destination
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			got, err := d.Check.Check(ctx, ask, false)
			if err != nil || got.Outcome != r.want || got.Finding == nil {
				t.Fatalf("%s %v: %v", got.Outcome, got.Err(), err)
			}
			var codes []string
			for _, c := range got.Finding.Causes {
				if !slices.Contains(codes, c.Code) {
					codes = append(codes, c.Code)
				}
			}
			if !slices.Equal(codes, r.codes) {
				t.Errorf("%s means %v, and should mean %v", got.Err(), codes, r.codes)
			}
		})
	}
}

// once gives the answer to the call that is meant, and leaves the others alone.
func (r reply) once() fault {
	return func(req *http.Request, base http.RoundTripper) (*http.Response, error) {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(text))
		if !strings.Contains(string(text), r.asked) {
			return base.RoundTrip(req)
		}
		return r.answer(req, base)
	}
}

// TestEveryCauseIsSeen: what a finding can have for a cause is in the catalogue, or among
// the replies; docs/diagnose.md lists each, and no other.
func TestEveryCauseIsSeen(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range replies() {
		for _, code := range r.codes {
			seen[code] = true
		}
	}
	for _, file := range failures(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^([a-z_]+), for the `).FindAllStringSubmatch(string(text), -1) {
			seen[m[1]] = true
		}
	}
	for _, code := range check.Codes(kinds.All()) {
		if !seen[code] {
			t.Errorf("%s is seen nowhere", code)
		}
	}
	page, err := os.ReadFile("../docs/diagnose.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		listed = append(listed, m[1])
	}
	slices.Sort(listed)
	if want := check.Codes(kinds.All()); !slices.Equal(listed, want) {
		t.Errorf("docs/diagnose.md lists %v\nand there are %v", listed, want)
	}
}
