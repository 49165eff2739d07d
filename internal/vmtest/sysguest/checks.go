//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/policyroute/policyroute/internal/vmtest/guestos"
	"github.com/policyroute/policyroute/internal/vmtest/wire"
)

// patience is how long a check waits for something that takes seconds.
const patience = 2 * time.Minute

// A check shows one thing, and returns what is worth knowing about it.
type check struct {
	name string
	do   func(*tester) string
	// gap is true if packets may go astray: another program takes rules away, or adds an
	// address that had no rule before. The program can follow only after that.
	gap bool
	// alone is true if there is no traffic yet.
	alone bool
}

// A tester runs checks.
type tester struct {
	events *guestos.Sender
	plan   wire.System
	said   []byte // by the check that runs
	gap    bool   // as in check: the check that runs has found out
}

// A failure is the panic value of a check that failed.
type failure string

// fail ends the check.
func (t *tester) fail(format string, args ...any) { panic(failure(fmt.Sprintf(format, args...))) }

// log adds a line to the output of the check, which is sent only if it is wanted: the port is
// slow.
func (t *tester) log(format string, args ...any) {
	if t.plan.Verbose {
		fmt.Fprintf(t.events, format+"\n", args...)
		return
	}
	t.said = fmt.Appendf(t.said, format+"\n", args...)
}

// runChecks is the service of the checks.
func runChecks() error {
	plan, err := readPlan()
	if err != nil {
		return err
	}
	port, err := guestos.OpenPort(wire.Port)
	if err != nil {
		return err
	}
	t := &tester{events: guestos.NewSender(port), plan: plan}
	checks := serviceChecks
	if plan.Scenario == wire.Once {
		checks = onceChecks
	}
	if err := t.setUp(); err != nil {
		t.events.Send(wire.Event{Kind: wire.Note, Text: err.Error()})
	} else {
		t.runAll(checks)
	}
	t.events.Send(wire.Event{Kind: wire.End})
	if err := guestos.Drain(port); err != nil {
		return err
	}
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART)
}

// setUp connects the host to the providers, and tells systemd.
func (t *tester) setUp() error {
	for i, p := range providers {
		if err := p.connect(); err != nil {
			return err
		}
		if i == 1 && t.plan.Scenario == wire.Once {
			continue // one cable is out at boot
		}
		if err := p.cable("up"); err != nil {
			return err
		}
	}
	if err := providers[0].serve(); err != nil {
		return err
	}
	if err := startFlows(); err != nil {
		return err
	}
	go flood()
	c, err := net.Dial("unixgram", os.Getenv("NOTIFY_SOCKET"))
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("READY=1"))
	return err
}

func (t *tester) runAll(checks []check) {
	version, _, _ := strings.Cut(t.output("systemctl", "--version"), "\n")
	var uts unix.Utsname
	if err := unix.Uname(&uts); err != nil {
		t.log("%v", err)
	}
	t.events.Send(wire.Event{Kind: wire.Ready, Text: version + ", linux " + unix.ByteSliceToString(uts.Release[:])})
	for _, c := range checks {
		if ok, err := regexp.MatchString(t.plan.Run, c.name); ok || err != nil {
			t.run(c)
		}
	}
}

// run runs a check. Unless it says otherwise, no packet goes astray and all connections live.
func (t *tester) run(c check) {
	t.events.Send(wire.Event{Kind: wire.Start, Package: c.name})
	t.said, t.gap = nil, false
	start := time.Now()
	done := wire.Event{Kind: wire.Done, Package: c.name}
	defer func() {
		if r := recover(); r != nil {
			text, ok := r.(failure)
			if !ok {
				panic(r)
			}
			done.Exit, done.Text = 1, string(text)
			t.dump()
			t.events.Write(t.said)
		}
		done.Elapsed = time.Since(start)
		t.events.Send(done)
	}()
	arrived, astray := traffic()
	done.Text = c.do(t)
	if c.alone {
		return
	}
	t.flowsLive()
	arrivedNow, astrayNow := traffic()
	if done.Text != "" {
		done.Text += "; "
	}
	done.Text += fmt.Sprintf("%d of %d packets astray", astrayNow-astray, arrivedNow-arrived+astrayNow-astray)
	switch {
	case arrivedNow == arrived:
		t.fail("no packet of the flood arrived")
	case astrayNow > astray && !c.gap && !t.gap:
		t.fail("%s", done.Text+", the last "+providers[0].tap.lastAstray()+providers[1].tap.lastAstray())
	}
}

// traffic returns how many packets arrived at the right router, and how many at the wrong one.
func traffic() (arrived, astray int64) {
	for _, p := range providers {
		arrived += p.tap.arrived.Load()
		astray += p.tap.astray.Load()
	}
	return arrived, astray
}

func (t *tap) lastAstray() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// flowsLive waits until every connection whose uplink has an address has made progress.
func (t *tester) flowsLive() {
	for _, f := range flows {
		if text := f.broken.Load(); text != nil {
			t.fail("the connection from %s by %s broke: %s", f.source, f.p.name, *text)
		}
		if f.p == providers[1] && len(f.p.sources()) == 0 {
			continue // its cable is out
		}
		before := f.rounds.Load()
		t.until(fmt.Sprintf("progress of the connection from %s by %s", f.source, f.p.name), func() bool { return f.rounds.Load() > before+3 })
	}
}

// journal fails unless the journal of the service has a text. A crash writes many lines.
func (t *tester) journal(text string) {
	t.until("the journal with "+text, func() bool {
		return exec.Command("sh", "-c", `journalctl --no-pager -o cat -u "$0" | grep -qF "$1"`, unit, text).Run() == nil
	})
}

// dump writes the state of the host to the output, after a failure.
func (t *tester) dump() {
	for _, command := range []string{
		"systemctl --no-pager -l status uplinks-run uplinks-wait uplinks", "uplinks status", "ip rule", "ip -6 rule",
		"ip route show table all proto 210", "ip -6 route show table all proto 210", "ip addr", "ip route", "ip -6 route",
		"journalctl --no-pager -n 40 -o short-monotonic -u uplinks-run -u uplinks-wait -u uplinks -u systemd-networkd -u checks",
	} {
		out, _ := exec.Command("sh", "-c", command+" 2>&1").CombinedOutput()
		t.log("$ %s\n%s", command, out)
	}
}

// until waits until ok returns true.
func (t *tester) until(what string, ok func() bool) {
	for end := time.Now().Add(patience); !ok(); time.Sleep(500 * time.Millisecond) {
		if time.Now().After(end) {
			t.fail("%s: not within %v", what, patience)
		}
	}
}

// command runs a program, and returns its output and exit status.
func (t *tester) command(name string, args ...string) (string, int) {
	out, err := exec.Command(name, args...).CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.fail("%s: %v", name, err)
	}
	status := 0
	if exit != nil {
		status = exit.ExitCode()
	}
	t.log("$ %s %s\n%s(exit %d)", name, strings.Join(args, " "), out, status)
	return string(out), status
}

// output runs a program that succeeds.
func (t *tester) output(name string, args ...string) string {
	out, status := t.command(name, args...)
	if status != 0 {
		t.fail("%s %s: exit %d: %s", name, strings.Join(args, " "), status, out)
	}
	return out
}

// show returns properties of a unit.
func (t *tester) show(unit string, properties ...string) map[string]string {
	out, err := exec.Command("systemctl", "show", "-p", strings.Join(properties, ","), unit).Output()
	if err != nil {
		t.fail("systemctl show %s: %v", unit, err)
	}
	all := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		all[key] = value
	}
	return all
}

// complete waits until the uplinks with these names are complete, or all.
func (t *tester) complete(names ...string) {
	t.until("complete uplinks", func() bool { return t.isComplete(names...) })
}

func (t *tester) isComplete(names ...string) bool {
	return exec.Command("uplinks", append([]string{"status"}, names...)...).Run() == nil
}

// installed returns the rules and routes of the uplinks.
func (t *tester) installed() string {
	var all []string
	for _, command := range []string{"ip -N rule", "ip -N -6 rule", "ip -N route show table all proto 210", "ip -N -6 route show table all proto 210"} {
		words := strings.Fields(command)
		out, err := exec.Command(words[0], words[1:]...).Output()
		if err != nil {
			t.fail("%s: %v", command, err)
		}
		for line := range strings.Lines(string(out)) {
			if !strings.Contains(command, "rule") || strings.Contains(line, "proto 210") {
				all = append(all, line)
			}
		}
	}
	return strings.Join(all, "")
}

// same compares rules and routes with those of before.
func (t *tester) same(before string) {
	if after := t.installed(); after != before {
		t.fail("rules and routes have changed from\n%sto\n%s", before, after)
	}
}

// deletions calls f, and returns the lines about rules and routes of uplinks that were
// deleted, and about addresses.
func (t *tester) deletions(f func()) (objects, addresses []string) {
	out, err := os.CreateTemp("/run", "monitor")
	if err != nil {
		t.fail("%v", err)
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd := exec.Command("ip", "-N", "-o", "monitor", "rule", "route", "address")
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.fail("%v", err)
	}
	// A route of the test shows that the monitor listens, and that it has read all.
	text := func() string {
		b, err := os.ReadFile(out.Name())
		if err != nil {
			t.fail("%v", err)
		}
		return string(b)
	}
	const first, last = "192.0.2.1", "192.0.2.2"
	mark := func(address string) {
		t.until("the monitor", func() bool {
			exec.Command("ip", "route", "replace", "blackhole", address).Run()
			exec.Command("ip", "route", "del", "blackhole", address).Run()
			return strings.Contains(text(), address)
		})
	}
	mark(first)
	f()
	mark(last)
	cmd.Process.Kill()
	cmd.Wait()
	for line := range strings.Lines(text()) {
		switch {
		case !strings.HasPrefix(line, "Deleted"):
		case strings.Contains(line, "proto 210"):
			objects = append(objects, strings.TrimSpace(line))
		case strings.Contains(line, " inet") && strings.Contains(line, " scope 0 "): // global
			addresses = append(addresses, strings.TrimSpace(line))
		}
	}
	return objects, addresses
}

// keeps calls f, during which no rule and no route of the uplinks is deleted.
func (t *tester) keeps(f func()) {
	before := t.installed()
	if deleted, _ := t.deletions(f); len(deleted) > 0 {
		t.fail("%d rules or routes were deleted: %s", len(deleted), strings.Join(deleted, "; "))
	}
	t.same(before)
}

// write replaces a file.
func (t *tester) write(path, text string) {
	if err := writeFile(path, text); err != nil {
		t.fail("%v", err)
	}
}

// read waits for a file, and returns its text.
func (t *tester) read(path string) string {
	t.until(path, func() bool {
		_, err := os.Stat(path)
		return err == nil
	})
	b, err := os.ReadFile(path)
	if err != nil {
		t.fail("%v", err)
	}
	t.log("%s:\n%s", path, b)
	return string(b)
}

// contains fails unless a text has all words.
func (t *tester) contains(what, text string, words ...string) {
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.log("%s:\n%s", what, text)
			t.fail("%s does not have %q", what, w)
		}
	}
}
