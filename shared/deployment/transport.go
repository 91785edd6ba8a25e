package deployment

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Transport says how the outside is reached. The zero value is the real thing.
type Transport struct {
	// Lab is the loopback address of a lab, under which every allowed host is then
	// found; LabCA is the file with its certificate.
	Lab   string
	LabCA string
	// Proxy lets HTTPS_PROXY and the like count. Off unless asked for: a proxy that
	// the environment names would see every host that is called.
	Proxy bool
}

const (
	dialTimeout      = 5 * time.Second
	tlsTimeout       = 5 * time.Second
	firstByteTimeout = 10 * time.Second
	wholeTimeout     = 15 * time.Second

	// A connection of HTTP/2 that has gone dead would otherwise take every call with it
	// until firstByteTimeout.
	pingAfter   = 15 * time.Second
	pingTimeout = 5 * time.Second

	// perHost is how many connections a host gets. One that hangs holds so many, and not
	// all the descriptors that a process has, of which Lambda gives 1,024; when it is back
	// it meets so many at a time. Over HTTP/2 each of them carries a hundred calls.
	// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
	perHost = 64
	// maxHeader is Go's own limit for what comes in; for what is answered it is 10 MB.
	maxHeader = 64 << 10
)

// Client returns the one HTTP client of the process: HTTPS to the hosts on the
// list alone, no redirects, no answer waited for without end. The list is held
// against the name that is dialled, so no URL gets around it.
func (t Transport) Client(allowed func(host string) bool) (*http.Client, error) {
	d := &dialer{to: net.Dialer{Timeout: dialTimeout}, allowed: allowed, lab: t.Lab}
	transport := &http.Transport{
		DialContext:            d.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  firstByteTimeout,
		ForceAttemptHTTP2:      true,
		MaxConnsPerHost:        perHost,
		MaxIdleConnsPerHost:    perHost,
		MaxResponseHeaderBytes: maxHeader,
		IdleConnTimeout:        90 * time.Second,
		HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	if t.Proxy {
		transport.Proxy = http.ProxyFromEnvironment
	}
	if t.Lab != "" {
		roots, err := labRoots(t.Lab, t.LabCA)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig.RootCAs = roots
	}
	return &http.Client{
		Transport:     transport,
		Timeout:       wholeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func labRoots(addr, file string) (*x509.CertPool, error) {
	host, _, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("CARNET_LAB is %q: a lab is on loopback, such as 127.0.0.1:8443, as `carnet lab --serve` prints it", addr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CARNET_LAB_CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("CARNET_LAB_CA: %s has no certificate", file)
	}
	return roots, nil
}

type dialer struct {
	to      net.Dialer
	allowed func(string) bool
	lab     string
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	switch {
	case port == "443" && d.allowed(host):
		if d.lab != "" {
			address = d.lab
		}
	case platform(host, port):
	default:
		return nil, fmt.Errorf("%s is not a host that carnet talks to", address)
	}
	return d.to.DialContext(ctx, network, address)
}

// platform is where the process's own identity comes from: the metadata servers
// of both clouds, the endpoints of ECS and EKS, and loopback, where
// GCE_METADATA_HOST or a pod identity agent may be.
func platform(host, port string) bool {
	switch host {
	case "169.254.169.254", "metadata.google.internal", "169.254.170.2", "169.254.170.23", "fd00:ec2::23":
		return port == "80"
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() || host == "localhost"
}
