package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"carnet.dev/carnet/shared/catalog/keys"
)

// A Source gives the catalog's files by name: carnet.yaml, tenants/acme.yaml.
type Source interface {
	// Read returns the file's text and a version that differs whenever the text
	// does. It fails with fs.ErrNotExist if there is no such file.
	Read(ctx context.Context, name string) (text []byte, version string, err error)
	// Unchanged tells whether a file still is of a version that Read gave, where that is
	// known without reading it. Whoever is told no reads it.
	Unchanged(name, version string) bool
}

// A Folder is a catalog on disk. The zero Folder is the working directory. Nothing
// outside the folder can be read through it, whatever links it has.
type Folder struct{ Dir string }

// Read implements [Source].
func (f Folder) Read(_ context.Context, name string) ([]byte, string, error) {
	file, err := os.OpenInRoot(f.dir(), name)
	if err != nil {
		return nil, "", err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, "", err
	}
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), keys.MaxFile)) + bytes.MinRead)
	_, err = text.ReadFrom(io.LimitReader(file, keys.MaxFile+1))
	return text.Bytes(), string(version(info)), err
}

// Unchanged implements [Source]. It follows a link out of the folder, which tells nobody
// anything: of what is outside Read gives no version.
func (f Folder) Unchanged(name, of string) bool {
	info, err := os.Stat(f.dir() + "/" + name)
	return err == nil && string(version(info)) == of
}

func version(info os.FileInfo) []byte {
	v := strconv.AppendInt(make([]byte, 0, 32), info.ModTime().UnixNano(), 36)
	return strconv.AppendInt(append(v, '-'), info.Size(), 36)
}

func (f Folder) dir() string {
	if f.Dir == "" {
		return "."
	}
	return f.Dir
}

// Tenants lists the names of the tenants that have a file, sorted. It is for people
// and for lint: no look-up needs it.
func (f Folder) Tenants(context.Context) ([]string, error) {
	root, err := os.OpenRoot(f.dir())
	if err != nil {
		return nil, err
	}
	defer root.Close()
	dir, err := root.Open("tenants")
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%s has no folder tenants/: a catalog has one file for each tenant there", f.dir())
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	files, err := dir.Readdirnames(-1)
	var names []string
	for _, file := range files {
		if name, ok := strings.CutSuffix(file, ".yaml"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, err
}
