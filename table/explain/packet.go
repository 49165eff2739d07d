package explain

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
)

// A Packet has the properties of a packet that the decision of the kernel can depend on.
// Its text is the words of "ip route get".
type Packet struct {
	// To is the destination: to. It determines the family.
	To netip.Addr
	// From is the source: from. Zero means that the packet comes from a socket that is not
	// bound to an address, so the route determines the source.
	From netip.Addr
	// IIF is the name of the interface that the packet came in on: iif. Empty means that
	// this host sends the packet.
	IIF string
	// OIF is the name of the interface that the socket is bound to: oif. Empty means none.
	OIF string
	// Mark is the firewall mark: mark.
	Mark uint32
	// TOS is the DS field: tos. The lowest two bits are ignored.
	TOS uint8
	// UID is the user who sends the packet: uid. The kernel treats forwarded packets as
	// packets of user 0.
	UID uint32
	// IPProto is the protocol above IP: ipproto. For IPv4, zero means UDP, as in "ip route
	// get". For IPv6, zero means unknown.
	IPProto route.IPProto
	// SPort and DPort are the ports: sport, dport. Zero means none.
	SPort, DPort uint16
	// FlowLabel is the flow label of an IPv6 packet: flowlabel.
	FlowLabel uint32
	// TunID is the key of the tunnel that the packet came in through: tun_id. Zero means
	// none.
	TunID uint64
}

var packetWords = iptext.Table[Packet]{
	{
		Names: []string{"to"},
		Parse: func(w *iptext.Words, p *Packet) error { return iptext.ArgAddr(w, &p.To) },
		Print: func(out *iptext.Printer, p *Packet) {
			if p.To.IsValid() {
				out.Put(p.To.String())
			}
		},
	},
	{
		Names: []string{"from"},
		Parse: func(w *iptext.Words, p *Packet) error { return iptext.ArgAddr(w, &p.From) },
		Print: func(out *iptext.Printer, p *Packet) {
			if p.From.IsValid() {
				out.Put("from", p.From.String())
			}
		},
	},
	nameWord("iif", func(p *Packet) *string { return &p.IIF }),
	nameWord("oif", func(p *Packet) *string { return &p.OIF }),
	hexWord("mark", 32, func(p *Packet) *uint32 { return &p.Mark }),
	hexWord("tos", 8, func(p *Packet) *uint8 { return &p.TOS }),
	{
		Names: []string{"dscp"},
		Parse: func(w *iptext.Words, p *Packet) error {
			n, err := iptext.ArgUint[uint8](w, "a DSCP", 6)
			p.TOS = n << 2
			return err
		},
	},
	decimalWord("uid", 32, func(p *Packet) *uint32 { return &p.UID }),
	{
		Names: []string{"ipproto"},
		Parse: func(w *iptext.Words, p *Packet) error { return iptext.ArgText(w, "a protocol", &p.IPProto) },
		Print: func(out *iptext.Printer, p *Packet) {
			if p.IPProto != 0 {
				out.Put("ipproto", p.IPProto.String())
			}
		},
	},
	decimalWord("sport", 16, func(p *Packet) *uint16 { return &p.SPort }),
	decimalWord("dport", 16, func(p *Packet) *uint16 { return &p.DPort }),
	hexWord("flowlabel", 20, func(p *Packet) *uint32 { return &p.FlowLabel }),
	decimalWord("tun_id", 64, func(p *Packet) *uint64 { return &p.TunID }),
}

// ParsePacket reads a packet in the words of "ip route get": the destination, with or
// without the word to, and the other words in any order. dscp N is another way to
// write tos, and sets its upper six bits. An error has the word and its position.
func ParsePacket(s string) (Packet, error) {
	w := iptext.Split("explain", s)
	var p Packet
	for w.More() {
		if a, ok := iptext.Addr(w.Peek()); ok && !p.To.IsValid() && isAddress(w.Peek()) {
			w.Take()
			p.To = a
			continue
		}
		if err := packetWords.Parse(w, &p, "an address or a word of a packet"); err != nil {
			return Packet{}, err
		}
	}
	if err := p.check(); err != nil {
		return Packet{}, err
	}
	return p, nil
}

// isAddress reports whether a word looks like an address. A plain number does not.
func isAddress(s string) bool { return strings.ContainsAny(s, ".:") }

// check returns an error if no packet can be like p.
func (p *Packet) check() error {
	switch {
	case !p.To.IsValid():
		return errors.New("explain: the packet has no destination: write its address first")
	case p.From.IsValid() && p.From.Is4() != p.To.Is4():
		return fmt.Errorf("explain: the packet is to %s and from %s, which is of another family", p.To, p.From)
	case p.IIF != "" && p.OIF != "":
		return fmt.Errorf("explain: the packet comes in by %s, and is of a socket that is bound to %s: want one of iif and oif", p.IIF, p.OIF)
	}
	return nil
}

// String returns the words of p. [ParsePacket] reads them.
func (p Packet) String() string {
	var out iptext.Printer
	packetWords.Print(&out, &p)
	return out.String()
}

// MarshalText returns the same text as String.
func (p Packet) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text that String returns, as [ParsePacket] does.
func (p *Packet) UnmarshalText(text []byte) error {
	got, err := ParsePacket(string(text))
	if err == nil {
		*p = got
	}
	return err
}

// nameWord is the word for the name of an interface.
func nameWord(name string, at func(*Packet) *string) iptext.Word[Packet] {
	return iptext.Word[Packet]{
		Names: []string{name},
		Parse: func(w *iptext.Words, p *Packet) (err error) {
			*at(p), err = w.Arg("an interface")
			return err
		},
		Print: func(out *iptext.Printer, p *Packet) {
			if *at(p) != "" {
				out.Put(name, *at(p))
			}
		},
	}
}

func decimalWord[V iptext.Number](name string, bits int, at func(*Packet) *V) iptext.Word[Packet] {
	return numberWord(name, bits, at, iptext.Decimal[V])
}

func hexWord[V iptext.Number](name string, bits int, at func(*Packet) *V) iptext.Word[Packet] {
	return numberWord(name, bits, at, iptext.Hex[V])
}

// numberWord is the word for a number that is zero if the word is missing.
func numberWord[V iptext.Number](name string, bits int, at func(*Packet) *V, text func(V) string) iptext.Word[Packet] {
	return iptext.Word[Packet]{
		Names: []string{name},
		Parse: func(w *iptext.Words, p *Packet) (err error) {
			*at(p), err = iptext.ArgUint[V](w, "a number", bits)
			return err
		},
		Print: func(out *iptext.Printer, p *Packet) {
			if *at(p) != 0 {
				out.Put(name, text(*at(p)))
			}
		},
	}
}
