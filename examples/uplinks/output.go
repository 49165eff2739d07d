package main

import (
	"io"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
)

// A printer writes text or JSON without any bytes that control the terminal. Names of
// processes, interfaces and tables come from outside and can have any bytes, and so can the
// errors of other programs. Each write is whole lines. Everything that this program prints
// goes through a printer.
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

// oneLine joins the lines of an error or an event to one line, in which no byte controls the
// terminal.
func oneLine(s string) string {
	return iptext.Printable(strings.ReplaceAll(strings.TrimSpace(s), "\n", "; "))
}

// writePatience is how long the end of run waits for the readers of its output.
const writePatience = time.Second

// writeSoon writes text, and waits for a limited time, because there may be no reader.
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
