package main

import (
	"os/exec"
	"strings"
	"testing"
)

// The script of a plan, run by sh with ip(8), leads to the state that up leads to.
func TestScript(t *testing.T) {
	for _, program := range []string{"sh", "ip", "sed"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(err)
		}
	}
	h := newHost(t, twoProviders)
	before := h.state()
	h.run(exitOK, "up")
	up := h.state()
	h.run(exitOK, "down")

	script, _ := h.run(exitPending, "-sh", "plan")
	script = strings.ReplaceAll(script, "ETC", h.etc)
	if out, err := h.ns.Run(script, "sh"); err != nil || out != "" {
		t.Fatalf("sh: %v: %s\n%s", err, out, script)
	}
	// The shell writes a space where up writes a tab.
	if got := strings.ReplaceAll(h.state(), " lan", `\tlan`); got != up {
		t.Errorf("after the script the state is\n%s\nwant\n%s", got, up)
	}
	h.want("#!/bin/sh\n# Nothing to change.\n", exitOK, "-sh", "plan")

	// It stops at the first failure: ip(8) refuses rules that are there.
	if out, err := h.ns.Run(script, "sh"); err == nil {
		t.Errorf("sh: a second time: %s", out)
	}
	h.run(exitOK, "recover")
	h.run(exitOK, "down")
	h.unchanged(before)
}
