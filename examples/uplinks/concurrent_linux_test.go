package main

import (
	"bytes"
	"sync"
	"testing"
)

// Two concurrent commands have the same result as one after the other.
func TestAtOnce(t *testing.T) {
	h := newHost(t, twoProviders)
	before := h.state()
	for _, command := range []string{"up", "down"} {
		for range 10 {
			var wg sync.WaitGroup
			for range 3 {
				wg.Add(1)
				go func() {
					defer wg.Done()
					var out, errs bytes.Buffer
					args := []string{"-f", h.file, "-etc", h.etc, "-n", h.ns.Path(), command}
					if status := run(t.Context(), args, &out, &errs); status != exitOK {
						t.Errorf("uplinks %s: exit %d\n%s", command, status, &errs)
					}
				}()
			}
			wg.Wait()
		}
		if command == "up" {
			h.run(exitOK, "status")
		}
	}
	h.unchanged(before)
}
