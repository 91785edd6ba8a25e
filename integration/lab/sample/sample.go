// Package sample is a world with an operator, two tenants and the third parties whose
// places they use in it, and the operator's catalog of the tenants.
package sample

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"embed"
	"encoding/pem"
	"io/fs"
	"os"

	"carnet.dev/carnet/integration/lab/world"
)

//go:embed world.yaml catalog
var files embed.FS

// World returns a world of its own each time, with a key pair that no other has.
func World() (*world.World, error) {
	text, err := files.ReadFile("world.yaml")
	if err != nil {
		return nil, err
	}
	w, err := world.Parse(text)
	if err != nil {
		return nil, err
	}
	return w, GiveKeys(w)
}

// GiveKeys makes the key pair of the one Snowflake user that still has one.
func GiveKeys(w *world.World) error {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err
	}
	w.AWS.Accounts["111122223333"].Secrets["carnet/acme/ledger"].Value = inPEM("PRIVATE KEY", private)
	w.Snowflake.Accounts["ACME-PROD"].Users["CARNET_KEYS"].PublicKey = inPEM("PUBLIC KEY", public)
	return nil
}

func inPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// WorldYAML is the world as it is written.
func WorldYAML() ([]byte, error) { return files.ReadFile("world.yaml") }

// WriteCatalog puts the catalog into a folder.
func WriteCatalog(dir string) error {
	catalog, err := fs.Sub(files, "catalog")
	if err != nil {
		return err
	}
	return os.CopyFS(dir, catalog)
}
