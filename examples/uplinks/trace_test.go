package main

import (
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/fibtrace"
	"github.com/policyroute/policyroute/table/explain"
)

// An asked is a short form of an event.
type asked struct {
	at        time.Duration // in milliseconds
	cpu, pid  int
	interrupt bool
	iif       int32
	src, dst  string
	table     uint32
	err       syscall.Errno
	dev, via  string
}

func (a asked) event() *fibtrace.Event {
	e := &fibtrace.Event{
		Time: a.at * time.Millisecond, CPU: a.cpu, PID: a.pid, Interrupt: a.interrupt, Family: 4, IIF: a.iif, Table: a.table,
		Src: netip.MustParseAddr(a.src), Dst: netip.MustParseAddr(a.dst), Err: a.err, Dev: a.dev, Proto: 17,
	}
	if a.via != "" {
		e.Gateway = netip.MustParseAddr(a.via)
	}
	if e.Dst.Is6() {
		e.Family = 6
	}
	return e
}

// groupsOf returns the lookups that a grouper makes, each as the tables of a destination.
func groupsOf(g *grouper) (all []string) {
	for _, l := range g.done {
		s := l.packet().Dst.String()
		for i := range l.asked {
			s += fmt.Sprintf(" %d", l.asked[i].Table)
		}
		if l.forward != nil {
			s += " reverse of " + l.forward.Dst.String()
		}
		all = append(all, s)
	}
	g.done = nil
	return all
}

// Events become lookups: threads and interrupts do not mix, equal packets are told apart by
// the first table, and a reverse path check is recognized.
func TestGroup(t *testing.T) {
	const a, b = "198.51.100.1", "198.51.100.2"
	for name, c := range map[string]struct {
		events []asked
		want   []string
	}{
		"one": {
			[]asked{{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 2, pid: 7, cpu: 1, iif: 1, src: a, dst: b, table: 20}},
			[]string{b + " 255 20"},
		},
		"a ladder asks a table twice": {
			[]asked{
				{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 1, pid: 7, iif: 1, src: a, dst: b, table: 20},
				{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 254}, {at: 1, pid: 7, iif: 1, src: a, dst: b, table: 20},
			},
			[]string{b + " 255 20 254 20"},
		},
		"equal packets": {
			[]asked{
				{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 2, pid: 7, iif: 1, src: a, dst: b, table: 254},
				{at: 3, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 4, pid: 7, iif: 1, src: a, dst: b, table: 254},
			},
			[]string{b + " 255 254", b + " 255 254"},
		},
		"an interrupt between": {
			[]asked{
				{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 2, pid: 7, interrupt: true, iif: 3, src: b, dst: a, table: 255},
				{at: 3, pid: 7, iif: 1, src: a, dst: b, table: 20},
			},
			[]string{b + " 255 20", a + " 255"},
		},
		"two threads": {
			[]asked{
				{at: 1, pid: 7, iif: 1, src: a, dst: b, table: 255}, {at: 2, pid: 8, cpu: 1, iif: 1, src: a, dst: b, table: 255},
				{at: 3, pid: 8, cpu: 1, iif: 1, src: a, dst: b, table: 254}, {at: 4, pid: 7, iif: 1, src: a, dst: b, table: 254},
			},
			[]string{b + " 255 254", b + " 255 254"},
		},
		"reverse path": {
			[]asked{
				{at: 1, interrupt: true, iif: 3, src: b, dst: a, table: 255}, {at: 2, interrupt: true, iif: 1, src: a, dst: b, table: 255},
				{at: 3, interrupt: true, iif: 1, src: a, dst: b, table: 254},
			},
			[]string{a + " 255", b + " 255 254 reverse of " + a},
		},
		"a program answers itself": {
			[]asked{{at: 1, pid: 7, iif: 1, src: b, dst: a, table: 255}, {at: 2, pid: 7, iif: 1, src: a, dst: b, table: 255}},
			[]string{a + " 255", b + " 255"},
		},
	} {
		var g grouper
		for _, x := range c.events {
			g.add(x.event())
		}
		g.end(time.Hour)
		if got := groupsOf(&g); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// A lookup ends when it is quiet, checks of addresses are only counted, and neither the number
// of lookups in progress nor the length of one grows without limit.
func TestGroupLimits(t *testing.T) {
	var g grouper
	g.add(asked{at: 1, pid: 7, iif: 1, src: "198.51.100.1", dst: "198.51.100.2", table: 255}.event())
	g.add(asked{at: 2, pid: 7, src: "0.0.0.0", dst: "198.51.100.2", table: 255}.event())
	if g.end(time.Millisecond / 2); len(g.done) != 0 || g.addresses != 1 {
		t.Errorf("%d lookups, %d addresses", len(g.done), g.addresses)
	}
	if g.end(time.Millisecond); len(g.done) != 1 || len(g.open) != 0 {
		t.Errorf("%d lookups, %d open", len(g.done), len(g.open))
	}
	g = grouper{}
	for i := range 3*maxStreams + 5 {
		g.add(asked{at: 1, pid: i + 1, iif: 1, src: "198.51.100.1", dst: "198.51.100.2", table: 255}.event())
	}
	if len(g.open) != 5 || len(g.done) != 3*maxStreams {
		t.Errorf("%d open, %d done", len(g.open), len(g.done))
	}
	g = grouper{}
	for i := range maxAsked + 9 {
		g.add(asked{at: 1, pid: 1, iif: 1, src: "198.51.100.1", dst: "198.51.100.2", table: uint32(1000 + i)}.event())
	}
	g.end(time.Hour)
	if l := g.done[0]; len(g.done) != 1 || len(l.asked) != maxAsked || l.more != 9 {
		t.Errorf("%d lookups, %d tables, %d more", len(g.done), len(l.asked), l.more)
	}
}

// The rule and route of lookups on a host that is a text.
func TestTraceExplain(t *testing.T) {
	w, err := explain.Parse(`link add eth0 index 2
link add eth1 index 3
address add 192.168.1.2/24 dev eth0
address add 192.168.2.2/24 dev eth1
address add 2001:db8:2::2/64 dev eth1
route add default via 192.168.1.1 dev eth0
route add default via 192.168.2.1 dev eth1 table 20
route add default via 192.168.2.9 dev eth1 table 30
route add default via 2001:db8:2::1 dev eth1 table 20
route add unreachable 203.0.113.0/24 table 20
rule add fwmark 0x5 lookup 30 pref 900
rule add from 192.168.2.2 lookup 20 pref 1000
rule add uidrange 77-77 lookup 20 pref 1100
rule add from 2001:db8:2::2 lookup 20 pref 1000
sysctl -w net.ipv4.fib_has_custom_rules=1
`)
	if err != nil {
		t.Fatal(err)
	}
	h := newTraceHost(w)
	const again = syscall.EAGAIN
	out := func(src, dst string, tables ...asked) *lookup {
		l := &lookup{}
		for _, a := range tables {
			a.iif, a.pid, a.src, a.dst = 1, 7, src, dst
			l.asked = append(l.asked, *a.event())
		}
		return l
	}
	foreign := out("192.168.2.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 20, dev: "eth1", via: "192.168.2.1"})
	for i := range foreign.asked {
		foreign.asked[i].OIF = 99
	}
	for name, c := range map[string]struct {
		l    *lookup
		uid  uint32
		want string
	}{
		"main": {out("192.168.1.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 254, dev: "eth0", via: "192.168.1.1"}),
			0, "32766: from all lookup main; default via 192.168.1.1 dev eth0"},
		"from": {out("192.168.2.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 20, dev: "eth1", via: "192.168.2.1"}),
			0, "1000: from 192.168.2.2 lookup 20; default via 192.168.2.1 dev eth1"},
		"an empty table is asked too": {out("192.168.2.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 77, err: again}, asked{table: 20, dev: "eth1", via: "192.168.2.1"}),
			0, "1000: from 192.168.2.2 lookup 20; default via 192.168.2.1 dev eth1"},
		"user": {out("192.168.1.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 20, dev: "eth1", via: "192.168.2.1"}),
			77, "1100: from all uidrange 77-77 lookup 20; default via 192.168.2.1 dev eth1"},
		"another user": {out("192.168.1.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 20, dev: "eth1", via: "192.168.2.1"}),
			0, "? the rules of this network namespace lead to table local, main: another namespace, a mark, or a change"},
		"mark": {out("192.168.1.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 30, dev: "eth1", via: "192.168.2.9"}),
			0, "900: from all fwmark 0x5 lookup 30; default via 192.168.2.9 dev eth1; if the mark is 0x5"},
		"unreachable": {out("192.168.2.2", "203.0.113.7", asked{table: 255, err: again}, asked{table: 20, err: syscall.EHOSTUNREACH}),
			0, "1000: from 192.168.2.2 lookup 20; unreachable 203.0.113.0/24"},
		"six": {out("2001:db8:2::2", "2001:db8:9::7", asked{table: 255, err: syscall.EHOSTUNREACH}, asked{table: 20, dev: "eth1", via: "2001:db8:2::1"}),
			0, "1000: from 2001:db8:2::2 lookup 20; default via 2001:db8:2::1 dev eth1 metric 1024"},
		"another route": {out("192.168.2.2", "198.51.100.7", asked{table: 255, err: again}, asked{table: 20, dev: "eth7", via: "10.0.0.1"}),
			0, "? the tables of this network namespace have another answer: another namespace, a mark, or a change"},
		"another source": {out("192.168.9.9", "198.51.100.7", asked{table: 255, err: again}, asked{table: 254, dev: "eth0", via: "192.168.1.1"}),
			0, "? this network namespace refuses the packet without a lookup (the source is not an address of this host): another namespace, or a change"},
		"another interface": {foreign, 0, "? this network namespace has no interface 99: the packet is of another one"},
		"too many tables":   {&lookup{asked: foreign.asked[:0:0], more: 1}, 0, ""},
	} {
		if len(c.l.asked) == 0 {
			c.l.asked, c.want = out("192.168.1.2", "198.51.100.7", asked{table: 255}).asked, "? the kernel asked too many tables"
		}
		r := h.explain(c.l, c.uid)
		if got := r.text(); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}

// The words of the command line select lookups, and faults of them are told.
func TestParseTrace(t *testing.T) {
	c, err := parseTrace(strings.Fields("to 198.51.100.7/24 from 192.0.2.1"))
	if err != nil || c.Dst.String() != "198.51.100.0/24" || c.Src.String() != "192.0.2.1/32" || c.Family != 4 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err := parseTrace(strings.Fields("to default")); err != nil || c.Dst.IsValid() || c.Family != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for words, want := range map[string]string{
		"via 192.0.2.1":                       `word 1 "via": not to or from`,
		"to":                                  `is missing after "to"`,
		"to 192.0.2.300":                      `"192.0.2.300"`,
		"to 192.0.2.1 to 192.0.2.2":           "given twice",
		"to 192.0.2.1 from 2001:db8::/32":     "different families",
		"to 192.0.2.1 from 2001:db8::/32 and": "different families",
	} {
		if _, err := parseTrace(strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", words, err, want)
		}
	}
	if got := traceError(fmt.Errorf("fibtrace: mount: %w: use sudo", fs.ErrPermission)); !strings.Contains(got, "use sudo") || strings.Contains(got, "fibtrace") {
		t.Error(got)
	}
}
