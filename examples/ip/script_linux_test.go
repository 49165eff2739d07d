package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// A script has the same results with the installed ip(8) and with the program: the output
// of each command, and the state at the end.
func TestKernelScript(t *testing.T) {
	installed, err := findInstalled()
	if err != nil {
		t.Skipf("there is no ip(8) to compare with: %v", err)
	}
	h := newHost(t)
	other := h.namespace("b")
	ours := asProgram(t)
	var want, got string
	var errs [2]error
	dirs := [2]string{t.TempDir(), t.TempDir()}
	var wg sync.WaitGroup
	wg.Go(func() { want, errs[0] = script(other, installed, dirs[0]) })
	wg.Go(func() { got, errs[1] = script(h.ns, ours, dirs[1]) })
	wg.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(got, "\n$ ip "); n < 200 {
		h.Errorf("%d commands", n)
	}
	if diff := cmp.Diff(commands(alike(want)), commands(alike(got))); diff != "" {
		h.Errorf("(-installed +this):\n%s", diff)
	}
	if diff := cmp.Diff(h.state(other), h.state(h.ns)); diff != "" {
		h.Errorf("in the kernel (-installed +this):\n%s", diff)
	}
}

// findInstalled finds ip(8), also in directories that are not in the PATH of an ordinary user.
func findInstalled() (string, error) {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"} {
		if file, err := exec.LookPath(filepath.Join(dir, "ip")); err == nil {
			return file, nil
		}
	}
	return exec.LookPath("ip")
}

// asProgram returns a link to the test binary with the name ip: see TestMain.
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

// script runs the script in a namespace and a directory, with ip first in PATH.
func script(ns *lab.NS, ip, dir string) (string, error) {
	script, err := filepath.Abs("testdata/script.sh")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("sh", script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(ip)+":"+os.Getenv("PATH"), "LC_ALL=C")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := ns.Do(cmd.Run); err != nil {
		return "", fmt.Errorf("%v: %s", err, out.String())
	}
	return out.String(), nil
}

// blankLines are the empty lines that iproute2 before 7 prints after some errors.
var blankLines = regexp.MustCompile(`(?m)^(! )?\n`)

// alike removes what differs between versions of iproute2: words of messages, and values
// that only newer kernels report.
func alike(s string) string {
	s = strings.ReplaceAll(s, "is a garbage.", "is garbage.")
	s = strings.ReplaceAll(s, `,"dport_mask":"0xffff"`, "")
	s = strings.ReplaceAll(s, `,"sport_mask":"0xffff"`, "")
	return remaining.ReplaceAllString(blankLines.ReplaceAllString(s, ""), "${1}N")
}

// commands returns the output of each command. Of a help text it keeps only the first line,
// because versions have different words.
func commands(s string) []string {
	all := strings.Split(s, "\n$ ")
	for i, c := range all {
		if head, _, ok := strings.Cut(c, "! Usage:"); ok {
			all[i] = head + "! Usage:"
		}
	}
	return all
}

// state returns the rules and routes of a namespace.
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
