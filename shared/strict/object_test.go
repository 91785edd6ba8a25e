package strict_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"carnet.dev/carnet/shared/strict"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{}`:           ``,
		` { "a" : 1 }`: `a=1;`,
		`{"a":"x,}]{[\"\\","b":[1,{"c":"]"}],"c":{"a":{}},"d":null,"e":-1.5e3,"f":true}`: `a="x,}]{[\"\\";b=[1,{"c":"]"}];c={"a":{}};d=null;e=-1.5e3;f=true;`,
		`{"\u0061b":"\u00e9"}`:             `ab="\u00e9";`,
		"{\n\t\"a\"\r\n:\t1 ,\"b\":2\n}\n": `a=1;b=2;`,
	} {
		o, err := strict.Parse([]byte(text))
		var got strings.Builder
		for _, m := range o {
			fmt.Fprintf(&got, "%s=%s;", m.Key, m.Value)
		}
		if err != nil || got.String() != want {
			t.Errorf("%s: %s, %v", text, got.String(), err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":                       ``,
		"blanks":                        ` `,
		"a list":                        `[{"a":1}]`,
		"null":                          `null`,
		"half an object":                `{"a":1`,
		"an object and more":            `{"a":1}{"b":2}`,
		"a key twice":                   `{"a":1,"a":2}`,
		"a key twice, once escaped":     `{"a":1,"\u0061":2}`,
		"a key twice, once in capitals": `{"sub":1,"SUB":2}`,
		"a key twice, with a long s":    `{"sub":1,"ſub":2}`,
		"a key twice, in kelvin":        `{"key":1,"Key":2}`,
		"a final comma":                 `{"a":1,}`,
		"no UTF-8":                      "{\"a\":\"\xff\"}",
		"very many keys":                `{"k":0` + manyKeys(100) + `}`,
	} {
		if o, err := strict.Parse([]byte(text)); err == nil {
			t.Errorf("%s is taken for %v", name, o)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"k%d":0`, i)
	}
	return b.String()
}

func TestGetIsExact(t *testing.T) {
	o, err := strict.Parse([]byte(`{"SUB":"a","ıss":"b","aud":"c"}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"sub": false, "iss": false, "aud": true, "SUB": true, "Aud": false} {
		if _, ok := o.Get(key); ok != want {
			t.Errorf("%s is found: %v", key, ok)
		}
	}
}

func TestString(t *testing.T) {
	for text, want := range map[string]string{`"a"`: "a", `""`: "", `"\u00e9\n"`: "é\n", `"é"`: "é"} {
		if got, err := strict.String([]byte(text)); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"null", "1", `["a"]`, "", `"`} {
		if got, err := strict.String([]byte(text)); err == nil {
			t.Errorf("%s is taken for %q", text, got)
		}
	}
}

// FuzzParse: what is taken is an object of the same members to encoding/json.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"a":1,"b":[{"c":"}"}]}`, `{"a":"\\\"","b":null}`, `{"a":1,"A":2}`, `{"a":{"b":{}}}x`, "{"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := strict.Parse(text)
		if checked := strict.Check(text); (checked == nil) != (err == nil) {
			t.Fatalf("%q: %v to Check, %v to Parse", text, checked, err)
		}
		if err != nil {
			return
		}
		var want map[string]json.RawMessage
		if err := json.Unmarshal(text, &want); err != nil || len(want) != len(got) {
			t.Fatalf("%q: %d members, not %d, %v", text, len(got), len(want), err)
		}
		for key, value := range want {
			if v, ok := got.Get(key); !ok || string(v) != string(value) {
				t.Fatalf("%q: %q is %q, not %q", text, key, v, value)
			}
		}
	})
}
