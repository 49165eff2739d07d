package main

import (
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/examples/uplinks/manual"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table"
	"github.com/policyroute/policyroute/table/health"
	"github.com/policyroute/policyroute/table/maintain"
	"github.com/policyroute/policyroute/table/reply"
)

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// parseLines returns the uplinks of a file.
func parseLines(file, text string) ([]uplink, error) {
	c, err := parseConfig(file, text)
	return c.uplinks, err
}

var goodLines = []struct {
	line string
	want table.SourceRoutedUplink
	text string // the normal form; empty means the line itself
}{
	{line: "lan1 table 10 dev eth0 via 192.168.1.1", want: table.SourceRoutedUplink{
		Name: "lan1", Table: 10, Interface: "eth0", Gateway: addr("192.168.1.1"),
	}},
	{line: "lan2 dev eth1 via 2001:db8:2::1", want: table.SourceRoutedUplink{
		Name: "lan2", Interface: "eth1", Gateway: addr("2001:db8:2::1"),
	}},
	{line: "wg dev wg0", want: table.SourceRoutedUplink{Name: "wg", Interface: "wg0"}},
	{
		line: "dsl dev ppp0 family ipv4", text: "dsl dev ppp0 family inet",
		want: table.SourceRoutedUplink{Name: "dsl", Interface: "ppp0", Family: route.IPv4},
	},
	{
		line: "a dev eth0 via inet6 fe80::1", text: "a dev eth0 family inet via inet6 fe80::1",
		want: table.SourceRoutedUplink{Name: "a", Interface: "eth0", Family: route.IPv4, Gateway: addr("fe80::1")},
	},
	{
		line: "a dev eth0 via fe80::1 src 10.0.0.2", text: "a dev eth0 via inet6 fe80::1 src 10.0.0.2",
		want: table.SourceRoutedUplink{
			Name: "a", Interface: "eth0", Gateway: addr("fe80::1"), Sources: []netip.Addr{addr("10.0.0.2")},
		},
	},
	{
		line: "a dev eth0 via inet6 fe80::1 family inet6", text: "a dev eth0 family inet6 via fe80::1",
		want: table.SourceRoutedUplink{Name: "a", Interface: "eth0", Family: route.IPv6, Gateway: addr("fe80::1")},
	},
	{
		line: "\ta via 10.0.0.1 onlink   dev eth0\ttable 0x20 # the rest",
		text: "a table 32 dev eth0 via 10.0.0.1 onlink",
		want: table.SourceRoutedUplink{
			Name: "a", Table: 32, Interface: "eth0", Gateway: addr("10.0.0.1"), OnLink: true,
		},
	},
	{
		line: "a dev eth0 src 10.0.0.2 10.0.0.3 via 10.0.0.1 src 10.0.0.4#x",
		text: "a dev eth0 via 10.0.0.1 src 10.0.0.2 10.0.0.3 10.0.0.4",
		want: table.SourceRoutedUplink{
			Name: "a", Interface: "eth0", Gateway: addr("10.0.0.1"),
			Sources: []netip.Addr{addr("10.0.0.2"), addr("10.0.0.3"), addr("10.0.0.4")},
		},
	},
	{
		line: "a src 10.9.0.0/16 10.0.0.2 dev eth0 src dev lan0 subnet 10.0.0.0/24 10.1.0.0/24 src dev lan1 src 10.8.0.0/16",
		text: "a dev eth0 src 10.0.0.2 10.9.0.0/16 10.8.0.0/16 src dev lan0 src dev lan1 subnet 10.0.0.0/24 10.1.0.0/24",
		want: table.SourceRoutedUplink{
			Name: "a", Interface: "eth0", Sources: []netip.Addr{addr("10.0.0.2")},
			SourcePrefixes:   []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("10.8.0.0/16")},
			SourceInterfaces: []string{"lan0", "lan1"},
			Subnets:          []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("10.1.0.0/24")},
		},
	},
	{line: "a dev wwan0 via 192.168.8.1 src none also oif wwan0 also fwmark 0x7", want: table.SourceRoutedUplink{
		Name: "a", Interface: "wwan0", Gateway: addr("192.168.8.1"), NoSources: true,
		Also: []rule.Rule{{OIF: "wwan0"}, {FwMark: rule.FwMark(7)}},
	}},
	{
		line: "a unreachable dev eth0 main-first via 10.0.0.1 also dport 25",
		text: "a dev eth0 via 10.0.0.1 main-first unreachable also dport 25",
		want: table.SourceRoutedUplink{
			Name: "a", Interface: "eth0", Gateway: addr("10.0.0.1"), MainFirst: true, Unreachable: true,
			Also: []rule.Rule{{DPort: rule.Port(25)}},
		},
	},
	{
		line: "a dev eth0 to 10.9.0.0/16 10.8.0.0/16 priority 500 metric 7 protocol static",
		text: "a dev eth0 to 10.9.0.0/16 10.8.0.0/16 pref 500 metric 7 proto static",
		want: table.SourceRoutedUplink{
			Name: "a", Interface: "eth0", Priority: 500, Metric: 7, Protocol: route.ProtoStatic,
			Routes: []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16"), netip.MustParsePrefix("10.8.0.0/16")},
		},
	},
	{
		line: "a table 20 dev eth0 via 10.0.0.1 also ipproto tcp dport 25 also fwmark 2 also uidrange 7-8 pref 31500",
		text: "a table 20 dev eth0 via 10.0.0.1 also ipproto tcp dport 25 also fwmark 0x2 also uidrange 7-8 pref 31500",
		want: table.SourceRoutedUplink{
			Name: "a", Table: 20, Interface: "eth0", Gateway: addr("10.0.0.1"), Also: []rule.Rule{
				{IPProto: route.TCP, DPort: rule.Port(25)},
				{FwMark: rule.FwMark(2)},
				{UIDRange: rule.UIDRange(7, 8), Priority: rule.Priority(31500)},
			},
		},
	},
	{
		// Some words of an uplink are also words of selectors after also.
		line: "a dev eth0 also to 10.9.0.0/16 dev wg0",
		text: "a dev eth0 also to 10.9.0.0/16 iif wg0",
		want: table.SourceRoutedUplink{Name: "a", Interface: "eth0", Also: []rule.Rule{
			{To: netip.MustParsePrefix("10.9.0.0/16"), IIF: "wg0"},
		}},
	},
	{
		line: "a dev eth0 also -6 dport 25 also -f inet dport 26",
		text: "a dev eth0 also -6 dport 25 also -4 dport 26",
		want: table.SourceRoutedUplink{Name: "a", Interface: "eth0", Also: []rule.Rule{
			{Family: route.IPv6, DPort: rule.Port(25)}, {Family: route.IPv4, DPort: rule.Port(26)},
		}},
	},
	{line: "a dev eth0 also not from 10.0.0.0/8", want: table.SourceRoutedUplink{
		Name: "a", Interface: "eth0",
		Also: []rule.Rule{{Not: true, From: netip.MustParsePrefix("10.0.0.0/8")}},
	}},
}

func TestParseGood(t *testing.T) {
	for _, c := range goodLines {
		got, err := parseLines("f", c.line)
		if err != nil {
			t.Errorf("%s: %v", c.line, err)
			continue
		}
		if len(got) != 1 || !reflect.DeepEqual(got[0].SourceRoutedUplink, c.want) {
			t.Errorf("%s:\n got %+v\nwant %+v", c.line, got, c.want)
			continue
		}
		text := c.text
		if text == "" {
			text = c.line
		}
		if got[0].String() != text {
			t.Errorf("%s:\n printed %s\n want    %s", c.line, got[0], text)
		}
	}
}

// A gateway that was learned is not part of the line.
func TestParseLearn(t *testing.T) {
	const line = "a table 20 dev eth0 learn inet6 table 100 unreachable"
	got, err := parseLines("f", "a dev eth0 learn inet6 table 100 table 20 unreachable")
	if err != nil || len(got) != 1 || got[0].Learn != route.IPv6 || got[0].Gateway.IsValid() || got[0].family() != route.IPv6 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0].Table != 20 || got[0].LearnTable != 100 {
		t.Errorf("table %d learns from table %d", got[0].Table, got[0].LearnTable)
	}
	// As if it had been learned.
	got[0].Family, got[0].Defaults = route.IPv6, []route.Route{{Gateway: addr("fe80::1")}}
	if got[0].String() != line {
		t.Errorf("printed %s", got[0])
	}
}

// Of two lines with a name and an interface, of which one says its family, the other is for
// the other family, in either order.
func TestParseOtherFamily(t *testing.T) {
	for _, text := range []string{"a dev ppp0\na dev ppp0 learn inet6", "a dev ppp0 learn inet6\na dev ppp0"} {
		got, err := parseLines("f", text)
		if err != nil || len(got) != 2 {
			t.Fatalf("%q: %v, %v", text, got, err)
		}
		for _, u := range got {
			if want := map[bool]route.Family{true: route.IPv6, false: route.IPv4}[u.Learn != 0]; u.family() != want {
				t.Errorf("%q: %s is of %s, want %s", text, u, u.family(), want)
			}
		}
	}
	_, err := parseLines("f", "a dev ppp0 ping 2001:db8::1\na dev ppp0 learn inet6")
	if err == nil || err.Error() != "f:1: probe: 2001:db8::1 is not of the uplink's family" {
		t.Errorf("a target of the family that the line has not: %v", err)
	}
}

// Families have the names that people use, and the words of ip(8) in print.
func TestParseFamilyNames(t *testing.T) {
	for line, want := range map[string]string{
		"a dev eth0 learn ipv4":            "a dev eth0 learn inet",
		"a dev eth0 learn IPv6":            "a dev eth0 learn inet6",
		"a dev eth0 also -f ipv6 dport 25": "a dev eth0 also -6 dport 25",
	} {
		if got, err := parseLines("f", line); err != nil || len(got) != 1 || got[0].String() != want {
			t.Errorf("%s: printed %v, %v", line, got, err)
		}
	}
}

// A byte order mark at the beginning of a file is no part of a name.
func TestParseByteOrderMark(t *testing.T) {
	got, err := parseLines("f", "\ufefflan1 dev eth0\n")
	if err != nil || len(got) != 1 || got[0].Name != "lan1" {
		t.Errorf("%v, %v", got, err)
	}
}

// The line multihome has ports, and is no uplink.
func TestParseMultihome(t *testing.T) {
	c, err := parseConfig("f", "multihome udp 1194\na dev eth0\nmultihome udp 53 1194 # DNS")
	if err != nil || len(c.uplinks) != 1 || !slices.Equal(c.multihomed, []uint16{1194, 53}) {
		t.Errorf("%+v, %v", c, err)
	}
}

// The lines about answers, several together, are a policy, and are printed in their normal form.
func TestParseReply(t *testing.T) {
	c, err := parseConfig("f", "reply udp 53 1194-1199 53\na dev eth0 via 10.0.0.1 masquerade\n"+
		"reply udp 443 remember 90s clients 1000 # QUIC\nreply forwarded mark 0x100/0xf00")
	want := reply.Policy{
		UDP: []rule.Ports{rule.Port(53), rule.PortRange(1194, 1199), rule.Port(443)}, Remember: 90 * time.Second, Clients: 1000,
		Forwarded: true, Mark: 0x100, Mask: 0xf00,
	}
	if err != nil || !reflect.DeepEqual(c.reply.Policy, want) || c.reply.line != 1 || len(c.uplinks) != 1 || !c.uplinks[0].Masquerade {
		t.Fatalf("%+v, %v", c.reply, err)
	}
	lines := []string{"reply udp 53 1194-1199 443 remember 1m30s clients 1000", "reply forwarded mark 0x100/0xf00"}
	if !slices.Equal(c.reply.lines(), lines) || c.uplinks[0].String() != "a dev eth0 via 10.0.0.1 masquerade" {
		t.Errorf("printed %q and %s", c.reply.lines(), c.uplinks[0])
	}
	c, err = parseConfig("f", "reply udp 53\nreply udp all\nreply forwarded")
	if err != nil || !slices.Equal(c.reply.lines(), []string{"reply udp all", "reply forwarded"}) {
		t.Errorf("printed %q, %v", c.reply.lines(), err)
	}
	// Uplinks that are not selected are still known.
	c, err = parseConfig("f", "a dev eth0 via 10.0.0.1\nb dev eth1 via 10.1.0.1\nreply udp all")
	if c.keepOnly([]string{"b"}); err != nil || len(c.uplinks) != 1 || len(c.others) != 1 || c.others[0].Name != "a" {
		t.Errorf("kept %v, not %v: %v", c.uplinks, c.others, err)
	}
}

// The words about health and weight set the fields of maintain.Uplink.
func TestParseHealth(t *testing.T) {
	const line = "a dev eth0 via 10.0.0.1 weight 3 ping 192.0.2.1 192.0.2.2 connect 192.0.2.3:443 every 10s timeout 1.5s " +
		"failures 5 successes 4 withdraw also dport 25"
	c, err := parseConfig("f", "default metric 9 table 99\n"+line)
	if err != nil {
		t.Fatal(err)
	}
	want := health.Probe{
		Echo: []netip.Addr{addr("192.0.2.1"), addr("192.0.2.2")}, TCP: []netip.AddrPort{netip.MustParseAddrPort("192.0.2.3:443")},
		Interval: 10 * time.Second, Timeout: 1500 * time.Millisecond, Failures: 5, Successes: 4, Withdraw: true,
	}
	u := c.uplinks[0]
	if !reflect.DeepEqual(*u.Health, want) || u.Weight != 3 || *c.shared != (maintain.Default{Table: 99, Metric: 9}) {
		t.Errorf("%+v, weight %d, shared %+v", u.Health, u.Weight, c.shared)
	}
	if u.String() != line {
		t.Errorf("printed %s", u)
	}
	all := strings.Replace(line, "withdraw", "withdraw all", 1)
	if c, err := parseConfig("f", all); err != nil || !c.uplinks[0].Health.WithdrawMarked || c.uplinks[0].String() != all {
		t.Errorf("%q is read as %+v, %v", all, c, err)
	}
	// An uplink that is not selected has no share.
	if c.keepOnly([]string{"b"}); c.shared != nil || len(c.uplinks) != 0 {
		t.Errorf("kept %+v", c)
	}
}

func TestParseJoin(t *testing.T) {
	for _, text := range []string{
		"a table 20 dev eth0 via 10.0.0.1\na dev eth0 via 2001:db8::1",
		"a dev eth0 via 10.0.0.1\na table 20 dev eth0 via 2001:db8::1",
		"a table 20 dev eth0 via 10.0.0.1\na table 20 dev eth0 via 2001:db8::1",
	} {
		got, err := parseLines("f", text)
		if err != nil || len(got) != 2 || got[0].Table != 20 || got[1].Table != 20 {
			t.Errorf("%s:\n got %v %v, want table 20 for both", text, got, err)
		}
	}
}

// The examples have no faults.
func TestParseExamples(t *testing.T) {
	b, err := os.ReadFile("uplinks.conf")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := parseLines("uplinks.conf", string(b)); err != nil || len(got) != 3 {
		t.Errorf("uplinks.conf: %d uplinks, %v", len(got), err)
	}
	// In the manual, a line of a file is a line with via or learn, or begins with reply.
	n := 0
	for _, topic := range []string{"examples", "containers"} {
		text, _ := manual.Topic(topic)
		for line := range strings.Lines(text) {
			isReply := strings.HasPrefix(line, "        reply ")
			isLine := strings.HasPrefix(line, "        lan") || strings.HasPrefix(line, "        modem")
			if !isReply && (!isLine || !strings.Contains(line, " via ") && !strings.Contains(line, " learn ")) {
				continue
			}
			n++
			if _, err := parseConfig("help", line); err != nil {
				t.Error(err)
			}
		}
	}
	if n != 18 {
		t.Errorf("%d lines in the manual, want 18", n)
	}
}

// fuzzExpectations checks that expectations are printed as lines that are the same ones.
func fuzzExpectations(t *testing.T, text string) {
	c, err := parseConfig("f", text)
	if err != nil {
		return
	}
	var lines strings.Builder
	for i := range c.expectations {
		lines.WriteString(c.expectations[i].String() + "\n")
	}
	again, err := parseWithout("f", lines.String())
	if err != nil || len(again.expectations) != len(c.expectations) {
		t.Fatalf("%q\nprinted as %q: %v", text, &lines, err)
	}
	for i, x := range c.expectations {
		if y := again.expectations[i]; x.packet != y.packet || x.way != y.way {
			t.Fatalf("%q\nprinted as %q\n got %+v\nwant %+v", text, &lines, y, x)
		}
	}
}

func FuzzConfig(f *testing.F) {
	for _, c := range goodLines {
		f.Add(c.line)
	}
	for _, c := range badLines {
		f.Add(c.text)
	}
	f.Add("reply udp 53 1194-1199 remember 90s clients 7\nreply forwarded mark 0x4/0x7c\na dev eth0 masquerade")
	f.Add("reply udp all\nreply forwarded")
	f.Add("lan1 dev eth0 via 192.0.2.1\nexpect 198.51.100.7 from 192.0.2.2 mark 0x1 iif eth0 by lan1\nexpect 2001:db8::1 by via fe80::1 dev eth1\n")
	f.Add("expect 192.0.2.1 oif by by local\nexpect 192.0.2.1 dscp 5 by dev eth0")
	f.Fuzz(func(t *testing.T, text string) {
		fuzzExpectations(t, text)
		c, err := parseConfig("f", text)
		if err != nil {
			return
		}
		got := c.uplinks
		var b strings.Builder
		for _, u := range got {
			b.WriteString(u.String() + "\n")
		}
		for _, l := range c.reply.lines() {
			b.WriteString(l + "\n")
		}
		printed, err := parseConfig("f", b.String())
		if err != nil {
			t.Fatalf("%q\nprinted as %q: %v", text, b.String(), err)
		}
		again := printed.uplinks
		if !slices.Equal(printed.reply.lines(), c.reply.lines()) {
			t.Errorf("%q\nprinted as %q", text, printed.reply.lines())
		}
		for i := range got {
			if i >= len(again) || !reflect.DeepEqual(got[i].SourceRoutedUplink, again[i].SourceRoutedUplink) {
				t.Fatalf("%q\nprinted as %q\n got %+v\nwant %+v", text, b.String(), again, got)
			}
		}
		fuzzExpectations(t, text)
	})
}
