package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/internal/capture"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/table/explain"
)

// A tapVerdict says what tap thinks of a packet.
type tapVerdict string

// The verdicts of tap.
const (
	tapRight   tapVerdict = "right"   // it passes the interface of the uplink that has its address
	tapAstray  tapVerdict = "astray"  // it passes the interface of another uplink, or leaves by one of no uplink
	tapRefused tapVerdict = "refused" // it came in, and the kernel drops it
	tapOther   tapVerdict = "other"   // it has no address of an uplink
)

// A judgement is what tap says of a packet.
type judgement struct {
	Verdict tapVerdict `json:"verdict"`
	// Uplink is the uplink that has the address of the packet on this host: the source of
	// one that leaves, the destination of one that comes in.
	Uplink string `json:"uplink,omitempty"`
	// Wire is the uplink whose interface the packet passes, if it is astray. If no uplink has
	// the interface, it is the interface.
	Wire string `json:"wire,omitempty"`
	// Rule is the rule that decides about a packet that leaves astray.
	Rule *tapRule `json:"rule,omitempty"`
	// Reason says more.
	Reason string `json:"reason,omitempty"`
}

// A tapRule is a rule in the JSON of tap.
type tapRule struct {
	Priority uint32 `json:"priority"`
	Text     string `json:"text"`
}

// A tapHost is what tap knows of the host at one moment. It does not change.
type tapHost struct {
	fib     *explain.FIB
	names   map[uint32]string // of all interfaces
	uplinks []tapUplink
}

// A tapUplink is a line of the file on this host.
type tapUplink struct {
	name      string
	index     uint32 // of the interface
	mainFirst bool
	addresses []netip.Addr
	networks  []netip.Prefix
}

// newTapHost finds the uplinks of the file on a host. Those whose interface does not exist are
// left out.
func newTapHost(w explain.World, uplinks []uplink) *tapHost {
	h := &tapHost{names: make(map[uint32]string)}
	for _, l := range w.Links {
		h.names[l.Index] = l.Name
	}
	for i := range uplinks {
		u := &uplinks[i]
		at := slices.IndexFunc(w.Links, func(l explain.Link) bool {
			return l.Name == u.Interface || slices.Contains(l.AltNames, u.Interface)
		})
		if at < 0 {
			continue
		}
		t := tapUplink{
			name: cmp.Or(u.Name, u.Interface), index: w.Links[at].Index, mainFirst: u.MainFirst,
			addresses: u.Sources, networks: slices.Clone(u.SourcePrefixes),
		}
		for _, a := range w.Addresses {
			link := h.names[a.Index]
			switch {
			case a.Scope != route.ScopeGlobal || u.family() != 0 && isIPv4(a.Addr) != (u.family() == route.IPv4):
			case a.Index == t.index && u.takesAll():
				t.addresses = append(t.addresses[:len(t.addresses):len(t.addresses)], a.Addr)
			case slices.Contains(u.SourceInterfaces, link):
				if p, err := a.Addr.Prefix(int(a.Bits)); err == nil {
					t.networks = append(t.networks, p)
				}
			}
		}
		h.uplinks = append(h.uplinks, t)
	}
	h.fib = explain.NewFIB(w)
	return h
}

func isIPv4(a netip.Addr) bool { return a.Is4() }

// interfaces returns the indexes of the interfaces of the uplinks.
func (h *tapHost) interfaces() []uint32 {
	var all []uint32
	for i := range h.uplinks {
		if !slices.Contains(all, h.uplinks[i].index) {
			all = append(all, h.uplinks[i].index)
		}
	}
	return all
}

// sources returns the networks of the addresses of the uplinks.
func (h *tapHost) sources() []netip.Prefix {
	var all []netip.Prefix
	for i := range h.uplinks {
		u := &h.uplinks[i]
		for _, a := range u.addresses {
			all = append(all, netip.PrefixFrom(a, a.BitLen()))
		}
		all = append(all, u.networks...)
	}
	return all
}

// owners returns the uplinks that an address belongs to.
func (h *tapHost) owners(a netip.Addr) []*tapUplink {
	var all []*tapUplink
	for i := range h.uplinks {
		u := &h.uplinks[i]
		if slices.Contains(u.addresses, a) || slices.ContainsFunc(u.networks, func(p netip.Prefix) bool { return p.Contains(a) }) {
			all = append(all, u)
		}
	}
	return all
}

// wire returns the name of the uplink that has an interface, or that of the interface.
func (h *tapHost) wire(index uint32) string {
	for i := range h.uplinks {
		if h.uplinks[i].index == index {
			return h.uplinks[i].name
		}
	}
	return h.names[index]
}

// judge says what to think of a packet. It returns false for one that tap does not print: one
// that passes an interface of no uplink, and is not astray.
func (h *tapHost) judge(p *capture.Packet) (judgement, bool) {
	if slices.ContainsFunc(h.uplinks, func(u tapUplink) bool { return u.index == p.IfIndex }) {
		return h.judgeWire(p), true
	}
	j := judgement{Verdict: tapOther}
	if p.Out {
		j = h.judgeExit(p)
	}
	return j, j.Verdict == tapAstray
}

// judgeExit judges a packet that leaves by an interface of no uplink. It is astray if it has
// the source of an uplink, the rules send it there, and it is not for a network of the
// interface. A device that carries the packets of an uplink, such as a port of its bond or
// the parent of its macvlan, sees these packets too, and no rule sends them there. A packet
// of a socket that is bound to the interface looks the same, and counts as one of these.
func (h *tapHost) judgeExit(p *capture.Packet) judgement {
	j := judgement{Verdict: tapOther}
	owners := h.owners(p.Src.Addr())
	if len(owners) == 0 || !p.Dst.Addr().IsGlobalUnicast() || h.isNeighbour(p.Dst.Addr(), p.IfIndex) {
		return j
	}
	q := explainPacket(p)
	q.IIF = h.entry(p.Src.Addr())
	d := h.fib.Decide(&q)
	if leadsTo(&d, p.IfIndex) && d.Verdict != explain.Broadcast && !h.isInside(&d) {
		j.Uplink = owners[0].name
		h.setAstray(&j, p, &d)
		j.Reason = fmt.Sprintf("source of %s by %s, which no uplink has", j.Uplink, j.Wire)
	}
	return j
}

// entry returns the interface that packets of a source came in by. That is the one to which
// the source has its route, which cannot be seen on the packet. It is empty for a source that
// this host has.
func (h *tapHost) entry(source netip.Addr) string {
	w := h.fib.World()
	if slices.ContainsFunc(w.Addresses, func(a explain.Address) bool { return a.Addr == source }) {
		return ""
	}
	d := h.fib.Decide(&explain.Packet{To: source})
	return h.names[d.OIF]
}

// isInside reports whether a packet has a route of table main that is not one to the
// Internet. Some programs divide the default route into two, or into several for IPv6.
func (h *tapHost) isInside(d *explain.Decision) bool {
	const mostBits = 3 // of such a part
	return d.Table == rttables.Main && d.Route >= 0 && h.fib.World().Routes[d.Route].Dst.Bits() > mostBits
}

// isNeighbour reports whether a host is in a network of an interface.
func (h *tapHost) isNeighbour(host netip.Addr, index uint32) bool {
	return slices.ContainsFunc(h.fib.World().Addresses, func(a explain.Address) bool {
		if a.Index != index {
			return false
		}
		p := netip.PrefixFrom(a.Addr, int(a.Bits))
		if a.Peer.IsValid() {
			p = netip.PrefixFrom(a.Peer, int(a.Bits))
		}
		return p.Contains(host)
	})
}

// judgeWire says what to think of a packet that passes the interface of an uplink.
func (h *tapHost) judgeWire(p *capture.Packet) judgement {
	here := p.Dst.Addr()
	if p.Out {
		here = p.Src.Addr()
	}
	owners := h.owners(here)
	if len(owners) == 0 || p.Dst.Addr().IsMulticast() || p.Dst.Addr().IsLinkLocalUnicast() {
		return judgement{Verdict: tapOther}
	}
	at := slices.IndexFunc(owners, func(u *tapUplink) bool { return u.index == p.IfIndex })
	j := judgement{Verdict: tapRight, Uplink: owners[max(at, 0)].name}
	switch {
	case p.Out && at < 0:
		h.judgeStray(&j, owners[0], p)
	case !p.Out && at < 0:
		j.Verdict, j.Wire = tapAstray, h.wire(p.IfIndex)
		j.Reason = fmt.Sprintf("to %s by the wire of %s", j.Uplink, j.Wire)
	case !p.Out:
		q := explainPacket(p)
		q.IIF = h.names[p.IfIndex]
		if d := h.fib.Decide(&q); d.Error != 0 {
			j.Verdict, j.Reason = tapRefused, refusalText(&d)
		}
	}
	return j
}

// judgeStray judges a packet that leaves by another interface than that of the uplink of its
// source, and finds the rule for that.
func (h *tapHost) judgeStray(j *judgement, u *tapUplink, p *capture.Packet) {
	q := explainPacket(p)
	d := h.fib.Decide(&q)
	bound := false
	if !leadsTo(&d, p.IfIndex) {
		// A socket that is bound to the interface, perhaps.
		q.OIF = h.names[p.IfIndex]
		d, bound = h.fib.Decide(&q), true
	}
	w := h.fib.World()
	if !bound && u.mainFirst && d.Route >= 0 && d.Table == rttables.Main && w.Routes[d.Route].Dst.Bits() > 0 {
		j.Reason = "by a route of table main"
		return
	}
	if d.Verdict == explain.Broadcast {
		j.Verdict = tapOther
		return
	}
	h.setAstray(j, p, &d)
	j.Reason = fmt.Sprintf("source of %s by the wire of %s", j.Uplink, j.Wire)
	switch {
	case !leadsTo(&d, p.IfIndex):
		j.Reason += "; no rule sends it there: the host may have changed"
	case bound:
		j.Reason += "; the socket is bound to " + h.names[p.IfIndex]
	}
}

// setAstray sets the verdict about a packet that leaves by a wrong interface, with the rule
// that sends it there, if there is one.
func (h *tapHost) setAstray(j *judgement, p *capture.Packet, d *explain.Decision) {
	j.Verdict, j.Wire = tapAstray, h.wire(p.IfIndex)
	if w := h.fib.World(); d.Rule >= 0 && leadsTo(d, p.IfIndex) {
		r := w.Rules[d.Rule]
		r.Protocol = 0
		j.Rule = &tapRule{r.Priority.Or(0), r.Text(&route.Names{Links: linksOf(w)})}
	}
}

// leadsTo reports whether a packet leaves, or can leave, by an interface.
func leadsTo(d *explain.Decision, index uint32) bool {
	return d.Error == 0 && (d.OIF == index || slices.ContainsFunc(d.Candidates, func(c explain.Candidate) bool { return c.OIF == index }))
}

// refusalText says why a packet is refused.
func refusalText(d *explain.Decision) string {
	if d.Refusal != 0 {
		return d.Refusal.String()
	}
	return fmt.Sprintf("%s, %s", d.Verdict, d.Error)
}

// explainPacket returns the packet for package explain. Who sent it cannot be seen.
func explainPacket(p *capture.Packet) explain.Packet {
	return explain.Packet{
		To: p.Dst.Addr(), From: p.Src.Addr(), Mark: p.Mark, TOS: p.TOS &^ 3, IPProto: route.IPProto(p.Proto),
		SPort: p.Src.Port(), DPort: p.Dst.Port(), FlowLabel: p.FlowLabel,
	}
}
