package catalog

import (
	"encoding/json"
	"maps"
)

type object = map[string]any

// TenantSchema is the JSON Schema of a tenant's file, draft 2020-12.
func (ks *Kinds) TenantSchema() ([]byte, error) {
	return document(ks.tenant.Schema(), "A tenant of carnet: who it is, who may ask, and where its data goes.")
}

// OperatorSchema is the JSON Schema of carnet.yaml, draft 2020-12.
func OperatorSchema() ([]byte, error) {
	return document(OperatorKeys().Schema(), "What only the operator of carnet knows.")
}

func document(s object, title string) ([]byte, error) {
	s = maps.Clone(s)
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", title
	return json.MarshalIndent(s, "", "  ")
}

// Schema implements [keys.Form].
func (f byName) Schema() map[string]any {
	var kinds []object
	for _, name := range f.Names {
		kinds = append(kinds, f.each[name].Schema())
	}
	return object{"type": "object", "propertyNames": object{"pattern": Name().Pattern}, "additionalProperties": object{"oneOf": kinds}}
}
