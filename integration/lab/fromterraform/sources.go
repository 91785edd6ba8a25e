package fromterraform

import (
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// tokenDoor is the comment that a line ends in where the public is meant: the `token`
// door verifies every request itself, and stands open only where it was asked for. It
// counts in the functions' own modules and nowhere else.
const tokenDoor = "# public: the token door"

func meant(path, line string) bool {
	return strings.HasSuffix(line, tokenDoor) && (path == "modules/aws-function/main.tf" || path == "modules/gcp-function/main.tf")
}

// Sources reads every .tf file for what must not be written at all: long-lived keys,
// users, wildcard principals, public members, and grants that throw out others'. It sees
// what no plan shows, such as a resource whose count is 0.
func Sources(tree fs.FS) ([]Finding, error) {
	var found []Finding
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".tf") && !strings.HasSuffix(path, ".tf.json") {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		for i, line := range strings.Split(string(text), "\n") {
			for rule, pattern := range forbidden() {
				if m := pattern.FindString(uncommented(line)); m != "" && !(rule == "public" && meant(path, line)) {
					found = append(found, Finding{rule, fmt.Sprintf("%s:%d", path, i+1), strings.TrimSpace(m)})
				}
			}
		}
		return err
	})
	return found, err
}

func forbidden() map[string]*regexp.Regexp {
	return map[string]*regexp.Regexp{
		"stored-key":    regexp.MustCompile(`\b(google_service_account_key|google_storage_hmac_key|aws_iam_access_key|aws_iam_user\w*|aws_iam_service_specific_credential|secret_string\b|secret_data\b)`),
		"public":        regexp.MustCompile(`allUsers|allAuthenticatedUsers|(?i:principal|AWS|Federated|identifiers)"?\s*[=:]\s*(\[[^]]*)?"\*"|authorization_type\s*=.*"NONE"`),
		"authoritative": regexp.MustCompile(`"google_\w+_iam_(policy|binding)"`),
		"token-creator": regexp.MustCompile(`\biam\.serviceAccountTokenCreator\b`),
	}
}

func uncommented(line string) string {
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") {
		return ""
	}
	return line
}
