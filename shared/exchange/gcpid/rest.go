package gcpid

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/again"
	"carnet.dev/carnet/shared/strict"
)

// maxAnswer bounds a response. Google documents 12,288 bytes for a token.
const maxAnswer = 1 << 20

// post sends JSON with a bearer token. The upstream's id of the call goes into the
// edge.
func (c *Cloud) post(ctx context.Context, to string, as exchange.Secret, body, answer any, edge *exchange.Edge) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + as.Reveal()}}
	return c.send(ctx, http.MethodPost, to, header, text, into(answer), edge)
}

// postForm sends a form and, as the token endpoint asks, no Authorization.
func (c *Cloud) postForm(ctx context.Context, to string, form url.Values, answer any, edge *exchange.Edge) error {
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	return c.send(ctx, http.MethodPost, to, header, []byte(form.Encode()), into(answer), edge)
}

// A reader takes an answer of status 200.
type reader func(resp *http.Response, text []byte) error

// send tries up to three times, with jitter, as long as the upstream may change
// its mind.
func (c *Cloud) send(ctx context.Context, method, to string, header http.Header, body []byte, read reader, edge *exchange.Edge) error {
	return again.Call(ctx, func() error {
		return c.try(ctx, method, to, header, body, read, edge)
	}, func(err error) (bool, time.Duration) {
		var up *upstreamError
		if !errors.As(err, &up) {
			return false, 0
		}
		return up.reason() == exchange.Refused, up.retryAfter
	})
}

func (c *Cloud) try(ctx context.Context, method, to string, header http.Header, body []byte, read reader, edge *exchange.Edge) error {
	req, err := http.NewRequestWithContext(ctx, method, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = header // which no transport may change, so the next try has it too
	resp, err := c.http.Do(req)
	if err != nil {
		return withoutURL(err)
	}
	defer resp.Body.Close()
	c.clock.Learn(resp.Header)
	edge.RequestID = resp.Header.Get("X-Request-Id")
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("reading the answer: %w", err)
	case len(text) > maxAnswer:
		return fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
	case resp.StatusCode != http.StatusOK:
		return parseError(resp, text)
	}
	return read(resp, text)
}

// into reads one JSON object in which no key stands twice.
func into(answer any) reader {
	return func(resp *http.Response, text []byte) error {
		kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
		if kind = strings.TrimSpace(kind); !strings.EqualFold(kind, "application/json") {
			return fmt.Errorf("the answer is %q and not JSON", kind)
		}
		if strict.Check(text) != nil || json.Unmarshal(text, answer) != nil {
			// The decoder's error would quote the answer, and the answer has a token.
			return errors.New("the answer is not the JSON that was expected")
		}
		return nil
	}
}

// within is when a token ends that lives for so many seconds. A number that would be a year
// and more stays one, and no little one that overflowed.
func within(seconds int) time.Time {
	const year = 365 * 24 * 60 * 60
	return time.Now().Add(time.Duration(min(max(seconds, -year), year)) * time.Second)
}

// withoutURL keeps the cause alone: the edge says where the call went.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// An upstreamError is what Google said instead of yes.
type upstreamError struct {
	status     int
	code       string // PERMISSION_DENIED, or invalid_grant
	message    string
	permission string // the one that is missing, where Google names it
	retryAfter time.Duration
}

func (e *upstreamError) Error() string {
	msg := e.message
	if e.permission != "" && !strings.Contains(msg, e.permission) {
		msg += " (" + e.permission + ")"
	}
	return msg
}

func (e *upstreamError) reason() exchange.Reason {
	switch {
	case e.status == http.StatusTooManyRequests, e.code == "RESOURCE_EXHAUSTED", e.code == "quota_exceeded", e.code == "RATE_LIMIT_EXCEEDED":
		return exchange.Throttled
	case e.status >= http.StatusInternalServerError, e.status == http.StatusRequestTimeout, strings.HasPrefix(e.message, "Error connecting to the given credential's issuer"):
		return exchange.Unavailable
	}
	return exchange.Refused
}

// parseError reads both shapes: IAM's {"error":{"code","status","message"}} and
// the token endpoint's {"error","error_description"}.
func parseError(resp *http.Response, text []byte) error {
	e := &upstreamError{status: resp.StatusCode, code: strconv.Itoa(resp.StatusCode), message: http.StatusText(resp.StatusCode), retryAfter: again.After(resp.Header)}
	var body struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(text, &body) != nil {
		return e
	}
	var oauth string
	if json.Unmarshal(body.Error, &oauth) == nil {
		e.code, e.message = oauth, body.Description
		return e
	}
	e.readStatus(body.Error)
	return e
}

func (e *upstreamError) readStatus(text []byte) {
	var s struct {
		Status  string `json:"status"`
		Message string `json:"message"`
		Details []struct {
			Reason   string            `json:"reason"`
			Metadata map[string]string `json:"metadata"`
			// https://cloud.google.com/apis/design/errors#error_details
			RetryDelay string `json:"retryDelay"`
		} `json:"details"`
	}
	if json.Unmarshal(text, &s) != nil || s.Status == "" {
		return
	}
	e.code, e.message = s.Status, s.Message
	for _, d := range s.Details {
		if p := d.Metadata["permission"]; p != "" {
			e.permission = p
		}
		if d.Reason == "SERVICE_DISABLED" || d.Reason == "RATE_LIMIT_EXCEEDED" {
			e.code = d.Reason
		}
		if wait, err := time.ParseDuration(d.RetryDelay); err == nil {
			e.retryAfter = max(e.retryAfter, wait)
		}
	}
}

// failed makes an EdgeError of what went wrong on an edge.
func failed(err error, edge exchange.Edge, crossed exchange.Trail) error {
	var up *upstreamError
	if !errors.As(err, &up) {
		return exchange.AtEdge(err, edge, crossed)
	}
	return &exchange.EdgeError{
		Edge: edge, Crossed: crossed, Reason: up.reason(),
		Code: up.code, Status: up.status, RetryAfter: up.retryAfter, Err: err,
	}
}
