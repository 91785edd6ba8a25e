package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	"carnet.dev/carnet/shared/caller"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// The codes are part of the API: programs branch on them.
const (
	codeBadRequest      = "bad_request"          // 400: the request must change
	codeUnauthenticated = "unauthenticated"      // 401: no caller was verified
	codeDenied          = "denied"               // 403: not this caller, or no such thing
	codeTrustRefused    = "trust_refused"        // 403: a cloud refused an edge of the chain
	codeThrottled       = "throttled"            // 429: later
	codeUnavailable     = "upstream_unavailable" // 503: a cloud is away, or answers nonsense
	codeInternal        = "internal"             // 500: the operator must look
)

// A problem is an error as a caller sees it.
type problem struct {
	status int
	after  time.Duration // Retry-After

	Code      string `json:"code"`
	Message   string `json:"message"`
	RequestID string `json:"request_id"`
	Edge      *edge  `json:"edge,omitempty"`
	Owner     string `json:"owner,omitempty"` // who can mend the edge: operator, tenant, third-party
}

// An edge is told by its place in the chain and the call that crossed it. Who stands at
// its ends is in the audit record of the same request: a caller may know its own side,
// and the other's names are not its business.
type edge struct {
	Position int    `json:"position"` // 1 is the edge out of the runtime
	Op       string `json:"op"`
	Code     string `json:"code,omitempty"` // the cloud's own
}

// A failure is an answer in the API's own shape.
type failure struct {
	Error problem `json:"error"`
}

// errUnauthenticated wraps why there is no verified caller, for the log.
var errUnauthenticated = errors.New("unauthenticated")

// explain is the one place where errors become answers. An edge is asked about first: what
// it wraps is a cloud's word, with names in it, and may be anything.
func explain(err error) problem {
	var broken *exchange.EdgeError
	switch {
	case errors.As(err, &broken):
		return explainEdge(broken)
	case errors.Is(err, errNowhere):
		return problem{status: http.StatusNotFound, Code: codeBadRequest, Message: err.Error()}
	case errors.Is(err, errMethod):
		return problem{status: http.StatusMethodNotAllowed, Code: codeBadRequest, Message: err.Error()}
	case errors.Is(err, errBusy):
		return problem{status: http.StatusTooManyRequests, Code: codeThrottled, Message: "there are too many requests at a time", after: time.Second}
	case errors.Is(err, errUnauthenticated), errors.Is(err, caller.ErrUnverified):
		return problem{status: http.StatusUnauthorized, Code: codeUnauthenticated, Message: "the request proves no caller: show one credential, as docs/api.md says"}
	case errors.Is(err, caller.ErrNoKeys):
		return problem{status: http.StatusServiceUnavailable, Code: codeUnavailable, Message: "the issuer of the credential cannot be asked for its keys", after: time.Second}
	case errors.Is(err, exchange.ErrDenied):
		return problem{status: http.StatusForbidden, Code: codeDenied, Message: "the caller may not have this destination, or there is no such destination"}
	case errors.Is(err, exchange.ErrNotRecorded):
		return internal()
	case errors.Is(err, exchange.ErrUnverified):
		return problem{status: http.StatusForbidden, Code: codeTrustRefused, Owner: string(exchange.Operator), Message: "nobody has seen yet that this destination refuses the operator without its binding: the operator checks it once, and it is served"}
	case errors.Is(err, exchange.ErrBadRequest), errors.Is(err, wire.ErrForm):
		return problem{status: http.StatusBadRequest, Code: codeBadRequest, Message: err.Error()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return problem{status: http.StatusServiceUnavailable, Code: codeUnavailable, Message: "there was no answer in time", after: time.Second}
	}
	return internal()
}

func internal() problem {
	return problem{status: http.StatusInternalServerError, Code: codeInternal, Message: "something is wrong here: the operator's log has it under this request_id"}
}

func explainEdge(e *exchange.EdgeError) problem {
	p := problem{Edge: &edge{Position: len(e.Crossed) + 1, Op: e.Edge.Op}, Owner: string(e.Owner), after: e.RetryAfter}
	switch e.Reason {
	case exchange.Refused:
		p.status, p.Code, p.after = http.StatusForbidden, codeTrustRefused, 0
		p.Edge.Code = e.Code
		p.Message = "a cloud refused this edge of the chain: its owner must change something before it is worth asking again"
	case exchange.Throttled:
		p.status, p.Code, p.after = http.StatusTooManyRequests, codeThrottled, max(p.after, time.Second)
		p.Message = "a cloud asked for fewer requests"
	default:
		p.status, p.Code, p.after = http.StatusServiceUnavailable, codeUnavailable, max(p.after, time.Second)
		p.Message = "a cloud gave no useful answer"
	}
	return p
}

// problem explains an error of this call, and logs what the answer leaves out.
func (c *call) problem(err error) problem {
	p := explain(err)
	p.RequestID = c.id
	if p.Code == codeDenied {
		c.lastAlike()
	}
	if p.status >= http.StatusInternalServerError || p.Code == codeUnauthenticated {
		c.Log.Warn("refused", "request_id", c.id, "code", p.Code, "error", err.Error())
	}
	return p
}

// deniedAfter is more than a bucket takes to say that it has no such file.
const deniedAfter = 200 * time.Millisecond

// lastAlike waits until a denial has lasted as long as every other: a name that was never
// asked for is looked up in the catalog's bucket, one that is in use is at hand, and the
// clock would tell the two apart.
func (c *call) lastAlike() {
	select {
	case <-time.After(time.Until(c.began.Add(deniedAfter))):
	case <-c.r.Context().Done():
	}
}

// fail answers with an error in the API's own shape.
func (c *call) fail(err error) {
	p := c.problem(err)
	c.headers(p)
	c.send(p.status, encoded(failure{p}))
}

// headers says what else goes with an error: when to come again, and with what.
func (c *call) headers(p problem) {
	if p.after > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int((p.after+time.Second-1)/time.Second)))
	}
	if p.status == http.StatusUnauthorized {
		c.w.Header().Set("WWW-Authenticate", "Bearer")
	}
}

// encoded writes what is made of strings and numbers, which cannot fail.
func encoded(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"error":{"code":"internal"}}`)
	}
	return text
}
