package main

import (
	"io"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
)

// A printer writes text, or JSON, that does nothing to the terminal on which it is shown.
// Names of processes, interfaces and tables come from outside, and can have any bytes; so do
// the errors of other programs. Each write is whole lines. Everything that this program
// prints goes through a printer.
type printer struct {
	w    io.Writer
	json bool
}

func (p *printer) Write(b []byte) (int, error) {
	printable := iptext.PrintableLines
	if p.json {
		printable = iptext.PrintableJSON
	}
	if _, err := io.WriteString(p.w, printable(string(b))); err != nil {
		return 0, err
	}
	return len(b), nil
}

// oneLine joins the lines of an error or an event to one, in which everything is shown as
// itself.
func oneLine(s string) string {
	return iptext.Printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

// writePatience is how long the end of run waits for those who read what it writes.
const writePatience = time.Second

// writeSoon writes text, and waits for a limited time: nobody may read it.
func writeSoon(w io.Writer, text string) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.WriteString(w, text) // there is no other place to report it
	}()
	select {
	case <-done:
	case <-time.After(writePatience):
	}
}
