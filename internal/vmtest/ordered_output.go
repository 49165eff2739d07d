package main

import (
	"bytes"
	"io"
	"sync"
)

// An orderedOutput lets several reports share an output. The output of a report is held back
// until all reports before it are closed. So each report is printed in one piece, and the
// first one immediately.
type orderedOutput struct {
	mu    sync.Mutex
	w     io.Writer
	parts []*outputPart
}

// An outputPart is the part of a report.
type outputPart struct {
	output  *orderedOutput
	waiting bytes.Buffer
	closed  bool
}

func newOrderedOutput(w io.Writer, n int) *orderedOutput {
	t := &orderedOutput{w: w}
	for range n {
		t.parts = append(t.parts, &outputPart{output: t})
	}
	return t
}

func (t *outputPart) Write(b []byte) (int, error) {
	t.output.mu.Lock()
	defer t.output.mu.Unlock()
	t.waiting.Write(b)
	return len(b), t.output.flush()
}

// Close ends the part.
func (t *outputPart) Close() error {
	t.output.mu.Lock()
	defer t.output.mu.Unlock()
	t.closed = true
	return t.output.flush()
}

// flush writes the parts that do not have to wait any more. The caller holds the lock.
func (t *orderedOutput) flush() error {
	for _, x := range t.parts {
		if _, err := x.waiting.WriteTo(t.w); err != nil {
			return err
		}
		if !x.closed {
			return nil
		}
	}
	return nil
}
