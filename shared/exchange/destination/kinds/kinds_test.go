package kinds_test

import (
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

// most is how many Go files outside its own folders may name a kind: the two lists, the client,
// and one to spare. A kind that is named in more is not one room.
const most = 4

// TestAKindIsNamedInItsRoomAlone: outside its own folders, a kind's name stands in the lists. Of
// a kind whose name means other things too, its packages and the literal name count.
func TestAKindIsNamedInItsRoomAlone(t *testing.T) {
	files := sources(t)
	for _, kind := range kinds.All() {
		var named []string
		for file, text := range files {
			if !strings.Contains(file, "/destination/"+kind.Name+"/") && names(t, file, text, kind.Name) {
				named = append(named, file)
			}
		}
		slices.Sort(named)
		if len(named) > most {
			t.Errorf("%s is named in %d files outside its folders, and %d is the most:\n%s", kind.Name, len(named), most, strings.Join(named, "\n"))
		}
	}
}

// TestNoKindIsSwitchedOn: whatever depends on a kind asks it.
func TestNoKindIsSwitchedOn(t *testing.T) {
	for file, text := range sources(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if c, ok := n.(*ast.CaseClause); ok {
				for _, e := range c.List {
					if kinds.All().Named(caseOf(e)).Name != "" {
						t.Errorf("%s switches on %s", file, caseOf(e))
					}
				}
			}
			return true
		})
	}
}

// caseOf is the word, or the package of a constant Name, that a case is about.
func caseOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		word, _ := strconv.Unquote(e.Value)
		return word
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && e.Sel.Name == "Name" {
			return x.Name
		}
	}
	return ""
}

// sources are the Go files of what is deployed and of the command, without tests.
func sources(t *testing.T) map[string][]byte {
	t.Helper()
	root := filepath.Join("..", "..", "..", "..")
	files := map[string][]byte{}
	for _, dir := range []string{"shared", "cmd", "client", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			files[filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))] = text
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(files) < 100 {
		t.Fatalf("only %d files were found", len(files))
	}
	return files
}

// names tells whether a file names a kind, its comments aside.
func names(t *testing.T, file string, text []byte, kind string) bool {
	t.Helper()
	if kind == "s3" || kind == "gcs" {
		return importsOrQuotes(t, file, text, kind)
	}
	set := token.NewFileSet()
	var s scanner.Scanner
	s.Init(set.AddFile(file, set.Base(), len(text)), text, nil, 0)
	for {
		_, tok, literal := s.Scan()
		if tok == token.EOF {
			return false
		}
		if strings.Contains(strings.ToLower(literal), kind) {
			return true
		}
	}
}

func importsOrQuotes(t *testing.T, file string, text []byte, kind string) bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	ast.Inspect(parsed, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			value, _ := strconv.Unquote(lit.Value)
			found = found || value == kind || strings.HasSuffix(value, "/destination/"+kind) || strings.HasSuffix(value, "/destination/"+kind+"/apply")
		}
		return true
	})
	return found
}
