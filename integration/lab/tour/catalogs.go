package tour

import (
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"carnet.dev/carnet/integration/lab/sample"
)

const (
	both    = "both"
	onlyAWS = "aws"
	onlyGCP = "gcp"
)

// writeCatalogs puts the sample's catalog into a folder three times: as it is, and
// with one of each tenant's identities left out.
func writeCatalogs(dir string) error {
	for _, v := range []string{both, onlyAWS, onlyGCP} {
		to := filepath.Join(dir, v)
		if err := sample.WriteCatalog(to); err != nil {
			return err
		}
		if v == both {
			continue
		}
		if err := keepIdentity(filepath.Join(to, "tenants"), v); err != nil {
			return err
		}
	}
	return nil
}

func keepIdentity(dir, cloud string) error {
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		file := filepath.Join(dir, f.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if text, err = withIdentity(text, cloud); err != nil {
			return err
		}
		if text == nil {
			err = os.Remove(file)
		} else {
			err = os.WriteFile(file, text, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// withIdentity keeps the tenant's identity on one cloud; nil if it has none there.
// It works on nodes, so that all else stays as it was written.
func withIdentity(text []byte, cloud string) ([]byte, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	identities := under(doc.Content[0], "identities")
	kept := under(identities, cloud)
	if kept == nil {
		return nil, nil
	}
	identities.Content = []*yaml.Node{{Kind: yaml.ScalarNode, Value: cloud}, kept}
	return yaml.Marshal(&doc)
}

func under(m *yaml.Node, key string) *yaml.Node {
	for i := 0; m != nil && i+1 < len(m.Content); i += 2 {
		if m.Content[i].Value == key {
			return m.Content[i+1]
		}
	}
	return nil
}
