// Package fromterraform reads what Terraform shows of the trust that the modules make
// (`terraform show -json`), and does two things with it.
//
// [Shown.Into] puts it into a world: the trust policies, the pool's mapping and
// condition, the bindings, the custom roles and the SQL, each as it stands, in the
// place of whatever trust the world had. A resource that it cannot load is an error, so
// that nothing which Terraform makes goes untried.
//
// [Shown.Lint] reads the same resources and says what is looser than it must be. The
// lab shows that an attack works; the lint says where it comes from, also in a tree that
// nobody attacked.
package fromterraform

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// Shown is a state or a plan as Terraform shows it.
type Shown struct {
	Resources []Resource
	// Accounts is the AWS account of each module's resources, which Terraform knows by
	// the provider alone: the output accounts.
	Accounts map[string]string
	// Snowflake is the SQL for each account: the output snowflake.
	Snowflake map[string]string
	// Providers is what carnet.yaml gets as providers: the output providers.
	Providers []Provider
	// OperatorFile is the text of carnet.yaml: the output operator_file.
	OperatorFile string
	// Identities are those of each tenant's file: the output identities.
	Identities map[string][]string
}

// A Provider is one of carnet.yaml's.
type Provider struct {
	Name, Kind, Account string
}

// A Resource is one managed resource with all its values.
type Resource struct {
	Address string
	Mode    string // managed; a data source is only read, and not shown here
	Type    string
	Values  Values
}

// Module is the name of the module call in the root that made the resource; empty for
// the root's own.
func (r Resource) Module() string {
	if m := regexp.MustCompile(`^module\.(\w+)`).FindStringSubmatch(r.Address); m != nil {
		return m[1]
	}
	return ""
}

// Values are a resource's attributes and blocks.
type Values map[string]any

// Text returns an attribute that is a string; empty where it is not there.
func (v Values) Text(name string) string {
	s, _ := v[name].(string)
	return s
}

// Texts returns an attribute that is a list of strings.
func (v Values) Texts(name string) []string {
	var list []string
	all, _ := v[name].([]any)
	for _, one := range all {
		if s, ok := one.(string); ok {
			list = append(list, s)
		}
	}
	return list
}

// Map returns an attribute that maps strings to strings.
func (v Values) Map(name string) map[string]string {
	texts := map[string]string{}
	all, _ := v[name].(map[string]any)
	for k := range all {
		texts[k] = Values(all).Text(k)
	}
	return texts
}

// Block returns the one block of a name; nil where there is none.
func (v Values) Block(name string) Values {
	all, _ := v[name].([]any)
	if len(all) != 1 {
		return nil
	}
	b, _ := all[0].(map[string]any)
	return b
}

type module struct {
	Resources []Resource `json:"resources"`
	Children  []module   `json:"child_modules"`
}

func (m module) all() []Resource {
	list := slices.DeleteFunc(slices.Clone(m.Resources), func(r Resource) bool { return r.Mode == "data" })
	for _, c := range m.Children {
		list = append(list, c.all()...)
	}
	return list
}

type output[T any] struct{ Value T }

type values struct {
	Outputs struct {
		Accounts   output[map[string]string]
		Snowflake  output[map[string]string]
		Providers  output[[]Provider]
		Identities output[map[string][]string]
		Operator   output[string] `json:"operator_file"`
	}
	Root module `json:"root_module"`
}

// Parse reads what `terraform show -json` prints of a state, or of a plan.
func Parse(text []byte) (*Shown, error) {
	var doc struct {
		Values  *values
		Planned *values `json:"planned_values"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	v := doc.Values
	if v == nil {
		v = doc.Planned
	}
	if v == nil {
		return nil, fmt.Errorf("has neither values nor planned_values: write what `terraform show -json` prints")
	}
	return &Shown{
		Resources: v.Root.all(), Accounts: v.Outputs.Accounts.Value, Snowflake: v.Outputs.Snowflake.Value,
		Providers: v.Outputs.Providers.Value, Identities: v.Outputs.Identities.Value, OperatorFile: v.Outputs.Operator.Value,
	}, nil
}

// Find returns the resource at an address, to be looked at or changed.
func (s *Shown) Find(address string) (*Resource, error) {
	i := slices.IndexFunc(s.Resources, func(r Resource) bool { return r.Address == address })
	if i < 0 {
		return nil, fmt.Errorf("nothing is shown at %s", address)
	}
	return &s.Resources[i], nil
}
