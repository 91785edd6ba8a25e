package fromterraform

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// meant has by rule the comment that a line ends in where its finding is meant, and the files in
// which that counts. The `token` door verifies every request itself, and stands open only where
// it was asked for. Running BigQuery's jobs, and what a build needs, are permissions of a project,
// and reach no account and no data.
func meant(rule, path, line string) bool {
	var files []string
	var comment string
	switch rule {
	case "public":
		comment, files = "# public: the token door", []string{"modules/aws-function/main.tf", "modules/gcp-function/main.tf"}
	case "project-wide":
		comment, files = "# on the project: it reaches no data", []string{"modules/gcp-function/main.tf", "modules/destination-bigquery/main.tf"}
	}
	return comment != "" && strings.HasSuffix(line, comment) && slices.Contains(files, path)
}

// Sources reads every .tf file for what must not be written at all: long-lived keys,
// users, wildcard principals, public members, grants that throw out others', and grants on more
// than one account or place. It sees what no plan shows, such as a resource whose count is 0.
func Sources(tree fs.FS) ([]Finding, error) {
	var found []Finding
	err := fs.WalkDir(tree, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".tf") && !strings.HasSuffix(path, ".tf.json") {
			return err
		}
		text, err := fs.ReadFile(tree, path)
		for i, line := range strings.Split(string(text), "\n") {
			for rule, pattern := range forbidden() {
				if m := pattern.FindString(uncommented(line)); m != "" && !meant(rule, path, line) {
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
		"project-wide":  regexp.MustCompile(`"google_(project|folder|organization)_iam_(member|binding|policy)"`),
		"token-creator": regexp.MustCompile(`\biam\.serviceAccountTokenCreator\b`),
	}
}

func uncommented(line string) string {
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, "//") {
		return ""
	}
	return line
}
