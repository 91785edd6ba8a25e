package exchange

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// A Secret is a string that does not print. Every verb of fmt, slog and
// encoding/json shows "[redacted]"; only Reveal gives the text.
type Secret struct {
	// A pointer, since fmt prints what stands in an unexported field without
	// asking its methods: an address is all that can slip out.
	text *string
}

// NewSecret wraps text.
func NewSecret(text string) Secret { return Secret{&text} }

// Reveal returns the text, for the one place that sends it where it belongs.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero tells whether there is nothing to keep secret.
func (s Secret) IsZero() bool { return s.Reveal() == "" }

// Digest returns the lower-case hex SHA-256 of the text. An audit record carries
// it in the place of the secret.
func (s Secret) Digest() string { return digest([]byte(s.Reveal())) }

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Format implements [fmt.Formatter], and so covers every verb.
func (s Secret) Format(f fmt.State, verb rune) { fmt.Fprint(f, redacted) }

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements [encoding.TextMarshaler], for encoding/json and others.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
