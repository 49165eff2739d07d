package main

import (
	"bytes"
	"io"
	"sync"
)

// turns lets several reports share an output: what a later one writes waits
// until all before it are closed. So each stands in one piece, and the first
// comes as it is written.
type turns struct {
	mu   sync.Mutex
	w    io.Writer
	list []*turn
}

// turn is one report's place.
type turn struct {
	of      *turns
	waiting bytes.Buffer
	closed  bool
}

func newTurns(w io.Writer, n int) *turns {
	t := &turns{w: w}
	for range n {
		t.list = append(t.list, &turn{of: t})
	}
	return t
}

func (t *turn) Write(b []byte) (int, error) {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.waiting.Write(b)
	return len(b), t.of.flush()
}

// Close ends the turn.
func (t *turn) Close() error {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	t.closed = true
	return t.of.flush()
}

// flush writes what no longer has to wait. Call with mu held.
func (t *turns) flush() error {
	for _, x := range t.list {
		if _, err := x.waiting.WriteTo(t.w); err != nil {
			return err
		}
		if !x.closed {
			return nil
		}
	}
	return nil
}
