// Package discovery fetches the keys of an OIDC issuer as each of the lab's relying parties
// does: the issuer's own document says where they are.
// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
package discovery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const maxDocument = 1 << 18

// A Client is a relying party's way to issuers.
type Client struct {
	Transport   http.RoundTripper // nil: no issuer can be reached
	Unreachable []string          // hosts to which the party has no way
}

// Keys returns the keys of an issuer, such as https://accounts.google.com.
func (c Client) Keys(ctx context.Context, issuer string) (jose.JSONWebKeySet, error) {
	var document struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	var keys jose.JSONWebKeySet
	if err := c.fetch(ctx, issuer+"/.well-known/openid-configuration", &document); err != nil {
		return keys, err
	}
	if document.Issuer != issuer {
		return keys, fmt.Errorf("the issuer calls itself %s", document.Issuer)
	}
	return keys, c.fetch(ctx, document.JWKSURI, &keys)
}

func (c Client) fetch(ctx context.Context, from string, to any) error {
	if c.Transport == nil {
		return errors.New("the lab has no way out")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	if slices.Contains(c.Unreachable, req.URL.Host) {
		return fmt.Errorf("%s cannot be reached", req.URL.Host)
	}
	resp, err := c.Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", req.URL.Host, resp.Status)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxDocument)).Decode(to)
}
