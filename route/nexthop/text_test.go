package nexthop_test

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/nexthop"
	"github.com/policyroute/policyroute/rttables"
)

func TestString(t *testing.T) {
	report := testrun.Limit(t)
	group := []nexthop.Member{{ID: 1}, {ID: 2, Weight: 65535}}
	for _, tt := range []struct {
		n    nexthop.Object
		want string
	}{
		{nexthop.Object{}, "id 0"},
		{nexthop.Object{Family: route.IPv6}, "-6 id 0"},
		{nexthop.Object{Family: route.IPv4, OIF: 7}, "dev if7"},
		{nexthop.Object{Gateway: netip.MustParseAddr("fe80::1"), OIF: 7}, "via fe80::1 dev if7"},
		{nexthop.Object{Family: route.IPv6, Group: group}, "-6 group 1/2,65535"},
		{nexthop.Object{Group: group, GroupType: 300}, "group 1/2,65535 type 300"},
		{nexthop.Object{Flags: route.FlagDead | route.FlagOnLink | route.FlagLinkDown | 1<<30},
			"dead onlink linkdown flags 0x40000000"},
		{nexthop.Object{Resilient: nexthop.ResilientGroup{
			IdleTimer: route.Some[time.Duration](0), UnbalancedTimer: route.Some(1500 * time.Millisecond),
			UnbalancedTime: time.Nanosecond,
		}}, "idle_timer 0 unbalanced_timer 1.5 unbalanced_time 0.000000001"},
	} {
		if got := tt.n.String(); got != tt.want {
			report.Errorf("%q, want %q", got, tt.want)
		}
	}
}

func TestParse(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, want string }{
		{"dev if5 id 3", "id 3 dev if5"},
		{"via inet6 fe80::1 dev if5", "via fe80::1 dev if5"},
		{"-4 via inet 10.0.0.1", "via 10.0.0.1"},
		{"id 0x10 protocol 3", "id 16 proto boot"},
		{"group 0x10/2,010", "group 16/2,8"},
		{"id 1 group 2 type mpath", "id 1 group 2"},
		{"id 1 group 2 type 1 idle_timer 0060.50", "id 1 group 2 type resilient idle_timer 60.5"},
		{"group 2 idle_timer 9223372035.999999999", "group 2 idle_timer 9223372035.999999999"},
	} {
		if got := parseNextHop(t, tt.text).String(); got != tt.want {
			report.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestParseError(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, want string }{
		{"", "nexthop: word 1: a nexthop is missing"},
		{"-6", `nexthop: word 2: a nexthop is missing after "-6"`},
		{"id", `nexthop: word 2: a number is missing after "id"`},
		{"id 1 vai 10.0.0.1", `nexthop: word 3 "vai": not an attribute of a nexthop; did you mean via?`},
		{"id -1", `nexthop: word 2 "-1": not a number: want a number of at most 32 bits`},
		{"group 1/", `nexthop: word 2 "1/": not a group: "" is not the number of a nexthop`},
		{"group 1,0", `nexthop: word 2 "1,0": not a group: weight "0" is not between 1 and 65535`},
		{"group 1,65536", `nexthop: word 2 "1,65536": not a group: weight "65536" is not between 1 and 65535`},
		{"group 1,", `nexthop: word 2 "1,": not a group: weight "" is not between 1 and 65535`},
		{"group 1 type mpaht", `nexthop: word 4 "mpaht": not a type of group; did you mean mpath?`},
		{"group 1 type 65536", `nexthop: word 4 "65536": not a type of group`},
		{"via inet 2001:db8::1", `nexthop: word 3 "2001:db8::1": not an address of family inet`},
		{"via default", `nexthop: word 2 "default": not an address`},
		{"dev eth0", `nexthop: word 2 "eth0": no Links to look the name up in (see route.ListLinks); if5 is the interface with the index 5`},
		{"idle_timer 1.", `nexthop: word 2 "1.": not a number of seconds`},
		{"idle_timer .5", `nexthop: word 2 ".5": not a number of seconds`},
		{"idle_timer -1", `nexthop: word 2 "-1": not a number of seconds`},
		{"idle_timer 1.0000000001", `nexthop: word 2 "1.0000000001": not a number of seconds`},
		{"idle_timer 1.+5", `nexthop: word 2 "1.+5": not a number of seconds`},
		{"unbalanced_time 9223372036", `nexthop: word 2 "9223372036": not a number of seconds`},
		{"scope 256", `nexthop: word 2 "256": not a scope`},
		{"attribute 1 00", `nexthop: word 3 "00": NHA_ID: 1 bytes of payload, want 4`},
		{"resilient_attribute 1 00", `nexthop: word 3 "00": NHA_RES_GROUP_BUCKETS: 1 bytes of payload, want 2`},
	} {
		n, err := nexthop.Parse(tt.text, nil)
		if err == nil || err.Error() != tt.want || !n.Equal(nexthop.Object{}) {
			report.Errorf("%s:\n got %v, %s\nwant %s", tt.text, err, n, tt.want)
		}
	}
}

// The arguments are the text without the option for the family, which those who
// run ip(8) give before "nexthop".
func TestArgs(t *testing.T) {
	report := testrun.Limit(t)
	names := &route.Names{Links: route.MakeLinks(map[uint32]string{5: "eth1"})}
	for _, tt := range []struct{ text, args, named string }{
		{"-6 id 16 dev if5", "id 16 dev if5", "id 16 dev eth1"},
		{"id 10 via 192.168.2.1 dev if5", "id 10 via 192.168.2.1 dev if5", "id 10 via 192.168.2.1 dev eth1"},
		{"-6 id 14 blackhole", "id 14 blackhole", "id 14 blackhole"},
		{"-6 id 0", "id 0", "id 0"},
	} {
		n := parseNextHop(t, tt.text)
		if got := n.Args(nil); got != tt.args {
			report.Errorf("%s: %q, want %q", tt.text, got, tt.args)
		}
		if got := n.Args(names); got != tt.named {
			report.Errorf("%s: %q, want %q", tt.text, got, tt.named)
		}
		back, err := nexthop.Parse(strings.Join(append(iptext.FamilyOption(n.Family), n.Args(names)), " "), names)
		if err != nil || !back.Equal(n) {
			report.Errorf("%s: %s, %v", tt.text, back, err)
		}
	}
}

// Names go both ways.
func TestNames(t *testing.T) {
	files, err := rttables.Load(fstest.MapFS{"etc/iproute2/rt_protos": {Data: []byte("210 ours\n")}})
	if err != nil {
		t.Fatal(err)
	}
	names := &route.Names{Files: files}
	n := parseNextHop(t, "id 1 dev if5 proto 210")
	if got := n.Text(names); got != "id 1 dev if5 proto ours" {
		t.Error(got)
	}
	if back, err := nexthop.Parse(n.Text(names), names); err != nil || !back.Equal(n) {
		t.Errorf("%s, %v", back, err)
	}
}

// In JSON an object is one readable string.
func TestJSON(t *testing.T) {
	const want = `{"a":"id 1 via 10.0.0.1 dev if5","b":"id 2 group 1,3 type resilient buckets 8"}`
	var m map[string]nexthop.Object
	if err := json.Unmarshal([]byte(want), &m); err != nil {
		t.Fatal(err)
	}
	if got, err := json.Marshal(m); err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	if err := json.Unmarshal([]byte(`{"a":"id"}`), &m); err == nil {
		t.Error("no error")
	}
}

func TestGroupType(t *testing.T) {
	report := testrun.Limit(t)
	for _, typ := range []nexthop.GroupType{nexthop.GroupMpath, nexthop.GroupResilient, 2, 255, 256, 65535} {
		text, err := typ.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back nexthop.GroupType
		if err := back.UnmarshalText(text); err != nil || back != typ {
			report.Errorf("%s is %v, %v", text, back, err)
		}
	}
	back := nexthop.GroupResilient
	if err := back.UnmarshalText([]byte("mpth")); err == nil || back != nexthop.GroupResilient ||
		err.Error() != `nexthop: "mpth" is not a type of group; did you mean mpath?` {
		report.Errorf("%v, %v", back, err)
	}
}

func TestCanonical(t *testing.T) {
	report := testrun.Limit(t)
	for _, tt := range []struct{ text, want string }{
		{"id 10 via 192.168.2.1 dev if5 scope link linkdown onlink", "id 10 via 192.168.2.1 dev if5 onlink"},
		{"id 100 group 1,1/2", "id 100 group 1/2"},
		{"id 104 group 10 type resilient buckets 8 unbalanced_time 3",
			"id 104 group 10 type resilient buckets 8 idle_timer 120 unbalanced_timer 0"},
		{"id 104 group 10 type resilient idle_timer 0 unbalanced_timer 9",
			"id 104 group 10 type resilient idle_timer 0 unbalanced_timer 9"},
	} {
		if got := parseNextHop(t, tt.text).Canonical().String(); got != tt.want {
			report.Errorf("%s:\n got %s\nwant %s", tt.text, got, tt.want)
		}
	}
	n := nexthop.Object{Group: []nexthop.Member{{ID: 1}}}
	if c := n.Canonical(); c.Group[0].Weight != 1 || n.Group[0].Weight != 0 {
		report.Errorf("%+v of %+v", c, n)
	}
	n = nexthop.Object{Gateway: netip.MustParseAddr("2001:db8::1")}
	if c := n.Canonical(); c.Family != route.IPv6 {
		report.Errorf("%+v", c)
	}
}
