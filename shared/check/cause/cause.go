// Package cause has the words in which a failure is explained: what can be wrong, whose it is to
// change, and which answer of a cloud or of a place means it.
//
// Package check has the causes of both clouds. A kind of destination has those of its own calls.
package cause

// A Side says whose a cause is, seen from the edge.
type Side int

const (
	FarSide  Side = iota // the owner of what is entered
	NearSide             // the owner of who enters
	OurSide              // the operator
)

// A Cause is one thing that a failure can mean.
type Cause struct {
	Code string // stable; docs/diagnose.md lists them
	Side Side
	Says string // what is wrong, without anybody's name
}

// Far is a cause that the owner of what is entered changes.
func Far(code, says string) Cause { return Cause{code, FarSide, says} }

// Near is a cause that the owner of who enters changes.
func Near(code, says string) Cause { return Cause{code, NearSide, says} }

// Ours is a cause that the operator changes.
func Ours(code, says string) Cause { return Cause{code, OurSide, says} }

// A Rule says what an answer means.
type Rule struct {
	Ops   string // the beginning of the call's name
	Code  string // the answer's own; empty: any
	Says  string // what has to be in its message
	Means []Cause
}

// Clock is the cause that both clouds and every signed login have.
func Clock() Cause { return Ours("clock", "this process's clock is off") }
