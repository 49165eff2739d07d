package explain

import (
	"fmt"
	"strings"
)

// An Explanation is a decision and the way to it.
type Explanation struct {
	Packet   Packet
	Decision Decision
	Steps    []Step

	fib *FIB
}

// Explain returns the decision about a packet, which is that of [FIB.Decide], and each
// step on the way to it.
func (f *FIB) Explain(p Packet) Explanation {
	var t trace
	d := f.decide(&p, &t)
	return Explanation{Packet: p, Decision: d, Steps: t.steps, fib: f}
}

// String returns a line for each rule that was asked, and the verdict.
func (e Explanation) String() string {
	var b strings.Builder
	for _, s := range e.Steps {
		fmt.Fprintf(&b, "%s\t%d\n", e.fib.world.Rules[s.Rule], s.Result)
	}
	fmt.Fprintf(&b, "%s\n", e.Decision.Verdict)
	return b.String()
}
