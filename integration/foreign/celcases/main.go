// Celcases writes generated cases of CEL with the lab's verdicts, one line of JSON each, for
// another implementation to hold its own against: mappings of a provider over the claims of a
// token, and conditions of access boundaries over objects and listings.
//
//	go run ./integration/foreign/celcases [SEED [CASES]]
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"carnet.dev/carnet/integration/lab/googlelab"
)

// A Case is an expression, what it may speak of, and what the lab makes of it: a value, or
// an error.
type Case struct {
	Kind       string         `json:"kind"`
	Expression string         `json:"expression"`
	Claims     map[string]any `json:"claims,omitempty"`
	Bucket     string         `json:"bucket,omitempty"`
	Object     string         `json:"object,omitempty"`
	Listing    *string        `json:"listing,omitempty"`
	Value      any            `json:"value"`
	Failed     bool           `json:"failed"`
}

func main() {
	seed, cases := uint64(time.Now().UnixNano()), 4000
	if len(os.Args) > 1 && os.Args[1] != "" {
		n, err := strconv.ParseUint(os.Args[1], 10, 64)
		if err != nil {
			fmt.Fprintln(os.Stderr, "celcases: the seed is a number:", err)
			os.Exit(2)
		}
		seed = n
	}
	if len(os.Args) > 2 {
		cases, _ = strconv.Atoi(os.Args[2])
	}
	fmt.Fprintln(os.Stderr, "seed", seed)
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	out := json.NewEncoder(os.Stdout)
	for i := range cases {
		c := g.mapping()
		if i%2 == 1 {
			c = g.boundary()
		}
		if err := out.Encode(c); err != nil {
			fmt.Fprintln(os.Stderr, "celcases:", err)
			os.Exit(1)
		}
	}
}

type generator struct{ *rand.Rand }

func pick[T any](g generator, list ...T) T { return list[g.IntN(len(list))] }

// text is a string in CEL, of what names and prefixes are made of.
func (g generator) text() string { return quoted(g.word()) }

func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func (g generator) word() string {
	return pick(g, "", "a", "carnet-", "carnet-t-acme", "arn:aws:sts::", "assumed-role/", "111122223333", "acme", "prod", ":", "/", "é", "x'y", `b\c`, "日本", "A", "true", "1000000", "-1", "0.5")
}

func (g generator) claims() map[string]any {
	c := map[string]any{
		"sub": g.word() + g.word(), "arn": "arn:aws:sts::111122223333:assumed-role/" + pick(g, "carnet-f-vend", "carnet-t-acme", "other") + "/" + g.word(),
		"account": pick(g, "111122223333", "444455556666"), "n": pick[any](g, json.Number("0"), json.Number("1000000"), json.Number("-7"), json.Number("9007199254740993"), json.Number("42")),
		"f": pick[any](g, json.Number("2.5"), json.Number("-0.25")), "b": g.IntN(2) == 0, "list": []any{g.word(), g.word(), "acme"},
		"https://sts.amazonaws.com/": map[string]any{"request_tags": map[string]any{"tenant": pick(g, "acme", "globex")}},
	}
	if g.IntN(4) == 0 {
		delete(c, pick(g, "sub", "n", "list"))
	}
	return c
}

func (g generator) mapping() Case {
	c := Case{Kind: "mapping", Claims: g.claims(), Expression: g.str(4)}
	if g.IntN(3) == 0 {
		c.Expression = g.boolean(4)
	}
	value, err := googlelab.MappingValue(c.Expression, c.Claims)
	c.Value, c.Failed = fmt.Sprint(value), err != nil
	return c
}

// str is an expression that gives a string, or fails.
func (g generator) str(depth int) string {
	if depth == 0 {
		return pick(g, g.text(), "assertion.sub", "assertion.arn", "assertion.account", "assertion['https://sts.amazonaws.com/'].request_tags.tenant", "assertion.list[0]")
	}
	s := func() string { return g.str(depth - 1) }
	switch g.IntN(8) {
	case 0:
		return s() + " + " + s()
	case 1:
		return "(" + g.boolean(depth-1) + " ? " + s() + " : " + s() + ")"
	case 2:
		template := pick(g, "assumed-role/{role}/", "{all}", "arn:aws:sts::{account}:", "{head}assumed-role/", "none{x}", "carnet-{t}")
		return pick(g, "assertion.arn", "assertion.sub", g.text()) + ".extract(" + quoted(template) + ")"
	case 3:
		return "string(" + pick(g, g.number(depth-1), "assertion.b", "assertion.n", g.str(0)) + ")"
	case 4:
		return "assertion.list[" + pick(g, "0", "1", "2", "3") + "]"
	}
	return g.str(0)
}

// number is an expression that gives an int, or fails.
func (g generator) number(depth int) string {
	if depth <= 0 || g.IntN(3) == 0 {
		return pick(g, "assertion.n", "0", "1", "1000000", "-7")
	}
	return pick(g, "size("+g.str(depth-1)+")", "size(assertion.list)", "("+g.number(depth-1)+" + "+g.number(depth-1)+")", "("+g.number(depth-1)+" - 1)")
}

func (g generator) boolean(depth int) string {
	if depth <= 0 {
		return pick(g, "true", "false", "assertion.b", "has(assertion.sub)", "has(assertion.missing)", "'sub' in assertion")
	}
	s, b := func() string { return g.str(depth - 2) }, func() string { return g.boolean(depth - 1) }
	if depth < 2 {
		s = func() string { return g.str(0) }
	}
	switch g.IntN(11) {
	case 0:
		return "(" + s() + ")." + pick(g, "startsWith", "endsWith", "contains") + "(" + s() + ")"
	case 1:
		return "(" + b() + " && " + b() + ")"
	case 2:
		return "(" + b() + " || " + b() + ")"
	case 3:
		return "!(" + b() + ")"
	case 4:
		return "(" + s() + ") " + pick(g, "==", "!=", "<", ">=") + " (" + s() + ")"
	case 5:
		return g.number(1) + " " + pick(g, "==", "!=", "<", ">", "<=", ">=") + " " + g.number(1)
	case 6:
		return "(" + s() + ") in " + pick(g, "assertion.list", "['acme', 'prod', "+g.text()+"]")
	case 7:
		return "(" + s() + ").matches(" + quoted(pick(g, "^arn:aws:", "carnet-[a-z-]+$", "[0-9]{12}", "^$", "a|b")) + ")"
	case 8:
		return "assertion.list." + pick(g, "exists", "all", "exists_one") + "(x, x " + pick(g, "== ", "!= ") + g.text() + ")"
	}
	return g.boolean(0)
}

// boundary is the condition of one or more prefixes, in the forms that customers and carnet
// write, with an object or a listing that is near one of them.
func (g generator) boundary() Case {
	c := Case{Kind: "boundary", Bucket: pick(g, "b", "acme-drop")}
	var any []string
	var near string
	for range 1 + g.IntN(4) {
		prefix := g.prefix()
		near = pick(g, near, prefix, prefix)
		any = append(any, "resource.name.startsWith("+quoted("projects/_/buckets/"+c.Bucket+"/objects/"+prefix)+")")
		if g.IntN(2) == 0 {
			any = append(any, "api.getAttribute('storage.googleapis.com/objectListPrefix', '').startsWith("+quoted(prefix)+")")
		}
	}
	if g.IntN(4) == 0 {
		any = append(any, pick(g, "resource.type == 'storage.googleapis.com/Bucket'", "resource.service == 'storage.googleapis.com'", "resource.name.endsWith('.csv')", "resource.name.extract('objects/{folder}/') == 'in'"))
	}
	c.Expression = strings.Join(any, pick(g, " || ", " || ", " && "))
	if g.IntN(8) == 0 {
		c.Expression = "!(" + c.Expression + ")"
	}
	name := pick(g, near, near+"a.csv", strings.TrimSuffix(near, "/"), near+"/"+g.word(), g.prefix(), strings.ToUpper(near))
	switch g.IntN(3) {
	case 0:
		c.Listing = &name
	default:
		c.Object = name
	}
	got, err := googlelab.BoundaryHolds(c.Expression, c.Bucket, c.Object, c.Listing)
	c.Value, c.Failed = got, err != nil
	return c
}

func (g generator) prefix() string {
	return pick(g, "in/", "from-operator/", "from-operator/2026/", "é/", "x'y/", `b\c/`, "日本/", "a b/", "%2F/", "")
}
