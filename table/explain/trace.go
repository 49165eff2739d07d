package explain

// A trace collects the steps of a lookup. A nil trace collects nothing.
type trace struct {
	steps []Step
}

// A Step is what a rule did with a packet.
type Step struct {
	Rule   int // place in World.Rules
	Result StepResult
}

// A StepResult says what came of a rule.
type StepResult uint8

const (
	stepNoMatch StepResult = iota
	stepGoto
	stepNop
	stepRefused
	stepNoTable
	stepNoRoute
	stepSuppressed
	stepDecided
)

func (t *trace) rule(r *ruleEntry, result StepResult) {
	if t != nil {
		t.steps = append(t.steps, Step{Rule: r.place, Result: result})
	}
}
