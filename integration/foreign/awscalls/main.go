// Awscalls walks the tour, and writes every request to AWS with its answer, one line of JSON
// each, for others to hold against AWS's own models:
//
//	go run ./integration/foreign/awscalls
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"carnet.dev/carnet/integration/lab"
	"carnet.dev/carnet/integration/lab/tour"
)

func main() {
	if err := run(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "awscalls:", err)
		os.Exit(1)
	}
}

func run(w io.Writer) error {
	t, err := tour.New(io.Discard)
	if err != nil {
		return err
	}
	defer t.Close()
	var mu sync.Mutex
	var failed error
	out := json.NewEncoder(w)
	t.Lab().Hear(func(e lab.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		if strings.HasSuffix(e.Host, ".amazonaws.com") && failed == nil {
			failed = out.Encode(e)
		}
	})
	if err := t.Walk(context.Background(), func(tour.Row) {}); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	return failed
}
