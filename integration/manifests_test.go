package integration

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/integration/lab"
)

// A pod is what these tests read of a Deployment. The whole of each manifest is held against
// Kubernetes' own schemas by TestTheManifestsAgainstTheirSchemas.
type pod struct {
	ServiceLinks *bool `yaml:"enableServiceLinks"`
	Token        *bool `yaml:"automountServiceAccountToken"`
	Grace        int   `yaml:"terminationGracePeriodSeconds"`
	Security     struct {
		NonRoot bool              `yaml:"runAsNonRoot"`
		User    int               `yaml:"runAsUser"`
		Seccomp map[string]string `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	Containers []container `yaml:"containers"`
}

type container struct {
	Args      []string
	Env       []struct{ Name, Value string }
	Readiness probe `yaml:"readinessProbe"`
	Liveness  probe `yaml:"livenessProbe"`
	Lifecycle struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources struct{ Limits, Requests map[string]string }
	Security  struct {
		Escalation   *bool               `yaml:"allowPrivilegeEscalation"`
		ReadOnly     bool                `yaml:"readOnlyRootFilesystem"`
		Capabilities map[string][]string `yaml:"capabilities"`
	} `yaml:"securityContext"`
}

type probe struct {
	Get struct{ Path, Port, Scheme string } `yaml:"httpGet"`
}

// manifests are the pods by file.
func manifests(t *testing.T) map[string]pod {
	t.Helper()
	files, err := filepath.Glob("../deploy/kubernetes/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	pods := map[string]pod{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc struct {
				Kind string
				Spec struct{ Template struct{ Spec pod } }
			}
			err := dec.Decode(&doc)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if doc.Kind == "Deployment" {
				pods[filepath.Base(file)] = doc.Spec.Template.Spec
			}
		}
	}
	return pods
}

func no(b *bool) bool { return b != nil && !*b }

// TestThePodsMayDoLittle: they are nobody, write nowhere, and have nothing of the cluster's.
func TestThePodsMayDoLittle(t *testing.T) {
	for file, p := range manifests(t) {
		c := p.Containers[0]
		for what, ok := range map[string]bool{
			"runs as nobody":               p.Security.NonRoot && p.Security.User > 0,
			"under the runtime's seccomp":  p.Security.Seccomp["type"] == "RuntimeDefault",
			"has no token of the cluster":  no(p.Token),
			"has no variables of services": no(p.ServiceLinks),
			"gains no privilege":           no(c.Security.Escalation),
			"writes nowhere":               c.Security.ReadOnly,
			"has no capability":            slices.Equal(c.Security.Capabilities["drop"], []string{"ALL"}),
			"has a limit of memory":        c.Resources.Limits["memory"] != "" && c.Resources.Requests["cpu"] != "",
			"has time for what is asked":   c.Lifecycle.PreStop.Sleep.Seconds > 0 && p.Grace >= c.Lifecycle.PreStop.Sleep.Seconds+25,
		} {
			if !ok {
				t.Errorf("%s: not so: %s", file, what)
			}
		}
	}
}

// TestThePodsStart: each with its own arguments and environment, as `carnet serve` in the
// lab, answers its probes over TLS, and shows a new certificate when there is one.
func TestThePodsStart(t *testing.T) {
	l, dir := startSample(t)
	m, err := l.Machine("carnet-f-vend@operator-prod.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	for file, p := range manifests(t) {
		t.Run(file, func(t *testing.T) {
			c, secret := p.Containers[0], t.TempDir()
			writeCertificate(t, l, secret, "carnet.carnet.svc", time.Now().Add(-time.Hour))
			args := strings.Split(strings.NewReplacer("/tls/", secret+"/", "--listen=:8443", "--listen=127.0.0.1:0").Replace(strings.Join(c.Args, " ")), " ")
			env := append(asLambda(t, l), "GCE_METADATA_HOST="+m.Metadata)
			for _, v := range c.Env {
				env = append(env, v.Name+"="+strings.NewReplacer("REGION", region, "s3://CATALOG_BUCKET/live", dir, "gs://CATALOG_BUCKET/live", dir).Replace(v.Value))
			}
			at, _ := startServing(t, environment(t, l, dir, env...), args...)
			get := func(path, name string) error {
				config := l.CA.ClientConfig()
				config.ServerName = name
				web := &http.Client{Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
				resp, err := web.Get("https://" + at + path)
				if err == nil && resp.StatusCode != http.StatusOK {
					err = errors.New(resp.Status)
				}
				return err
			}
			for _, p := range []probe{c.Readiness, c.Liveness} {
				if err := get(p.Get.Path, "carnet.carnet.svc"); err != nil || p.Get.Scheme != "HTTPS" {
					t.Errorf("%+v: %v", p.Get, err)
				}
			}
			writeCertificate(t, l, secret, "renewed.carnet.svc", time.Now())
			if err := get(c.Liveness.Get.Path, "renewed.carnet.svc"); err != nil {
				t.Errorf("the new certificate: %v", err)
			}
			if err := os.WriteFile(filepath.Join(secret, "tls.crt"), []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := get(c.Liveness.Get.Path, "renewed.carnet.svc"); err != nil {
				t.Errorf("with half a certificate: %v", err)
			}
		})
	}
}

func writeCertificate(t *testing.T, l *lab.Lab, dir, name string, made time.Time) {
	t.Helper()
	cert, key, err := l.CA.Leaf(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{"tls.key": key, "tls.crt": cert} {
		at := filepath.Join(dir, file)
		if err := errors.Join(os.WriteFile(at, text, 0o600), os.Chtimes(at, made, made)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTheManifestsAgainstTheirSchemas: Kubernetes' own, strictly. scripts/test-peers
// installs what has them.
func TestTheManifestsAgainstTheirSchemas(t *testing.T) {
	validate := os.Getenv("CARNET_KUBERNETES_VALIDATE")
	if validate == "" {
		t.Skip("CARNET_KUBERNETES_VALIDATE names no kubernetes-validate: scripts/test-peers installs it and runs this test")
	}
	for file := range manifests(t) {
		if out, err := exec.Command(validate, "--strict", "../deploy/kubernetes/"+file).CombinedOutput(); err != nil || bytes.Count(out, []byte("passed")) != 5 {
			t.Errorf("%s: %v: %s", file, err, out)
		}
	}
}
