//go:build linux

package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
)

// A demo that ends early leaves no file and no process.
func TestInterrupt(t *testing.T) {
	for _, test := range []struct {
		sig syscall.Signal
		at  string
	}{
		{syscall.SIGINT, "A server"}, // while it builds the network
		{syscall.SIGINT, "IPv4"},
		{syscall.SIGINT, "    ok  192.168.1.6:1194"}, // while it waits for an answer
		{syscall.SIGINT, "2. Install"},
		{syscall.SIGTERM, "5. Mail"},
		{syscall.SIGHUP, "6. Remove"},
	} {
		t.Run(fmt.Sprintf("%v at %s", test.sig, strings.TrimSpace(test.at)), func(t *testing.T) {
			t.Parallel()
			interrupt(t, test.sig, test.at)
		})
	}
}

// interrupt sends a signal when the output has a line that begins with at.
func interrupt(t *testing.T, sig syscall.Signal, at string) {
	cmd, tmp := program(t, "demo")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = w, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := bufio.NewReader(r)
	for line := ""; !strings.HasPrefix(line, at); {
		if line, err = out.ReadString('\n'); err != nil {
			t.Fatalf("no line %q: %v", at, err)
		}
	}
	if err := cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	// The output ends when all processes have ended that can write to it.
	rest, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 1 || stderr.String() != "demo: interrupted\n" {
		t.Errorf("exit status %d, stderr %q", got, &stderr)
	}
	if bytes.Contains(rest, []byte("FAILED")) || bytes.Contains(rest, []byte("All ")) {
		t.Errorf("it went on:\n%s", rest)
	}
	empty(t, tmp)
}

// A reader that closes the pipe, as in "demo | head", ends the demo, and nothing is left.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	cmd, tmp := program(t, "demo")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	out.Close()
	cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != 1 || !strings.Contains(stderr.String(), "broken pipe") {
		t.Errorf("exit status %d, stderr %q", got, &stderr)
	}
	empty(t, tmp)
}

func TestRefused(t *testing.T) {
	t.Parallel()
	cmd, tmp := program(t, "refused")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("ended with %v", err)
	}
	want := "demo: lab: the kernel refuses a network namespace"
	if !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), "sudo sysctl -w user.max_net_namespaces") {
		t.Errorf("got %q", out)
	}
	empty(t, tmp)
}

func TestUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		arg            string
		status         int
		stdout, stderr string
	}{
		{"-h", 0, usage, ""},
		{"--help", 0, usage, ""},
		{"-x", 1, "", "demo: flag provided but not defined: -x (-h explains)\n"},
		{"x", 1, "", "demo: unexpected argument \"x\" (-h explains)\n"},
	} {
		status, stdout, stderr := runProgram(t, "demo", test.arg)
		if status != test.status || stdout != test.stdout || stderr != test.stderr {
			t.Errorf("%s: exit status %d, stdout %q, stderr %q", test.arg, status, stdout, stderr)
		}
	}
}

// Only a terminal gets colours. The test uses /dev/null, which is a character device too.
func TestColor(t *testing.T) {
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "") // restores the variable at the end
	if newPrinter(null, false).color {
		t.Error("colour in spite of NO_COLOR")
	}
	os.Unsetenv("NO_COLOR")
	if p := newPrinter(null, false); p.paint(green, "ok") != "\x1b[32mok\x1b[0m" {
		t.Error("no colour on a terminal")
	}
	if p := newPrinter(file, false); p.paint(green, "ok") != "ok" {
		t.Error("colour in a file")
	}
}
