package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A script for ip(8) comes to the same, command by command and in the end, with
// the installed one and with this one.
func TestKernelScript(t *testing.T) {
	installed, err := findInstalled()
	if err != nil {
		t.Skipf("there is no ip(8) to compare with: %v", err)
	}
	h := newHost(t)
	other := h.namespace("b")
	want := h.script(other, installed)
	got := h.script(h.ns, asProgram(t))
	if n := strings.Count(got, "\n$ ip "); n < 200 {
		t.Errorf("%d commands", n)
	}
	if diff := cmp.Diff(commands(alike(want)), commands(alike(got))); diff != "" {
		t.Errorf("(-installed +this):\n%s", diff)
	}
	if diff := cmp.Diff(h.state(other), h.state(h.ns)); diff != "" {
		t.Errorf("in the kernel (-installed +this):\n%s", diff)
	}
}

// findInstalled looks for ip(8), also where an ordinary user has no path to.
func findInstalled() (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		if file, err := exec.LookPath(filepath.Join(dir, "ip")); err == nil {
			return file, nil
		}
	}
	return exec.LookPath("ip")
}

// asProgram returns a file by which the test binary is the program: see TestMain.
func asProgram(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ip")
	if err := os.Symlink(exe, file); err != nil {
		t.Fatal(err)
	}
	return file
}

// script runs the script in a namespace, with ip first in PATH.
func (h *host) script(ns *lab.NS, ip string) string {
	h.Helper()
	script, err := filepath.Abs("testdata/script.sh")
	if err != nil {
		h.Fatal(err)
	}
	cmd := exec.Command("sh", script)
	cmd.Dir = h.TempDir()
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(ip)+":"+os.Getenv("PATH"), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Do(cmd.Run); err != nil {
		h.Fatalf("%v: %s", err, out.String())
	}
	return out.String()
}

// blankLines are what versions of iproute2 before 7 have after some errors.
var blankLines = regexp.MustCompile(`(?m)^(! )?\n`)

// alike is without what differs between versions of iproute2: words of messages,
// and what kernels newer than the version report.
func alike(s string) string {
	s = strings.ReplaceAll(s, "is a garbage.", "is garbage.")
	s = strings.ReplaceAll(s, `,"dport_mask":"0xffff"`, "")
	s = strings.ReplaceAll(s, `,"sport_mask":"0xffff"`, "")
	return remaining.ReplaceAllString(blankLines.ReplaceAllString(s, ""), "${1}N")
}

// commands are the parts of the output, one a command. Of help, there is only
// the first line: versions know different words.
func commands(s string) []string {
	all := strings.Split(s, "\n$ ")
	for i, c := range all {
		if head, _, ok := strings.Cut(c, "! Usage:"); ok {
			all[i] = head + "! Usage:"
		}
	}
	return all
}

// state is what rules and routes there are in a namespace.
func (h *host) state(ns *lab.NS) (state []string) {
	h.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		h.Fatal(err)
	}
	defer c.Close()
	rules, err := rule.List(h.Context(), c, rule.Filter{})
	if err != nil {
		h.Fatal(err)
	}
	for _, r := range rules {
		state = append(state, r.String())
	}
	routes, err := route.List(h.Context(), c, route.Filter{})
	if err != nil {
		h.Fatal(err)
	}
	for _, r := range routes {
		r.CacheInfo = route.CacheInfo{}
		state = append(state, r.String())
	}
	return state
}
