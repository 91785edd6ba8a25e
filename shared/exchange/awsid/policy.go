package awsid

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxSessionPolicy is in characters.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const MaxSessionPolicy = 2048

// A Statement of a session policy.
type Statement struct {
	Effect    string
	Action    []string
	Resource  []string
	Condition map[string]map[string][]string `json:",omitempty"`
}

// Allow is a statement that allows actions on resources.
func Allow(resources []string, actions ...string) Statement {
	return Statement{Effect: "Allow", Action: actions, Resource: resources}
}

// If adds a condition.
func (s Statement) If(operator, key string, values ...string) Statement {
	s.Condition = map[string]map[string][]string{operator: {key: values}}
	return s
}

// SessionPolicy writes a session policy. STS takes no character above U+00FF in one, and JSON has
// another way to write them.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
func SessionPolicy(list []Statement) (string, error) {
	text, err := json.Marshal(struct {
		Version   string
		Statement []Statement
	}{"2012-10-17", list})
	var ascii strings.Builder
	for _, unit := range utf16.Encode([]rune(string(text))) {
		if unit < utf8.RuneSelf {
			ascii.WriteByte(byte(unit))
		} else {
			fmt.Fprintf(&ascii, `\u%04x`, unit)
		}
	}
	return ascii.String(), err
}
