package reply

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/internal/uplink"
	"github.com/policyroute/policyroute/table/plan"
)

func TestValidate(t *testing.T) {
	for _, x := range []struct {
		policy Policy
		field  string // empty: valid
	}{
		{Policy{}, ""},
		{Policy{UDP: []rule.Ports{AllPorts(), rule.Port(53)}, Remember: time.Hour, Clients: 1 << 20, Forwarded: true, Mask: 0xf00, Mark: 0x200}, ""},
		{Policy{UDP: []rule.Ports{{}}}, "UDP"},
		{Policy{UDP: []rule.Ports{rule.Port(0)}}, "UDP"},
		{Policy{UDP: []rule.Ports{rule.PortRange(9, 8)}}, "UDP"},
		{Policy{UDP: []rule.Ports{rule.Port(8).Masked(0xff)}}, "UDP"},
		{Policy{Remember: -time.Second}, "Remember"},
		{Policy{Remember: time.Millisecond}, "Remember"},
		{Policy{Remember: 25 * time.Hour}, "Remember"},
		{Policy{Clients: 1 << 31}, "Clients"},
		{Policy{Mark: 0x80}, "Mark"},
		{Policy{Mask: 0xf0, Mark: 0x110}, "Mark"},
	} {
		err := x.policy.Validate()
		var field *plan.FieldError
		switch {
		case x.field == "" && err != nil, x.field != "" && (!errors.As(err, &field) || field.Field != x.field || field.Reason == ""):
			t.Errorf("%+v: %v, want an error about %q", x.policy, err, x.field)
		}
	}
}

func TestRanges(t *testing.T) {
	p := Policy{UDP: []rule.Ports{rule.PortRange(100, 200), rule.Port(53), rule.Port(54), rule.PortRange(150, 160), rule.PortRange(201, 202), rule.Port(443)}}
	if got := fmt.Sprint(p.ranges()); got != "[53-54 100-202 443]" {
		t.Error(got)
	}
}

func TestValues(t *testing.T) {
	for _, x := range []struct {
		policy Policy
		want   string
	}{
		{Policy{Mask: 0x30}, "[0x10 0x20 0x30]"},
		{Policy{Mask: 0x30, Mark: 0x20}, "[0x20 0x30]"},
		{Policy{Mask: 0x80000001}, "[0x1 0x80000000 0x80000001]"},
		{Policy{Mask: 0xa}, "[0x2 0x8 0xa]"},
	} {
		var all []string
		for v := range x.policy.values {
			all = append(all, fmt.Sprintf("%#x", v))
		}
		if got := "[" + strings.Join(all, " ") + "]"; got != x.want {
			t.Errorf("%+v: %s, want %s", x.policy, got, x.want)
		}
		if m := (&marker{policy: &x.policy}); m.count() != len(all) {
			t.Errorf("%+v: %d marks are counted", x.policy, m.count())
		}
	}
	n := 0
	for range (&Policy{}).values {
		n++
	}
	if n != 31 {
		t.Errorf("the default mask has %d values", n)
	}
}

// hostOf returns a host with rules.
func hostOf(t *testing.T, rules ...string) *host.State {
	t.Helper()
	var all []rule.Rule
	for _, text := range rules {
		r, err := rule.Parse(text, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Family = route.IPv4
		all = append(all, r)
	}
	slices.SortStableFunc(all, host.ComparePriority)
	return host.Make(nil, nil, nil, all, nil)
}

// usual are the kernel's rules.
var usual = []string{"pref 0 from all lookup local", "pref 32766 from all lookup main", "pref 32767 from all lookup default"}

func waysTo(tables ...rttables.ID) []*way {
	var ways []*way
	for _, id := range tables {
		ways = append(ways, &way{name: fmt.Sprint(id), dev: fmt.Sprint("eth", id), table: id, owners: []int{0}, halves: []*half{{family: route.IPv4}}})
	}
	return ways
}

// A way keeps its mark, and a new one gets a mark that no other rule selects, and if possible
// one that no way has had.
func TestChooseMarks(t *testing.T) {
	for _, x := range []struct {
		name   string
		policy Policy
		rules  []string
		also   []rule.Rule
		want   string // empty: an error
	}{
		{"first", Policy{}, nil, nil, "0x4 0x8"},
		{"given", Policy{Mask: 0xf00, Mark: 0x300}, nil, nil, "0x300 0x400"},
		{"kept", Policy{}, []string{"pref 31942 fwmark 0x4/0x7c lookup 20 proto 212"}, nil, "0x8 0x4"},
		{"not that of a way that is gone", Policy{}, []string{"pref 31942 fwmark 0x4/0x7c lookup 30 proto 212"}, nil, "0x8 0xc"},
		{"that of a way that is gone, for want of others", Policy{Mask: 0xc, Mark: 0x8}, []string{"pref 31942 fwmark 0x8/0xc lookup 30 proto 212"}, nil, "0xc 0x8"},
		{"not that of another rule", Policy{}, []string{"pref 100 fwmark 4 lookup 99"}, nil, "0x8 0xc"},
		{"not that of another mask", Policy{}, []string{"pref 100 fwmark 0x10004/0xffff lookup 99"}, nil, "0x8 0xc"},
		{"bits of others do not matter", Policy{}, []string{"pref 5210 fwmark 0x80000/0xff0000 lookup main"}, nil, "0x4 0x8"},
		{"not that of a VPN", Policy{}, []string{"pref 100 not fwmark 0xca6c lookup 99"}, nil, "0x4 0x8"},
		{"not that of Also", Policy{}, nil, []rule.Rule{{FwMark: rule.FwMark(8)}}, "0x4 0xc"},
		{"another mask begins again", Policy{Mask: 0xf00}, []string{"pref 31942 fwmark 0x4/0x7c lookup 20 proto 212"}, nil, "0x100 0x200"},
		{"too few", Policy{Mask: 0x4}, nil, nil, ""},
	} {
		ways := waysTo(10, 20)
		err := chooseMarks(&x.policy, hostOf(t, append(slices.Clone(usual), x.rules...)...), ways, []*uplink.Policy{{Also: x.also}})
		got := fmt.Sprintf("%#x %#x", ways[0].mark, ways[1].mark)
		var field *plan.FieldError
		if x.want == "" && (!errors.As(err, &field) || field.Field != "Mask") || x.want != "" && (err != nil || got != x.want) {
			t.Errorf("%s: %s, error %v, want %q", x.name, got, err, x.want)
		}
	}
}

// The rules are behind those from sources, and before those for networks and those of Also
// where there is room.
func TestRulePlaces(t *testing.T) {
	for _, x := range []struct {
		name  string
		rules []string
		want  string
	}{
		{"usual", []string{"pref 31000 from 10.1.0.2 lookup 10 proto 210", "pref 32001 from all dport 25 lookup 10 proto 210"}, "31941 31942"},
		{"kept", []string{"pref 31900 from all fwmark 0x4/0x7c lookup main suppress_prefixlength 1 proto 212", "pref 31901 from all fwmark 0x4/0x7c lookup 10 proto 212"}, "31900 31901"},
		{"sources behind", []string{"pref 31960 from 10.1.0.2 lookup 10 proto 210"}, "31962 31963"},
		{"kept too early", []string{"pref 31901 from all fwmark 0x4/0x7c lookup 10 proto 212", "pref 31960 from 10.1.0.2 lookup 10 proto 210"}, "31962 31963"},
		{"taken", []string{"pref 31941 from all lookup 7", "pref 10 from 9.9.9.9 goto 31943"}, "31945 31946"},
		{"Also right behind", []string{"pref 1000 from 10.1.0.2 lookup 10 proto 210", "pref 1001 from all dport 25 lookup main suppress_prefixlength 1 proto 210", "pref 1002 from all dport 25 lookup 10 proto 210"}, "1004 1005"},
	} {
		now := hostOf(t, append(slices.Clone(usual), x.rules...)...)
		ways := waysTo(10)
		ways[0].mark = 4
		rules, err := wantedRules(now, ways, DefaultMask, route.IPv4, nil)
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		var got []string
		for _, r := range rules {
			got = append(got, fmt.Sprint(r.Priority.Or(0)))
		}
		if s := strings.Join(got, " "); s != x.want {
			t.Errorf("%s: %s, want %s", x.name, s, x.want)
		}
	}
	// On a host with VRFs the rules come before the one for local, and look it up first.
	now := hostOf(t, "pref 1000 l3mdev", "pref 32765 from all lookup local", "pref 32766 from all lookup main")
	ways := waysTo(10)
	ways[0].mark, ways[0].halves[0].unreachable = 4, true
	rules, err := wantedRules(now, ways, DefaultMask, route.IPv4, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rules {
		got = append(got, r.String())
	}
	want := `31940: from all fwmark 0x4/0x7c lookup local proto 212
31941: from all fwmark 0x4/0x7c lookup main suppress_prefixlength 1 proto 212
31942: from all fwmark 0x4/0x7c lookup 10 proto 212
31943: from all fwmark 0x4/0x7c unreachable proto 212`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("with VRFs:\n%s\nwant\n%s", s, want)
	}
	// There is no room.
	now = hostOf(t, "pref 0 from all lookup local", "pref 1 l3mdev", "pref 2 from all lookup main")
	if _, err := wantedRules(now, ways, DefaultMask, route.IPv4, nil); err == nil || !strings.Contains(err.Error(), "Forwarded") {
		t.Errorf("without room: %v", err)
	}
}

// Two ways on one interface are told apart by the address that is asked.
func TestSharedInterface(t *testing.T) {
	ways := waysTo(10, 20)
	for i, w := range ways {
		w.dev, w.mark = "eth0", uint32(4*(i+1))
		w.halves[0].isShared = true
		w.halves[0].sources = []netip.Addr{netip.AddrFrom4([4]byte{192, 0, 2, byte(10 + i)})}
	}
	c := render(&Policy{Forwarded: true}, ways)
	arrived, passed := 0, 0
	for _, r := range c.Rules {
		switch {
		case r.Chain == "arrived" && r.Comment != "":
			arrived++
		case r.Chain == "passed" && r.Comment != "":
			passed++
		}
	}
	if arrived != 2 || passed != 0 {
		t.Errorf("%d rules for questions and %d for forwarded packets", arrived, passed)
	}
}

func TestGCInterval(t *testing.T) {
	for clients, want := range map[uint32]uint32{1: 100, DefaultClients: 100, 2 * DefaultClients: 200, mostClients: 25600} {
		if got := gcInterval(clients); got != want {
			t.Errorf("%d clients: %d, want %d", clients, got, want)
		}
	}
}

func TestCommentOf(t *testing.T) {
	if got := commentOf("a\"b\\c\n\xff" + strings.Repeat("x", 200)); got != `a'b_c_`+strings.Repeat("x", 93) {
		t.Errorf("%q", got)
	}
}
