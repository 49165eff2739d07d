// Package wire defines the data that the host and the guest of a test run exchange: the plan,
// which is a file of the guest, and the events, which the guest sends to the host.
//
// Events are JSON, one a line. They have their own serial port, so that they are not mixed with
// messages of the kernel, which writes to the other port.
package wire

import "time"

// Paths in the guest.
const (
	PlanPath = "/plan.json" // a Plan
	Source   = "/src"       // the module under test
	Port     = "/dev/ttyS1" // the serial port for events
)

// Plan is the work of the guest.
type Plan struct {
	Modules []string // files of kernel modules, each after the modules that it needs
	Jobs    []Job
}

// Job is one test binary.
type Job struct {
	Package string // import path
	Binary  string
	Dir     string // working directory, as go test would choose it
	Args    []string
	Limit   time.Duration // the time after which it is killed
}

// System is the work of a machine with systemd.
type System struct {
	Modules  []string // as in Plan
	Scenario string   // one of Scenarios
	Run      string   // a regular expression of the checks to run; empty: all
	Verbose  bool     // send what the checks do, also when they succeed
}

// The scenarios, each of which is a boot.
const (
	Service = "uplinks-run.service" // with uplinks-wait.service
	Once    = "uplinks.service"     // with one cable out
)

// Scenarios are all of them, in order.
var Scenarios = []string{Service, Once}

// Kind is the kind of an Event. It determines which fields are set.
type Kind string

const (
	Ready  Kind = "ready"  // Text is the release of the kernel; the jobs follow
	Note   Kind = "note"   // Text is a failure outside of the jobs
	Start  Kind = "start"  // Package has started
	Output Kind = "output" // Data is output of the package that started last
	Done   Kind = "done"   // Package has ended: Exit, Killed, Elapsed and, for a check, Text are set
	End    Kind = "end"    // the last event
)

// Event is a message of the guest.
type Event struct {
	Kind    Kind          `json:"kind"`
	Package string        `json:"package,omitempty"`
	Text    string        `json:"text,omitempty"`
	Data    []byte        `json:"data,omitempty"` // not a string, because JSON would change bytes that are not UTF-8
	Exit    int           `json:"exit,omitempty"`
	Killed  bool          `json:"killed,omitempty"`
	Elapsed time.Duration `json:"elapsed,omitempty"`
}
