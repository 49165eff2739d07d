// Package wire is what the host and the guest of a test run agree on: the plan
// that the guest finds in its file system, and the events that it sends back.
//
// Events are JSON, one a line, on a serial port of their own: the kernel writes
// to the other one, so its messages never end up within a result.
package wire

import "time"

// Where the guest finds things.
const (
	PlanPath = "/plan.json" // a Plan
	Source   = "/src"       // the module under test
	Port     = "/dev/ttyS1" // takes the events
)

// Plan is what the guest does from boot to power-off.
type Plan struct {
	Modules []string // kernel modules, each after those it needs
	Jobs    []Job
}

// Job is one test binary.
type Job struct {
	Package string // import path
	Binary  string
	Dir     string // working directory, as go test would choose it
	Args    []string
	Limit   time.Duration // until it is killed
}

// Kind says which fields of an Event matter.
type Kind string

const (
	Ready  Kind = "ready"  // Text is the kernel's release; the jobs follow
	Note   Kind = "note"   // Text is something that went wrong outside of the jobs
	Start  Kind = "start"  // Package begins
	Output Kind = "output" // Data is output of the package that began last
	Done   Kind = "done"   // that package has ended: Exit, Killed, Elapsed
	End    Kind = "end"    // nothing follows
)

// Event is a message of the guest.
type Event struct {
	Kind    Kind          `json:"kind"`
	Package string        `json:"package,omitempty"`
	Text    string        `json:"text,omitempty"`
	Data    []byte        `json:"data,omitempty"` // not a string: JSON would alter what is not UTF-8
	Exit    int           `json:"exit,omitempty"`
	Killed  bool          `json:"killed,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
}
