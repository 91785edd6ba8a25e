package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestTheEnvironmentIsInOnePlace: docs/configuration.md has every variable that the
// functions, the server and the command read, and none that nobody reads.
func TestTheEnvironmentIsInOnePlace(t *testing.T) {
	variable := regexp.MustCompile(`\bCARNET_[A-Z_]*[A-Z]\b`)
	reads := regexp.MustCompile(`(?:Getenv|LookupEnv|environment|[cC]hoice)\("(CARNET_[A-Z_]+)"`)
	page, err := os.ReadFile("../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	told := variable.FindAllString(string(page), -1)
	read := []string{}
	for _, dir := range []string{"../functions", "../shared", "../cmd"} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, call := range reads.FindAllStringSubmatch(string(text), -1) {
				read = append(read, call[1])
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range read {
		if !slices.Contains(told, name) {
			t.Errorf("%s is read, and docs/configuration.md says nothing of it", name)
		}
	}
	for _, name := range told {
		if !slices.Contains(read, name) {
			t.Errorf("docs/configuration.md has %s, which nobody reads", name)
		}
	}
}
