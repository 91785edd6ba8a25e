package lab

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// Tokens are what the metadata server gives that a machine's client reaches. It is for tests and
// tours, in which one process runs on many machines: the libraries that functions ask such a
// server with know one server in a process. It implements [gcpid.Tokens].
type Tokens struct{ HTTP *http.Client }

// Tokens are what the machine's own server gives.
func (m *Machine) Tokens() Tokens { return Tokens{m.Client()} }

// Access implements [gcpid.Tokens].
func (t Tokens) Access(scopes ...string) oauth2.TokenSource {
	return source(func() (*oauth2.Token, error) {
		text, err := t.ask("token", url.Values{"scopes": {strings.Join(scopes, ",")}})
		token := new(oauth2.Token)
		if err == nil && (json.Unmarshal(text, token) != nil || token.AccessToken == "") {
			err = errors.New("the answer is no token")
		}
		token.Expiry = time.Unix(time.Now().Unix()+token.ExpiresIn, 0)
		return token, err
	})
}

// ID implements [gcpid.Tokens].
func (t Tokens) ID(audience string) oauth2.TokenSource {
	return source(func() (*oauth2.Token, error) {
		text, err := t.ask("identity", url.Values{"audience": {audience}, "format": {"full"}})
		return &oauth2.Token{AccessToken: string(text)}, err
	})
}

func (t Tokens) ask(what string, query url.Values) ([]byte, error) {
	r, err := http.NewRequest(http.MethodGet, "http://"+metadataHost+"/computeMetadata/v1/instance/service-accounts/default/"+what+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Metadata-Flavor", "Google")
	resp, err := t.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &oauth2.RetrieveError{Response: resp}
	}
	return io.ReadAll(io.LimitReader(resp.Body, 64<<10))
}

// A source is an [oauth2.TokenSource].
type source func() (*oauth2.Token, error)

func (s source) Token() (*oauth2.Token, error) { return s() }
