package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An attribute of a block at its first level, as `terraform fmt` lays it out: on one line, or up
// to the line at the same margin that closes what it opened.
func attribute(text, name string) string {
	m := regexp.MustCompile(`(?m)^  ` + name + ` +=[ ]([^\n]*[({[]\n(?s:.*?)^  [)}\]]+|[^\n]*)$`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	lines := strings.Split(m[1], "\n")
	if len(lines) == 1 {
		return strings.TrimSpace(m[1])
	}
	var inner []string
	for _, line := range lines[1 : len(lines)-1] {
		inner = append(inner, strings.Join(strings.Fields(line), " "))
	}
	return lines[0] + " " + strings.Join(inner, ", ") + " " + strings.TrimSpace(lines[len(lines)-1])
}

// tables are a module's inputs and outputs, as its README has them.
func tables(t *testing.T, module string) string {
	t.Helper()
	cell := func(s string) string { return strings.ReplaceAll(strings.Trim(s, `"`), "|", `\|`) }
	var in, out strings.Builder
	for _, b := range hclBlocks(t, "modules/"+module+"/*.tf") {
		switch b.kind {
		case "variable":
			value := attribute(b.text, "default")
			if value == "" {
				value = "required"
			} else {
				value = "`" + value + "`"
			}
			fmt.Fprintf(&in, "| `%s` | `%s` | %s | %s |\n", b.name, attribute(b.text, "type"), strings.ReplaceAll(value, "|", `\|`), cell(attribute(b.text, "description")))
		case "output":
			fmt.Fprintf(&out, "| `%s` | %s |\n", b.name, cell(attribute(b.text, "description")))
		}
	}
	text := "## Inputs\n\n"
	if in.Len() == 0 {
		text += "None.\n"
	} else {
		text += "| name | type | default | |\n|---|---|---|---|\n" + in.String()
	}
	return text + "\n## Outputs\n\n| name | |\n|---|---|\n" + out.String()
}

// TestModulesTablesAreTheirVariables: each module's README ends with its inputs and outputs as
// the sources have them. UPDATE=1 writes them.
func TestModulesTablesAreTheirVariables(t *testing.T) {
	readmes, err := filepath.Glob("../terraform/modules/*/README.md")
	if err != nil || len(readmes) < 12 {
		t.Fatalf("%d modules: %v", len(readmes), err)
	}
	for _, file := range readmes {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		prose, _, _ := strings.Cut(string(text), "\n## Inputs\n")
		want := strings.TrimRight(prose, "\n") + "\n\n" + tables(t, filepath.Base(filepath.Dir(file)))
		if os.Getenv("UPDATE") == "1" {
			if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if string(text) != want {
			t.Errorf("%s does not have the inputs and outputs of the module: run UPDATE=1 go test ./integration -run TestModulesTables", file)
		}
	}
}

// TestEveryVariableSaysWhatItTakes: typed and described, and what has to be filled in is validated
// in the example itself, so that a mistake names the line that was filled in.
func TestEveryVariableSaysWhatItTakes(t *testing.T) {
	for _, glob := range []string{"modules/*/variables.tf", "examples/*/variables.tf"} {
		for _, b := range hclBlocks(t, glob) {
			for _, name := range []string{"type", "description"} {
				if attribute(b.text, name) == "" {
					t.Errorf("%s: %s has no %s", b.path, b.name, name)
				}
			}
			required := strings.HasPrefix(glob, "examples") && attribute(b.text, "default") == ""
			if (required || strings.HasSuffix(b.name, "region")) && !strings.Contains(b.text, "\n  validation {") {
				t.Errorf("%s: %s is not validated", b.path, b.name)
			}
			if strings.HasSuffix(b.name, "callers") && attribute(b.text, "type") != "set(string)" {
				t.Errorf("%s: %s is a %s, and elsewhere callers are a set", b.path, b.name, attribute(b.text, "type"))
			}
		}
	}
	for _, b := range hclBlocks(t, "*/*/outputs.tf") {
		if attribute(b.text, "description") == "" {
			t.Errorf("%s: the output %s has no description", b.path, b.name)
		}
	}
}

// TestRootsKeepTheirLockFiles: whoever deploys from an example can commit what locks its providers.
func TestRootsKeepTheirLockFiles(t *testing.T) {
	text, err := os.ReadFile("../.gitignore")
	if err != nil || !strings.Contains(string(text), "\n!/terraform/examples/*/.terraform.lock.hcl\n") {
		t.Errorf(".gitignore leaves the examples' lock files out: %v", err)
	}
}
