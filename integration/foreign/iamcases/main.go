// Iamcases writes questions about policies with the lab's answers, one line of JSON each, for
// another evaluator to hold its own against:
//
//	go run ./integration/foreign/iamcases SEED CASES
//
// The first of them are generated: conditions under every operator, statements that speak of
// some actions and resources or of all but some, and the policies of both sides within one
// account and across two. The others are about every policy that carnet emits for the sample:
// what trust sheets print, and the session policies that a tour hands to STS.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"

	"carnet.dev/carnet/integration/lab/awslab"
)

// A Case is a question, the kind that it is of, and what the lab answers.
type Case struct {
	Name     string          `json:"name"`
	Question awslab.Question `json:"question"`
	Allowed  bool            `json:"allowed"`
	Error    string          `json:"error,omitempty"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "iamcases:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("usage: iamcases SEED CASES")
	}
	seed, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return fmt.Errorf("the seed is a number: %w", err)
	}
	cases, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("how many cases is a number: %w", err)
	}
	out := json.NewEncoder(os.Stdout)
	tell := func(name string, q awslab.Question) error {
		c := Case{Name: name, Question: q}
		allowed, err := q.Allowed()
		if c.Allowed = allowed; err != nil {
			c.Error = err.Error()
		}
		return out.Encode(c)
	}
	g := generator{rand.New(rand.NewPCG(seed, 0))}
	for i := range cases {
		if err := tell(g.question(i)); err != nil {
			return err
		}
	}
	return emitted(g, tell)
}
