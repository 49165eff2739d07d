package rule

import (
	"encoding"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// ruleWords are the selectors and actions in the order in which ip(8) prints them.
var ruleWords = iptext.Table[line]{
	{Names: []string{"not"},
		Parse: func(_ *iptext.Words, l *line) error { l.Not = true; return nil },
		Print: func(p *iptext.Printer, l *line) {
			if l.Not {
				p.Put("not")
			}
		}},
	{Names: []string{"from"},
		Parse: func(w *iptext.Words, l *line) error { return argPrefix(w, l, &l.From) },
		Print: func(p *iptext.Printer, l *line) { p.Put("from", prefixString(l.From)) }},
	{Names: []string{"to"},
		Parse: func(w *iptext.Words, l *line) error { return argPrefix(w, l, &l.To) },
		Print: func(p *iptext.Printer, l *line) {
			if l.To.IsValid() {
				p.Put("to", prefixString(l.To))
			}
		}},
	{Names: []string{"pref", "priority", "preference", "order"},
		Parse: func(w *iptext.Words, l *line) error {
			n, err := iptext.ArgUint[uint32](w, "a priority", 32)
			l.Priority.Set(n)
			return err
		}},
	{Names: []string{"tos", "dsfield"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a DS field", l.names.DSFields().Parse, &l.TOS)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.TOS != 0 {
				p.Put("tos", l.names.DSFields().Name(uint32(l.TOS)))
			}
		}},
	selectorWord("fwmark", "a mark", func(l *line) *Mark { return &l.FwMark }),
	interfaceWord("iif", uapi.FRA_IIFNAME, func(l *line) *string { return &l.IIF }, "dev"),
	interfaceWord("oif", uapi.FRA_OIFNAME, func(l *line) *string { return &l.OIF }),
	{Names: []string{"l3mdev"},
		Parse: func(_ *iptext.Words, l *line) error { l.L3MDev, l.table = true, true; return nil },
		Print: func(p *iptext.Printer, l *line) {
			if l.L3MDev {
				p.Put("l3mdev")
			}
		}},
	selectorWord("uidrange", "a range of user IDs", func(l *line) *UIDs { return &l.UIDRange }),
	{Names: []string{"ipproto"},
		Parse: func(w *iptext.Words, l *line) error {
			err := iptext.ArgText(w, "a protocol above IP", &l.IPProto)
			l.keepZero(uapi.FRA_IP_PROTO, l.IPProto == 0)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.IPProto != 0 {
				p.Put("ipproto", l.IPProto.String())
			} else if l.hasZero(uapi.FRA_IP_PROTO) {
				p.Put("ipproto", "0")
			}
		}},
	selectorWord("sport", "a port or a range", func(l *line) *Ports { return &l.SPort }),
	selectorWord("dport", "a port or a range", func(l *line) *Ports { return &l.DPort }),
	{Names: []string{"tun_id"},
		Parse: func(w *iptext.Words, l *line) error {
			n, err := iptext.ArgUint[uint64](w, "the key of a tunnel", 64)
			l.TunID.Set(n)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if n, ok := l.TunID.Get(); ok {
				p.Put("tun_id", iptext.Decimal(n))
			}
		}},
	{Names: []string{"lookup", "table"},
		Parse: func(w *iptext.Words, l *line) error {
			l.table = true
			return iptext.ArgName(w, "a table", func(s string) (uint32, error) {
				id, err := l.names.Parse(s)
				return uint32(id), err
			}, &l.Table)
		},
		Print: func(p *iptext.Printer, l *line) {
			// A lookup always has its table, since the default of Parse is main.
			if l.Table != 0 || l.isLookup() && !l.L3MDev {
				p.Put("lookup", l.names.Name(l.Table))
			}
		}},
	{Names: []string{"goto"},
		Parse: argGoto,
		Print: func(p *iptext.Printer, l *line) {
			if l.Goto != 0 || l.Action == ActionGoto {
				p.Put("goto", iptext.Decimal(l.Goto))
			}
		}},
	{Names: []string{"type"},
		Parse: func(w *iptext.Words, l *line) error {
			if w.Accept(ActionGoto.String()) {
				return argGoto(w, l)
			}
			l.action = true
			if w.Peek() == Action(0).String() {
				w.Take()
				return w.Errorf("not an action")
			}
			if slices.Contains(routeTypeWords, w.Peek()) {
				return l.setType(w, w.Take())
			}
			if s, ok := iptext.Expand(w.Peek(), shortActions); ok && !isAction(w.Peek()) {
				w.Take()
				return l.setType(w, s)
			}
			return iptext.ArgText(w, "an action", &l.Action)
		},
		Print: printType},
	actionWord(ActionNop), actionWord(ActionBlackhole),
	actionWord(ActionUnreachable), actionWord(ActionProhibit),
	{Names: []string{noneWord}, // as ip(8) lists it
		Parse: func(_ *iptext.Words, l *line) error { l.Action, l.action = ActionNone, true; return nil }},
	{Names: routeTypeWords,
		Parse: func(w *iptext.Words, l *line) error { return l.setType(w, w.Last()) }},
	{Names: []string{"nat", "map-to"}, Parse: argNAT},
	{Names: []string{"suppress_prefixlength", "sup_pl"},
		Parse: func(w *iptext.Words, l *line) error {
			n, err := iptext.ArgUint[uint32](w, "a prefix length", 32)
			l.SuppressPrefixLength.Set(n)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if n, ok := l.SuppressPrefixLength.Get(); ok {
				p.Put("suppress_prefixlength", iptext.Decimal(n))
			}
		}},
	{Names: []string{"suppress_ifgroup", "sup_group"},
		Parse: func(w *iptext.Words, l *line) error {
			var n uint32
			err := iptext.ArgName(w, "a group of interfaces", l.parseGroup, &n)
			l.SuppressIfGroup.Set(n)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if n, ok := l.SuppressIfGroup.Get(); ok {
				p.Put("suppress_ifgroup", l.names.Groups().Name(n))
			}
		}},
	{Names: []string{"realms", "realm"},
		Parse: func(w *iptext.Words, l *line) error {
			err := argRealms(w, l)
			l.keepZero(uapi.FRA_FLOW, l.Realms == route.Realms{})
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Realms != (route.Realms{}) || l.hasZero(uapi.FRA_FLOW) {
				p.Put("realms", l.Realms.Text(&route.Names{Files: l.names}))
			}
		}},
	{Names: []string{"proto", "protocol"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a protocol", l.names.Protos().Parse, &l.Protocol)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Protocol != 0 {
				p.Put("proto", l.names.Protos().Name(uint32(l.Protocol)))
			}
		}},
	{Names: []string{"dscp"},
		Parse: argDSCP,
		Print: func(p *iptext.Printer, l *line) {
			if l.DSCP.IsSet() {
				p.Put("dscp", l.DSCP.String())
			}
		}},
	selectorWord("flowlabel", "a flow label", func(l *line) *Label { return &l.FlowLabel }),
	{Names: []string{iptext.AttributeWord},
		Parse: argAttribute,
		Print: func(p *iptext.Printer, l *line) {
			if rest := zeroWords.Rest(string(l.Unknown)); rest != "" {
				p.Put(route.Attributes(rest).String())
			}
		}},
	{Short: slices.Concat([]string{
		"preference", "order", "priority", "dsfield", "realms", "protocol", "tun_id", "table",
		"suppress_prefixlength", "suppress_ifgroup", "map-to", "goto"}, shortActions)},
}

// zeroWords are the attributes with a word whose field cannot say zero.
var zeroWords = attr.Zeros[uapi.FRA]{uapi.FRA_IP_PROTO: 1, uapi.FRA_FLOW: 4}

// keepZero keeps a zero of one of zeroWords that a word gives, or drops an earlier one.
func (l *line) keepZero(num uapi.FRA, isZero bool) {
	l.Unknown = route.Attributes(zeroWords.With(string(l.Unknown), num, isZero))
}

func (l *line) hasZero(num uapi.FRA) bool { return zeroWords.Has(string(l.Unknown), num) }

// A selector has a text form and can be unset.
type selector[V any] interface {
	*V
	encoding.TextUnmarshaler
	IsSet() bool
	String() string
}

// selectorWord is a word whose argument is the text form of a selector.
func selectorWord[V any, P selector[V]](word, what string, at func(*line) P) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{word},
		Parse: func(w *iptext.Words, l *line) error { return iptext.ArgText(w, what, at(l)) },
		Print: func(p *iptext.Printer, l *line) {
			if v := at(l); v.IsSet() {
				p.Put(word, v.String())
			}
		},
	}
}

// interfaceWord is a word whose argument is the name of an interface.
func interfaceWord(word string, num uapi.FRA, at func(*line) *string, more ...string) iptext.Word[line] {
	return iptext.Word[line]{
		Names: append([]string{word}, more...),
		Parse: func(w *iptext.Words, l *line) error {
			s, err := w.Arg("the name of an interface")
			switch {
			case err != nil:
				return err
			case len(s) >= uapi.IFNAMSIZ:
				return w.Errorf("not the name of an interface: longer than %d bytes", uapi.IFNAMSIZ-1)
			case strings.ContainsRune(s, 0):
				return w.Errorf("not the name of an interface: it ends at the NUL")
			}
			*at(l) = s
			return nil
		},
		Print: func(p *iptext.Printer, l *line) {
			switch s := *at(l); {
			case s == "":
			case isWord(s):
				p.Put(word, s)
			default: // the kernel accepts any bytes in a name
				typ, data := iptext.AttributeArgs(uint16(num), append([]byte(s), 0))
				p.Put(iptext.AttributeWord, typ, data)
			}
		},
	}
}

// isWord reports whether the name of an interface can be a word of text.
func isWord(s string) bool {
	return utf8.ValidString(s) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) })
}

// Arguments of words.

// prefixString returns the text of a prefix. The zero Prefix is all, as for ip
// rule.
func prefixString(p netip.Prefix) string {
	if !p.IsValid() {
		return "all"
	}
	return iptext.PrefixString(p)
}

// argPrefix takes a prefix of the rule's family. The word default is the prefix of
// length 0, which ip(8) sends; all and any are the zero Prefix.
func argPrefix(w *iptext.Words, l *line, p *netip.Prefix) error {
	isDefault := w.Peek() == "default"
	err := iptext.ArgPrefix(w, p)
	switch {
	case err != nil:
		return err
	case isDefault && l.Family == route.IPv4:
		*p = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	case isDefault && l.Family == route.IPv6:
		*p = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	case !p.IsValid():
	case l.Family == 0:
		l.Family = route.FamilyOf(p.Addr())
	case !l.Family.Has(p.Addr()):
		return w.Errorf("not a prefix of family %s", l.Family)
	}
	return nil
}

// parseGroup reads a group of interfaces. It also reads numbers from 2^31 on,
// which the kernel has and for which there are no names.
func (l *line) parseGroup(s string) (uint32, error) {
	if n, ok := iptext.Uint[uint32](s, 32); ok && n > 1<<31-1 {
		return n, nil
	}
	return l.names.Groups().Parse(s)
}

// argAttribute takes an attribute in its raw form, also an attribute that has a
// word.
func argAttribute(w *iptext.Words, l *line) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	m := codec.Borrow()
	defer codec.Return(m)
	m.Rule = l.Rule
	if err := codec.Decode([]byte(a), m); err != nil {
		return w.Errorf("%v", err)
	}
	l.Rule = m.Rule
	l.table = l.table || l.Table != 0 || l.L3MDev
	return nil
}

func argRealms(w *iptext.Words, l *line) error {
	s, err := w.Arg("realms")
	if err != nil {
		return err
	}
	if l.Realms, err = route.ParseRealms(s, &route.Names{Files: l.names}); err != nil {
		return w.Errorf("not realms")
	}
	return nil
}

// argDSCP takes a code point as a number, with or without a mask, or as the upper
// six bits of a named DS field.
func argDSCP(w *iptext.Words, l *line) error {
	s, err := w.Arg("a DSCP")
	if err != nil {
		return err
	}
	if l.DSCP.UnmarshalText([]byte(s)) == nil {
		return nil
	}
	field, ok := l.names.DSFields().Lookup(s)
	if !ok || field&3 != 0 {
		return w.Errorf("not a DSCP")
	}
	l.DSCP = DSCP(uint8(field >> 2))
	return nil
}
