// Package api is the one http.Handler of every way to call carnet: the Lambda function,
// the Cloud Function, and the server.
//
//	POST /v1/credentials                             one credential, as JSON
//	POST /v1/credentials:batch                       up to a hundred, side by side
//	GET  /v1/tenants/{t}/destinations/{d}/aws        what AWS SDKs read from a container endpoint
//	POST /v1/token                                   RFC 8693, what Google SDKs ask a token_url
//	POST /v1/check                                   where a chain breaks, and whose job it is
//	GET  /healthz, /readyz                           that it runs, that it can serve
//
// A request is understood strictly or not at all. Its caller is verified before anything
// is looked up, who may ask for what is decided before a cloud is called, and an answer
// tells a caller what it may know: a code, the request's id, and of a chain that broke
// its position and whose job it is. What a cloud said, and other parties' names, stay in
// the log and the audit record.
package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
)

// Config says what a handler works with.
type Config struct {
	// Vend authorizes, mints and records: a Broker's Vend. Required.
	Vend func(context.Context, exchange.Request) (*exchange.Credential, error)
	// Check goes along a chain for whoever may have its credential: a Checker's Check. Required.
	Check func(ctx context.Context, req exchange.Request, probe bool) (check.Report, error)
	// Verify names the caller of a JSON Web Token. Nil: no token is taken.
	Verify func(context.Context, string) (exchange.Caller, error)
	// Principals says that the platform's word counts: callers whom WithPrincipal put
	// into the request's context.
	Principals bool
	// Ready says whether it can serve. Nil: always.
	Ready func(context.Context) error
	// Most is how many requests are answered at a time; who comes above that is told to
	// come again. 0: as many as come, since the platform has a bound of its own.
	Most int
	// Log gets what callers are not told. Nil: slog's default.
	Log *slog.Logger
}

// A handler answers requests. It keeps nothing between them.
type handler struct {
	Config
	mux   *http.ServeMux
	seats chan struct{} // nil: as many as come
}

// A route is a method and a path, in which {t} and {d} stand for a name. serve gives the
// answer of status 200. Whatever goes wrong, a panic too, is told by fail, in the shape that
// the route's readers know.
type route struct {
	method, path string
	serve        func(*call) ([]byte, error)
	fail         func(*call, error)
}

// A call is one request on its way through.
type call struct {
	*handler
	w     http.ResponseWriter
	r     *http.Request
	id    string
	began time.Time
	to    route
}

// New returns the handler.
func New(c Config) http.Handler {
	if c.Log == nil {
		c.Log = slog.Default()
	}
	h := &handler{Config: c, mux: http.NewServeMux()}
	for _, to := range append(routes(), nowhere()) {
		h.mux.Handle(to.path, h.at(to))
	}
	if c.Most > 0 {
		h.seats = make(chan struct{}, c.Most)
	}
	return h
}

func routes() []route {
	return []route{
		{http.MethodPost, "/v1/credentials", asked((*call).credentials), (*call).fail},
		{http.MethodPost, "/v1/credentials:batch", asked((*call).batch), (*call).fail},
		{http.MethodGet, "/v1/tenants/{t}/destinations/{d}/aws", (*call).container, (*call).failContainer},
		{http.MethodPost, "/v1/token", (*call).token, (*call).failToken},
		{http.MethodPost, "/v1/check", asked((*call).check), (*call).fail},
		{http.MethodGet, "/healthz", (*call).health, (*call).fail},
		{http.MethodGet, "/readyz", (*call).ready, (*call).failReady},
	}
}

// Routes lists what a handler answers, as "GET /path/{name}": the rest is 404 or 405.
func Routes() []string {
	var list []string
	for _, r := range routes() {
		list = append(list, r.method+" "+r.path)
	}
	return list
}

// nowhere is whatever is no other route. It takes any method.
func nowhere() route {
	return route{path: "/", serve: func(*call) ([]byte, error) { return nil, errNowhere }, fail: (*call).fail}
}

var (
	errNowhere = errors.New("there is nothing at this path")
	errMethod  = errors.New("this path takes")
	errBusy    = errors.New("too many requests at a time")
	errPanic   = errors.New("panic")
)

// ServeHTTP takes a path as it is: an escaped slash is not ours, and nobody is sent on from
// a path that is written in another way.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawPath != "" || path.Clean("/"+r.URL.Path) != r.URL.Path {
		h.at(nowhere()).ServeHTTP(w, r)
		return
	}
	h.mux.ServeHTTP(w, r)
}

// at answers requests of one path, of exactly its method.
func (h *handler) at(to route) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c := &call{handler: h, w: w, r: r, id: rand.Text(), began: time.Now(), to: to}
		w.Header().Set("X-Request-Id", c.id)
		w.Header().Set("Cache-Control", "no-store")
		if to.method != "" && to.method != r.Method {
			w.Header().Set("Allow", to.method)
			c.fail(fmt.Errorf("%w %s", errMethod, to.method))
			return
		}
		c.serve()
	}
}

// serve answers a request if there is a seat for it. Probes need none: a server that is busy
// is neither dead nor unready.
func (c *call) serve() {
	if c.seats != nil && strings.HasPrefix(c.to.path, "/v1/") {
		select {
		case c.seats <- struct{}{}:
			defer func() { <-c.seats }()
		default:
			c.to.fail(c, errBusy)
			return
		}
	}
	out, err := c.guarded(c.to.serve)
	if err != nil {
		c.to.fail(c, err)
		return
	}
	c.send(http.StatusOK, out)
}

// guarded recovers here and not further out: aws-lambda-go would have begun a 200 by then.
func (c *call) guarded(serve func(*call) ([]byte, error)) (out []byte, err error) {
	defer func() {
		if recover() != nil {
			// The value may hold anything; the stack tells where to look.
			c.Log.Error("panic", "request_id", c.id, "stack", string(debug.Stack()))
			out, err = nil, errPanic
		}
	}()
	return serve(c)
}

func (c *call) health() ([]byte, error) { return []byte(`{"status":"up"}`), nil }

func (c *call) ready() ([]byte, error) {
	if c.Ready != nil {
		if err := c.Ready(c.r.Context()); err != nil {
			return nil, err
		}
	}
	return []byte(`{"status":"ready"}`), nil
}

func (c *call) failReady(err error) {
	c.Log.Warn("not ready", "request_id", c.id, "error", err.Error())
	c.send(http.StatusServiceUnavailable, []byte(`{"status":"not ready"}`))
}

// send writes a whole answer. The content type has no charset: the Go SDK would take
// such an answer of the container endpoint for no JSON.
func (c *call) send(status int, body []byte) {
	c.w.Header().Set("Content-Type", jsonType)
	c.w.WriteHeader(status)
	if _, err := c.w.Write(body); err != nil {
		c.Log.Warn("the caller left", "request_id", c.id)
	}
}
