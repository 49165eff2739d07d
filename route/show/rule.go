package show

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rule"
)

// Rules returns what "ip rule show" of iproute2 7.1 prints for rules: a line for
// each rule, or JSON.
//
// Like ip(8), and unlike [rule.Rule.String], Rules leaves out suppressors without a
// table, the protocol kernel, and attributes that have no word. It prints the same for
// a rule from a message and for the [rule.Rule.Canonical] form of that rule: JSON
// always has the masks of a port and a dscp without a mask, because kernels report them
// since 6.15.
func Rules(rules []rule.Rule, s Style) string {
	return s.list(len(rules), func(p *printer, i int) {
		for _, part := range ruleParts {
			part(&rulePrinter{p, &rules[i]})
		}
	})
}

// Rule returns what "ip rule show" prints for r alone, without the newline at
// its end. JSON is an array of one object. See [Rules].
func Rule(r rule.Rule, s Style) string { return one(Rules([]rule.Rule{r}, s)) }

// A rulePrinter prints a rule.
type rulePrinter struct {
	*printer
	r *rule.Rule
}

// ruleParts are the parts of a rule in ip(8)'s order.
var ruleParts = [...]func(*rulePrinter){
	func(p *rulePrinter) {
		p.Uint("priority", "", uint64(p.r.Priority.Or(0)))
		p.Text(":\t")
	},
	func(p *rulePrinter) { p.flag("not", "not ", p.r.Not) },
	func(p *rulePrinter) {
		if !p.r.From.IsValid() {
			p.Str("src", "from ", "all")
			return
		}
		p.prefix("src", "from ", p.r.From)
	},
	func(p *rulePrinter) {
		if p.r.To.IsValid() {
			p.prefix("dst", " to ", p.r.To)
		}
	},
	func(p *rulePrinter) {
		if p.r.TOS != 0 {
			p.Str("tos", " tos ", p.dsField(p.r.TOS))
		}
	},
	(*rulePrinter).fwMark,
	func(p *rulePrinter) { p.link("iif", p.r.IIF, p.r.Flags&rule.FlagIIFDetached != 0) },
	func(p *rulePrinter) { p.link("oif", p.r.OIF, p.r.Flags&rule.FlagOIFDetached != 0) },
	func(p *rulePrinter) { p.flag("l3mdev", " lookup [l3mdev-table]", p.r.L3MDev) },
	func(p *rulePrinter) {
		if p.r.UIDRange.IsSet() {
			p.Uint("uid_start", " uidrange ", uint64(p.r.UIDRange.First()))
			p.Uint("uid_end", "-", uint64(p.r.UIDRange.Last()))
		}
	},
	func(p *rulePrinter) {
		if p.r.IPProto != 0 {
			p.Str("ipproto", " ipproto ", p.ipProto())
		}
	},
	func(p *rulePrinter) { p.ports("sport", p.r.SPort) },
	func(p *rulePrinter) { p.ports("dport", p.r.DPort) },
	func(p *rulePrinter) {
		if n, ok := p.r.TunID.Get(); ok {
			p.Uint("tun_id", " tun_id ", n)
		}
	},
	(*rulePrinter).table,
	(*rulePrinter).realms,
	(*rulePrinter).action,
	func(p *rulePrinter) {
		if p.Details || p.r.Protocol != route.ProtoUnspec && p.r.Protocol != route.ProtoKernel {
			p.Str("protocol", " proto ", p.name(p.files.Protos(), uint32(p.r.Protocol)))
		}
	},
	(*rulePrinter).dscp,
	(*rulePrinter).flowLabel,
}

// flag prints a word without a value.
func (p *rulePrinter) flag(name, word string, set bool) {
	if set {
		p.Null(name, word)
	}
}

func (p *rulePrinter) prefix(name, before string, prefix netip.Prefix) {
	p.strColored(colorOf(p.r.Family), name, before, iptext.AddrText(prefix.Addr()))
	if !prefix.IsSingleIP() {
		p.Uint(name+"len", "/", uint64(prefix.Bits()))
	}
}

// fwMark prints a mark, and its mask unless the mask has all bits. Kernels
// report only a mask for the mark 0.
func (p *rulePrinter) fwMark() {
	if !p.r.FwMark.IsSet() {
		return
	}
	p.Hex("fwmark", " fwmark ", uint64(p.r.FwMark.Value()))
	if mask := p.r.FwMark.Mask(); mask != 1<<32-1 {
		p.Hex("fwmask", "/", uint64(mask))
	}
}

func (p *rulePrinter) link(word, name string, detached bool) {
	if name == "" {
		return
	}
	p.strColored(cyan, word, " "+word+" ", name)
	p.flag(word+"_detached", " [detached]", detached)
}

// maskOf returns the mask of a selector, whose text is VALUE, VALUE/MASK or
// /MASK. Without a mask it is all. ok is false if there is no value.
func maskOf(selector fmt.Stringer, all uint32) (mask uint32, ok bool) {
	value, text, hasMask := strings.Cut(selector.String(), "/")
	if value == "" || !hasMask {
		return all, value != ""
	}
	return iptext.Uint[uint32](text, 32)
}

// ports prints a range of ports, or one port. In text, a port with a mask is
// hexadecimal unless the mask has all bits.
func (p *rulePrinter) ports(word string, ports rule.Ports) {
	const all = 1<<16 - 1
	mask, ok := maskOf(ports, all)
	before := " " + word + " "
	switch {
	case !ok:
	case ports.First() != ports.Last():
		p.Uint(word+"_start", before, uint64(ports.First()))
		p.Uint(word+"_end", "-", uint64(ports.Last()))
	case p.IsJSON():
		p.Uint(word, "", uint64(ports.First()))
		p.Hex(word+"_mask", "", uint64(mask))
	case mask == all:
		p.Text(before, iptext.Decimal(ports.First()))
	default:
		p.Text(before, iptext.AltHex(ports.First()), "/", iptext.AltHex(mask))
	}
}

// noSuppressor is −1, with which the kernel reports that there is no
// suppressor.
const noSuppressor = 1<<32 - 1

// table prints the table, and the suppressors of a rule that has a table. ip(8)
// takes suppressors for signed numbers.
func (p *rulePrinter) table() {
	if p.r.Table == 0 {
		return
	}
	p.Str("table", " lookup ", p.tableName(p.r.Table))
	if n := p.r.SuppressPrefixLength.Or(noSuppressor); n != noSuppressor {
		p.Int("suppress_prefixlen", " suppress_prefixlength ", int64(int32(n)))
	}
	if n := p.r.SuppressIfGroup.Or(noSuppressor); n != noSuppressor {
		group := p.name(p.files.Groups(), n)
		if int32(n) < 0 {
			group = strconv.Itoa(int(int32(n)))
		}
		p.Str("suppress_ifgroup", " suppress_ifgroup ", group)
	}
}

func (p *rulePrinter) realms() {
	r := p.r.Realms
	if r == (route.Realms{}) {
		return
	}
	if r.Src == 0 {
		p.Text(" realms ")
	} else {
		p.Str("flow_from", " realms ", p.name(p.files.Realms(), uint32(r.Src)))
		p.Text("/")
	}
	p.Str("flow_to", "", p.name(p.files.Realms(), uint32(r.Dst)))
}

// actionNAT is an action of Linux 2.2 to 2.6. Kernels still accept it.
const actionNAT = rule.Action(route.TypeNAT)

// action prints what the rule does, unless that is a lookup. For ip(8) the other
// actions have the names of the types of routes, such as unreachable.
func (p *rulePrinter) action() {
	switch p.r.Action {
	case rule.ActionLookup:
	case rule.ActionGoto:
		p.gotoTarget()
	case rule.ActionNop:
		p.Null("nop", " nop")
	case actionNAT:
		p.nat()
	default:
		p.Str("action", " ", p.typeName(route.Type(p.r.Action)))
	}
}

func (p *rulePrinter) gotoTarget() {
	if p.r.Goto == 0 {
		p.Str("goto", " goto ", "none")
	} else {
		p.Uint("goto", " goto ", uint64(p.r.Goto))
	}
	p.flag("unresolved", " [unresolved]", p.r.Flags&rule.FlagUnresolved != 0)
}

// nat prints the address that actionNAT translates to. Its attribute had the
// number of FRA_UNUSED2, which kernels no longer keep.
func (p *rulePrinter) nat() {
	for num, payload := range p.r.Unknown.All() {
		a, ok := netip.AddrFromSlice(payload)
		if num == uint16(uapi.FRA_UNUSED2) && ok && p.r.Family.Has(a) {
			p.Str("nat_gateway", " map-to ", iptext.AddrText(a))
			return
		}
	}
	p.Null("masquerade", " masquerade")
}

// allDSCP is the mask of a code point with all bits.
const allDSCP = 1<<6 - 1

// dscp prints a code point by its name. In text, a code point with a mask is
// hexadecimal unless the mask has all bits.
func (p *rulePrinter) dscp() {
	mask, ok := maskOf(p.r.DSCP, allDSCP)
	switch {
	case !ok:
	case p.IsJSON():
		p.Str("dscp", "", p.codePoint())
		p.Hex("dscp_mask", "", uint64(mask))
	case mask == allDSCP:
		p.Text(" dscp ", p.codePoint())
	default:
		p.Text(" dscp ", iptext.AltHex(p.r.DSCP.Value()), "/", iptext.AltHex(mask))
	}
}

// flowLabel prints a flow label and its mask. In text, the mask is left out if
// it has all bits. Kernels report both or neither.
func (p *rulePrinter) flowLabel() {
	const all = 1<<20 - 1
	mask, ok := maskOf(p.r.FlowLabel, all)
	if !ok {
		return
	}
	p.Hex("flowlabel", " flowlabel ", uint64(p.r.FlowLabel.Value()))
	if p.IsJSON() || mask != all {
		p.Hex("flowlabel_mask", "/", uint64(mask))
	}
}

// codePoint returns the name of the DS field with the rule's code point, or the
// code point in decimal.
func (p *rulePrinter) codePoint() string {
	n := p.r.DSCP.Value()
	if n > allDSCP || p.Numeric {
		return iptext.Decimal(n)
	}
	fields := p.files.DSFields()
	name := fields.Name(uint32(n) << 2)
	if _, ok := fields.Lookup(name); !ok {
		return iptext.Decimal(n)
	}
	return name
}

// ipProto returns the name of the rule's protocol above IP.
func (p *rulePrinter) ipProto() string {
	if name := nameOr(p.r.IPProto, ""); name != "" && !p.Numeric {
		return name
	}
	return "ipproto-" + iptext.Decimal(p.r.IPProto)
}
