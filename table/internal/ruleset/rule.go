package ruleset

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"

	"github.com/policyroute/policyroute/internal/nft"
	"github.com/policyroute/policyroute/internal/uapi"
)

// RuleText returns a rule in the words of nft(8), without its chain. What the rule looks up
// are sets of one of some contents. An expression that has no words here is in brackets, as
// "nft --debug=netlink" prints it.
func RuleText(r *nft.Rule, contents ...*nft.Contents) string {
	w := writer{contents: contents, values: make(map[nft.Register]value)}
	for i, e := range r.Exprs {
		w.rest = r.Exprs[i+1:]
		w.write(e)
	}
	if r.Comment != "" {
		w.say("comment " + quote(r.Comment))
	}
	return strings.Join(w.words, " ")
}

// A value is what a register holds.
type value struct {
	words string
	show  func(data string) string // a value that it is compared with, or set to
	// isMasked means that only some bits were loaded: the comparison names its operation.
	isMasked bool
	data     string // what an immediate expression has put there
	len      int    // bytes; 0: as many as the comparison has
}

// A writer writes the words of a rule.
type writer struct {
	contents  []*nft.Contents
	values    map[nft.Register]value // by the number of the register of 4 bytes
	rest      []nft.Expr             // that follow
	words     []string
	transport string
}

func (w *writer) say(words string) { w.words = append(w.words, words) }

// number returns the number of a register among those of 4 bytes.
func number(r nft.Register) nft.Register {
	if r >= nft.Reg32(0) {
		return r - nft.Reg32(0)
	}
	return (r - nft.Reg1) * 4
}

func (w *writer) load(r nft.Register, v value) { w.values[number(r)] = v }

func (w *writer) write(e nft.Expr) {
	switch e := e.(type) {
	case nft.Meta:
		w.meta(e)
	case nft.CT:
		w.ct(e)
	case nft.Payload:
		w.payload(e)
	case nft.FIB:
		w.load(e.Dest, value{words: strings.TrimSuffix(e.String(), fmt.Sprintf(" => reg %d", e.Dest)), show: fibType})
	case nft.Bitwise:
		w.bitwise(e)
	case nft.Cmp:
		w.compare(e)
	case nft.Immediate:
		if e.Verdict.Valid {
			w.say(strings.ReplaceAll(e.Verdict.String(), " -> ", " "))
			return
		}
		w.load(e.Dest, value{data: e.Data})
	case nft.Lookup:
		not := ""
		if e.Not {
			not = "!= "
		}
		w.say(w.key(e.Source, e.Set) + " " + not + "@" + e.Set)
	case nft.Dynset:
		op := map[nft.DynsetOp]string{nft.DynsetAdd: "add", nft.DynsetUpdate: "update", nft.DynsetDelete: "delete"}[e.Op]
		w.say(fmt.Sprintf("%s @%s { %s }", op, e.Set, w.key(e.Key, e.Set)))
	case nft.Masq:
		w.say("masquerade")
	default:
		w.say("[ " + e.String() + " ]")
	}
}

func (w *writer) meta(e nft.Meta) {
	if e.Source != 0 {
		w.set("meta mark", e.Source)
		return
	}
	v := value{words: "meta " + strings.Fields(e.String())[2], show: hex}
	switch e.Key {
	case nft.MetaIIFName, nft.MetaOIFName:
		v.words, v.show = strings.TrimPrefix(v.words, "meta "), ifName
	case nft.MetaNFProto:
		v.show = func(d string) string { return map[string]string{ipv4: "ipv4", ipv6: "ipv6"}[d] }
	case nft.MetaL4Proto:
		v.show = protocol
	}
	w.load(e.Dest, v)
}

// The families of packets, as nf_tables has them.
var (
	ipv4 = nft.Byte(uint8(nft.IPv4))
	ipv6 = nft.Byte(uint8(nft.IPv6))
)

func (w *writer) ct(e nft.CT) {
	if e.Source != 0 {
		w.set("ct mark", e.Source)
		return
	}
	v := value{words: "ct " + strings.Fields(e.String())[2], show: hex}
	if e.Key == nft.CTDirKey {
		v.show = func(d string) string {
			return map[string]string{nft.Byte(0): "original", nft.Byte(1): "reply"}[d]
		}
	}
	w.load(e.Dest, v)
}

// set says that something is set to what a register holds.
func (w *writer) set(what string, r nft.Register) {
	v := w.values[number(r)]
	words := v.words
	if v.data != "" {
		words = hex(v.data)
	}
	w.say(what + " set " + words)
}

func (w *writer) payload(e nft.Payload) {
	v := value{len: int(e.Len)}
	switch e.Base {
	case nft.NetworkHeader:
		v.words, v.show = addressWords(e)
	case nft.TransportHeader:
		v.words, v.show = map[uint32]string{nft.OffsetSourcePort: w.protocol() + " sport", nft.OffsetDestPort: w.protocol() + " dport"}[e.Offset], port
	}
	switch {
	case v.words == "":
		w.say("[ " + e.String() + " ]")
	case e.Source != 0:
		w.say(v.words + " set " + v.show(w.values[number(e.Source)].data))
	default:
		w.load(e.Dest, v)
	}
}

// protocol returns the word for the transport header.
func (w *writer) protocol() string {
	if w.transport == "" {
		return "th"
	}
	return w.transport
}

// addressWords returns the words for an address, or the beginning of one, in a header.
func addressWords(e nft.Payload) (string, func(string) string) {
	show := func(size int) func(string) string {
		return func(d string) string { return address(d, size, 8*len(d)) }
	}
	switch {
	case e.Offset == nft.OffsetSource4 && e.Len <= 4:
		return "ip saddr", show(4)
	case e.Offset == nft.OffsetDest4 && e.Len <= 4:
		return "ip daddr", show(4)
	case e.Offset == nft.OffsetSource6:
		return "ip6 saddr", show(16)
	case e.Offset == nft.OffsetDest6:
		return "ip6 daddr", show(16)
	}
	return "", nil
}

// address returns an address, or a prefix if it has fewer bits.
func address(d string, size, ones int) string {
	b := make([]byte, size)
	copy(b, d)
	a, _ := netip.AddrFromSlice(b)
	if ones == 8*size {
		return a.String()
	}
	return netip.PrefixFrom(a, ones).String()
}

func (w *writer) bitwise(e nft.Bitwise) {
	v := w.values[number(e.Source)]
	zero := strings.Trim(e.XOR, "\x00") == ""
	if size := len(e.Mask); v.show != nil && (strings.HasSuffix(v.words, "addr")) && zero {
		ones := 0
		for i := range size {
			ones += bits.OnesCount8(e.Mask[i])
		}
		v.show = func(d string) string { return address(d, size, ones) }
	} else {
		v.words += " & " + hex(e.Mask)
		v.isMasked = true
		if !zero {
			v.words += " | " + hex(e.XOR)
		}
	}
	w.load(e.Dest, v)
}

func (w *writer) compare(e nft.Cmp) {
	v := w.values[number(e.Source)]
	if v.show == nil {
		w.say("[ " + e.String() + " ]")
		return
	}
	if v.words == "meta l4proto" && e.Op == nft.Equal {
		w.transport = protocol(e.Data)
		if w.uses(func(p nft.Payload) bool { return p.Base == nft.TransportHeader }) {
			return // which the words of the port say
		}
	}
	if v.words == "meta nfproto" && e.Op == nft.Equal &&
		w.uses(func(p nft.Payload) bool { return p.Base == nft.NetworkHeader }) {
		return // which the words of the address say
	}
	// A range is two comparisons, of which the second one is the rest of the words.
	op := map[nft.CmpOp]string{
		nft.Equal: " ", nft.NotEqual: " != ", nft.Less: " < ", nft.LessOrEqual: "-", nft.Greater: " > ", nft.GreaterOrEqual: " ",
	}[e.Op]
	if v.isMasked && e.Op == nft.Equal {
		op = " == "
	}
	if e.Op == nft.LessOrEqual && len(w.words) > 0 {
		w.words[len(w.words)-1] += op + v.show(e.Data)
		return
	}
	w.say(v.words + op + v.show(e.Data))
}

// uses reports whether one of the expressions that follow loads or writes what is asked.
func (w *writer) uses(is func(nft.Payload) bool) bool {
	for _, e := range w.rest {
		if p, ok := e.(nft.Payload); ok && is(p) {
			return true
		}
	}
	return false
}

// key returns the words of the key of a set that begins in a register.
func (w *writer) key(r nft.Register, set string) string {
	length := 0
	for _, t := range w.contents {
		for _, s := range t.Sets {
			if s.Name == set {
				length = int(s.Key.Len)
			}
		}
	}
	var words []string
	for n, end := number(r), number(r)+nft.Register(length/4); n < end; {
		v, ok := w.values[n]
		if !ok || v.len == 0 {
			break
		}
		words = append(words, v.words)
		n += nft.Register((v.len + 3) / 4)
	}
	return strings.Join(words, " . ")
}

func hex(d string) string {
	if len(d) != 4 {
		return fmt.Sprintf("0x%x", d)
	}
	return fmt.Sprintf("0x%x", binary.NativeEndian.Uint32([]byte(d)))
}

func port(d string) string {
	if len(d) != 2 {
		return hex(d)
	}
	return strconv.Itoa(int(binary.BigEndian.Uint16([]byte(d))))
}

func ifName(d string) string { return quote(strings.TrimRight(d, "\x00")) }

func protocol(d string) string {
	switch d {
	case nft.Byte(uapi.IPPROTO_TCP):
		return "tcp"
	case nft.Byte(uapi.IPPROTO_UDP):
		return "udp"
	}
	if len(d) != 1 {
		return hex(d)
	}
	return strconv.Itoa(int(d[0]))
}

func fibType(d string) string {
	if d == nft.Host32(uapi.RTN_LOCAL) {
		return "local"
	}
	return hex(d)
}
