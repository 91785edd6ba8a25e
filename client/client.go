// Package client asks carnet for credentials and gives them to what a Go program uses:
// the AWS SDK ([Client.AWS]), Google's libraries ([Client.TokenSource]), database/sql
// ([Client.Connector]). It knows carnet by its HTTP API alone. A job that may ask nobody reads
// what a schedule has put into a secret ([Delivered]).
//
//	c := &client.Client{URL: "https://….lambda-url.eu-west-1.on.aws", Proof: client.SigV4(creds, "eu-west-1")}
//	cfg := aws.Config{Region: "eu-west-1", Credentials: c.AWS("acme", "lake")}
//
// A credential is asked for when it is needed, kept while enough life is left in it, and
// asked for anew after that. carnet mints none that is good for less than was asked.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// A Client asks one deployment of carnet. It is safe for concurrent use.
type Client struct {
	// URL is the deployment's, without a path: https, but on loopback. Required.
	URL string
	// Proof shows who asks. Required.
	Proof Proof
	// HTTP reaches the deployment. Nil: a client with a time-out of 30 s that follows
	// no redirect, since a proof is meant for one host.
	HTTP *http.Client
}

// A Request says what is wanted.
type Request struct {
	Tenant      string
	Destination string
	MinTTL      time.Duration  // at least so much life is left in the answer; 0: five minutes
	Grant       exchange.Grant // less than the catalog grants; zero: all of it
	Job         string         // for the operator's audit log
}

// An Error is an answer that says no.
type Error struct {
	Status     int
	Code       string // bad_request, unauthenticated, denied, trust_refused, throttled, upstream_unavailable, internal
	Message    string
	RequestID  string // the operator finds the rest under it
	Owner      string // of the edge, for trust_refused: operator, tenant, third-party
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	msg := fmt.Sprintf("carnet: %s: %s (request %s)", e.Code, e.Message, e.RequestID)
	if e.Owner != "" {
		msg += ": the " + e.Owner + " can mend it"
	}
	return msg
}

// Temporary tells whether asking again later may help.
func (e *Error) Temporary() bool { return e.Code == "throttled" || e.Code == "upstream_unavailable" }

const (
	maxAnswer = 1 << 20
	timeout   = 30 * time.Second
	tries     = 3
	longest   = time.Minute // that is waited between two tries
)

// Vend asks for one credential. What is temporary is tried up to three times, after the
// pause that carnet asks for; one of more than a minute is the caller's to wait. Errors are
// an *Error, or of the transport.
func (c *Client) Vend(ctx context.Context, r Request) (*exchange.Credential, error) {
	body, err := json.Marshal(encoded(r))
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		cred, err := c.vend(ctx, body)
		var no *Error
		if err == nil || !errors.As(err, &no) || !no.Temporary() || no.RetryAfter > longest || try == tries {
			return cred, err
		}
		select {
		case <-time.After(max(no.RetryAfter, time.Second)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

func encoded(r Request) map[string]any {
	m := map[string]any{"tenant": r.Tenant, "destination": r.Destination}
	if r.MinTTL > 0 {
		m["min_ttl"] = int(r.MinTTL / time.Second)
	}
	if !r.Grant.IsZero() {
		m["grant"] = r.Grant
	}
	if r.Job != "" {
		m["job"] = r.Job
	}
	return m
}

// Check has the deployment go along a chain, and with probe try what the destination must
// refuse. The answer is the Report of docs/openapi.yaml. Nothing is tried twice.
func (c *Client) Check(ctx context.Context, tenant, destination string, probe bool) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"tenant": tenant, "destination": destination, "probe": probe})
	if err != nil {
		return nil, err
	}
	return c.post(ctx, "/v1/check", body)
}

func (c *Client) vend(ctx context.Context, body []byte) (*exchange.Credential, error) {
	text, err := c.post(ctx, "/v1/credentials", body)
	if err != nil {
		return nil, err
	}
	cred, _, err := wire.Decode(text)
	return cred, err
}

func (c *Client) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.URL, "/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	switch {
	case req.URL.Scheme != "https" && !(req.URL.Scheme == "http" && loopback(req.URL.Hostname())):
		return nil, fmt.Errorf("carnet: the client's URL is %q: write https, or whoever is on the way has the credential", c.URL)
	case c.Proof == nil:
		return nil, errors.New("carnet: the client has no Proof of who asks")
	}
	if err := c.Proof(ctx, req, body); err != nil {
		return nil, fmt.Errorf("carnet: proving who asks: %w", err)
	}
	resp, err := c.client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, refusal(resp, text)
	}
	return text, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *Client) client() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{Timeout: timeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// refusal reads an error; one that is not carnet's own is the platform's in front of it.
func refusal(resp *http.Response, text []byte) error {
	var body struct {
		Error struct {
			Code      string `json:"code"`
			Message   string `json:"message"`
			RequestID string `json:"request_id"`
			Owner     string `json:"owner"`
		} `json:"error"`
	}
	e := &Error{Status: resp.StatusCode}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	if json.Unmarshal(text, &body) != nil || body.Error.Code == "" {
		e.Code, e.Message = "platform", "the platform in front of carnet answers "+resp.Status+": it may not know the caller, or the URL is another"
		return e
	}
	e.Code, e.Message, e.RequestID, e.Owner = body.Error.Code, body.Error.Message, body.Error.RequestID, body.Error.Owner
	return e
}
