package transition_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
	"github.com/policyroute/policyroute/table/explain"
	"github.com/policyroute/policyroute/table/internal/form"
	"github.com/policyroute/policyroute/table/internal/host"
	"github.com/policyroute/policyroute/table/plan"
)

// worldOf returns the host of a state for package explain, with the routes that the kernel
// makes for addresses. It forwards.
func worldOf(t testing.TB, w *world, s *host.State) explain.World {
	var text strings.Builder
	for index, name := range w.links {
		fmt.Fprintf(&text, "link add %s index %d\n", name, index)
	}
	for _, a := range w.addrs {
		subnet := netip.PrefixFrom(a.Addr, a.Addr.BitLen())
		if a.Subnet.IsValid() {
			subnet = netip.PrefixFrom(a.Addr, a.Subnet.Bits())
		}
		fmt.Fprintf(&text, "address add %s dev %s\n", subnet, w.links[a.Index])
	}
	text.WriteString("sysctl -w net.ipv4.fib_has_custom_rules=1\nsysctl -w net.ipv4.ip_forward=1\nsysctl -w net.ipv6.conf.all.forwarding=1\n")
	h, err := explain.Parse(text.String())
	if err != nil {
		t.Fatalf("%v in\n%s", err, &text)
	}
	h.Routes = slices.DeleteFunc(h.Routes, func(r route.Route) bool { return r.Table != rttables.Local })
	for _, id := range s.Tables() {
		h.Routes = append(h.Routes, s.Routes(id)...)
	}
	h.Rules = nil
	for _, f := range form.Families {
		h.Rules = append(h.Rules, s.Rules(f).All...)
	}
	return h
}

// A way is where a packet goes.
type way struct {
	verdict     explain.Verdict
	refusal     explain.Refusal
	dev         uint32
	via, source netip.Addr
}

func (w way) String() string {
	return fmt.Sprintf("%s %s via %s dev %d src %s", w.verdict, w.refusal, w.via, w.dev, w.source)
}

func (w way) isRefused() bool {
	switch w.verdict {
	case explain.Unicast, explain.Local, explain.Broadcast, explain.Multicast:
		return false
	}
	return true
}

// wayOf returns where a packet goes. The source of a route means nothing to one that has a
// source.
func wayOf(f *explain.FIB, p *explain.Packet) way {
	d := f.Decide(p)
	w := way{verdict: d.Verdict, refusal: d.Refusal, dev: d.OIF, via: d.Via}
	if !p.From.IsValid() && p.IIF == "" {
		w.source = d.Source
	}
	return w
}

// borders are the addresses at which classes of addresses begin: those of prefixes, and
// those behind them.
type borders map[netip.Addr]bool

func (b borders) add(p netip.Prefix) {
	if !p.IsValid() {
		return
	}
	b[p.Masked().Addr()] = true
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 0x80 >> (i % 8)
	}
	if end, _ := netip.AddrFromSlice(last); end.Next().IsValid() {
		b[end.Next()] = true
	}
}

// of returns the borders of a family.
func (b borders) of(f route.Family) (list []netip.Addr) {
	for a := range b {
		if route.FamilyOf(a) == f && !a.IsUnspecified() {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, netip.Addr.Compare)
	return list
}

// classes returns a packet of each class that the rules and routes tell apart by source and
// destination, on the way from a host to the one after some steps. Of each there are packets
// with and without the marks and ports of rules, and those bound to an interface or from the
// LAN.
func classes(w explain.World, steps []plan.Step) map[route.Family][]explain.Packet {
	from, to := make(borders), make(borders)
	addRule := func(r *rule.Rule) {
		from.add(r.From)
		to.add(r.To)
	}
	for i := range w.Rules {
		addRule(&w.Rules[i])
	}
	for i := range w.Routes {
		to.add(w.Routes[i].Dst)
	}
	for i := range steps {
		if s := &steps[i]; s.Op.IsRule() {
			addRule(&s.Rule)
		} else if s.Op.IsRoute() {
			to.add(s.Route.Dst)
		}
	}
	for i := range w.Addresses {
		from.add(netip.PrefixFrom(w.Addresses[i].Addr, w.Addresses[i].Addr.BitLen()))
	}
	all := make(map[route.Family][]explain.Packet)
	for f, internet := range map[route.Family]string{route.IPv4: "198.51.100.10", route.IPv6: "2001:db8:99::10"} {
		destinations := append(to.of(f), netip.MustParseAddr(internet))
		for _, src := range append(from.of(f), netip.Addr{}) {
			for _, dst := range destinations {
				tcp := explain.Packet{From: src, To: dst, IPProto: route.TCP}
				for _, mark := range []uint32{0, 7} {
					for _, port := range []uint16{0, 25, 26} {
						p := tcp
						p.Mark, p.DPort = mark, port
						all[f] = append(all[f], p)
					}
				}
				for _, p := range []explain.Packet{{OIF: "u1"}, {OIF: "u2"}, {IIF: "lan"}} {
					if p.From, p.To, p.IPProto = src, dst, route.TCP; src.IsValid() || p.IIF == "" {
						all[f] = append(all[f], p)
					}
				}
			}
		}
	}
	return all
}

// A classWalk is what a plan does to the classes of packets.
type classWalk struct {
	before explain.World
	steps  []plan.Step
	// freely reports whether a packet may change over by several steps: it must not be
	// refused, and not leave by an interface that is neither the old nor the new one.
	freely func(p *explain.Packet) bool
	// exempt reports whether nothing is promised about a packet.
	exempt  func(p *explain.Packet) bool
	several bool // uplinks by several interfaces
	// changed and compared are how many times packets changed over, and were looked at.
	changed, compared int
}

// check holds each class of packets to the promise: after each step it goes the way before
// all steps or that after them, and it changes over once.
func (c *classWalk) check() error {
	first, last := explain.NewFIB(c.before), explain.NewFIB(c.before.After(c.steps))
	type state struct{ before, now, after way }
	packets := classes(c.before, c.steps)
	states := make(map[route.Family][]state)
	for f, all := range packets {
		for i := range all {
			before := wayOf(first, &all[i])
			states[f] = append(states[f], state{before, before, wayOf(last, &all[i])})
		}
	}
	for i := range c.steps {
		if s := &c.steps[i]; !s.Op.IsRule() && !s.Op.IsRoute() {
			continue
		}
		fib := explain.NewFIB(c.before.After(c.steps[:i+1]))
		f := c.steps[i].Family()
		for j := range packets[f] {
			p, s := &packets[f][j], &states[f][j]
			c.compared++
			now := wayOf(fib, p)
			if now == s.now {
				continue
			}
			s.now = now
			c.changed++
			if now == s.after || c.exempt(p) {
				continue
			}
			// A source that loses its rules is left to main until a new rule of Also comes.
			elsewhere := !c.several && (p.DPort == 0 || !p.From.IsValid()) && s.before.dev == s.after.dev && now.dev != s.after.dev
			if c.freely(p) && (now == s.before || !now.isRefused() && !elsewhere) {
				continue
			}
			return fmt.Errorf("after step %d, packets such as %s go %s; before all %s, after all %s", i+1, p, now, s.before, s.after)
		}
	}
	return nil
}

// classWalk returns a walk with the limits of package table. What rules of Also select changes
// over by each of these rules. So do sources whose rules are deleted one by one, as in
// checkWalk. A packet that is bound to an interface passes over the routes by others, and can
// meet routes of others in our tables one by one. A packet that comes in with an address of this host as its source is a forged one:
// whether the kernel takes it for that depends on the policies of two addresses.
func (w *randomWorld) classWalk(t testing.TB, now *host.State, p plan.Plan) *classWalk {
	alone := make(map[netip.Addr]bool)
	for _, src := range w.sources() {
		alone[src] = (w.foreign || w.given) && deletedOneByOne(p, src)
	}
	own := func(a netip.Addr) bool { return slices.Contains(w.sources(), a) }
	return &classWalk{
		before: worldOf(t, w.world, now), steps: p.Steps, several: newKernel(now).hasSeveralUplinks(p),
		freely: func(p *explain.Packet) bool { return p.DPort != 0 || p.OIF != "" },
		exempt: func(p *explain.Packet) bool { return alone[p.From] || p.IIF != "" && own(p.From) },
	}
}
