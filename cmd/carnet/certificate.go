package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// A certificate is read anew when its file has changed: a pod lives longer than what
// cert-manager puts there.
type certificate struct {
	file, key string

	mu   sync.Mutex
	held *tls.Certificate
	of   time.Time // when the file was changed that is held
}

// config is that of a server with the certificate, which is there and fits its key.
func (c *certificate) config() (*tls.Config, error) {
	if _, err := c.get(nil); err != nil {
		return nil, fmt.Errorf("--tls-cert and --tls-key: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// get gives what was held before while the files do not fit each other, as they may not
// for a moment when they are replaced.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	info, err := os.Stat(c.file)
	if err == nil && c.held != nil && info.ModTime().Equal(c.of) {
		return c.held, nil
	}
	var pair tls.Certificate
	if err == nil {
		pair, err = tls.LoadX509KeyPair(c.file, c.key)
	}
	switch {
	case err == nil:
		c.held, c.of = &pair, info.ModTime()
	case c.held == nil:
		return nil, err
	default:
		slog.Warn("the new certificate cannot be read: the old one is shown", "error", err.Error())
	}
	return c.held, nil
}
