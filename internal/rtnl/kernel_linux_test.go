package rtnl_test

import (
	"encoding/binary"
	"slices"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
)

func TestMain(m *testing.M) { lab.Main(m) }

// dial opens a Conn in a namespace of its own, or in the given one.
func dial(t testing.TB, in ...*lab.NS) *rtnl.Conn {
	t.Helper()
	if len(in) == 0 {
		in = append(in, lab.Test(t).NS("a"))
	}
	c, err := rtnl.Dial(in[0].Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

const (
	add = netlink.Create | netlink.Excl
	ack = netlink.Acknowledge

	table     = 77 // of the routes here
	ruleTable = 78 // that the rules here look up
)

// rule is a request about the IPv4 rule "from all lookup 78 pref prio".
func rule(typ netlink.HeaderType, flags netlink.HeaderFlags, prio uint32) netlink.Message {
	b := []byte{uapi.AF_INET, 0, 0, 0, ruleTable, 0, 0, uapi.FR_ACT_TO_TBL, 0, 0, 0, 0}
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | flags},
		Data:   attr.AppendU32(b, uapi.FRA_PRIORITY, prio),
	}
}

// backward is a rule that the kernel refuses with words: it goes back.
func backward(flags netlink.HeaderFlags) netlink.Message {
	m := rule(uapi.RTM_NEWRULE, flags, 10)
	m.Data[uapi.FibRuleHdrAction] = uapi.FR_ACT_GOTO
	m.Data = attr.AppendU32(m.Data, uapi.FRA_GOTO, 5)
	return m
}

// route is a request about the n-th IPv4 route "blackhole 10.x.y.z table 77".
func route(typ netlink.HeaderType, flags netlink.HeaderFlags, n int) netlink.Message {
	b := []byte{uapi.AF_INET, 32, 0, 0, table, uapi.RTPROT_STATIC, 0, uapi.RTN_BLACKHOLE, 0, 0, 0, 0}
	return netlink.Message{
		Header: netlink.Header{Type: typ, Flags: netlink.Request | flags},
		Data:   attr.Append(b, uint16(uapi.RTA_DST), binary.BigEndian.AppendUint32(nil, uint32(10<<24+n))),
	}
}

// fill makes n requests, the first of them from 1.
func fill(n int, one func(i int) netlink.Message) []netlink.Message {
	reqs := make([]netlink.Message, n)
	for i := range reqs {
		reqs[i] = one(i + 1)
	}
	return reqs
}

// addRules adds rules with the priorities 1 to n. The highest goes first, which
// the kernel is quicker with.
func addRules(t testing.TB, c *rtnl.Conn, n int) {
	t.Helper()
	all(t, c, fill(n, func(i int) netlink.Message { return rule(uapi.RTM_NEWRULE, 0, uint32(n+1-i)) }))
}

// addRoutes adds the routes 1 to n.
func addRoutes(t testing.TB, c *rtnl.Conn, n int) {
	t.Helper()
	all(t, c, fill(n, func(i int) netlink.Message { return route(uapi.RTM_NEWROUTE, add, i) }))
}

// all sends requests, of which none may be refused.
func all(t testing.TB, c *rtnl.Conn, reqs []netlink.Message) {
	t.Helper()
	errs, err := c.Batch(reqs)
	if err != nil {
		t.Fatalf("Batch: %v", err)
	}
	for i, err := range errs {
		if err != nil {
			t.Fatalf("Batch: request %d: %v", i, err)
		}
	}
}

// ruleDump asks for the IPv4 rules.
func ruleDump() netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETRULE, Flags: netlink.Request | netlink.Dump},
		Data:   []byte{uapi.AF_INET, 11: 0},
	}
}

// routeDump asks for the IPv4 routes of a table.
func routeDump(table uint32) netlink.Message {
	return netlink.Message{
		Header: netlink.Header{Type: uapi.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
		Data:   attr.AppendU32([]byte{uapi.AF_INET, 11: 0}, uapi.RTA_TABLE, table),
	}
}

// number is the priority of a rule of ours, or the number of a route; 0 for
// the rules that every namespace has.
func number(t testing.TB, m netlink.Message) (n uint32) {
	t.Helper()
	if len(m.Data) < 12 {
		t.Errorf("%d bytes of data", len(m.Data))
		return 0
	}
	for num, p := range attr.All(string(m.Data[12:])) {
		switch m.Header.Type {
		case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
			if num == uint16(uapi.FRA_PRIORITY) && m.Data[uapi.FibRuleHdrTable] == ruleTable {
				n = binary.NativeEndian.Uint32(p)
			}
		case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
			if num == uint16(uapi.RTA_DST) && m.Data[4] == table {
				n = binary.BigEndian.Uint32(p) - 10<<24
			}
		}
	}
	return n
}

// numbers are those of what a dump yields.
func numbers(t testing.TB, c rtnl.Executor, dump netlink.Message) (ns []uint32) {
	t.Helper()
	for m, err := range rtnl.Dump(c, dump) {
		if err != nil {
			t.Fatalf("dump: %v", err)
		}
		if n := number(t, m); n != 0 {
			ns = append(ns, n)
		}
	}
	return ns
}

// upTo is 1 to n.
func upTo(n int) []uint32 {
	ns := make([]uint32, n)
	for i := range ns {
		ns[i] = uint32(i + 1)
	}
	return ns
}

// expect compares numbers without printing thousands of them.
func expect(t testing.TB, what string, got, want []uint32) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	t.Errorf("%s: %d objects, want %d; the first difference is at %d", what, len(got), len(want), i)
}

// clean checks that c is in order: nothing is left in the socket, and it works.
func clean(t testing.TB, c *rtnl.Conn) {
	t.Helper()
	if n := c.Left(); n != 0 {
		t.Errorf("%d datagrams are left in the socket", n)
	}
	if c.Dumping() {
		t.Error("a dump is still in progress")
	}
	if _, err := c.Execute(rule(uapi.RTM_NEWRULE, ack|add, 32000)); err != nil {
		t.Errorf("the next request: %v", err)
	}
	if _, err := c.Execute(rule(uapi.RTM_DELRULE, ack, 32000)); err != nil {
		t.Errorf("the request after the next: %v", err)
	}
	n := 0
	for _, err := range c.Stream(ruleDump()) {
		if n++; err != nil {
			t.Errorf("the next dump: %v", err)
		}
	}
	if n == 0 {
		t.Error("the next dump is empty")
	}
}
