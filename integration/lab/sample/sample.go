// Package sample is a world with an operator and two customers in it, and the
// operator's catalog of them.
package sample

import (
	"embed"
	"io/fs"
	"os"

	"carnet.dev/carnet/integration/lab/world"
)

//go:embed world.yaml catalog
var files embed.FS

// World returns a world of its own each time.
func World() (*world.World, error) {
	text, err := files.ReadFile("world.yaml")
	if err != nil {
		return nil, err
	}
	return world.Parse(text)
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
