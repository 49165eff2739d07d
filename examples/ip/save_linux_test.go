package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
)

// savedRules and savedRoutes are the commands that make what the tests save.
var (
	savedRules = []string{
		"rule add from 192.0.2.1 table 10 pref 100",
		"rule add not fwmark 0x10/0xf0 iif eth0 table 20 pref 200 proto static",
		"rule add sport 5 ipproto udp goto 32766 pref 300",
	}
	savedRoutes = []string{
		"route add 10.1.0.0/16 via 192.168.1.1 mtu 1400 table 10",
		"route add 10.2.0.0/16 table 10 nexthop via 192.168.1.1 nexthop via 192.168.2.1 weight 5",
		"route add 10.3.0.0/16 dev eth1 src 192.168.2.2 metric 7 table 10",
		"route add blackhole default table 10",
	}
)

func (h *host) do(t *testing.T, commands []string) {
	t.Helper()
	for _, c := range commands {
		if got := h.ip(strings.Fields(c)...); got != (result{}) {
			t.Fatalf("%s: %+v", c, got)
		}
	}
}

// restore makes the rules and routes of a file of save in another namespace.
func TestKernelSaveRestore(t *testing.T) {
	h := newHost(t)
	h.do(t, savedRules)
	h.do(t, savedRoutes)
	other := h.namespace("b")
	for _, c := range []string{"rule", "route"} {
		save := []string{c, "save"}
		if c == "route" {
			save = append(save, "table", "10")
		}
		saved := h.ip(save...)
		if saved.status != 0 || saved.stderr != "" {
			t.Fatalf("%v: %+v", save, saved)
		}
		if c == "rule" {
			h.ipIn(other, "", "rule", "flush") // restore would add them a second time
			h.ipIn(other, "", "rule", "del", "pref", "0")
		}
		if got := h.ipIn(other, saved.out, c, "restore"); got != (result{}) {
			t.Errorf("%s restore: %+v", c, got)
		}
	}
	if diff := cmp.Diff(h.state(h.ns), h.state(other)); diff != "" {
		t.Errorf("(-saved +restored):\n%s", diff)
	}
}

// ip(8) restores files of the program, and the program restores files of ip(8).
func TestKernelSaveInterchange(t *testing.T) {
	installed, err := findInstalled()
	if err != nil {
		t.Skipf("there is no ip(8) to exchange files with: %v", err)
	}
	h := newHost(t)
	h.do(t, savedRules)
	h.do(t, savedRoutes)
	theirs := func(ns *lab.NS, in string, args ...string) string {
		t.Helper()
		file := filepath.Join(t.TempDir(), "saved") // route restore reads it three times
		if err := os.WriteFile(file, []byte(in), 0o600); err != nil {
			t.Fatal(err)
		}
		stdin, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		var out bytes.Buffer
		cmd := exec.Command(installed, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
		if err := ns.Do(cmd.Run); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out.String())
		}
		return out.String()
	}
	ours := func(ns *lab.NS, in string, args ...string) string {
		t.Helper()
		got := h.ipIn(ns, in, args...)
		if got.status != 0 || got.stderr != "" {
			t.Fatalf("%v: %+v", args, got)
		}
		return got.out
	}
	want := h.state(h.ns)
	type tool func(ns *lab.NS, in string, args ...string) string
	for name, tt := range map[string]struct{ save, restore tool }{
		"theirs to ours": {theirs, ours}, "ours to theirs": {ours, theirs},
	} {
		other := h.namespace(name)
		for _, family := range []string{"-4", "-6"} {
			ours(other, "", family, "rule", "flush")
			ours(other, "", family, "rule", "del", "pref", "0")
			tt.restore(other, tt.save(h.ns, "", family, "rule", "save"), family, "rule", "restore")
		}
		tt.restore(other, tt.save(h.ns, "", "route", "save", "table", "10"), "route", "restore")
		if diff := cmp.Diff(want, h.state(other)); diff != "" {
			t.Errorf("%s (-saved +restored):\n%s", name, diff)
		}
	}
}

// A file of another kind is refused, and so is a truncated file.
func TestRestoreDamaged(t *testing.T) {
	for in, want := range map[string]result{
		"":                      {status: 255, stderr: "Magic mismatch (0 elems, 0 magic)\n"},
		"hello":                 {status: 255},
		"\x86\x69\x70\x71hello": {status: 255},
	} {
		got := runProgram(in, "rule", "restore")
		if got.status != want.status || got.stderr == "" || want.stderr != "" && got != want {
			t.Errorf("%q: %+v, want %+v", in, got, want)
		}
	}
	if got := runProgram("", "route", "restore"); got.status != 1 {
		t.Errorf("route: %+v", got)
	}
	if got := runProgram("x", "route", "showdump"); got.status != 1 {
		t.Errorf("route: %+v", got)
	}
}
