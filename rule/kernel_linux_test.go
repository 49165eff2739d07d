//go:build linux

package rule

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/mdlayher/netlink"

	"github.com/google/go-cmp/cmp"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
)

func TestMain(m *testing.M) { lab.Main(m) }

// kernel is a namespace with nothing but the kernel's own rules, and a socket
// in it.
func kernel(t *testing.T) (*lab.NS, *route.Socket) {
	t.Helper()
	ns := lab.Test(t).NS("a")
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return ns, c
}

// conns are the kinds of Conn that the verbs must do the same over.
func conns(t *testing.T, ns *lab.NS) map[string]route.Conn {
	t.Helper()
	socket, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	m := map[string]route.Conn{"Socket": socket}
	for _, strict := range []bool{true, false} {
		cfg := ns.Config()
		cfg.Strict = strict
		c, err := netlink.Dial(uapi.NETLINK_ROUTE, cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		m[fmt.Sprintf("netlink.Conn Strict=%v", strict)] = c
	}
	return m
}

func add(t *testing.T, c route.Conn, rules ...string) {
	t.Helper()
	for _, s := range rules {
		if err := Add(t.Context(), c, parse(t, s)); err != nil {
			t.Fatal(err)
		}
	}
}

// list is what is in the kernel, as text.
func list(t *testing.T, c route.Conn, f Filter) []string {
	t.Helper()
	rules, err := List(t.Context(), c, f)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, r := range rules {
		text = append(text, r.String())
	}
	return text
}

func wantList(t *testing.T, c route.Conn, f Filter, want ...string) {
	t.Helper()
	if diff := testrun.Cut(cmp.Diff(want, list(t, c, f))); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// What a new namespace has of IPv4.
const (
	ruleLocal   = "0: from all lookup local proto kernel"
	ruleMain    = "32766: from all lookup main proto kernel"
	ruleDefault = "32767: from all lookup default proto kernel"
)

func TestKernelVerbs(t *testing.T) {
	t.Parallel()
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		t.Run(name, func(t *testing.T) {
			r := Rule{From: netip.MustParsePrefix("10.0.0.0/8"), Table: 20, Priority: Priority(100)}
			if err := Add(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
			wantList(t, c, Filter{Family: route.IPv4},
				ruleLocal, "100: from 10.0.0.0/8 lookup 20", ruleMain, ruleDefault)
			if err := Add(t.Context(), c, r); !errors.Is(err, fs.ErrExist) || !errors.Is(err, syscall.EEXIST) {
				t.Errorf("the same rule again: %v", err)
			}
			if err := Delete(t.Context(), c, r); err != nil {
				t.Fatal(err)
			}
			if err := Delete(t.Context(), c, r); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a deleted rule again: %v", err)
			}
			wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, ruleMain, ruleDefault)
		})
	}
}

// The kernel chooses a priority for a rule that has none. Fact: one below the
// second rule's, whatever the first's.
func TestKernelPriorityChosen(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	add(t, c, "table 10", "table 11")
	wantList(t, c, Filter{Family: route.IPv4}, ruleLocal,
		"32764: from all lookup 11", "32765: from all lookup 10", ruleMain, ruleDefault)
	add(t, c, "pref 1 table 12", "table 13")
	wantList(t, c, Filter{Family: route.IPv4, Priority: Priority(0)}, ruleLocal, "0: from all lookup 13")
}

func TestKernelDefaults(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	for _, r := range []Rule{
		{Table: 10, Priority: Priority(1)},
		{Goto: 32766, Priority: Priority(2)},
		{To: netip.MustParsePrefix("2001:db8::/32"), Table: 10, Priority: Priority(3)},
		{Action: ActionNop, Priority: Priority(4)},
		{L3MDev: true, Priority: Priority(5)},
	} {
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, "1: from all lookup 10",
		"2: from all goto 32766", "4: from all nop", "5: from all l3mdev", ruleMain, ruleDefault)
	wantList(t, c, Filter{Family: route.IPv6}, "-6 "+ruleLocal,
		"3: from all to 2001:db8::/32 lookup 10", "-6 "+ruleMain)
}

func TestKernelFilter(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	add(t, c, "pref 5 table 10", "pref 5 table 300 proto 99", "-6 pref 5 table 300", "pref 6 table 10 proto 99",
		"-6 pref 7 from 2001:db8::/32 unreachable proto 99")
	// Fact: a listing of all families has those of multicast routing.
	var all []Rule
	families := map[route.Family]bool{}
	for r, err := range dump(t.Context(), c, 0) {
		if err != nil {
			t.Fatal(err)
		}
		r.normalizeListed()
		all = append(all, *r)
		families[r.Family] = true
	}
	if !families[route.IPv4] || !families[route.IPv6] || !families[route.IPMR] || !families[route.IP6MR] {
		report.Errorf("families dumped: %v", families)
	}
	for _, f := range filters() {
		var want []Rule
		for _, r := range all {
			if selects(f, r) {
				want = append(want, r)
			}
		}
		for name, c := range conns(t, ns) {
			got, err := List(t.Context(), c, f)
			if err != nil {
				report.Errorf("%s %+v: %v", name, f, err)
			}
			if !slices.Equal(got, want) {
				report.Errorf("%s %+v: got %v, want %v", name, f, got, want)
			}
			got = nil
			for r, err := range All(t.Context(), c, f) {
				if err != nil {
					report.Errorf("%s %+v: %v", name, f, err)
				}
				got = append(got, r)
			}
			if !slices.Equal(got, want) {
				report.Errorf("%s %+v: All yields %v, want %v", name, f, got, want)
			}
		}
	}
}

// filters are all combinations of one value, and none, for each field.
func filters() []Filter {
	var all []Filter
	families := []route.Family{0, route.IPv4, route.IPv6, route.IPMR, route.IP6MR}
	for i := range len(families) * 2 * 2 * 2 {
		f := Filter{Family: families[i%len(families)]}
		i /= len(families)
		if i%2 == 1 {
			f.Table = 300
		}
		if i/2%2 == 1 {
			f.Protocol = 99
		}
		if i/4%2 == 1 {
			f.Priority = Priority(5)
		}
		all = append(all, f, Filter{Family: f.Family, Table: f.Table, Protocol: f.Protocol, Priority: Priority(0)})
	}
	return all
}

// selects says again what a Filter means.
func selects(f Filter, r Rule) bool {
	if f.Family == 0 && (r.Family == route.IPMR || r.Family == route.IP6MR) || f.Family != 0 && r.Family != f.Family {
		return false
	}
	if f.Table != rttables.Unspec && r.Table != f.Table {
		return false
	}
	if f.Protocol != 0 && r.Protocol != f.Protocol {
		return false
	}
	prio, ok := f.Priority.Get()
	return !ok || r.Priority == Priority(prio)
}

// A mark may have bits outside its mask. The kernel ignores them, and keeps them.
func TestKernelMarkOutsideMask(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	for _, f := range []struct {
		options string
		dst     netip.Addr
	}{{"", netip.MustParseAddr("203.0.113.5")}, {"-6 ", netip.MustParseAddr("2001:db8::5")}} {
		r := parse(t, f.options+"from all fwmark 0x10/0xf prohibit pref 100")
		if err := Add(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
		for mark, prohibited := range map[uint32]bool{0: true, 0x10: true, 0x20: true, 0xf0: true, 1: false, 0x1f: false} {
			_, err := route.Lookup(t.Context(), c, route.Query{Dst: f.dst, Mark: mark})
			if errors.Is(err, syscall.EACCES) != prohibited || err == nil {
				t.Errorf("%s with mark %#x: %v, prohibited should be %v", f.dst, mark, err, prohibited)
			}
		}
		listed, err := List(t.Context(), c, Filter{Priority: Priority(100)})
		if err != nil || len(listed) != 1 || listed[0] != r.Canonical() {
			t.Errorf("listed %v, %v, want %v", listed, err, r)
		}
		if err := Delete(t.Context(), c, r); err != nil {
			t.Error(err)
		}
	}
}

// A zero that is said is sent. For the kernel it is as a rule without it, except that
// realms of zero are not any realms.
func TestKernelZeros(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, _ := kernel(t)
	for name, c := range conns(t, ns) {
		before := list(t, c, Filter{})
		for _, options := range []string{"", "-6 "} {
			plain := parse(t, options+"pref 100 from all lookup 10")
			for _, words := range []string{"ipproto 0", "realms 0", "realms 0/0 ipproto hopopt", "proto 0", "tos 0"} {
				r := parse(t, options+"pref 100 from all lookup 10 "+words)
				for how, add := range waysToAdd {
					if err := add(t.Context(), c, r); err != nil {
						report.Errorf("%s: %s of %s: %v", name, how, r, err)
					}
					for _, again := range []Rule{r, plain} {
						if err := add(t.Context(), c, again); !errors.Is(err, fs.ErrExist) {
							report.Errorf("%s: %s of %s, again as %s: %v", name, how, r, again, err)
						}
					}
					wantList(t, c, Filter{Priority: Priority(100)}, plain.String())
					if err := Delete(t.Context(), c, r); err != nil {
						report.Errorf("%s: delete %s: %v", name, r, err)
					}
				}
			}
		}
		if diff := testrun.Cut(cmp.Diff(before, list(t, c, Filter{}))); diff != "" {
			report.Errorf("%s: rules (-before +after):\n%s", name, diff)
		}
	}
}

// A rule outlives its interface.
func TestKernelDetached(t *testing.T) {
	t.Parallel()
	ns, c := kernel(t)
	add(t, c, "pref 5 iif gone0 oif eth0 table 10", "pref 6 goto 7")
	flags := func() (f []string) {
		rules, err := List(t.Context(), c, Filter{Family: route.IPv4})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rules[1:3] {
			f = append(f, r.Flags.String())
		}
		return f
	}
	if got := flags(); !slices.Equal(got, []string{"iif-detached,oif-detached", "unresolved"}) {
		t.Errorf("flags %q", got)
	}
	ns.Link("eth0", ns, "eth1")
	add(t, c, "pref 7 nop")
	if got := flags(); !slices.Equal(got, []string{"iif-detached", ""}) {
		t.Errorf("flags %q", got)
	}
	ns.DeleteLink("eth0")
	if err := Delete(t.Context(), c, parse(t, "pref 5 iif gone0 oif eth0 table 10")); err != nil {
		t.Error(err)
	}
}

// A loop over a listing may use the Conn that the listing comes from.
func TestKernelLoop(t *testing.T) {
	t.Parallel()
	report := testrun.Limit(t)
	ns, c := kernel(t)
	const n = 400 // several datagrams
	for i := range uint32(n) {
		if err := Add(t.Context(), c, Rule{Priority: Priority(1000 + i), Table: 10}); err != nil {
			t.Fatal(err)
		}
	}
	seen := 0
	for r, err := range All(t.Context(), c, Filter{Family: route.IPv4, Table: 10}) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		got, err := List(t.Context(), c, Filter{Family: route.IPv4, Priority: r.Priority})
		if err != nil || len(got) != 1 || got[0] != r {
			t.Fatalf("in the loop: %v, %v; want %v", got, err, r)
		}
	}
	if seen != n {
		report.Errorf("%d rules, want %d", seen, n)
	}
	for name, c := range conns(t, ns) { // an early end leaves the Conn usable
		for range All(t.Context(), c, Filter{Family: route.IPv4}) {
			break
		}
		if got := list(t, c, Filter{Family: route.IPv4}); len(got) != n+3 {
			report.Errorf("%s: %d rules after an early end, want %d", name, len(got), n+3)
		}
	}
	rules, err := List(t.Context(), c, Filter{Table: 10})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		if err := Delete(t.Context(), c, r); err != nil {
			t.Fatal(err)
		}
	}
	wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, ruleMain, ruleDefault)
}

func TestKernelContext(t *testing.T) {
	t.Parallel()
	_, c := kernel(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for r, err := range All(ctx, c, Filter{Family: route.IPv4}) {
		if errors.Is(err, context.Canceled) {
			break
		}
		if err != nil || r.Priority != Priority(0) {
			t.Fatalf("%v, %v: the loop goes on after cancel", r, err)
		}
		cancel()
	}
	if _, err := List(ctx, c, Filter{}); !errors.Is(err, context.Canceled) {
		t.Errorf("List: %v", err)
	}
	if err := Add(ctx, c, parse(t, "table 10")); !errors.Is(err, context.Canceled) {
		t.Errorf("Add: %v", err)
	}
	wantList(t, c, Filter{Family: route.IPv4}, ruleLocal, ruleMain, ruleDefault)
}
