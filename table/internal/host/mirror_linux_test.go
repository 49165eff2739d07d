package host

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/rtnl"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/internal/form"
)

// A mirrorTest is a namespace with a Mirror that follows it.
type mirrorTest struct {
	*testing.T
	ns, other *lab.NS
	c         *route.Socket
	sub       *rtnl.Subscription
	mirror    Mirror
}

func newMirrorTest(t *testing.T) *mirrorTest {
	l := lab.Test(t)
	x := &mirrorTest{T: t, ns: l.NS("host"), other: l.NS("other")}
	var err error
	if x.c, err = route.Dial(x.ns.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.c.Close() })
	x.sub, err = rtnl.Subscribe(x.ns.Config(), uapi.RTNLGRP_LINK, uapi.RTNLGRP_IPV4_IFADDR, uapi.RTNLGRP_IPV6_IFADDR,
		uapi.RTNLGRP_IPV4_RULE, uapi.RTNLGRP_IPV6_RULE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.sub.Close() })
	if err := x.mirror.Read(t.Context(), x.c); err != nil {
		t.Fatal(err)
	}
	return x
}

// follow takes over the events so far.
func (x *mirrorTest) follow() {
	x.Helper()
	if err := x.sub.Pending(func(m netlink.Message) (err error) {
		switch m.Header.Type {
		case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
			_, err = x.mirror.Rule(m)
		case uapi.RTM_NEWLINK, uapi.RTM_DELLINK:
			_, _, err = x.mirror.Link(m)
		case uapi.RTM_NEWADDR, uapi.RTM_DELADDR:
			_, _, err = x.mirror.Address(m)
		}
		return err
	}); err != nil {
		x.Fatal(err)
	}
	if err := x.mirror.Order(x.Context(), x.c, func(uint32) bool { return true }); err != nil {
		x.Fatal(err)
	}
}

// difference returns how the Mirror differs from what is read, or an empty text.
func (x *mirrorTest) difference() string {
	x.Helper()
	x.follow()
	got := x.mirror.State("")
	want, err := Read(x.Context(), x.c, "")
	if err != nil {
		x.Fatal(err)
	}
	for _, f := range form.Families {
		a, b := got.Rules(f), want.Rules(f)
		if !slices.EqualFunc(a.All, b.All, func(p, q rule.Rule) bool { return form.Bare(p) == form.Bare(q) }) {
			return fmt.Sprintf("the rules of %s are %v, want %v", f, a.All, b.All)
		}
		if a.Main != b.Main || a.After != b.After || a.Before != b.Before {
			return fmt.Sprintf("the bounds of %s are not those of a listing", f)
		}
	}
	for index, name := range want.Links.All() {
		if got.Links.Flags(index) != want.Links.Flags(index) || !slices.Equal(sortedNames(got.Links, index), sortedNames(want.Links, index)) {
			return fmt.Sprintf("%s is %v %x, want %v %x", name, got.Links.Names(index), got.Links.Flags(index),
				want.Links.Names(index), want.Links.Flags(index))
		}
		if a, b := got.AddressesOf(index), want.AddressesOf(index); !slices.Equal(a, b) {
			return fmt.Sprintf("the addresses of %s are %v, want %v", name, a, b)
		}
		for _, name := range want.Links.Names(index) {
			if i, ok := got.Link(name); !ok || i != index {
				return fmt.Sprintf("%s is not found", name)
			}
		}
	}
	for index, name := range got.Links.All() {
		if want.Links.Names(index) == nil {
			return fmt.Sprintf("there is no %s any more", name)
		}
	}
	if len(got.Addrs) != len(want.Addrs) {
		return fmt.Sprintf("the addresses are %v, want %v", got.Addrs, want.Addrs)
	}
	return ""
}

func sortedNames(l *route.Links, index uint32) []string {
	return slices.Sorted(slices.Values(l.Names(index)))
}

// wantSame fails unless the Mirror is what is read. What is read may be newer: the carrier of
// an interface comes and goes by itself.
func (x *mirrorTest) wantSame(after string) {
	x.Helper()
	var diff string
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if diff = x.difference(); diff == "" {
			return
		}
		if time.Now().After(end) {
			x.Fatalf("after %s: %s", after, diff)
		}
	}
}

// A mirror that follows events is what a listing says, whatever happens.
func TestKernelMirror(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			x := newMirrorTest(t)
			x.ns.Link("eth0", x.other, "far0")
			x.ns.Link("eth1", x.other, "far1")
			w := &mirrorWorld{mirrorTest: x, r: rand.New(rand.NewPCG(seed, 7)), names: []string{"eth0", "eth1"}}
			for range 40 {
				var done string
				for range 1 + w.r.IntN(25) {
					done += w.step() + "; "
				}
				x.wantSame(done)
			}
		})
	}
}

// A mirrorWorld does something at random.
type mirrorWorld struct {
	*mirrorTest
	r     *rand.Rand
	rules []rule.Rule // that were added
	addrs [][2]string // interface and address
	names []string
	n     int
}

// step does something, and returns what.
func (w *mirrorWorld) step() string {
	dev := w.names[w.r.IntN(len(w.names))]
	switch k := w.r.IntN(10); {
	case k < 4:
		r := rule.Rule{
			Family: form.Families[w.r.IntN(2)], Priority: rule.Priority(uint32(w.r.IntN(4))*100 + 50), FwMark: rule.FwMark(uint32(w.r.IntN(4) + 1)),
			Table: 100,
		}
		if slices.Contains(w.rules, r) {
			return "nothing"
		}
		w.rules = append(w.rules, r)
		return w.did("add "+r.String(), rule.Add(w.Context(), w.c, r))
	case k < 7 && len(w.rules) > 0:
		i := w.r.IntN(len(w.rules))
		r := w.rules[i]
		w.rules = slices.Delete(w.rules, i, i+1)
		return w.did("delete "+r.String(), rule.Delete(w.Context(), w.c, r))
	case k < 8:
		w.n++
		a := fmt.Sprintf("10.%d.0.%d/24", w.r.IntN(3), w.n%200+1)
		if w.r.IntN(2) == 0 {
			a = fmt.Sprintf("2001:db8:%d::%x/64", w.r.IntN(3), w.n)
		}
		w.addrs = append(w.addrs, [2]string{dev, a})
		w.ns.Addr(dev, a)
		return dev + " has " + a
	case k < 9 && w.r.IntN(2) == 0:
		// Its addresses of IPv6 go by themselves.
		w.addrs = slices.DeleteFunc(w.addrs, func(a [2]string) bool { return a[0] == dev && !netip.MustParsePrefix(a[1]).Addr().Is4() })
		w.ns.Down(dev)
		w.ns.Up(dev)
		return dev + " goes down and up"
	case k < 9:
		w.n++
		w.ns.AltName(dev, fmt.Sprint("alternative", w.n))
		return "another name of " + dev
	case len(w.addrs) > 0:
		// A whole subnet goes with its first address.
		a := w.addrs[len(w.addrs)-1]
		w.addrs = w.addrs[:len(w.addrs)-1]
		w.ns.Sysctl("net.ipv4.conf."+a[0]+".promote_secondaries", "1")
		w.ns.DelAddr(a[0], a[1])
		return a[0] + " has lost " + a[1]
	}
	return "nothing"
}

func (w *mirrorWorld) did(what string, err error) string {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return what
}

// Interfaces come, are renamed, become ports of a bridge, and go.
func TestKernelMirrorLinks(t *testing.T) {
	x := newMirrorTest(t)
	x.ns.Link("eth0", x.other, "far0")
	x.wantSame("a new interface")
	x.ns.AltName("eth0", "uplink")
	x.ns.Rename("eth0", "wan")
	x.wantSame("another name")
	x.ns.Link("eth1", x.other, "far1")
	x.ns.Bridge("br0", "eth1")
	x.wantSame("a bridge")
	x.ns.DeleteLink("br0")
	x.wantSame("no bridge")
	if _, ok := x.mirror.State("").Link("eth1"); !ok {
		t.Error("the interface went with its bridge")
	}
	x.ns.DeleteLink("wan")
	x.wantSame("no interface")
	if _, ok := x.mirror.State("").Link("uplink"); ok {
		t.Error("the alternative name is still there")
	}
}

// A State stays as it was. Many events do not pile up.
func TestKernelMirrorStateStays(t *testing.T) {
	x := newMirrorTest(t)
	before := x.mirror.State("")
	n := len(before.Rules(route.IPv4).All)
	x.ns.Link("eth0", x.other, "far0")
	x.ns.Addr("eth0", "10.0.0.2/24")
	r := rule.Rule{Family: route.IPv4, Priority: rule.Priority(1), FwMark: rule.FwMark(1), Table: 100}
	for range 3 * fewEvents {
		if err := rule.Add(t.Context(), x.c, r); err != nil {
			t.Fatal(err)
		}
		if err := rule.Delete(t.Context(), x.c, r); err != nil {
			t.Fatal(err)
		}
	}
	x.wantSame("many events")
	if _, ok := before.Link("eth0"); ok || len(before.Rules(route.IPv4).All) != n || before.IsLocal(netip.MustParseAddr("10.0.0.2")) {
		t.Error("a state has changed")
	}
	if err := rule.Add(t.Context(), x.c, r); err != nil {
		t.Fatal(err)
	}
	// The same event once more, which arrived during the reading.
	if err := x.mirror.Read(t.Context(), x.c); err != nil {
		t.Fatal(err)
	}
	x.mirror.Overlap(true)
	x.follow()
	if exact := x.mirror.Overlap(false); exact {
		t.Error("it says that nothing happened meanwhile")
	}
	if diff := x.difference(); diff != "" {
		t.Error(diff)
	}
}
