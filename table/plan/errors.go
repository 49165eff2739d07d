package plan

import (
	"fmt"
	"strings"

	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

// A FieldError reports an uplink, or a policy for all uplinks, that cannot be installed as
// it is declared. Nothing was changed.
type FieldError struct {
	Uplink string // its name, or interface and gateway; empty for a policy for all uplinks
	Field  string // of the uplink's struct, or of the policy's
	Reason string
}

// Error names the uplink and the field, and says what is wrong.
func (e *FieldError) Error() string {
	return about(e.Uplink) + e.Field + ": " + e.Reason
}

// about begins the text of an error about an uplink, or about all uplinks.
func about(uplink string) string {
	if uplink == "" {
		return "table: "
	}
	return "table: uplink " + uplink + ": "
}

// A ConflictError reports a route or rule of another program, or a table of nf_tables, that
// is in the way of an uplink. Nothing was changed.
type ConflictError struct {
	Uplink string         // empty: of all uplinks
	Object string         // the route or rule in the words of ip(8), the table in those of nft(8)
	Owner  route.Protocol // of that route or rule
	Reason string
}

// Error names the uplink and the object, and says what is wrong.
func (e *ConflictError) Error() string {
	return about(e.Uplink) + e.Reason + ": " + e.Object
}

// A StepError reports a step that failed. The steps before it have been undone, except for
// those that Left lists. So has the failed step, if it may have been done.
type StepError struct {
	Uplink string // empty: of all uplinks
	Step   Step   // what was tried
	Err    error  // why it failed
	// RolledBack means that steps were done, or may have been done, before the failure, and
	// have been undone except for Left. False: nothing was changed.
	RolledBack bool
	Left       []LeftError // steps that could not be undone

	command string
}

// A LeftError is a step that could not be undone.
type LeftError struct {
	Step Step  // what was done
	Err  error // why it was not undone
	// Uncertain means that it is not known whether the step is still done: the kernel's
	// reply was lost, and the state could not be read.
	Uncertain bool

	command string
}

// Command returns the shell command of the step, with the plan's names of tables and
// interfaces.
func (e *LeftError) Command() string { return commandOf(e.command, e.Step) }

// Command returns the shell command of the step, with the names that the plan has.
func (e *StepError) Command() string { return commandOf(e.command, e.Step) }

// commandOf returns the command of a step, with numbers if the error does not come from a
// plan.
func commandOf(command string, s Step) string {
	if command == "" {
		return s.String()
	}
	return command
}

// wordsOf returns the command of a step for an error. A batch has too many lines for that.
func wordsOf(command string, s *Step) string {
	if s.Op == CommitNFT {
		return "change of table " + s.NFT.Table() + " of nf_tables"
	}
	return command
}

// Error returns the command of the failed step with the reason, and the commands of
// steps that could not be undone.
func (e *StepError) Error() string {
	var b strings.Builder
	b.WriteString(about(e.Uplink) + wordsOf(e.Command(), &e.Step) + ": " + reason(e.Err))
	for _, l := range e.Left {
		doubt := ""
		if l.Uncertain {
			doubt = "perhaps "
		}
		fmt.Fprintf(&b, "; %snot undone: %s: %s", doubt, wordsOf(l.Command(), &l.Step), reason(l.Err))
	}
	return b.String()
}

// Reason returns why the step failed. If the kernel refused it, the reason is in the
// kernel's words.
func (e *StepError) Reason() string { return reason(e.Err) }

// Unwrap returns why the step failed, and why others were not undone.
func (e *StepError) Unwrap() []error {
	errs := []error{e.Err}
	for _, l := range e.Left {
		errs = append(errs, l.Err)
	}
	return errs
}

// reason returns the text of err without the verb and the object, which the step already
// has with names.
func reason(err error) string {
	if e, ok := err.(*rtnl.Error); ok {
		s := rtnl.Reason(e.Err)
		if e.Attr != "" {
			s += " (" + e.Attr + ")"
		}
		return s
	}
	return err.Error()
}

// A NameError reports that a name could not be written to rt_tables. Everything else
// was done: the uplinks work, but ip(8) shows the numbers of their tables.
type NameError struct {
	Table rttables.ID
	Name  string
	Err   error // why rt_tables was not written
}

// Error names the table and its name, and says why rt_tables was not written.
func (e *NameError) Error() string {
	return fmt.Sprintf("table: the name %s of table %d: %v", e.Name, uint32(e.Table), e.Err)
}

// Unwrap returns why rt_tables was not written.
func (e *NameError) Unwrap() error { return e.Err }
