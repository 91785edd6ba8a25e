package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"carnet.dev/carnet/shared/exchange/destination/kinds"
)

const repository = "../.."

// written are all pages for people, by their path in the repository.
func written(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for path, text := range sources(t, ".md") {
		if path == "README.md" || strings.HasPrefix(path, "docs/") || strings.HasPrefix(path, "terraform/") {
			pages[path] = text
		}
	}
	if len(pages) < 20 {
		t.Fatalf("there are %d pages", len(pages))
	}
	return pages
}

func sources(t *testing.T, suffixes ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(repository, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			if err == nil && (d.Name() == ".git" || d.Name() == "dist" || d.Name() == ".terraform") {
				return filepath.SkipDir
			}
			return err
		}
		for _, suffix := range suffixes {
			if strings.HasSuffix(path, suffix) {
				text, err := os.ReadFile(path)
				files[filepath.ToSlash(strings.TrimPrefix(path, repository+string(filepath.Separator)))] = string(text)
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestPagesNameCommandsThatExist: each `carnet …` in a page is a command with the flags that
// stand there.
func TestPagesNameCommandsThatExist(t *testing.T) {
	called := regexp.MustCompile(`(?m)(?:^|[\x60(\s])(?:\./carnet|go run \./cmd/carnet|carnet) ((?:[a-z][a-z-]* ?)+[^\x60#;|)]*)`)
	flag := regexp.MustCompile(`(?:^|\s)--([a-z][a-z-]*)`)
	all, seen := root(), 0
	all.InitDefaultHelpCmd()
	all.InitDefaultCompletionCmd()
	for page, text := range written(t) {
		text = strings.ReplaceAll(text, "\\\n", " ")
		for _, code := range commandsIn(text) {
			for _, m := range called.FindAllStringSubmatch(code, -1) {
				line, _, _ := strings.Cut(m[1], "\n")
				line, _, _ = strings.Cut(line, " -- ")
				cmd, rest, err := all.Find(strings.Fields(line))
				if err != nil || cmd.Parent() == nil {
					t.Errorf("%s: there is no command carnet %s", page, line)
					continue
				}
				if first := strings.Join(rest, " "); len(cmd.Commands()) > 0 && first != "" && !strings.HasPrefix(first, "-") {
					t.Errorf("%s: %s has no command %s", page, cmd.CommandPath(), first)
				}
				seen++
				for _, f := range flag.FindAllStringSubmatch(line, -1) {
					if !hasFlag(cmd, f[1]) {
						t.Errorf("%s: %s has no flag --%s", page, cmd.CommandPath(), f[1])
					}
				}
			}
		}
	}
	if seen < 40 {
		t.Errorf("%d commands were found", seen)
	}
}

func hasFlag(cmd *cobra.Command, name string) bool {
	cmd.InitDefaultHelpFlag()
	cmd.InitDefaultVersionFlag()
	return cmd.Flags().Lookup(name) != nil || cmd.InheritedFlags().Lookup(name) != nil
}

// commandsIn are the blocks of commands and the words in code.
func commandsIn(text string) []string {
	fence := regexp.MustCompile("(?ms)^ *```(\\w*)\n(.*?)^ *```")
	var list []string
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		if m[1] == "sh" || m[1] == "ini" {
			list = append(list, m[2])
		}
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		list = append(list, m[1])
	}
	return list
}

// TestPagesNameFilesThatExist: links, with the headings that they go to, and what is written
// as code and begins like a folder of the repository.
func TestPagesNameFilesThatExist(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#: ]*)(?:#([^) ]+))?\)`)
	path := regexp.MustCompile("`((?:client|cmd|deploy|docs|functions|integration|scripts|shared|terraform)/[a-zA-Z0-9_./-]*)[ `]")
	for page, text := range written(t) {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			to := filepath.Join(repository, filepath.Dir(page), m[1])
			if m[1] == "" {
				to = filepath.Join(repository, page)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s is not there", page, m[1])
			} else if m[2] != "" && !hasHeading(t, to, m[2]) {
				t.Errorf("%s: %s has no heading %s", page, m[1], m[2])
			}
		}
		for _, m := range path.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(filepath.Join(repository, m[1])); err != nil {
				t.Errorf("%s: %s is not there", page, m[1])
			}
		}
	}
}

// TestTheIndexNamesEveryPage: a page that the index does not lead to is read by nobody.
func TestTheIndexNamesEveryPage(t *testing.T) {
	index := readFile(t, repository, "docs/README.md")
	for page := range written(t) {
		name, ok := strings.CutPrefix(page, "docs/")
		if ok && name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/README.md does not name %s: give it its place in the order", page)
		}
	}
}

// hasHeading finds a heading by the name that is made of it: lower case, dashes between.
func hasHeading(t *testing.T, page, name string) bool {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		bare := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		if strings.ReplaceAll(bare, " ", "-") == name {
			return true
		}
	}
	return false
}

// TestPagesNameTestsAndVariablesThatExist as code does.
func TestPagesNameTestsAndVariablesThatExist(t *testing.T) {
	var code strings.Builder
	for path, text := range sources(t, ".go", ".tf", "scripts/test-peers", "scripts/bench") {
		if path != "cmd/carnet/docs_test.go" {
			code.WriteString(text)
		}
	}
	name := regexp.MustCompile("(?:[`$]|export )(CARNET_[A-Z_]+|(?:Test|Fuzz|Benchmark)[A-Z]\\w+)")
	for page, text := range written(t) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			want := m[1]
			if !strings.HasPrefix(want, "CARNET_") {
				want = "func " + want + "("
			}
			if !strings.Contains(code.String(), want) {
				t.Errorf("%s: there is no %s", page, m[1])
			}
		}
	}
}

// TestPagesFilesOfTenantsParse: a whole file that a page shows is one that is read.
func TestPagesFilesOfTenantsParse(t *testing.T) {
	fence := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```")
	seen := 0
	for page, text := range written(t) {
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			name := regexp.MustCompile(`(?m)^tenant: ([a-z0-9-]+)`).FindStringSubmatch(m[1])
			if name == nil {
				continue
			}
			seen++
			if _, err := kinds.All().Catalog().ParseTenant("tenants/"+name[1]+".yaml", []byte(m[1])); err != nil {
				t.Errorf("%s: %v", page, err)
			}
		}
	}
	if seen == 0 {
		t.Error("no page shows a tenant's file")
	}
}
