package awsid_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/again"
	"carnet.dev/carnet/shared/exchange/awsid"
)

// A vault answers for Secrets Manager.
type vault func(*http.Request) *http.Response

// RoundTrip implements [http.RoundTripper].
func (v vault) RoundTrip(r *http.Request) (*http.Response, error) { return v(r), nil }

func said(status int, text string, header ...string) *http.Response {
	h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amzn-Requestid": {"r-1"}, "Date": {time.Now().UTC().Format(http.TimeFormat)}}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(text))}
}

func holder(v vault) *awsid.Identity {
	cloud := awsid.New(awsid.Config{Region: "us-east-1", HTTP: &http.Client{Transport: v}})
	return cloud.Runtime("arn:aws:iam::111122223333:role/f", aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "ASIA", SecretAccessKey: "s", SessionToken: "t"}, nil
	}))
}

const vaultARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:key-AbCdEf"

func TestASecretIsReadWhereItIs(t *testing.T) {
	i := holder(func(r *http.Request) *http.Response {
		text, err := io.ReadAll(r.Body)
		if r.URL.Host != "secretsmanager.eu-west-1.amazonaws.com" || r.Header.Get("X-Amz-Target") != "secretsmanager.GetSecretValue" ||
			string(text) != `{"SecretId":"`+vaultARN+`"}` || !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/secretsmanager/aws4_request") || err != nil {
			t.Errorf("%s %v %s, %v", r.URL, r.Header, text, err)
		}
		return said(200, `{"ARN":"`+vaultARN+`","SecretString":"the key"}`)
	})
	secret, trail, err := i.Secret(t.Context(), vaultARN)
	if err != nil || secret.Reveal() != "the key" || len(trail) != 1 || trail[0].RequestID != "r-1" || trail[0].Op != "secretsmanager:GetSecretValue" {
		t.Errorf("%v, %v, %v", secret.Reveal(), trail, err)
	}
}

// TestAVaultOnABadDay: what it says instead of a secret has its code, status, id and words,
// and is asked again where it may change its mind; what cannot be read in one way alone is not
// read; and nothing of a secret is in an error.
func TestAVaultOnABadDay(t *testing.T) {
	for name, x := range map[string]struct {
		answer *http.Response
		want   exchange.EdgeError
		tries  int
	}{
		"denied":    {said(400, `{"__type":"AccessDeniedException","Message":"not you"}`), exchange.EdgeError{Reason: exchange.Refused, Code: "AccessDeniedException", Status: 400, Err: errors.New("not you")}, 1},
		"deleted":   {said(400, `{"__type":"InvalidRequestException","Message":"gone"}`), exchange.EdgeError{Reason: exchange.Refused, Code: "InvalidRequestException", Status: 400, Err: errors.New("gone")}, 1},
		"throttled": {said(400, `{"__type":"ThrottlingException","message":"slow"}`, "Retry-After", "2"), exchange.EdgeError{Reason: exchange.Throttled, Code: "ThrottlingException", Status: 400, RetryAfter: 2 * time.Second, Err: errors.New("slow")}, 3},
		"away":      {said(503, "<html>"), exchange.EdgeError{Reason: exchange.Unavailable, Code: "Service Unavailable", Status: 503, Err: errors.New("")}, 3},
		"a page":    {said(200, "<html>canary", "Content-Type", "text/html"), exchange.EdgeError{Reason: exchange.Unavailable}, 3},
		"two of it": {said(200, `{"SecretString":"canary","secretstring":"canary"}`), exchange.EdgeError{Reason: exchange.Unavailable}, 3},
		"no string": {said(200, `{"SecretString":["canary"]}`), exchange.EdgeError{Reason: exchange.Unavailable}, 3},
		"no end":    {said(200, `{"SecretString":"`+strings.Repeat("canary", 1<<18)), exchange.EdgeError{Reason: exchange.Unavailable}, 3},
	} {
		synctest.Test(t, func(t *testing.T) {
			tries := 0
			text, err := io.ReadAll(x.answer.Body)
			if err != nil {
				t.Fatal(err)
			}
			i := holder(func(*http.Request) *http.Response {
				tries++
				again := *x.answer
				again.Body = io.NopCloser(strings.NewReader(string(text)))
				return &again
			})
			_, _, err = i.Secret(again.OneBudget(t.Context()), vaultARN)
			var got *exchange.EdgeError
			if !errors.As(err, &got) || got.Reason != x.want.Reason || got.Code != x.want.Code || got.Status != x.want.Status || got.RetryAfter != x.want.RetryAfter {
				t.Fatalf("%s: %+v", name, err)
			}
			if x.want.Err != nil && (got.Err.Error() != x.want.Err.Error() || got.Edge.RequestID != "r-1") || got.Edge.To != vaultARN {
				t.Errorf("%s: %v in %s", name, got.Err, got.Edge.RequestID)
			}
			if strings.Contains(err.Error(), "canary") || tries != x.tries {
				t.Errorf("%s: %d tries, %v", name, tries, err)
			}
		})
	}
}

// TestASecretInAnotherTime: the refusal of the first call tells what time it is there.
func TestASecretInAnotherTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		there := func() time.Time { return time.Now().Add(19 * time.Minute).UTC() }
		calls := 0
		i := holder(func(r *http.Request) *http.Response {
			calls++
			signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
			if err != nil || there().Sub(signed).Abs() > 15*time.Minute {
				return said(400, `{"__type":"InvalidSignatureException","message":"Signature not yet current"}`, "Date", there().Format(http.TimeFormat))
			}
			return said(200, `{"SecretString":"the key"}`, "Date", there().Format(http.TimeFormat))
		})
		if secret, _, err := i.Secret(t.Context(), vaultARN); err != nil || secret.Reveal() != "the key" || calls != 2 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

func TestAVersionThatIsThereAlready(t *testing.T) {
	i := holder(func(r *http.Request) *http.Response {
		if r.Header.Get("X-Amz-Target") == "secretsmanager.DescribeSecret" {
			return said(200, `{"VersionIdsToStages":{"slot-1":["AWSCURRENT"]}}`)
		}
		return said(400, `{"__type":"ResourceExistsException","Message":"it is there"}`)
	})
	if err := i.Deliver(t.Context(), vaultARN, "slot-1", []byte("x")); err != nil {
		t.Error(err)
	}
	for id, want := range map[string]bool{"slot-1": true, "slot-2": false} {
		if there, err := i.Delivered(t.Context(), vaultARN, []string{"slot-0", id}, time.Time{}); there != want || err != nil {
			t.Errorf("%s: %v, %v", id, there, err)
		}
	}
}
