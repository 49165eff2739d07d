package route

import (
	"net/netip"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
)

// routeWords are the attributes of a route in ip(8)'s order.
var routeWords = iptext.Table[line]{
	{Names: []string{"to"}, Parse: func(w *iptext.Words, l *line) error {
		if l.dst = true; l.acceptLabel(w) {
			return nil
		}
		err := argPrefix(w, &l.Family, &l.Dst)
		l.Dst = normalizeDefault(l.Dst)
		return err
	}},
	{Names: []string{"from"},
		Parse: func(w *iptext.Words, l *line) error { return argPrefix(w, &l.Family, &l.Src) },
		Print: func(p *iptext.Printer, l *line) {
			if l.Src.IsValid() {
				p.Put("from", iptext.PrefixString(l.Src))
			}
		}},
	{Names: []string{"tos", "dsfield"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a DS field", l.names.FileNames().DSFields().Parse, &l.TOS)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.TOS != 0 {
				p.Put("tos", l.names.FileNames().DSFields().Name(uint32(l.TOS)))
			}
		}},
	numberOrZero("nhid", 32, uapi.RTA_NH_ID, func(l *line) *uint32 { return &l.NextHopID }),
	asWord(func(l *line) (*Labels, *Family, *Attributes) { return &l.MPLS.NewDst, &l.Family, &l.Unknown }),
	{Names: []string{"via"},
		Parse: func(w *iptext.Words, l *line) error {
			if l.Gateway.IsValid() {
				return w.Errorf("given twice: use nexthop for several next hops")
			}
			return argGateway(w, &l.Family, &l.Gateway)
		},
		Print: func(p *iptext.Printer, l *line) { putGatewayWords(p, l.Family, l.Gateway) }},
	link("dev", func(l *line) *uint32 { return &l.OIF }, "oif"),
	link("iif", func(l *line) *uint32 { return &l.Packet.IIF }),
	{Names: []string{"type"},
		Parse: func(w *iptext.Words, l *line) error {
			l.typ = true
			return iptext.ArgText(w, "a type", &l.Type)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Type != 0 && !hasWord(l.Type) {
				p.Put("type", l.Type.String())
			}
		}},
	{Names: []string{"table"},
		Parse: func(w *iptext.Words, l *line) error {
			l.table = true
			return argTable(w, l.names, &l.Table)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Table != 0 && l.Table != defaultTable(l.Type) {
				p.Put("table", l.names.FileNames().Name(l.Table))
			}
		}},
	{Names: []string{"proto", "protocol"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a protocol", l.names.FileNames().Protos().Parse, &l.Protocol)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Protocol != ProtoBoot {
				p.Put("proto", l.names.FileNames().Protos().Name(uint32(l.Protocol)))
			}
		}},
	{Names: []string{"scope"},
		Parse: func(w *iptext.Words, l *line) error {
			l.scope = true
			return iptext.ArgName(w, "a scope", l.names.FileNames().Scopes().Parse, &l.Scope)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Scope != l.defaultScope() {
				p.Put("scope", l.names.FileNames().Scopes().Name(uint32(l.Scope)))
			}
		}},
	{Names: []string{"src"},
		Parse: func(w *iptext.Words, l *line) error { return argAddr(w, &l.Family, &l.PrefSrc) },
		Print: func(p *iptext.Printer, l *line) {
			if l.PrefSrc.IsValid() {
				p.Put("src", l.PrefSrc.String())
			}
		}},
	number("metric", 32, func(l *line) *uint32 { return &l.Priority }, "priority", "preference"),
	iptext.FlagsWord(func(l *line) *Flags { return &l.Flags }),
	{Names: []string{"mark"},
		Parse: func(w *iptext.Words, l *line) (err error) {
			l.Packet.Mark, err = iptext.ArgUint[uint32](w, "a mark", 32)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Packet.Mark != 0 {
				p.Put("mark", iptext.Hex(l.Packet.Mark))
			}
		}},
	optNumber("uid", func(l *line) *Opt[uint32] { return &l.Packet.UID }, iptext.Decimal[uint32]),
	{Names: []string{"ipproto"},
		Parse: func(w *iptext.Words, l *line) error {
			err := iptext.ArgText(w, "a protocol above IP", &l.Packet.IPProto)
			keepZero(&l.Unknown, uapi.RTA_IP_PROTO, l.Packet.IPProto == 0)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Packet.IPProto != 0 {
				p.Put("ipproto", l.Packet.IPProto.String())
			} else if hasZero(l.Unknown, uapi.RTA_IP_PROTO) {
				p.Put("ipproto", "0")
			}
		}},
	numberOrZero("sport", 16, uapi.RTA_SPORT, func(l *line) *uint16 { return &l.Packet.SPort }),
	numberOrZero("dport", 16, uapi.RTA_DPORT, func(l *line) *uint16 { return &l.Packet.DPort }),
	optNumber("flowlabel", func(l *line) *Opt[uint32] { return &l.Packet.FlowLabel }, iptext.Hex[uint32]),
	{Names: []string{"realms", "realm"},
		Parse: func(w *iptext.Words, l *line) error { return argRealms(w, l.names, &l.Realms, &l.Unknown) },
		Print: func(p *iptext.Printer, l *line) { putRealms(p, l.names, l.Realms, l.Unknown) }},
	{Names: []string{"pref"},
		Parse: func(w *iptext.Words, l *line) error {
			var v Preference
			err := iptext.ArgText(w, "a preference", &v)
			l.Preference.Set(v)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if v, ok := l.Preference.Get(); ok {
				p.Put("pref", v.String())
			}
		}},
	metricWords(),
	{Names: []string{"ttl-propagate"},
		Parse: func(w *iptext.Words, l *line) error { return argSwitch(w, &l.MPLS.TTLPropagate) },
		Print: func(p *iptext.Printer, l *line) {
			if on, ok := l.MPLS.TTLPropagate.Get(); ok {
				p.Put("ttl-propagate", switchWord(on))
			}
		}},
	{Names: []string{"expires"},
		Parse: func(w *iptext.Words, l *line) error {
			n, err := iptext.ArgUint[uint32](w, "a number of seconds", 32)
			l.Expires.Set(n)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if n, ok := l.Expires.Get(); ok {
				p.Put("expires", iptext.Decimal(n))
			}
		}},
	{Names: []string{"cacheinfo"},
		Parse: func(w *iptext.Words, l *line) error { return argCacheInfo(w, &l.CacheInfo) },
		Print: func(p *iptext.Printer, l *line) {
			if l.CacheInfo != (CacheInfo{}) {
				p.Put("cacheinfo", l.CacheInfo.String())
			}
		}},
	// The words of an encapsulation are also words of the route. So encap is
	// printed after all of these.
	{Names: []string{"encap"},
		Parse: func(w *iptext.Words, l *line) error { return argEncap(w, l.names, &l.Encap) },
		Print: func(p *iptext.Printer, l *line) { putEncap(p, l.names, l.Encap) }},
	{Names: []string{iptext.AttributeWord},
		Parse: func(w *iptext.Words, l *line) error { return l.argAttribute(w) },
		Print: func(p *iptext.Printer, l *line) {
			putUnknown(p, l.Unknown)
		}},
	{Names: []string{"nexthop"},
		Parse: func(w *iptext.Words, l *line) error {
			nh, err := parseNextHop(w, l.names, &l.Family)
			l.Multipath = append(l.Multipath, nh)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			for _, nh := range l.Multipath {
				p.Put("nexthop")
				nextHopWords.Print(p, &nextHopLine{nh, l.names, &l.Family})
			}
		}},
	{Short: []string{
		"dsfield", "metric", "priority", "reordering", "window", "cwnd", "initcwnd", "initrwnd", "features",
		"quickack", "congctl", "rttvar", "ssthresh", "realms", "protocol", "table", "pref", "fastopen_no_cookie",
	}},
}

// A nextHopLine is a next hop that is being parsed or printed.
type nextHopLine struct {
	NextHop
	names  *Names
	family *Family // of the route
}

// nextHopWords are the attributes of a next hop.
var nextHopWords = iptext.Table[nextHopLine]{
	{Names: []string{"via"},
		Parse: func(w *iptext.Words, h *nextHopLine) error { return argGateway(w, h.family, &h.Gateway) },
		Print: func(p *iptext.Printer, h *nextHopLine) { putGatewayWords(p, *h.family, h.Gateway) }},
	{Names: []string{"dev"},
		Parse: func(w *iptext.Words, h *nextHopLine) error {
			return iptext.ArgLink(w, h.names.LinkNames(), &h.OIF)
		},
		Print: func(p *iptext.Printer, h *nextHopLine) {
			if h.OIF != 0 {
				p.Put("dev", h.names.LinkNames().Name(h.OIF))
			}
		}},
	{Names: []string{"weight"},
		Parse: func(w *iptext.Words, h *nextHopLine) (err error) {
			h.Weight, err = iptext.ArgUint[uint16](w, "a weight", 16)
			if err == nil && (h.Weight < 1 || h.Weight > maxWeight) {
				err = w.Errorf("not a weight: want 1 to %d", maxWeight)
			}
			return err
		},
		Print: func(p *iptext.Printer, h *nextHopLine) {
			if h.Weight > 1 {
				p.Put("weight", iptext.Decimal(h.Weight))
			}
		}},
	iptext.FlagsWord(func(h *nextHopLine) *Flags { return &h.Flags }),
	{Names: []string{"realms", "realm"},
		Parse: func(w *iptext.Words, h *nextHopLine) error { return argRealms(w, h.names, &h.Realms, &h.Unknown) },
		Print: func(p *iptext.Printer, h *nextHopLine) { putRealms(p, h.names, h.Realms, h.Unknown) }},
	asWord(func(h *nextHopLine) (*Labels, *Family, *Attributes) { return &h.NewDst, h.family, &h.Unknown }),
	{Names: []string{"encap"},
		Parse: func(w *iptext.Words, h *nextHopLine) error { return argEncap(w, h.names, &h.Encap) },
		Print: func(p *iptext.Printer, h *nextHopLine) { putEncap(p, h.names, h.Encap) }},
	{Names: []string{iptext.AttributeWord},
		Parse: func(w *iptext.Words, h *nextHopLine) error { return h.argAttribute(w) },
		Print: func(p *iptext.Printer, h *nextHopLine) {
			putUnknown(p, h.Unknown)
		}},
	{Short: []string{"realms"}},
}

// parseNextHop takes the words that follow nexthop.
func parseNextHop(w *iptext.Words, n *Names, f *Family) (NextHop, error) {
	h := nextHopLine{names: n, family: f, NextHop: NextHop{Weight: 1}}
	for w.More() {
		if _, ok := nextHopWords.Find(w.Peek()); !ok {
			break // a word of the route
		}
		if err := nextHopWords.Parse(w, &h, ""); err != nil {
			return NextHop{}, err
		}
	}
	if err := h.joinEncap(); err != nil {
		return NextHop{}, w.Errorf("%v", err)
	}
	return h.NextHop, nil
}

// Kinds of words.

func number[V iptext.Number](name string, bits int, at func(*line) *V, more ...string) iptext.Word[line] {
	return iptext.Word[line]{
		Names: append([]string{name}, more...),
		Parse: func(w *iptext.Words, l *line) (err error) {
			*at(l), err = iptext.ArgUint[V](w, "a number", bits)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if v := *at(l); v != 0 {
				p.Put(name, iptext.Decimal(v))
			}
		},
	}
}

// numberOrZero is like number for an attribute that is sent if the word gives zero.
func numberOrZero[V iptext.Number](name string, bits int, num uapi.RTA, at func(*line) *V) iptext.Word[line] {
	word := number(name, bits, at)
	parse, print := word.Parse, word.Print
	word.Parse = func(w *iptext.Words, l *line) error {
		err := parse(w, l)
		keepZero(&l.Unknown, num, *at(l) == 0)
		return err
	}
	word.Print = func(p *iptext.Printer, l *line) {
		print(p, l)
		if hasZero(l.Unknown, num) {
			p.Put(name, "0")
		}
	}
	return word
}

// zeroWords are the attributes with a word whose field cannot say zero.
var zeroWords = attr.Zeros[uapi.RTA]{
	uapi.RTA_NH_ID: 4, uapi.RTA_FLOW: 4, uapi.RTA_IP_PROTO: 1, uapi.RTA_SPORT: 2, uapi.RTA_DPORT: 2,
}

// keepZero keeps a zero of one of zeroWords that a word gives, or drops an earlier one.
func keepZero(unknown *Attributes, num uapi.RTA, isZero bool) {
	*unknown = Attributes(zeroWords.With(string(*unknown), num, isZero))
}

func hasZero(unknown Attributes, num uapi.RTA) bool { return zeroWords.Has(string(unknown), num) }

// putUnknown prints attributes without a word.
func putUnknown(p *iptext.Printer, unknown Attributes) {
	if rest := zeroWords.Rest(string(unknown)); rest != "" {
		p.Put(Attributes(rest).String())
	}
}

func optNumber(name string, at func(*line) *Opt[uint32], format func(uint32) string) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{name},
		Parse: func(w *iptext.Words, l *line) error {
			v, err := iptext.ArgUint[uint32](w, "a number", 32)
			at(l).Set(v)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if v, ok := at(l).Get(); ok {
				p.Put(name, format(v))
			}
		},
	}
}

func link(name string, at func(*line) *uint32, more ...string) iptext.Word[line] {
	return iptext.Word[line]{
		Names: append([]string{name}, more...),
		Parse: func(w *iptext.Words, l *line) error { return iptext.ArgLink(w, l.names.LinkNames(), at(l)) },
		Print: func(p *iptext.Printer, l *line) {
			if index := *at(l); index != 0 {
				p.Put(name, l.names.LinkNames().Name(index))
			}
		},
	}
}

func putGatewayWords(p *iptext.Printer, f Family, gateway netip.Addr) {
	switch {
	case !gateway.IsValid():
	case f == 0 || f.Has(gateway):
		p.Put("via", gateway.String())
	default:
		p.Put("via", FamilyOf(gateway).String(), gateway.String())
	}
}

func argRealms(w *iptext.Words, n *Names, r *Realms, unknown *Attributes) error {
	s, err := w.Arg("realms")
	if err != nil {
		return err
	}
	if *r, err = ParseRealms(s, n); err != nil {
		return w.Errorf("not realms")
	}
	keepZero(unknown, uapi.RTA_FLOW, *r == Realms{})
	return nil
}

func putRealms(p *iptext.Printer, n *Names, r Realms, unknown Attributes) {
	if r != (Realms{}) || hasZero(unknown, uapi.RTA_FLOW) {
		p.Put("realms", r.Text(n))
	}
}
