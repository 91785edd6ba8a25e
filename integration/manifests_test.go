package integration

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/shared/api"
)

// TestTheManifests: the pods run as nobody, and their probes are paths that the handler
// answers.
func TestTheManifests(t *testing.T) {
	files, err := filepath.Glob("../deploy/kubernetes/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		var kinds []string
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc struct {
				Kind     string
				Metadata struct{ Name, Namespace string }
				Spec     struct {
					Template struct {
						Spec struct {
							SecurityContext struct {
								RunAsNonRoot bool `yaml:"runAsNonRoot"`
							} `yaml:"securityContext"`
						}
					}
				}
			}
			err := dec.Decode(&doc)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			kinds = append(kinds, doc.Kind)
			if doc.Kind == "Deployment" && !doc.Spec.Template.Spec.SecurityContext.RunAsNonRoot {
				t.Errorf("%s: the pod may run as root", file)
			}
		}
		if len(kinds) != 5 {
			t.Errorf("%s has %v", file, kinds)
		}
		for _, path := range []string{"/readyz", "/healthz"} {
			w := httptest.NewRecorder()
			api.New(api.Config{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if !bytes.Contains(text, []byte("{path: "+path+",")) || w.Code != http.StatusOK {
				t.Errorf("%s: the probe %s: %d", file, path, w.Code)
			}
		}
	}
}
