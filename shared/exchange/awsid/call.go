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

// The calls of this file are made by hand. They are three operations of STS, four of
// Redshift and three of Secrets Manager, each a few fields; the SDK's clients for them would
// be an eighth of a function's zip, and cost each start and each call (docs/performance.md).
// All of them share the clock that answers tell, and a request's tries.

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
	err = again.Call(ctx, func() error {
		id, err = c.once(ctx, s, service, region, header, body, read)
		return err
	}, func(err error) (bool, time.Duration) {
		var e *callError
		if !errors.As(err, &e) {
			return false, 0
		}
		return reason(e.code, e.status) == exchange.Refused && !e.untimely(), e.retryAfter
	})
	return id, err
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
	resp, err := c.http.Do(r)
	if err != nil {
		return "", withoutURL(err)
	}
	defer resp.Body.Close()
	c.clock.Learn(resp.Header)
	id := resp.Header.Get("X-Amzn-Requestid")
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return id, fmt.Errorf("reading the answer: %w", err)
	case len(text) > maxAnswer:
		return id, fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return id, refusal(resp, text, id, c.clock.Moved(ahead))
	}
	return id, read(resp.Header.Get("Content-Type"), text)
}

// withoutURL keeps the cause alone: the edge says where the call went.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
