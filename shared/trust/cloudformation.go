package trust

import (
	"fmt"
	"slices"
	"strings"
)

// cloudFormation is the AWS part as a template. JSON is YAML, so that every value is
// written as JSON, in a frame of YAML, which has comments.
func (s *Sheet) cloudFormation() (string, error) {
	roles := s.whole()
	if len(roles) == 0 {
		return "", s.wrong(CloudFormation, fmt.Sprintf("%s/%s has no role on AWS for %s to create", s.Tenant, s.Destination, s.owner()))
	}
	var b strings.Builder
	b.WriteString(commented("#", "", s.title()...))
	b.WriteString(commented("#", "", "",
		"  aws cloudformation deploy --stack-name carnet-"+s.Tenant+"-"+s.Destination+" --template-file FILE --capabilities CAPABILITY_NAMED_IAM"))
	b.WriteString("AWSTemplateFormatVersion: \"2010-09-09\"\n")
	fmt.Fprintf(&b, "Description: %s\n", quoted("carnet: "+s.Tenant+"/"+s.Destination+" for the "+string(s.For)))
	b.WriteString("Resources:\n")
	for _, r := range roles {
		r.resource(&b)
	}
	b.WriteString("Outputs:\n")
	for _, r := range roles {
		fmt.Fprintf(&b, "  %sArn:\n    Value: {\"Fn::GetAtt\": [%s, \"Arn\"]}\n", sid(r.ARN), quoted(sid(r.ARN)))
	}
	return b.String(), nil
}

// whole are the roles that the owner makes. A runtime's role is made elsewhere, and its
// one more policy is printed as JSON.
func (s *Sheet) whole() []*Role {
	return slices.DeleteFunc(slices.Clone(s.Roles), func(r *Role) bool { return len(r.Trust) == 0 })
}

func (r *Role) resource(b *strings.Builder) {
	fmt.Fprintf(b, "  %s:\n    Type: AWS::IAM::Role\n    DeletionPolicy: Retain\n    UpdateReplacePolicy: Retain\n    Properties:\n", sid(r.ARN))
	b.WriteString(commented("#", "      ", "A role that is deleted and made anew has another internal id, and whoever trusted the old one does not trust it."))
	fmt.Fprintf(b, "      RoleName: %s\n      Path: %s\n      MaxSessionDuration: %d\n", quoted(r.Name()), quoted(r.Path()), r.MaxSession)
	b.WriteString("      AssumeRolePolicyDocument:\n        Version: \"2012-10-17\"\n        Statement:\n")
	statements(b, "          ", r.Trust)
	if len(r.Policy) == 0 {
		return
	}
	fmt.Fprintf(b, "      Policies:\n        - PolicyName: %s\n          PolicyDocument:\n            Version: \"2012-10-17\"\n            Statement:\n", quoted(r.PolicyName))
	statements(b, "              ", r.Policy)
}

func statements(b *strings.Builder, indent string, list []Statement) {
	for _, st := range list {
		b.WriteString(commented("#", indent, st.Why))
		fmt.Fprintf(b, "%s- Sid: %s\n%s  Effect: %s\n", indent, quoted(st.Sid), indent, quoted(st.Effect))
		for _, part := range []struct {
			key   string
			value any
		}{{"Principal", st.Principal}, {"Action", st.Action}, {"Resource", st.Resource}, {"Condition", st.Condition}} {
			if text := quoted(part.value); text != "null" {
				fmt.Fprintf(b, "%s  %s: %s\n", indent, part.key, text)
			}
		}
	}
}

// quoted is JSON of what json can always encode.
func quoted(v any) string {
	text, _ := encoded(v, "")
	return strings.TrimSpace(string(text))
}
