package googlelab

import (
	"encoding/json"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"carnet.dev/carnet/integration/lab/world"
)

// https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers
const (
	maxSubject   = 127  // bytes of google.subject
	maxMapping   = 2048 // characters of one expression
	maxCondition = 4096
)

// A program is a compiled expression.
type program = cel.Program

// environment is what expressions may speak of: the provider's, and an access
// boundary's.
func environment() (*cel.Env, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	return cel.NewEnv(
		cel.Variable("assertion", object), cel.Variable("google", object), cel.Variable("attribute", object),
		cel.Variable("resource", object), cel.Variable("api", object),
		cel.Function("extract", cel.MemberOverload("string_extract_string",
			[]*cel.Type{cel.StringType, cel.StringType}, cel.StringType,
			cel.BinaryBinding(func(s, template ref.Val) ref.Val {
				return types.String(extract(string(s.(types.String)), string(template.(types.String))))
			}))),
		cel.Function("getAttribute", cel.MemberOverload("api_get_attribute",
			[]*cel.Type{object, cel.StringType, cel.DynType}, cel.DynType,
			cel.FunctionBinding(func(args ...ref.Val) ref.Val { return attribute(args[0], args[1], args[2]) }))),
	)
}

// attribute is api.getAttribute(name, default).
// https://cloud.google.com/iam/docs/conditions-attribute-reference#api-attributes
func attribute(api, name, otherwise ref.Val) ref.Val {
	attributes, ok := api.Value().(map[string]any)
	if !ok {
		return otherwise
	}
	if v, ok := attributes[fmt.Sprint(name.Value())].(string); ok {
		return types.String(v)
	}
	return otherwise
}

// extract returns what stands in the place of {name} between the template's prefix
// and suffix; nothing without a match.
// https://cloud.google.com/iam/docs/conditions-attribute-reference#extract
func extract(s, template string) string {
	prefix, rest, ok := strings.Cut(template, "{")
	_, suffix, closed := strings.Cut(rest, "}")
	if !ok || !closed {
		return ""
	}
	start := strings.Index(s, prefix)
	if start < 0 {
		return ""
	}
	s = s[start+len(prefix):]
	if suffix == "" {
		return s
	}
	end := strings.Index(s, suffix)
	if end < 0 {
		return ""
	}
	return s[:end]
}

func (c *Cloud) compile(source string) (program, error) {
	c.mu.RLock()
	p, ok := c.programs[source]
	c.mu.RUnlock()
	if ok {
		return p, nil
	}
	env, err := environment()
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(source)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if p, err = env.Program(ast); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.programs) < 10_000 {
		c.programs[source] = p
	}
	return p, nil
}

func (c *Cloud) eval(source string, vars map[string]any) (any, error) {
	p, err := c.compile(source)
	if err != nil {
		return nil, err
	}
	full := map[string]any{"assertion": map[string]any{}, "google": map[string]any{}, "attribute": map[string]any{}, "resource": map[string]any{}, "api": map[string]any{}}
	for k, v := range vars {
		full[k] = v
	}
	out, _, err := p.Eval(full)
	if err != nil {
		return nil, err
	}
	return out.Value(), nil
}

func (c *Cloud) checkProvider(p *world.Provider) error {
	if len(p.Condition) > maxCondition {
		return fmt.Errorf("the condition has %d characters, and %d is the most", len(p.Condition), maxCondition)
	}
	if (p.AWSAccount == "") == (p.Issuer == "") {
		return fmt.Errorf("a provider trusts either an aws_account or an issuer")
	}
	for key, expression := range p.Mapping {
		if len(expression) > maxMapping {
			return fmt.Errorf("the mapping of %s has %d characters, and %d is the most", key, len(expression), maxMapping)
		}
		if _, err := c.compile(expression); err != nil {
			return fmt.Errorf("the mapping of %s: %w", key, err)
		}
	}
	if len(p.Mapping) > 0 && p.Mapping["google.subject"] == "" || p.Issuer != "" && len(p.Mapping) == 0 {
		return fmt.Errorf("the mapping has no google.subject")
	}
	if p.Condition == "" {
		return nil
	}
	_, err := c.compile(p.Condition)
	return err
}

// mapping is the provider's own or, only where it has none at all, the one that AWS
// providers get by default.
// https://cloud.google.com/iam/docs/workload-identity-federation#mapping
func mapping(p *world.Provider) map[string]string {
	if len(p.Mapping) > 0 {
		return p.Mapping
	}
	return map[string]string{
		"google.subject":     "assertion.arn",
		"attribute.aws_role": "assertion.arn.contains('assumed-role') ? assertion.arn.extract('{account_arn}assumed-role/') + 'assumed-role/' + assertion.arn.extract('assumed-role/{role_name}/') : assertion.arn",
	}
}

// identify maps an assertion, holds the condition against it, and returns the
// members as which the federated token counts.
func (c *Cloud) identify(p *world.Provider, pool string, assertion map[string]any) ([]string, *oauthFault) {
	google, attributes := map[string]any{}, map[string]any{}
	for key, expression := range mapping(p) {
		v, err := c.eval(expression, map[string]any{"assertion": assertion})
		text, ok := v.(string)
		if err != nil || !ok {
			return nil, oauth("invalid_request", "Could not obtain a value for "+key+" from the given credential.")
		}
		if name, ok := strings.CutPrefix(key, "attribute."); ok {
			attributes[name] = text
		} else {
			google[strings.TrimPrefix(key, "google.")] = text
		}
	}
	subject, _ := google["subject"].(string)
	switch {
	case subject == "":
		return nil, oauth("invalid_request", "The mapped attribute google.subject must not be empty.")
	case len(subject) > maxSubject:
		return nil, oauth("invalid_request", "The size of mapped attribute google.subject exceeds the 127 bytes limit. Either modify your attribute mapping or the incoming assertion to produce a mapped attribute that is less than 127 bytes.")
	}
	if p.Condition != "" {
		v, err := c.eval(p.Condition, map[string]any{"assertion": assertion, "google": google, "attribute": attributes})
		if err != nil || v != true {
			return nil, oauth("unauthorized_client", "The given credential is rejected by the attribute condition.")
		}
	}
	return members(pool, subject, attributes), nil
}

// MappingValue is what a mapping's expression, or a condition, makes of a token's claims. It
// lets another reader of CEL be held against the lab.
func MappingValue(expression string, claims map[string]any) (any, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	assertion := map[string]any{}
	if err := numbered(text, &assertion); err != nil {
		return nil, err
	}
	return (&Cloud{programs: map[string]program{}}).eval(expression, map[string]any{"assertion": celNumbers(assertion)})
}

// members: https://cloud.google.com/iam/docs/principal-identifiers
func members(pool, subject string, attributes map[string]any) []string {
	set := "principalSet://iam.googleapis.com/" + pool
	list := []string{"principal://iam.googleapis.com/" + pool + "/subject/" + subject, set + "/*"}
	for name, value := range attributes {
		list = append(list, set+"/attribute."+name+"/"+fmt.Sprint(value))
	}
	return list
}
