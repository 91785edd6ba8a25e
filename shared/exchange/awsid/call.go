package awsid

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/again"
)

// STS, Redshift and Redshift Serverless are called by hand: seven operations of a few fields
// each, where the SDK's clients would cost each start more than all of carnet's own code does
// (docs/architecture.md). Secrets Manager is called by the SDK. Every call, by hand or not, is
// signed by the clock that answers tell, sent by answer, and tried within the request's budget.

// maxAnswer bounds a response.
const maxAnswer = 1 << 20

// A callError is an answer that says no, in either protocol.
type callError struct {
	status     int
	code       string
	message    string
	requestID  string
	retryAfter time.Duration
	untold     bool // its Date was not known when the call was signed
}

func (e *callError) Error() string { return e.code + ": " + e.message }

// Query calls an operation of a service that takes forms and answers in XML, as the
// session. answer is filled from the element <ActionResult>. It returns AWS's id of the
// request.
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
func (c *Cloud) Query(ctx context.Context, s Session, service, region, version, action string, args url.Values, answer any) (string, error) {
	form := url.Values{"Action": {action}, "Version": {version}}
	for key, values := range args {
		form[key] = values
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	return c.call(ctx, &s, service, region, header, []byte(form.Encode()), inXML(action, answer))
}

// stsVersion is the API's one and only.
const stsVersion = "2011-06-15"

// sts calls the Region's token service as a session, or as nobody where s is nil.
func (c *Cloud) sts(ctx context.Context, s *Session, action string, args url.Values, answer any) (string, error) {
	args.Set("Action", action)
	args.Set("Version", stsVersion)
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	return c.call(ctx, s, "sts", c.region, header, []byte(args.Encode()), inXML(action, answer))
}

// A reader takes an answer of status 200.
type reader func(contentType string, text []byte) error

// JSON calls an operation of a service that speaks JSON 1.1, as the session.
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
func (c *Cloud) JSON(ctx context.Context, s Session, service, region, target string, ask, answer any) (string, error) {
	text, err := json.Marshal(ask)
	if err != nil {
		return "", err
	}
	header := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {target}}
	return c.call(ctx, &s, service, region, header, text, inJSON(answer))
}

func (c *Cloud) call(ctx context.Context, s *Session, service, region string, header http.Header, body []byte, read reader) (id string, err error) {
	err = tries(ctx, func() error {
		id, err = c.once(ctx, s, service, region, header, body, read)
		return err
	})
	return id, err
}

// tries makes a call within the tries of its request.
func tries(ctx context.Context, call func() error) error {
	return again.Call(ctx, call, func(err error) (bool, time.Duration) {
		var e *callError
		if !errors.As(err, &e) {
			return false, 0
		}
		return reason(e.code, e.status) == exchange.Refused && !e.untimely(), e.retryAfter
	})
}

// untimely tells whether only our clock was the reason for a refusal whose Date has just
// corrected it: the next signature has the right time.
func (e *callError) untimely() bool {
	switch strings.TrimSuffix(e.code, "Exception") {
	case "RequestExpired", "RequestInTheFuture", "RequestTimeTooSkewed", "InvalidSignature":
		return e.untold
	case "SignatureDoesNotMatch":
		return e.untold && strings.HasPrefix(e.message, "Signature ")
	}
	return false
}

func (c *Cloud) once(ctx context.Context, s *Session, service, region string, header http.Header, body []byte, read reader) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+host(service, region)+"/", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	r.Header = header.Clone()
	ahead := c.clock.Ahead()
	if s != nil {
		sum := sha256.Sum256(body)
		if err := c.signer.SignHTTP(ctx, s.sdk(), r, hex.EncodeToString(sum[:]), service, region, time.Now().Add(ahead)); err != nil {
			return "", fmt.Errorf("signing the call: %w", err)
		}
	}
	got, text, err := c.answer(r, ahead)
	if err == nil {
		err = read(got.Get("Content-Type"), text)
	}
	return requestID(got), err
}

// requestID is AWS's own id of a call.
func requestID(h http.Header) string { return h.Get("X-Amzn-Requestid") }

// answer sends a call that was signed with AWS's clock so far ahead, and gives the header and
// text of what says yes. What says no is a callError, whoever made the call.
func (c *Cloud) answer(r *http.Request, ahead time.Duration) (http.Header, []byte, error) {
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, nil, withoutURL(err)
	}
	defer resp.Body.Close()
	c.clock.Learn(resp.Header)
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		err = fmt.Errorf("reading the answer: %w", err)
	case len(text) > maxAnswer:
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		err = refusal(resp, text, c.clock.Moved(ahead))
	}
	return resp.Header, text, err
}

// withoutURL keeps the cause alone: the edge says where the call went.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
