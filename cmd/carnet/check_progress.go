package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"carnet.dev/carnet/shared/check"
)

// A progress tells how far long work is: a bar on a terminal, a line now and then
// elsewhere. One destination is no long work.
type progress struct {
	out io.Writer
	bar bool
	of  int

	mu   sync.Mutex
	n    int
	told time.Time
}

func newProgress(out io.Writer, of int) *progress {
	f, ok := out.(*os.File)
	return &progress{out: out, of: of, bar: ok && term.IsTerminal(int(f.Fd())), told: time.Now()}
}

// quietFor is how long nothing is said where there is no terminal.
const quietFor = 3 * time.Second

func (p *progress) done(name string, o check.Outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	switch {
	case p.of < 2:
	case p.bar:
		const width = 30
		full := width * p.n / p.of
		fmt.Fprintf(p.out, "\r\x1b[K[%s%s] %d of %d  %s", strings.Repeat("#", full), strings.Repeat(".", width-full), p.n, p.of, name)
	case time.Since(p.told) >= quietFor:
		p.told = time.Now()
		fmt.Fprintf(p.out, "%d of %d checked; the last was %s: %s\n", p.n, p.of, name, o)
	}
}

// close takes the bar away.
func (p *progress) close() {
	if p.bar && p.of > 1 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
