package caller

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"carnet.dev/carnet/shared/exchange/clock"
	"carnet.dev/carnet/shared/exchange/flight"
)

const (
	keysFor     = time.Hour        // fetched keys are fetched anew after
	keysAtMost  = 24 * time.Hour   // and serve no longer, should the issuer be away
	keysAtLeast = 30 * time.Second // between two fetches, whatever keys tokens name
	failedFor   = 5 * time.Second  // between two fetches where the first failed
	fetchTime   = 5 * time.Second
	patience    = 500 * time.Millisecond // with a renewal, by one whose key is known
	maxDocument = 1 << 20
	maxKeys     = 100
	minRSA      = 2048 // bits; https://www.rfc-editor.org/rfc/rfc7518#section-3.3
)

// A keySet is an issuer's keys, as it publishes them now.
type keySet struct {
	issuer   string
	audience string // of its tokens that are for us
	at       string // the keys' URL; found by discovery where empty
	client   *http.Client

	flight  flight.Group[struct{}]
	mu      sync.Mutex
	keys    map[string]jose.JSONWebKey // by id
	fetched time.Time                  // when they came
	asked   time.Time                  // when the last fetch ended, whatever it gave
	pause   time.Duration              // no fetch for so long since
	failed  error
}

// verify checks a token with the key that it names, and returns what was signed. Which
// keys there are, and for which algorithm each is, is the issuer's word; what else the
// token's header says (jwk, jku, x5u) counts for nothing.
func (k *keySet) verify(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, algorithms())
	if err != nil {
		return nil, unverified("the token is not signed with an algorithm that counts")
	}
	header := signed.Signatures[0].Header
	key, err := k.key(ctx, header.KeyID)
	if err != nil {
		return nil, err
	}
	if key.Algorithm != "" && key.Algorithm != header.Algorithm {
		return nil, unverified("the token's key is not for its algorithm")
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, unverified("the token's signature is not its issuer's")
	}
	return payload, nil
}

// key finds a key by its id. One that is not known is looked for anew, but never more
// often than every half minute, whatever callers send. One that is known is not waited
// for: botocore gives a container endpoint two seconds.
func (k *keySet) key(ctx context.Context, id string) (jose.JSONWebKey, error) {
	key, known, fetch, failed := k.look(id)
	if fetch {
		patient, cancel := ctx, context.CancelFunc(func() {})
		if known {
			patient, cancel = context.WithTimeout(ctx, patience)
		}
		defer cancel()
		if err := k.refresh(patient); err != nil && !known {
			return key, err
		}
		key, known, _, failed = k.look(id)
	}
	switch {
	case known:
		return key, nil
	case failed != nil:
		return key, failed
	}
	return key, unverified("the token's key is not one of its issuer's")
}

func (k *keySet) look(id string) (key jose.JSONWebKey, known, fetch bool, failed error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := clock.Since(k.fetched)
	if age < keysAtMost {
		key, known = k.keys[id]
	}
	fetch = clock.Since(k.asked) > k.pause && (!known || age > keysFor)
	return key, known, fetch, k.failed
}

// refresh fetches the keys, once for all who wait and whoever leaves.
func (k *keySet) refresh(ctx context.Context) error {
	_, err := k.flight.Do(ctx, "", fetchTime, func(ctx context.Context) (none struct{}, err error) {
		if k.fresh() {
			return none, nil // who looked before the last fetch ended comes too late for it
		}
		return none, k.store(k.fetch(ctx))
	})
	if err != nil && ctx.Err() != nil {
		return k.away(ctx.Err())
	}
	return err
}

func (k *keySet) fresh() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return clock.Since(k.asked) < k.pause
}

func (k *keySet) away(err error) error {
	return fmt.Errorf("%w: the keys of %s: %w", ErrNoKeys, k.issuer, err)
}

func (k *keySet) store(keys map[string]jose.JSONWebKey, err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked = time.Now()
	if err != nil {
		k.failed, k.pause = k.away(err), failedFor
		return k.failed
	}
	k.keys, k.failed, k.fetched, k.pause = keys, nil, k.asked, keysAtLeast
	return nil
}

func (k *keySet) fetch(ctx context.Context) (map[string]jose.JSONWebKey, error) {
	at, err := k.address(ctx)
	if err != nil {
		return nil, err
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := k.get(ctx, at, &set); err != nil {
		return nil, err
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%s has more than %d keys", at, maxKeys)
	}
	keys := map[string]jose.JSONWebKey{}
	for _, text := range set.Keys {
		key, ok := verifying(text)
		if !ok {
			continue
		}
		if _, twice := keys[key.KeyID]; twice {
			return nil, fmt.Errorf("%s names a key twice", at)
		}
		keys[key.KeyID] = key
	}
	return keys, nil
}

// verifying reads a key that is there to check signatures with. Others may stand beside
// it: of kinds that are not known here, for encryption, or too short to count.
// https://www.rfc-editor.org/rfc/rfc7517#section-4.2
func verifying(text []byte) (key jose.JSONWebKey, ok bool) {
	var may struct {
		Operations []string `json:"key_ops"`
	}
	if key.UnmarshalJSON(text) != nil || json.Unmarshal(text, &may) != nil || !key.Valid() || !key.IsPublic() {
		return key, false
	}
	if public, is := key.Key.(*rsa.PublicKey); is && public.N.BitLen() < minRSA {
		return key, false
	}
	forSigning := key.Use == "" || key.Use == "sig"
	return key, forSigning && (may.Operations == nil || slices.Contains(may.Operations, "verify"))
}

// address is where the keys are: as configured, or as the issuer's own document says,
// which must be on the issuer's own host.
// https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig
func (k *keySet) address(ctx context.Context) (string, error) {
	if k.at != "" {
		return k.at, nil
	}
	var document struct {
		Issuer string `json:"issuer"`
		Keys   string `json:"jwks_uri"`
	}
	if err := k.get(ctx, strings.TrimSuffix(k.issuer, "/")+"/.well-known/openid-configuration", &document); err != nil {
		return "", err
	}
	if document.Issuer != k.issuer {
		return "", fmt.Errorf("its document is of another issuer, %q", document.Issuer)
	}
	from, err := url.Parse(k.issuer)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(document.Keys)
	if err != nil || to.Scheme != "https" || to.Host != from.Host {
		return "", fmt.Errorf("its keys are at %q, which is another host: write it as jwks_uri: in carnet.yaml if that is right", document.Keys)
	}
	return document.Keys, nil
}

func (k *keySet) get(ctx context.Context, from string, to any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", from, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxDocument+1))
	if err != nil || len(text) > maxDocument {
		return fmt.Errorf("%s is longer than %d bytes, or broke off", from, maxDocument)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("%s is no JSON of the right shape", from)
	}
	return nil
}
