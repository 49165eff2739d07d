package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestBuilt runs the built program as a new user would: with two DHCP interfaces, and then
// with everything that goes wrong on a server. Each time the program restores the uplinks,
// and the log says what happened.
func TestBuilt(t *testing.T) {
	text, err := os.ReadFile("conf/dhcp.conf")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t, string(text))
	h.ns.DelAddr("eth0", "192.168.1.2/24")
	h.ns.DelAddr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	before := h.state()
	p := h.build()

	// There is no lease yet.
	p.start()
	p.says("warning: uplink lan1 IPv4 pending: the interface eth0 has no global IPv4 address that can be used")
	p.says("warning: uplink lan2 IPv4 pending: the interface eth1 has no global IPv4 address that can be used")
	p.says("ready")
	waiting := p.do(exitPending, "status")
	for _, want := range []string{
		fmt.Sprintf("monitored by process %d since ", p.cmd.Process.Pid),
		"    waits: the interface eth0 has no global IPv4 address that can be used (for ",
	} {
		if !strings.Contains(waiting, want) {
			t.Errorf("status\n%s\nwithout %s", waiting, want)
		}
	}

	// The leases arrive.
	p.ipAddr("add", "eth0", "192.168.1.2/24")
	p.says("warning: uplink lan1 IPv4 pending: table main has no IPv4 default route by eth0 to learn from")
	p.ipRoute("add", "default via 192.168.1.1 dev eth0 proto dhcp metric 100")
	p.says("uplink lan1 IPv4 installed: added 2 routes…")
	p.ipAddr("add", "eth1", "192.168.2.2/24")
	p.ipRoute("add", "default via 192.168.2.1 dev eth1 proto dhcp metric 200")
	p.says("uplink lan2 IPv4 installed: added 2 routes…")
	p.complete()
	p.leave("192.168.1.2", "eth0 192.168.1.1")
	p.leave("192.168.2.2", "eth1 192.168.2.1")

	p.cables()
	p.renumber()
	p.harm()
	p.changeFile()
	p.kill()

	// At the end the uplinks stay, or are removed with -remove.
	there := h.state()
	p.signal(syscall.SIGTERM)
	p.ends("exit status 0")
	p.says("stopped: the uplinks stay installed, and are no longer repaired")
	h.unchanged(there)
	p.start("-remove", "-v")
	p.says("uplink lan1 IPv4 installed")
	p.says("ready")
	p.signal(syscall.SIGINT)
	p.says("uplink lan1 IPv4 removed")
	p.says("stopped: the uplinks were removed")
	p.ends("exit status 0")
	h.ns.DelAddr("eth0", "192.168.1.77/24")
	h.ns.DelAddr("eth1", "192.168.2.2/24")
	h.unchanged(before)
}

// cables pulls a cable, and checks that no packet leaves by the other uplink at that time.
func (p *program) cables() {
	p.Helper()
	p.ipLink("eth1", "down")
	p.says("warning: uplink lan2 IPv4 pending: the interface eth1 is down")
	p.leave("192.168.2.2", syscall.ENETUNREACH.Error())
	p.leave("192.168.1.2", "eth0 192.168.1.1")
	p.ipLink("eth1", "up")
	p.says("uplink lan2 IPv4 installed: added 2 routes")
	p.leave("192.168.2.2", "eth1 192.168.2.1")
	p.ipRoute("add", "default via 192.168.2.1 dev eth1 proto dhcp metric 200") // by the DHCP client, which is slower
	p.complete()
}

// renumber changes the address and the gateway of a lease.
func (p *program) renumber() {
	p.Helper()
	p.ipAddr("del", "eth0", "192.168.1.2/24")
	p.says("warning: uplink lan1 IPv4 pending: the interface eth0 has no global IPv4 address that can be used")
	p.ipAddr("add", "eth0", "192.168.1.77/24")
	p.ipRoute("add", "default via 192.168.1.9 dev eth0 proto dhcp metric 100")
	p.complete()
	for end := time.Now().Add(patience); p.wayOut(query("192.168.1.77", 0)) != "eth0 192.168.1.9"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("packets from 192.168.1.77 leave by %s\n%s", p.wayOut(query("192.168.1.77", 0)), p.log)
		}
	}
	p.complete()
	if state := p.state(); strings.Contains(state, "from 192.168.1.2 ") {
		p.Errorf("the old address has a rule still:\n%s", state)
	}
}

// harm deletes rules and routes of the uplinks by hand.
func (p *program) harm() {
	p.Helper()
	for _, c := range []struct {
		do   func()
		says string
	}{
		{
			func() { p.ipRule("del", "from 192.168.1.77 lookup 10") },
			"uplink lan1 IPv4 repaired: …rules changed…: ip rule add from 192.168.1.77 lookup 10 …",
		},
		{
			func() { p.ipRule("del", "from 192.168.2.2 unreachable") },
			"uplink lan2 IPv4 repaired: …rules changed…: ip rule add from 192.168.2.2 unreachable proto 210 pref …",
		},
		{
			func() { p.ipRoute("del", "default via 192.168.2.1 dev eth1 table 20 proto 210") },
			"uplink lan2 IPv4 repaired: …routes changed…: ip route add default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
		},
		{
			func() { p.ipRoute("replace", "default via 192.168.2.66 dev eth1 table 20 proto 210") },
			"uplink lan2 IPv4 repaired: …routes changed…: ip route replace default via 192.168.2.1 dev eth1 table 20 proto 210 src 192.168.2.2",
		},
		{
			func() { p.ipRule("add", "from 10.9.9.9 lookup 10 proto 210 pref 99") },
			"uplink lan1 IPv4 repaired: …rules changed…: ip rule del from 10.9.9.9 lookup 10 proto 210 pref 99",
		},
	} {
		c.do()
		p.says(c.says)
		p.leave("192.168.1.77", "eth0 192.168.1.9")
		p.leave("192.168.2.2", "eth1 192.168.2.1")
		p.complete()
	}
}

// changeFile makes the program read the file again, with faults and without.
func (p *program) changeFile() {
	p.Helper()
	there := p.state()
	p.write(p.file, "lan1 table 10 dev eth0 learn inet\nlan2 table 20 dev eth1 vai 192.168.2.1\nlan3 dev eth2 via 10.0.0.300\n")
	p.signal(syscall.SIGHUP)
	p.says(`error: FILE:2: word 6 "vai": not a word of an uplink; did you mean via?`)
	p.says(`error: FILE:3: word 5 "10.0.0.300": not an address`)
	p.says("error: the file was not loaded: the uplinks stay as they were")
	p.unchanged(there)

	p.write(p.file, "lan1 table 10 dev eth0 learn inet unreachable\n")
	if status := p.do(exitOK, "status"); !strings.Contains(status, "    lan2 inet: monitored as well, but not selected here\n") {
		p.Errorf("status with another file:\n%s", status)
	}
	p.signal(syscall.SIGHUP)
	p.says("FILE was read again: 1 uplink")
	p.says("uplink lan2 IPv4 removed")
	p.says("ready")
	p.leave("192.168.2.2", "eth0 192.168.1.9") // by main, where that route has the lower metric
	p.complete()
}

// kill kills the program, changes something, and starts the program again.
func (p *program) kill() {
	p.Helper()
	if second := p.do(exitFailure, "run"); second != fmt.Sprintf(
		"uplinks: process %d already maintains the uplinks of this network namespace\n", p.cmd.Process.Pid) {
		p.Errorf("a second one says %s", second)
	}
	p.signal(syscall.SIGKILL)
	p.ends("signal: killed")
	p.ipRule("del", "from 192.168.1.77 lookup 10")
	status := p.do(exitPending, "status")
	if !strings.HasSuffix(status, notMaintained+"\n") || !strings.Contains(status, "\n    missing: rule from 192.168.1.77 lookup 10 ") {
		p.Errorf("status without it:\n%s", status)
	}
	p.start()
	p.says("uplink lan1 IPv4 installed: added …1 rule")
	p.says("ready")
	p.complete()
	p.leave("192.168.1.77", "eth0 192.168.1.9")
}

// A log that nobody reads, or nobody reads any more, does not end the program.
func TestBuiltLostLog(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	p := h.build()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.log = new(log)
	p.cmd = p.command("run")
	p.cmd.Stderr = w
	if err := p.ns.Do(p.cmd.Start); err != nil {
		t.Fatal(err)
	}
	defer p.cmd.Process.Kill()
	w.Close()
	p.complete()
	r.Close()
	for range 3 {
		p.ipRule("del", "from 192.168.2.2 lookup 20")
		p.complete()
	}
	p.signal(syscall.SIGTERM)
	p.ends("exit status 0")
}

// Without the privilege, run ends and says which privilege it needs.
func TestRunPrivilege(t *testing.T) {
	h := newHost(t, "lan2 table 20 dev eth1 via 192.168.2.1\n")
	before := h.state()
	p := h.build()
	p.log = new(log)
	p.cmd = p.command("run")
	p.cmd.Stderr = p.log
	started := make(chan error)
	go func() {
		// The thread cannot get the capability back, so it ends with the goroutine.
		runtime.LockOSThread()
		started <- p.ns.Do(func() error {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_NET_ADMIN, 0, 0, 0); err != nil {
				return os.NewSyscallError("prctl", err)
			}
			return p.cmd.Start()
		})
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	defer p.cmd.Process.Kill()
	p.ends("exit status 1")
	if !strings.Contains(p.log.String(), "operation not permitted: needs root or CAP_NET_ADMIN") {
		t.Errorf("it says %s", p.log)
	}
	h.unchanged(before)
}
