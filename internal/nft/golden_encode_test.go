package nft

import (
	"bytes"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
)

// Parts of rules that nft(8) makes of words.
func join(parts ...[]Expr) (all []Expr) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

func one(e ...Expr) []Expr { return e }

func equal(e Expr, data string) []Expr { return []Expr{e, Cmp{Source: Reg1, Data: data}} }

func proto(n uint8) []Expr { return equal(Meta{Key: MetaL4Proto, Dest: Reg1}, Byte(n)) }

func family(f Family) []Expr { return equal(Meta{Key: MetaNFProto, Dest: Reg1}, Byte(uint8(f))) }

func masked(mask uint32) Expr {
	return Bitwise{Source: Reg1, Dest: Reg1, Len: 4, Mask: Host32(mask), XOR: Host32(0)}
}

var (
	udp     = proto(uapi.IPPROTO_UDP)
	ctMark  = CT{Key: CTMark, Dest: Reg1}
	setMark = Meta{Key: MetaMark, Source: Reg1}
	client4 = []Expr{SourceAddr(IPv4, Reg1), SourcePort(Reg32(1)), DestPort(Reg32(2))}
	client6 = []Expr{SourceAddr(IPv6, Reg1), SourcePort(Reg2), DestPort(Reg32(5))}
	asked4  = []Expr{DestAddr(IPv4, Reg1), DestPort(Reg32(1)), SourcePort(Reg32(2))}
	asked6  = []Expr{DestAddr(IPv6, Reg1), DestPort(Reg2), SourcePort(Reg32(5))}
)

func verdict(v Verdict) Expr { return Immediate{Verdict: v} }

func ruleIn(chain string, exprs ...[]Expr) Rule {
	return Rule{Family: Inet, Table: "pr", Chain: chain, Exprs: join(exprs...)}
}

func chain(name, typ string, hook uint32, priority int32) Chain {
	return Chain{Family: Inet, Table: "pr", Name: name, Base: true, Type: typ, Hook: Hook{Number: hook, Priority: priority}, Policy: PolicyAccept}
}

func set(name string, flags SetFlags, key Type) Set {
	return Set{Family: Inet, Table: "pr", Name: name, Flags: flags, Key: key}
}

// typeofKey is what nft(8) keeps with a set of a concatenation whose last type has a length
// of its own. It is of no use here.
const typeofKey = "\x00\x04\x00\x00\x00\x00\x03\x08\x00\x04\x0d\x00\x00\x00\x01\x00"

// noInterval is what nft(8) keeps with a map whose data are not ranges.
const noInterval = "\x06\x04\x00\x00\x00\x00"

// values are what this package sends for the commands.
var values = map[string]func(*Batch){
	"create table":  func(b *Batch) { b.CreateTable(Table{Family: Inet, Name: "pr", Comment: "uplinks"}) },
	"add table":     func(b *Batch) { b.AddTable(Table{Family: Inet, Name: "pr"}) },
	"add chain sub": func(b *Batch) { b.AddChain(Chain{Family: Inet, Table: "pr", Name: "sub"}) },
	"create chain out": func(b *Batch) {
		c := chain("out", TypeRoute, Output, PriorityRaw)
		c.Comment = "answers"
		b.CreateChain(c)
	},
	"add chain pre":  func(b *Batch) { b.AddChain(chain("pre", TypeFilter, Prerouting, PriorityMangle)) },
	"add chain post": func(b *Batch) { b.AddChain(chain("post", TypeNAT, Postrouting, PrioritySrcNAT)) },
	"add chain in": func(b *Batch) {
		c := chain("in", TypeNAT, Prerouting, PriorityDstNAT)
		c.Policy = PolicyDrop
		b.AddChain(c)
	},
	"add set asked4": func(b *Batch) {
		s := set("asked4", Dynamic|Timeout, ConcatOf(TypeIPv4Addr, TypeInetService, TypeInetService))
		s.Size, s.Timeout, s.Comment, s.UserData = 65536, MillisecondsOf(3*time.Minute), "clients", typeofKey
		b.AddSet(s)
	},
	"add set asked6": func(b *Batch) {
		s := set("asked6", Dynamic|Timeout, ConcatOf(TypeIPv6Addr, TypeInetService, TypeInetService))
		s.Size, s.Timeout, s.UserData = 65536, MillisecondsOf(3*time.Minute), typeofKey
		b.AddSet(s)
	},
	"add set ports": func(b *Batch) { b.AddSet(set("ports", Interval, TypeInetService)) },
	"add set nets": func(b *Batch) {
		s := set("nets", Interval|Concat, ConcatOf(TypeIPv4Addr, TypeInetService))
		s.Fields, s.UserData = Lengths(TypeIPv4Addr, TypeInetService), typeofKey
		b.AddSet(s)
	},
	"add set marks": func(b *Batch) { b.AddSet(set("marks", Timeout, TypeMark)) },
	"add set names": func(b *Batch) {
		s := set("names", Constant, TypeIfName)
		s.Size, s.ID = 2, 1
		b.AddSet(s)
		b.AddElements(s, Element{Key: IfName("eth0")}, Element{Key: IfName("wan")})
	},
	"add map vm": func(b *Batch) {
		s := set("vm", Map, TypeMark)
		s.Data, s.UserData = TypeVerdict, "\x01\x04\x00\x00\x00\x00"+noInterval
		b.AddSet(s)
	},
	"add map mm": func(b *Batch) {
		s := set("mm", Map, TypeIfName)
		s.Data, s.UserData = TypeMark, noInterval
		b.AddSet(s)
	},
	"add element marks": func(b *Batch) {
		b.AddElements(set("marks", 0, TypeMark), Element{Key: Host32(1), Timeout: 60000, Comment: "one"})
	},
	"add element vm": func(b *Batch) {
		b.AddElements(set("vm", 0, TypeMark), Element{Key: Host32(1), Verdict: Accept()}, Element{Key: Host32(2), Verdict: Jump("sub")})
	},
	"create element mm": func(b *Batch) {
		b.CreateElements(set("mm", 0, TypeMark), Element{Key: IfName("eth0"), Data: Host32(0x10)})
	},
	"add element ports": func(b *Batch) {
		all := []Element{{Key: Big16(0), Flags: IntervalEnd}}
		dns := Between(Big16(53), Big16(53))
		dns[0].Comment = "dns"
		all = append(append(all, dns...), Between(Big16(1194), Big16(1199))...)
		b.AddElements(set("ports", 0, TypeInetService), all...)
	},
	"add element nets": func(b *Batch) {
		b.AddElements(set("nets", 0, TypeMark), Element{
			Key:    Key(Addr(netip.MustParseAddr("10.0.0.0")), Big16(53)),
			KeyEnd: Key(Addr(netip.MustParseAddr("10.255.255.255")), Big16(54)),
		})
	},
	`iifname "eth0" ct state new`: func(b *Batch) {
		r := ruleIn("pre", equal(Meta{Key: MetaIIFName, Dest: Reg1}, IfName("eth0")),
			one(CT{Key: CTState, Dest: Reg1}, masked(StateNew), Cmp{Source: Reg1, Op: NotEqual, Data: Host32(0)}),
			one(ctMark, Bitwise{Source: Reg1, Dest: Reg1, Len: 4, Mask: Host32(0x00ffffff), XOR: Host32(0x01000000)},
				CT{Key: CTMark, Source: Reg1}))
		r.Comment = "from eth0"
		b.AddRule(r)
	},
	`iifname "ppp*"`: func(b *Batch) {
		b.AddRule(ruleIn("pre", equal(Meta{Key: MetaIIFName, Dest: Reg1}, IfPrefix("ppp")), one(ctMark),
			equal(masked(0xff000000), Host32(0)), one(verdict(Accept()))))
	},
	`ct direction reply meta mark set`: func(b *Batch) {
		b.AddRule(ruleIn("pre", equal(Meta{Key: MetaIIF, Dest: Reg1}, Host32(1)),
			equal(CT{Key: CTDirKey, Dest: Reg1}, Byte(uapi.IP_CT_DIR_REPLY)), one(ctMark, masked(0xff000000), setMark)))
	},
	`fib daddr type local`: func(b *Batch) {
		b.AddRule(ruleIn("pre", equal(FIB{Dest: Reg1, Result: FIBAddrType, Flags: FIBDest}, Host32(2)), udp,
			one(DestPort(Reg1), Cmp{Source: Reg1, Op: GreaterOrEqual, Data: Big16(1194)}, Cmp{Source: Reg1, Op: LessOrEqual, Data: Big16(1199)}),
			family(IPv4), client4, one(Dynset{Set: "asked4", Op: DynsetUpdate, Key: Reg1, Timeout: 60000})))
	},
	`udp dport @ports delete`: func(b *Batch) {
		b.AddRule(ruleIn("pre", family(IPv4), equal(Payload{Dest: Reg1, Base: NetworkHeader, Offset: 9, Len: 1}, Byte(uapi.IPPROTO_UDP)),
			one(DestPort(Reg1), Lookup{Set: "ports", Source: Reg1}), client4, one(Dynset{Set: "asked4", Op: DynsetDelete, Key: Reg1})))
	},
	`add @asked6`: func(b *Batch) {
		b.AddRule(ruleIn("pre", equal(Meta{Key: MetaProtocol, Dest: Reg1}, Big16(0x86dd)), family(IPv6),
			equal(Payload{Dest: Reg1, Base: NetworkHeader, Offset: 6, Len: 1}, Byte(uapi.IPPROTO_UDP)),
			client6, one(Dynset{Set: "asked6", Op: DynsetAdd, Key: Reg1})))
	},
	`update @dm`: func(b *Batch) {
		b.AddRule(ruleIn("pre", family(IPv4), one(SourceAddr(IPv4, Reg1), Meta{Key: MetaMark, Dest: Reg2},
			Dynset{Set: "dm", Op: DynsetUpdate, Key: Reg1, Data: Reg2})))
	},
	`ct original ip saddr`: func(b *Batch) {
		b.AddRule(ruleIn("pre", udp, one(DestPort(Reg1), Range{Source: Reg1, Not: true, From: Big16(10), To: Big16(20)}),
			equal(CT{Key: CTSourceIP, Dest: Reg1, Direction: Original}, Addr(netip.MustParseAddr("10.0.0.1"))),
			one(CT{Key: CTStatus, Dest: Reg1}, masked(uapi.IPS_SRC_NAT), Cmp{Source: Reg1, Op: NotEqual, Data: Host32(0)}, verdict(Drop()))))
	},
	`iifname map @mm`: func(b *Batch) {
		b.AddRule(ruleIn("pre", one(Meta{Key: MetaIIFName, Dest: Reg1}, Lookup{Set: "mm", Source: Reg1, Map: true, Dest: Reg1}, setMark)))
	},
	`!= @nets`: func(b *Batch) {
		b.AddRule(ruleIn("pre", family(IPv4), udp, one(DestAddr(IPv4, Reg1), DestPort(Reg32(1)), Lookup{Set: "nets", Source: Reg1, Not: true},
			Meta{Key: MetaMark, Dest: Reg1}, Cmp{Source: Reg1, Op: NotEqual, Data: Host32(0)}, verdict(Return()))))
	},
	`ip saddr set 10.2.0.2`: func(b *Batch) {
		b.AddRule(ruleIn("out", udp, equal(SourcePort(Reg1), Big16(53)), family(IPv4), asked4, one(Lookup{Set: "asked4", Source: Reg1},
			Immediate{Dest: Reg1, Data: Addr(netip.MustParseAddr("10.2.0.2"))}, SetSourceAddr(IPv4, Reg1), Counter{})))
	},
	`ip6 saddr set fd00::2`: func(b *Batch) {
		b.AddRule(ruleIn("out", udp, equal(SourcePort(Reg1), Big16(53)), family(IPv6), asked6, one(Lookup{Set: "asked6", Source: Reg1},
			Immediate{Dest: Reg1, Data: Addr(netip.MustParseAddr("fd00::2"))}, SetSourceAddr(IPv6, Reg1))))
	},
	`udp dport { 53, 443 }`: func(b *Batch) {
		s := set("__set%d", Anonymous|Constant, TypeInetService)
		s.ID, s.Size, s.UserData = 11, 2, "\x03\x14\x00\x04\x07\x00\x00\x00\x01\x0c\x00\x04\x06\x00\x00\x00\x01\x04\x02\x00\x00\x00" // udp dport
		b.AddSet(s)
		b.AddElements(s, Element{Key: Big16(53)}, Element{Key: Big16(443)})
		b.AddRule(ruleIn("out", udp, one(DestPort(Reg1), Lookup{Set: s.Name, SetID: s.ID, Source: Reg1},
			SourcePort(Reg1), Cmp{Source: Reg1, Op: NotEqual, Data: Big16(80)}, Notrack{})))
	},
	`oif "lo" meta mark and`: func(b *Batch) {
		b.AddRule(ruleIn("out", equal(Meta{Key: MetaOIF, Dest: Reg1}, Host32(1)), one(Meta{Key: MetaMark, Dest: Reg1}),
			equal(masked(0xff00), Host32(0x100)), one(verdict(Jump("sub")))))
	},
	`oifname "eth0" masquerade`: func(b *Batch) {
		b.AddRule(ruleIn("post", equal(Meta{Key: MetaOIFName, Dest: Reg1}, IfName("eth0")), one(Masq{})))
	},
	`vmap @vm`: func(b *Batch) {
		b.AddRule(ruleIn("post", one(Meta{Key: MetaMark, Dest: Reg1}, Lookup{Set: "vm", Source: Reg1, Map: true, Dest: RegVerdict})))
	},
	`redirect to :5353`: func(b *Batch) {
		b.AddRule(ruleIn("in", udp, equal(DestPort(Reg1), Big16(53)),
			one(Immediate{Dest: Reg1, Data: Big16(5353)}, Redir{ProtoMin: Reg1, Flags: 2})))
	},
	`dnat ip to`: func(b *Batch) {
		b.AddRule(ruleIn("in", family(IPv4), equal(Payload{Dest: Reg1, Base: NetworkHeader, Offset: OffsetDest4, Len: 1}, Byte(10)),
			proto(uapi.IPPROTO_TCP), equal(DestPort(Reg1), Big16(80)),
			one(Immediate{Dest: Reg1, Data: Addr(netip.MustParseAddr("10.1.1.1"))}, Immediate{Dest: Reg2, Data: Big16(80)},
				NAT{Type: DestNAT, Family: IPv4, AddrMin: Reg1, ProtoMin: Reg2, Flags: 2})))
	},
	`snat ip to`: func(b *Batch) {
		b.AddRule(ruleIn("post", family(IPv4), equal(SourceAddr(IPv4, Reg1), Addr(netip.MustParseAddr("10.0.0.1"))),
			one(Immediate{Dest: Reg1, Data: Addr(netip.MustParseAddr("192.0.2.1"))}, NAT{Type: SourceNAT, Family: IPv4, AddrMin: Reg1})))
	},
	"insert rule": func(b *Batch) { b.InsertRule(ruleIn("sub", one(Counter{Packets: 3, Bytes: 400}))) },
	"add rule inet pr sub position": func(b *Batch) {
		r := ruleIn("sub", one(verdict(Accept())))
		r.Position = 41
		b.AddRule(r)
	},
	"replace rule": func(b *Batch) {
		r := ruleIn("sub", one(verdict(Drop())))
		r.Handle = 41
		b.ReplaceRule(r)
	},
	"delete rule": func(b *Batch) { b.DeleteRule(Rule{Family: Inet, Table: "pr", Chain: "sub", Handle: 41}) },
	"delete element": func(b *Batch) {
		dns := Between(Big16(53), Big16(53))
		dns[0].Comment = "dns"
		b.DeleteElements(set("ports", 0, TypeMark), dns...)
	},
	"flush set":    func(b *Batch) { b.FlushSet(set("ports", 0, TypeMark)) },
	"flush chain":  func(b *Batch) { b.FlushChain(Chain{Family: Inet, Table: "pr", Name: "sub"}) },
	"delete set":   func(b *Batch) { b.DeleteSet(set("nets", 0, TypeMark)) },
	"delete chain": func(b *Batch) { b.DeleteChain(Chain{Family: Inet, Table: "pr", Name: "post"}) },
	"delete table": func(b *Batch) { b.DeleteTable(Table{Family: Inet, Name: "pr"}) },
}

// notSent are commands whose messages this package can keep and not make: they have words
// that it has no field for.
var notSent = []string{
	"typeof ip daddr",        // nft(8) keeps the expressions of the set in its own form
	"add map inet pr dm",     // another form of the same
	"limit rate",             // expressions without a type
	"random",                 // the flag stands in a register with nft(8)'s own choice of registers
	"th dport vmap",          // two anonymous sets, as in the rule with one
	"delete map inet pr mm2", // as a set
	"tables-nft",             // iptables-nft makes them
}

// keyOf returns the key of values for a command, or "".
func keyOf(command string) string {
	short := strings.Replace(command, " inet pr", "", 1)
	best := ""
	for key := range values {
		if (strings.HasPrefix(short+" ", key+" ") || strings.Contains(command, key)) && len(key) > len(best) {
			best = key
		}
	}
	return best
}

// TestGoldenEncode holds that this package sends the same bytes as nft(8).
func TestGoldenEncode(t *testing.T) {
	report := testrun.Limit(t)
	used := make(map[string]bool)
	for _, r := range recordings(t) {
		key := keyOf(r.command)
		if contains(notSent, r.command) {
			continue
		}
		if key == "" || used[key] {
			report.Errorf("%s: no value of its own, but %q", r.command, key)
			continue
		}
		used[key] = true
		var b Batch
		values[key](&b)
		msgs, err := b.messages()
		if err != nil || len(msgs) != len(r.messages)+2 {
			report.Errorf("%s: %d messages, want %d: %v", r.command, len(msgs)-2, len(r.messages), err)
			continue
		}
		for i, want := range r.messages {
			got := msgs[i+1]
			flags := uint16(got.Header.Flags) &^ uapi.NLM_F_ACK
			if uint8(got.Header.Type) != want.typ || flags != want.flags || Family(got.Data[0]) != want.family {
				report.Errorf("%s: message %d has type %d flags %#x family %d, want %+v", r.command, i, got.Header.Type, flags, got.Data[0], want)
			}
			gotAttrs := withoutID(withoutDefaults(got.Data[uapi.SizeofNfgenmsg:]), want.typ)
			wantAttrs := withoutID(withoutDefaults(want.payload), want.typ)
			if isLittleEndian() && !bytes.Equal(gotAttrs, wantAttrs) {
				report.Errorf("%s: message %d is\n%x, want\n%x", r.command, i, gotAttrs, wantAttrs)
			}
		}
	}
	for key := range values {
		if !used[key] {
			report.Errorf("no command is %q", key)
		}
	}
}

// withoutID leaves out the number of a set with a name, which may be any.
func withoutID(b []byte, typ uint8) []byte {
	if bytes.Contains(b, []byte("%d")) {
		return b
	}
	switch typ {
	case uapi.NFT_MSG_NEWSET:
		return []byte(attr.Without(string(b), uapi.NFTA_SET_ID))
	case uapi.NFT_MSG_NEWRULE:
		return withoutSetIDs(b)
	case uapi.NFT_MSG_NEWSETELEM, uapi.NFT_MSG_DELSETELEM:
		return []byte(attr.Without(string(b), uapi.NFTA_SET_ELEM_LIST_SET_ID))
	}
	return b
}

// withoutSetIDs leaves out the numbers of sets in expressions.
func withoutSetIDs(b []byte) []byte {
	return rewrite(b, func(name string, p []byte) []byte {
		switch name {
		case "lookup":
			return []byte(attr.Without(string(p), uapi.NFTA_LOOKUP_SET_ID))
		case "dynset":
			return []byte(attr.Without(string(p), uapi.NFTA_DYNSET_SET_ID))
		}
		return p
	})
}

func contains(parts []string, s string) bool {
	for _, p := range parts {
		if strings.Contains(s, p) {
			return true
		}
	}
	return false
}
