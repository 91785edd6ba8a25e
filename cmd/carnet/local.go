package main

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carnet.dev/carnet/client"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/wire"
)

// localOptions are those of a helper on loopback, beside a job.
type localOptions struct {
	on                  bool
	tenant, destination string
	tokenFile           string
	remote
}

func (o *localOptions) flags(f *pflag.FlagSet) {
	f.BoolVar(&o.on, "local", false, "be a helper beside a job: prove who it is to the deployment at --url, and speak on loopback what SDKs know")
	f.StringVar(&o.tenant, "tenant", "", "with --local: the tenant")
	f.StringVar(&o.destination, "destination", "", "with --local: the destination that Google's SDKs get by the metadata server's address")
	f.StringVar(&o.tokenFile, "token-file", "", "with --local: file for the token that AWS's SDKs have to show (default: a new one, for this user alone)")
	o.remote.flags(f)
}

func (o *localOptions) serve(cmd *cobra.Command, listen string) error {
	listen = cmp.Or(listen, "127.0.0.1:0")
	host, _, err := net.SplitHostPort(listen)
	if err != nil || !loopback(host) {
		return fmt.Errorf("--listen is %q: a local helper listens on loopback alone, such as 127.0.0.1:8181", listen)
	}
	if o.tenant == "" {
		return errors.New("--tenant is missing: a local helper serves one tenant")
	}
	c, err := o.client()
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	h := &helper{client: c, tenant: o.tenant, destination: o.destination, token: rand.Text()}
	file, err := o.writeToken(h.token)
	if err != nil {
		return err
	}
	defer os.Remove(file)
	h.guide(cmd, l.Addr().String(), file)
	return serve(cmd.Context(), l, "", "", h)
}

// writeToken keeps the token off the screen and out of a container's log. SDKs take no
// newline behind it. The file is a new one that only this user reads, and takes the place of
// what stands already under its name, which may be open to others.
func (o *localOptions) writeToken(token string) (string, error) {
	dir := os.TempDir()
	if o.tokenFile != "" {
		dir = filepath.Dir(o.tokenFile)
	}
	file, err := os.CreateTemp(dir, "carnet-token-")
	if err != nil {
		return "", err
	}
	_, err = file.WriteString(token)
	to := cmp.Or(o.tokenFile, file.Name())
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), to)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return to, nil
}

// A helper speaks to SDKs on loopback: what AWS's read from a container endpoint, and what
// Google's read from a metadata server.
type helper struct {
	client              *client.Client
	tenant, destination string
	token               string   // what AWS's SDKs must show: other users of the machine are on loopback too
	kept                sync.Map // credentials, by their destination's name
}

func (h *helper) guide(cmd *cobra.Command, address, tokenFile string) {
	fmt.Fprintf(cmd.OutOrStdout(), `# for AWS's SDKs and command line; the last part names the destination
export AWS_CONTAINER_CREDENTIALS_FULL_URI=http://%s/aws/%s
export AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=%s
`, address, cmp.Or(h.destination, "DESTINATION"), shellQuoted(tokenFile))
	if h.destination != "" {
		fmt.Fprintf(cmd.OutOrStdout(), `# for Google's; the second one is google-auth's for Python, which looks there whether anybody is in
export GCE_METADATA_HOST=%[1]s
export GCE_METADATA_IP=%[1]s
`, address)
	}
}

// ServeHTTP refuses hosts that are not loopback's: a page in a browser could have its own
// name lead here.
func (h *helper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	switch destination, isAWS := strings.CutPrefix(r.URL.Path, "/aws/"); {
	case r.Method != http.MethodGet || !loopback(host):
		http.NotFound(w, r)
	case isAWS:
		h.container(w, r, destination)
	case strings.HasPrefix(r.URL.Path, "/computeMetadata/") || r.URL.Path == "/":
		h.metadata(w, r)
	default:
		http.NotFound(w, r)
	}
}

func (h *helper) container(w http.ResponseWriter, r *http.Request, destination string) {
	w.Header().Set("Content-Type", "application/json")
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(h.token)) != 1 {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"code":"unauthenticated","message":"show the token of AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}`)
		return
	}
	_, text, err := h.credential(r, destination, wire.AWSContainer)
	if err != nil {
		code, status := codeOf(err)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"code":%q,"message":%q}`, code, err.Error())
		return
	}
	w.Write(text)
}

// metadata answers as a machine of Compute Engine does, as far as Google's libraries ask.
// The header keeps pages in browsers out: they cannot send it.
// https://cloud.google.com/compute/docs/metadata/querying-metadata
func (h *helper) metadata(w http.ResponseWriter, r *http.Request) {
	const accounts = "/computeMetadata/v1/instance/service-accounts/"
	w.Header().Set("Metadata-Flavor", "Google")
	name, part, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, accounts), "/")
	switch {
	case r.URL.Path == "/":
		w.WriteHeader(http.StatusOK) // how Google's libraries find out that somebody is there
	case r.Header.Get("Metadata-Flavor") != "Google" || r.Header.Get("X-Forwarded-For") != "":
		http.Error(w, "Missing Metadata-Flavor:Google header.", http.StatusForbidden)
	case r.URL.Path == "/computeMetadata/v1/instance":
		fmt.Fprintln(w, "service-accounts/") // and how those in JavaScript do
	case !strings.HasPrefix(r.URL.Path, accounts) || name == "" || h.destination == "":
		http.NotFound(w, r)
	default:
		h.account(w, r, part)
	}
}

func (h *helper) account(w http.ResponseWriter, r *http.Request, part string) {
	cred, text, err := h.credential(r, h.destination, wire.GoogleMetadata)
	if err != nil {
		_, status := codeOf(err)
		http.Error(w, err.Error(), status)
		return
	}
	switch part {
	case "token":
		w.Header().Set("Content-Type", "application/json")
		w.Write(text)
	case "email":
		fmt.Fprint(w, cred.Principal)
	case "scopes":
		fmt.Fprintln(w, strings.Join(cred.Token.Scopes, "\n"))
	case "":
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"aliases":["default"],"email":%q,"scopes":["%s"]}`, cred.Principal, strings.Join(cred.Token.Scopes, `","`))
	default:
		http.NotFound(w, r)
	}
}

// credential is kept while it has a quarter of an hour left. form writes it.
func (h *helper) credential(r *http.Request, destination string, form func(*exchange.Credential) ([]byte, error)) (*exchange.Credential, []byte, error) {
	const least = 15 * time.Minute
	held, _ := h.kept.Load(destination)
	cred, _ := held.(*exchange.Credential)
	if cred == nil || time.Until(cred.Expires) <= least+time.Minute {
		var err error
		if cred, err = h.client.Vend(r.Context(), client.Request{Tenant: h.tenant, Destination: destination, MinTTL: least}); err != nil {
			return nil, nil, err
		}
		h.kept.Store(destination, cred)
	}
	text, err := form(cred)
	return cred, text, err
}

func codeOf(err error) (string, int) {
	var no *client.Error
	switch {
	case errors.As(err, &no) && no.Code != "platform":
		return no.Code, no.Status
	case errors.Is(err, wire.ErrForm):
		return "bad_request", http.StatusBadRequest
	}
	return "upstream_unavailable", http.StatusBadGateway
}
