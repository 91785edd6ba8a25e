// Package lab runs AWS and Google Cloud on loopback, as a world describes them.
//
// The lab answers under the clouds' own names. A [Machine] is a place in it where a
// process runs: its client reaches sts.eu-west-1.amazonaws.com and the others by
// name, over TLS, and finds the lab there, so that what runs in the lab is what
// runs outside, down to the host that a signature covers. Any other host is
// refused.
//
// The lab refuses what the clouds refuse; packages awslab and googlelab say which
// rule comes from where. It also listens to what is said: [Lab.Calls] is the
// conversation.
package lab

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"carnet.dev/carnet/integration/lab/awslab"
	"carnet.dev/carnet/integration/lab/googlelab"
	"carnet.dev/carnet/integration/lab/snowflakelab"
	"carnet.dev/carnet/integration/lab/world"
)

// A Lab is both clouds and Snowflake, listening.
type Lab struct {
	AWS       *awslab.Cloud
	Google    *googlelab.Cloud
	Snowflake *snowflakelab.Cloud
	CA        *CA // signs the certificates of every host in the lab

	addr      string
	databases string

	mu     sync.Mutex
	calls  []Call
	skew   time.Duration
	close  []func() error
	closed bool
	fronts []front
	rtt    time.Duration
	conns  map[net.Conn]bool

	listener func(Exchange)
}

// A Call is one request that reached the lab.
type Call struct {
	Host   string `json:"host"`
	Op     string `json:"op"` // such as sts:AssumeRole
	Status int    `json:"status"`
}

// Start builds the clouds and listens on a free port of loopback.
func Start(w *world.World) (*Lab, error) {
	l := &Lab{conns: map[net.Conn]bool{}}
	var err error
	if l.CA, err = newCA(); err != nil {
		return nil, err
	}
	if l.AWS, err = awslab.New(&w.AWS, awslab.Options{Now: l.Now, Transport: inside{l}}); err != nil {
		return nil, fmt.Errorf("the lab's AWS: %w", err)
	}
	if l.Google, err = googlelab.New(&w.Google, googlelab.Options{Now: l.Now, Transport: inside{l}}); err != nil {
		return nil, fmt.Errorf("the lab's Google Cloud: %w", err)
	}
	if l.Snowflake, err = snowflakelab.New(&w.Snowflake, snowflakelab.Options{Now: l.Now, Transport: inside{l}}); err != nil {
		return nil, fmt.Errorf("the lab's Snowflake: %w", err)
	}
	if l.databases, err = l.serveDatabases(); err != nil {
		return nil, err
	}
	l.addr, err = l.Serve(l.recorded(http.HandlerFunc(l.route)), true)
	return l, err
}

// serveDatabases puts Redshift's databases on a free port of loopback.
func (l *Lab) serveDatabases() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	go l.AWS.ServeDatabases(listener, l.CA.serverConfig())
	return listener.Addr().String(), l.until(listener.Close)
}

// Serve puts a handler on a free port of loopback until the lab is closed, with TLS
// under the lab's CA if secure, and returns its address.
func (l *Lab) Serve(h http.Handler, secure bool) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := listener.Addr().String()
	if secure {
		listener = tls.NewListener(listener, l.CA.serverConfig())
	}
	// Clients open connections ahead and leave them: that is no error to print.
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ConnState: l.seen, ErrorLog: log.New(io.Discard, "", 0)}
	go server.Serve(listener)
	return addr, l.until(server.Close)
}

// until has close called when the lab is closed: at once where it is closed already.
func (l *Lab) until(close func() error) error {
	l.mu.Lock()
	if !l.closed {
		l.close = append(l.close, close)
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	return errors.Join(errors.New("the lab is closed"), close())
}

// Cut closes every connection that is open to the clouds, as a freeze of hours does.
// Closing one with TLS writes to it, so the lock is not held.
func (l *Lab) Cut() {
	l.mu.Lock()
	open := l.conns
	l.conns = map[net.Conn]bool{}
	l.mu.Unlock()
	for c := range open {
		c.Close()
	}
}

// seen keeps account of the connections.
func (l *Lab) seen(c net.Conn, state http.ConnState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch state {
	case http.StateNew:
		l.conns[c] = true
	case http.StateClosed, http.StateHijacked:
		delete(l.conns, c)
	}
}

// Close stops listening. It does not hold the lock meanwhile: a server waits for its last
// Accept before it closes, which tells seen of the connection.
func (l *Lab) Close() error {
	l.mu.Lock()
	closers := l.close
	l.close, l.closed = nil, true
	l.mu.Unlock()
	var errs []error
	for _, c := range closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Addr is where both clouds listen, with TLS, under all their names.
func (l *Lab) Addr() string { return l.addr }

// Databases is where Redshift's databases listen, with TLS, under all their names.
func (l *Lab) Databases() string { return l.databases }

// owns tells whether one of the clouds answers at a host.
func (l *Lab) owns(host string) bool {
	return l.AWS.Owns(host) || l.Google.Owns(host) || l.Snowflake.Owns(host) || l.front(host) != nil
}

// Now is the clouds' clock.
func (l *Lab) Now() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Now().Add(l.skew)
}

// Skew sets the clouds' clock ahead of ours.
func (l *Lab) Skew(by time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.skew = by
}

// Far puts so much round trip between machines and the clouds: a connection takes one to
// open, and so does each turn of who speaks.
func (l *Lab) Far(rtt time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rtt = rtt
}

// Calls returns the calls since the last time, in the order in which they were
// answered.
func (l *Lab) Calls() []Call {
	l.mu.Lock()
	defer l.mu.Unlock()
	calls := l.calls
	l.calls = nil
	return calls
}

// Trips counts the calls that a chain took. The metadata server is at hand, a call of a
// function is its caller's, and the keys of callers' issuers are fetched once an hour.
func Trips(calls []Call) int {
	n := 0
	for _, c := range calls {
		keys := c.Op == opened || c.Op == "google.issuer" || strings.HasPrefix(c.Op, "issuer/")
		if !strings.HasPrefix(c.Op, "metadata") && c.Host != functionHost && c.Host != serviceHost && !keys {
			n++
		}
	}
	return n
}

// route finds the cloud that answers under a host's name, and says what time it is there.
func (l *Lab) route(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", l.Now().UTC().Format(http.TimeFormat))
	switch {
	case l.AWS.Owns(r.Host):
		l.AWS.ServeHTTP(w, r)
	case l.Google.Owns(r.Host):
		l.Google.ServeHTTP(w, r)
	case l.Snowflake.Owns(r.Host):
		l.Snowflake.ServeHTTP(w, r)
	case l.front(r.Host) != nil:
		l.front(r.Host).ServeHTTP(w, r)
	default:
		http.Error(w, "no such host in the lab: "+r.Host, http.StatusMisdirectedRequest)
	}
}

// opened is a call that asks for nothing.
const opened = "connection"

// recorded writes down what a handler answers, before the answer leaves: whoever has it
// finds it in the conversation.
func (l *Lab) recorded(h http.Handler) http.Handler {
	h = l.heard(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen := &status{ResponseWriter: w, said: func(code int) {
			l.mu.Lock()
			defer l.mu.Unlock()
			op := w.Header().Get("Lab-Operation")
			if r.Method == http.MethodGet && r.URL.Path == "/" && r.Header.Get("Authorization") == "" {
				op = opened // nothing is asked for: a connection was opened ahead
			}
			l.calls = append(l.calls, Call{Host: hostOnly(r.Host), Op: op, Status: code})
		}}
		h.ServeHTTP(seen, r)
		seen.say(http.StatusOK)
	})
}

type status struct {
	http.ResponseWriter
	once sync.Once
	said func(code int)
}

func (s *status) say(code int) { s.once.Do(func() { s.said(code) }) }

func (s *status) WriteHeader(code int) {
	s.say(code)
	s.ResponseWriter.WriteHeader(code)
}

func (s *status) Write(p []byte) (int, error) {
	s.say(http.StatusOK)
	return s.ResponseWriter.Write(p)
}

func hostOnly(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// inside is how the clouds call each other: in process, and unrecorded, since no
// caller waits on a wire for it.
type inside struct{ lab *Lab }

func (i inside) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" || !i.lab.owns(r.URL.Host) {
		return nil, fmt.Errorf("dial %s: no such host", r.URL.Host)
	}
	in := r.Clone(r.Context())
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	in.RequestURI = r.URL.RequestURI()
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	i.lab.route(w, in)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

const metadataHost = "169.254.169.254"

// A Machine is where a process runs in the lab.
type Machine struct {
	lab      *Lab
	Metadata string // the metadata server's address; empty on AWS
	opened   int
}

// Machine returns a place that runs as the Google service account, or as none.
func (l *Lab) Machine(serviceAccount string) (*Machine, error) {
	m := &Machine{lab: l}
	if serviceAccount == "" {
		return m, nil
	}
	var err error
	m.Metadata, err = l.Serve(l.recorded(l.Google.Metadata(serviceAccount)), false)
	return m, err
}

// Client reaches the lab under the clouds' names, and nothing else.
func (m *Machine) Client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DialContext: m.Dial, TLSClientConfig: m.lab.CA.ClientConfig(), MaxIdleConnsPerHost: 64},
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Roots are the CA that signed for every host in the lab.
func (m *Machine) Roots() *x509.CertPool { return m.lab.CA.ClientConfig().RootCAs }

// Dial connects to a host of the lab by name, and to nothing else.
func (m *Machine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	to := m.lab.addr
	switch {
	case port == "80" && (host == metadataHost || host == "metadata.google.internal") && m.Metadata != "":
		to = m.Metadata
	case port == "443" && m.lab.owns(host):
	case port == "5439" && m.lab.AWS.OwnsDatabase(host):
		to = m.lab.databases
	default:
		return nil, fmt.Errorf("dial %s: no such host in the lab", address)
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, to)
	if err != nil || to == m.Metadata {
		return conn, err
	}
	m.lab.mu.Lock()
	m.opened++
	rtt := m.lab.rtt
	m.lab.mu.Unlock()
	if rtt == 0 {
		return conn, nil
	}
	time.Sleep(rtt)
	return &far{Conn: conn, rtt: rtt}, nil
}

// Opened is how many connections to clouds were opened from here.
func (m *Machine) Opened() int {
	m.lab.mu.Lock()
	defer m.lab.mu.Unlock()
	return m.opened
}

// A far connection answers a round trip after it was spoken to.
type far struct {
	net.Conn
	rtt   time.Duration
	spoke atomic.Bool
}

func (f *far) Write(p []byte) (int, error) {
	f.spoke.Store(true)
	return f.Conn.Write(p)
}

func (f *far) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if f.spoke.Swap(false) {
		time.Sleep(f.rtt)
	}
	return n, err
}
