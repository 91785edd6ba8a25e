package trust

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// gcloud is the Google Cloud part as commands. What stands already makes a `create` fail,
// which does no harm; a binding that stands already is no failure.
func (s *Sheet) gcloud() (string, error) {
	if s.Google.IsZero() {
		return "", s.wrong(Gcloud, fmt.Sprintf("%s/%s has nothing on Google Cloud for %s to apply", s.Tenant, s.Destination, s.owner()))
	}
	var b strings.Builder
	b.WriteString(commented("#", "", s.title()...))
	if len(s.Roles) > 0 {
		b.WriteString(commented("#", "", "", "This is the part on Google Cloud: the roles on AWS are printed with --as json, cloudformation or terraform."))
	}
	b.WriteString(commented("#", "", "", "If something exists already, its create fails and changes nothing: go on. A new binding counts after two minutes as a rule, at times after seven or more."))
	s.Google.made(&b)
	for _, binding := range s.Google.Bindings {
		b.WriteString("\n" + commented("#", "", binding.Why) + binding.command() + "\n")
	}
	return b.String(), nil
}

func (g Google) made(b *strings.Builder) {
	var projects []string
	for _, account := range g.Accounts {
		if p := ProjectOf(account); !slices.Contains(projects, p) {
			projects = append(projects, p)
			b.WriteString("\n" + commented("#", "", "The API that gives tokens of the account.") +
				shell("gcloud", "services", "enable", "iamcredentials.googleapis.com", "--project", p) + "\n")
		}
		name, _, _ := strings.Cut(account, "@")
		b.WriteString(shell("gcloud", "iam", "service-accounts", "create", name, "--project", ProjectOf(account)) + "\n")
	}
	for _, r := range g.CustomRoles {
		parts := strings.Split(r.Name, "/")
		b.WriteString("\n" + commented("#", "", r.Why) +
			shell("gcloud", "iam", "roles", "create", parts[3], "--project", parts[1], "--permissions", strings.Join(r.Permissions, ",")) + "\n")
	}
	for _, p := range g.Pools {
		b.WriteString("\n" + commented("#", "", p.Why) + p.commands())
	}
}

// command adds one binding. --condition None answers the question that gcloud otherwise
// asks where a policy has conditions.
func (b Binding) command() string {
	var args []string
	switch b.On {
	case Account:
		args = []string{"gcloud", "iam", "service-accounts", "add-iam-policy-binding", b.Name, "--project", ProjectOf(b.Name)}
	case Bucket:
		args = []string{"gcloud", "storage", "buckets", "add-iam-policy-binding", "gs://" + b.Name}
	case Dataset:
		return shell("bq", "add-iam-policy-binding", "--member", b.Member, "--role", b.Role, b.Name)
	case Project:
		args = []string{"gcloud", "projects", "add-iam-policy-binding", b.Name}
	case Secret:
		parts := strings.Split(b.Name, "/") // projects/P/secrets/S
		args = []string{"gcloud", "secrets", "add-iam-policy-binding", parts[3], "--project", parts[1]}
	}
	condition := "None"
	if b.Condition != "" {
		condition = pairs("title="+b.Title, "expression="+b.Condition)
	}
	return shell(append(args, "--role", b.Role, "--member", b.Member, "--condition", condition)...)
}

// pairs joins what gcloud splits, by a character that none of them has.
// https://cloud.google.com/sdk/gcloud/reference/topic/escaping
func pairs(list ...string) string {
	if !strings.Contains(strings.Join(list, ""), ",") {
		return strings.Join(list, ",")
	}
	for _, by := range []string{";", "#", "~", "@@"} {
		if !strings.Contains(strings.Join(list, ""), by) {
			return "^" + by + "^" + strings.Join(list, by)
		}
	}
	return "^|||^" + strings.Join(list, "|||")
}

// shell writes a command, with what a shell would read otherwise in quotes.
func shell(words ...string) string {
	plain := regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)
	var list []string
	for _, w := range words {
		switch {
		case plain.MatchString(w):
		case !strings.Contains(w, "'"):
			w = "'" + w + "'"
		case !strings.ContainsAny(w, "\"$`\\!"):
			w = `"` + w + `"`
		default:
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		list = append(list, w)
	}
	return folded(list)
}

// folded puts each flag of a long command on a line of its own.
func folded(words []string) string {
	text := strings.Join(words, " ")
	if len(text) <= 100 {
		return text
	}
	for i, w := range words {
		if strings.HasPrefix(w, "--") {
			words[i] = "\\\n  " + w
		}
	}
	return strings.Join(words, " ")
}
