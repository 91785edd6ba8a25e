package platform_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/exchange/awsid/platform"
)

// bare takes away what a machine may have set.
func bare(t *testing.T, set map[string]string) {
	t.Helper()
	for _, name := range []string{
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
		"AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
	} {
		t.Setenv(name, set[name])
	}
}

func TestCredentials(t *testing.T) {
	agent := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "pod-token" {
			http.Error(w, "who are you?", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write([]byte(`{"AccessKeyId":"ASIAPOD","SecretAccessKey":"s","Token":"t","Expiration":"2100-01-01T00:00:00Z"}`))
	}))
	defer agent.Close()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("pod-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		env    map[string]string
		key    string
		refuse string
	}{
		"Lambda": {env: map[string]string{"AWS_ACCESS_KEY_ID": "ASIALAMBDA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}, key: "ASIALAMBDA"},
		"EKS Pod Identity": {env: map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": agent.URL, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file}, key: "ASIAPOD"},
		"an agent by loopback's name": {env: map[string]string{
			"AWS_CONTAINER_CREDENTIALS_FULL_URI": strings.Replace(agent.URL, "127.0.0.1", "localhost", 1), "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": file}, key: "ASIAPOD"},
		"a long-lived key":       {env: map[string]string{"AWS_ACCESS_KEY_ID": "AKIAUSER", "AWS_SECRET_ACCESS_KEY": "s"}, refuse: "AWS_SESSION_TOKEN must be set"},
		"an agent elsewhere":     {env: map[string]string{"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/"}, refuse: "use https"},
		"a token without a role": {env: map[string]string{"AWS_WEB_IDENTITY_TOKEN_FILE": file}, refuse: "AWS_ROLE_ARN is not"},
	} {
		t.Run(name, func(t *testing.T) {
			bare(t, c.env)
			key, err := retrieve(t)
			if key != c.key || c.refuse != "" && (err == nil || !strings.Contains(err.Error(), c.refuse)) {
				t.Errorf("got %q, %v", key, err)
			}
		})
	}
}

func retrieve(t *testing.T) (string, error) {
	t.Helper()
	p, err := platform.Credentials("eu-west-1", http.DefaultClient)
	if err != nil {
		return "", err
	}
	creds, err := p.Retrieve(t.Context())
	return creds.AccessKeyID, err
}
