package reply

import (
	"slices"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/table/internal/form"
)

// forwarded adds the chains that give each connection the mark of its way, and its packets
// the mark of the connection:
//
//	arrived   prerouting: a new connection by an uplink gets the mark of the way
//	passed    forward: a new connection that leaves by an uplink gets the mark of the way
//	answered  output: answers of this host itself, whose source is not an uplink's
//	marked    the packet gets the mark of its connection
func (w *tableWriter) forwarded(mask uint32, ways []*way) {
	if len(ways) == 0 {
		return
	}
	w.base("arrived", nft.TypeFilter, nft.Prerouting, nft.PriorityMangle)
	w.base("passed", nft.TypeFilter, nft.Forward, nft.PriorityMangle)
	w.base("answered", nft.TypeRoute, nft.Output, nft.PriorityMangle)
	w.chain("marked")
	w.rule("arrived", new(match).connMark(mask, nft.NotEqual, 0).goTo("marked"), "")
	w.rule("passed", new(match).connMark(mask, nft.NotEqual, 0).accept(), "")
	for _, way := range ways {
		for _, h := range way.halves {
			w.arrived(mask, way, h)
			if !h.isShared {
				w.rule("passed", new(match).to(way.dev).family(h.family).original().setConnMark(mask, way.mark).accept(), commentOf(way.name))
			}
		}
		w.rule("marked", new(match).connMark(mask, nft.Equal, way.mark).setMark(mask, way.mark).accept(), commentOf(way.name))
	}
	w.rule("answered", new(match).original().accept(), "")
	w.rule("answered", new(match).connMark(mask, nft.Equal, 0).accept(), "")
	// The program, or another chain, has decided how the packet leaves.
	w.rule("answered", new(match).marked().accept(), "")
	for _, f := range form.Families {
		for _, a := range sourcesOf(ways, f) { // the rule from that address decides
			w.rule("answered", new(match).source(a).accept(), "")
		}
	}
	w.rule("answered", new(match).goTo("marked"), "")
}

// arrived adds the rules for new connections by a way. Those from hosts on the link are
// answered by the route to the link, and may be connections of a LAN on the same link, which
// leave by any way. If several ways have the interface, the address that is asked shows the
// way.
func (w *tableWriter) arrived(mask uint32, way *way, h *half) {
	asked := func(also func(*match)) {
		m := new(match).from(way.dev).original()
		for _, p := range h.subnets {
			m.notFrom(p)
		}
		also(m)
		w.rule("arrived", m.family(h.family).setConnMark(mask, way.mark).setMark(mask, way.mark).accept(), commentOf(way.name))
	}
	if !h.isShared {
		asked(func(*match) {})
		return
	}
	for _, a := range h.sources {
		asked(func(m *match) { m.dest(a) })
	}
}

// masquerade adds the chain that gives packets of others an address of their uplink.
func (w *tableWriter) masquerade(ways []*way) {
	some := func(way *way) bool {
		return slices.ContainsFunc(way.halves, func(h *half) bool { return h.masquerade })
	}
	if !slices.ContainsFunc(ways, some) {
		return
	}
	w.base("outgoing", nft.TypeNAT, nft.Postrouting, nft.PrioritySrcNAT)
	for _, way := range ways {
		for _, h := range way.halves {
			if h.masquerade {
				w.rule("outgoing", new(match).to(way.dev).family(h.family).foreignSource().add(nft.Masq{}), commentOf(way.name))
			}
		}
	}
}
