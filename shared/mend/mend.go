// Package mend says what an owner types so that a broken chain holds again.
//
// Package check names what a failure can mean. This one knows the catalog, and so the names:
// for each cause it writes one [Change], with who makes it, where, why, and the text to paste.
// Trust, permissions and bindings are written by package trust, so that what mends a chain is
// what made it. Where a cloud's answer is true of several causes, each change says how to tell
// whether it is the one.
package mend

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"carnet.dev/carnet/shared/catalog"
	"carnet.dev/carnet/shared/check"
	"carnet.dev/carnet/shared/exchange"
	"carnet.dev/carnet/shared/exchange/awsid"
	"carnet.dev/carnet/shared/exchange/destination"
	"carnet.dev/carnet/shared/trust"
)

// A Change is what one owner does about one cause.
type Change struct {
	Cause string         `json:"cause"` // its code
	Owner exchange.Owner `json:"owner"`
	Where string         `json:"where"` // an AWS account, a Google Cloud project, a Snowflake account
	What  string         `json:"what"`  // what is wrong, with names
	Tell  string         `json:"tell,omitempty"`
	Text  string         `json:"text"` // ready to paste, or the steps that no command makes
	After string         `json:"after,omitempty"`
	// Missing are values that the catalog does not have: each has a placeholder in Text.
	Missing []trust.Missing `json:"missing,omitempty"`
}

// A Kind is what people need of one kind of place.
type Kind struct {
	trust.Kind
	Remedies map[string]Remedy // of the causes of its own calls, by code
}

// Kinds are all that a process knows, by name.
type Kinds map[string]Kind

// Trust is what package trust needs of them.
func (ks Kinds) Trust() trust.Kinds {
	all := trust.Kinds{}
	for name, k := range ks {
		all[name] = k.Kind
	}
	return all
}

// A Mender writes changes for one catalog.
type Mender struct {
	Kinds    Kinds
	Operator *catalog.Operator
	Tenant   *catalog.Tenant
	// Facts are what the catalog does not know: numeric ids, and the like. Its Tenant,
	// Destination and For are set here.
	Facts trust.Ask
}

// Changes lists one change for each cause of a report, the likeliest first; for a destination
// that let a probe in, what its owner puts in the place of what is there.
func (m Mender) Changes(r check.Report) []Change {
	if r.Outcome == check.UnsafeChain {
		return []Change{m.unsafe(r)}
	}
	if r.Finding == nil {
		return nil
	}
	var list []Change
	for _, c := range r.Finding.Causes {
		if f := m.fault(r, c); !f.ruledOut() {
			list = append(list, f.change())
		}
	}
	if len(list) == 1 {
		list[0].Tell = ""
	}
	return list
}

// A Fault is a cause in its place.
type Fault struct {
	Mender
	check.Cause
	From, To string // the ends of the edge
	Dest     *catalog.Destination

	name    string
	said    string // the cloud's own words
	several bool   // any account of a run can be the reason
	missing *[]trust.Missing
}

func (m Mender) fault(r check.Report, c check.Cause) Fault {
	f := Fault{Mender: m, Cause: c, name: r.Destination, Dest: m.Tenant.Destinations[r.Destination], missing: new([]trust.Missing)}
	e := r.Broke()
	switch {
	case e == nil && r.Err() != nil:
		f.said = r.Err().Error()
	case e != nil:
		f.From, f.To, f.several = e.Edge.From, e.Edge.To, len(e.Edge.Via) > 0
		f.said = cmp.Or(e.Code, string(e.Reason))
		if e.Err != nil {
			f.said = e.Err.Error()
		}
	}
	return f
}

func (f Fault) change() Change {
	how := f.remedy()
	c := Change{
		Cause: f.Code, Owner: f.Owner, Where: cmp.Or(how.Where, where(f.Place())), What: f.filled(how.What), Tell: f.filled(how.Tell), Text: f.filled(how.Text), After: how.after(),
	}
	for _, m := range *f.missing {
		if strings.Contains(c.Text, m.Placeholder) && !slices.Contains(c.Missing, m) {
			c.Missing = append(c.Missing, m)
		}
	}
	return c
}

// unsafe is the one change that no cloud's answer asks for.
func (m Mender) unsafe(r check.Report) Change {
	var in []string
	for _, p := range r.Probes {
		if p.Verdict == destination.ProbeLetIn {
			in = append(in, p.Name)
		}
	}
	c := check.Cause{Code: "unsafe", Owner: exchange.ThirdParty, Says: strings.Join(in, ", ")}
	f := m.fault(r, c)
	f.To = f.Dest.Where
	if end := f.Dest.End; end.Role != nil || end.ServiceAccount != nil {
		f.To = end.Principal()
	}
	return f.change()
}

// ruledOut: the answer about an API names a project's number, and the operator's is known
// where it has a pool.
func (f Fault) ruledOut() bool {
	number := f.operatorsNumber()
	if f.Code != "api_disabled" || number == "" || !f.several {
		return false
	}
	return (f.Project() == number) != (f.Owner == exchange.Operator)
}

// where is the account, project or Snowflake account that a thing is in.
func where(name string) string {
	resource := strings.TrimPrefix(name, "//iam.googleapis.com/")
	switch {
	case trust.OnAWS(name):
		return "AWS account " + awsid.AccountOf(name)
	case strings.HasPrefix(resource, "projects/"):
		return "Google Cloud project " + strings.Split(resource, "/")[1]
	case strings.Contains(name, "@"):
		return "Google Cloud project " + trust.ProjectOf(name)
	}
	return name
}

var numbered = regexp.MustCompile(`in project (\S+) before`)

// Project is the one that a cloud's answer names, or the account's own.
func (f Fault) Project() string {
	if m := numbered.FindStringSubmatch(f.said); m != nil {
		return m[1]
	}
	return strings.TrimPrefix(where(f.Place()), "Google Cloud project ")
}

func (f Fault) operatorsNumber() string {
	for _, p := range f.Operator.Providers {
		return strings.Split(p.Name, "/")[4]
	}
	return ""
}

// applied writes the part of an owner's sheet that concerns one principal.
func (f Fault) applied(owner exchange.Owner, name string, part func(*trust.Sheet) *trust.Sheet) string {
	text := f.printed(owner, func(s *trust.Sheet) *trust.Sheet { return part(s.Only(name)) }, trust.AWSCLI, trust.Gcloud)
	if text == "" {
		return f.byHand(fmt.Errorf("the files say nothing of %s", name))
	}
	return text
}

// SQL is what the administrator of the place runs.
func (f Fault) SQL() string { return f.printed(exchange.ThirdParty, whole, trust.SQLText) }

func whole(s *trust.Sheet) *trust.Sheet { return s }

// printed writes a part of what an owner applies for this destination.
func (f Fault) printed(owner exchange.Owner, part func(*trust.Sheet) *trust.Sheet, formats ...trust.Format) string {
	ask := f.Facts
	ask.Tenant, ask.Destination, ask.For = f.Tenant, f.name, owner
	s, err := f.Kinds.Trust().For(f.Operator, ask)
	if err != nil {
		return f.byHand(err)
	}
	*f.missing = append(*f.missing, s.Missing...)
	text, err := written(part(s), formats...)
	if err != nil {
		return f.byHand(err)
	}
	return text
}

// written writes a sheet in each of the formats that it has. A part of a sheet is told only
// what is missing in that part.
func written(s *trust.Sheet, formats ...trust.Format) (string, error) {
	all := s.Missing
	s.Missing = nil
	text, err := inFormats(s, formats)
	for _, m := range all {
		if strings.Contains(text, m.Placeholder) {
			s.Missing = append(s.Missing, m)
		}
	}
	if err != nil || len(s.Missing) == 0 {
		return text, err
	}
	return inFormats(s, formats)
}

func inFormats(s *trust.Sheet, formats []trust.Format) (string, error) {
	var b strings.Builder
	for _, format := range formats {
		if err := s.Write(&b, format, trust.Options{}); err != nil && !errors.Is(err, trust.ErrFormat) {
			return "", err
		}
	}
	return b.String(), nil
}

func (f Fault) byHand(err error) string { return "# " + err.Error() }

// pool is the provider of the edge, as a role has to find it.
func (f Fault) pool(commands func(trust.Pool, catalog.ProviderKind) string) string {
	p, err := trust.PoolOf(f.To, f.From)
	if err != nil {
		return f.byHand(err)
	}
	kind := catalog.ProviderAWS
	for _, own := range f.Operator.Providers {
		if own.Name == f.To {
			kind = own.Kind
		}
	}
	return commands(p, kind)
}

func (f Fault) issuer() string {
	for _, i := range f.Operator.Issuers {
		if strings.HasSuffix(i.URL, ".tokens.sts.global.api.aws") {
			return i.URL
		}
	}
	return "ISSUER-OF-THE-OPERATORS-AWS-ACCOUNT"
}
