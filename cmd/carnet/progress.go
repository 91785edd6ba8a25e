package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A progress tells how far long work has come: a bar that is drawn over on a terminal, a
// line now and then elsewhere. It writes to standard error, so that what was asked for
// stays alone on standard output. It is safe for concurrent use, but for end.
type progress struct {
	out         io.Writer
	bar         bool
	mu          sync.Mutex
	done, total int
	told        time.Time
}

const (
	barWidth  = 24
	lineEvery = 5 * time.Second
	clearLine = "\r\x1b[K"
)

func newProgress(out io.Writer, total int) *progress {
	return &progress{out: out, bar: isTerminal(out), total: total, told: time.Now()}
}

// step says what was just done.
func (p *progress) step(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	switch {
	case p.bar:
		full := barWidth * min(p.done, p.total) / max(p.total, 1)
		fmt.Fprintf(p.out, "%s[%s%s] %d/%d %s", clearLine, strings.Repeat("█", full), strings.Repeat("·", barWidth-full), p.done, p.total, what)
	case time.Since(p.told) >= lineEvery:
		p.told = time.Now()
		fmt.Fprintf(p.out, "%d of %d: %s\n", p.done, p.total, what)
	}
}

// say writes a line in the place of the bar.
func (p *progress) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	fmt.Fprintf(p.out, format+"\n", args...)
}

// end takes the bar away.
func (p *progress) end() {
	if p.bar {
		fmt.Fprint(p.out, clearLine)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// colour tells whether the reader sees colours: on a terminal, unless NO_COLOR
// (https://no-color.org) or TERM says otherwise.
func colour(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
