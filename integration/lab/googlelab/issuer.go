package googlelab

import (
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	issuerURL = "https://accounts.google.com"
	keyID     = "lab-google-1"
)

type idToken struct {
	jwt.Claims
	AuthorizedParty string `json:"azp"`
	Email           string `json:"email,omitempty"`
	EmailVerified   bool   `json:"email_verified,omitempty"`
}

// signIDToken makes the token that generateIdToken and the metadata server give:
// azp and sub are both the account's unique id, and it lives for an hour.
// https://cloud.google.com/docs/authentication/token-types#id
func (c *Cloud) signIDToken(uniqueID, email, audience string, withEmail bool) (string, error) {
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: c.key, KeyID: keyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		return "", err
	}
	now := c.now()
	t := idToken{
		Claims: jwt.Claims{
			Issuer: issuerURL, Subject: uniqueID, Audience: jwt.Audience{audience},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
		},
		AuthorizedParty: uniqueID,
	}
	if withEmail {
		t.Email, t.EmailVerified = email, true
	}
	return jwt.Signed(signer).Claims(t).Serialize()
}

func (c *Cloud) serveIssuer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Lab-Operation", "google.issuer")
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, map[string]any{
			"issuer": issuerURL, "jwks_uri": "https://www.googleapis.com/oauth2/v3/certs",
			"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
			"id_token_signing_alg_values_supported": []string{"RS256"},
		})
	case "/oauth2/v3/certs":
		writeJSON(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
			{Key: c.published, KeyID: keyID, Algorithm: "RS256", Use: "sig"},
		}})
	default:
		http.NotFound(w, r)
	}
}
