package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// width is the largest number of columns of the text.
const width = 100

// A printer prints the story and counts observations.
type printer struct {
	w       io.Writer
	color   bool
	verbose bool
	err     error // the first error of a write

	observations, failed int
}

func newPrinter(f *os.File, verbose bool) *printer {
	info, err := f.Stat()
	terminal := err == nil && info.Mode()&os.ModeCharDevice != 0
	_, no := os.LookupEnv("NO_COLOR")
	return &printer{w: f, verbose: verbose, color: terminal && !no && os.Getenv("TERM") != "dumb"}
}

// Colours, as ANSI escape codes.
const (
	bold  = "1"
	faint = "2"
	red   = "1;31"
	green = "32"
	blue  = "36"
)

func (p *printer) paint(color, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + color + "m" + s + "\x1b[0m"
}

func (p *printer) line(format string, args ...any) {
	s := strings.TrimRight(fmt.Sprintf(format, args...), " ")
	if _, err := fmt.Fprintln(p.w, s); err != nil && p.err == nil {
		p.err = err
	}
}

// title prints the title of a part.
func (p *printer) title(s string) {
	p.line("%s", p.paint(bold, s))
	p.line("%s", p.paint(bold, strings.Repeat("=", len(s))))
}

// step prints the title of a step.
func (p *printer) step(n int, s string) {
	p.line("")
	p.line("%s", p.paint(bold, fmt.Sprintf("%d. %s", n, s)))
}

// say prints a paragraph.
func (p *printer) say(format string, args ...any) {
	for _, line := range fold(fmt.Sprintf(format, args...), width-3) {
		p.line("   %s", line)
	}
}

// fold splits a text into lines of at most width columns.
func fold(text string, width int) []string {
	var lines []string
	for word := range strings.FieldsSeq(text) {
		last := len(lines) - 1
		if last < 0 || len(lines[last])+1+len(word) > width {
			lines = append(lines, word)
		} else {
			lines[last] += " " + word
		}
	}
	return lines
}

// code prints a line of Go.
func (p *printer) code(s string) { p.line("       %s", p.paint(blue, s)) }

// command prints a command of an administrator.
func (p *printer) command(s string) { p.line("     # %s", p.paint(blue, s)) }

// output prints a line of the output of a command. The indentation of eight columns keeps
// the tabs of the line aligned.
func (p *printer) output(s string) { p.line("        %s", s) }

// request prints a request for -v.
func (p *printer) request(where, command string, err error) {
	if err != nil {
		command += ": " + err.Error()
	}
	// A long command continues after a backslash, as in a shell.
	lines := fold(where+": "+command, width-9)
	p.line("     %s", p.paint(faint, "> "+strings.Join(lines, " \\\n         ")))
}

// observe prints an observation, and whether it is as expected.
func (p *printer) observe(ok bool, format string, args ...any) {
	p.observations++
	mark := p.paint(green, "    ok")
	if !ok {
		p.failed++
		mark = p.paint(red, "FAILED")
	}
	p.line("%s  %s", mark, fmt.Sprintf(format, args...))
}

// detail prints a line about the observation above.
func (p *printer) detail(format string, args ...any) { p.line("          "+format, args...) }

// The columns of a table of calls.
const (
	headColumns = "        %-22s  %-16s  %-12s  %-12s  %s"
	callColumns = "%-22s  %-16s  %4d  %4d    %4d  %4d    %s"
)

// callHeader prints the header of a table of calls, with the names of the second and the
// last column.
func (p *printer) callHeader(second, last string) {
	p.line(headColumns, "connection to", second, "by router A", "by router B", last)
	p.line(headColumns, "", "", "  to  from", "  to  from", "")
}

// callLine prints a call as a line of the table.
func (p *printer) callLine(ok bool, c call, to, second, last string) {
	p.observe(ok, callColumns, to, second,
		c.to[routerA], c.from[routerA], c.to[routerB], c.from[routerB], last)
	if c.err != nil && c.result() == failed {
		p.detail("%v", c.err)
	}
}

// summary prints the last line, and returns the result of the demo.
func (p *printer) summary(took time.Duration, omitted string) error {
	p.line("")
	if omitted != "" {
		p.line("%s.", omitted)
	}
	if p.failed > 0 {
		p.line("%s", p.paint(red, fmt.Sprintf("FAILED: %d of %d observations are not as expected.",
			p.failed, p.observations)))
		return errFailed
	}
	p.line("%s", p.paint(green, fmt.Sprintf("All %d observations are as expected (%.1f s). The demo has cleaned up after itself.",
		p.observations, took.Seconds())))
	return p.err
}
