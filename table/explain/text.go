package explain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/snapshot"
)

// String returns the text of w, which [Parse] reads. The text begins with the commands of
// ip(8) that make the nexthop objects, routes and rules, as in the text of a
// [snapshot.Snapshot]. The commands that would make the interfaces, addresses, neighbours
// and settings follow as comments. So a shell on a host with the same interfaces can run
// the text, and [snapshot.Parse] can read it.
func (w World) String() string {
	var b strings.Builder
	c := w.Canonical()
	names := c.names()
	b.WriteString(snapshot.Snapshot{NextHops: c.NextHops, Routes: c.Routes, Rules: c.Rules, Links: names.Links}.String())
	for _, line := range c.denials() {
		b.WriteString(comment + line + "\n")
	}
	for i := range c.Links {
		b.WriteString(comment + c.Links[i].command(names) + "\n")
	}
	for i := range c.Addresses {
		b.WriteString(comment + c.Addresses[i].command(names) + "\n")
	}
	for i := range c.Neighbours {
		b.WriteString(comment + c.Neighbours[i].command(names) + "\n")
	}
	for _, name := range c.Sysctls.names() {
		b.WriteString(comment + "sysctl -w " + iptext.Quote(name+"="+c.Sysctls[name]) + "\n")
	}
	return b.String()
}

// comment begins a line that a shell does not run.
const comment = "# "

// MarshalText returns the same text as String.
func (w World) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads the text that String returns, as [Parse] does.
func (w *World) UnmarshalText(text []byte) error {
	got, err := Parse(string(text))
	if err == nil {
		*w = got
	}
	return err
}

// names returns the names that text uses for interfaces.
func (w *World) names() *route.Names {
	names := make(map[uint32]string, len(w.Links))
	for i := range w.Links {
		if isWord(w.Links[i].Name) {
			names[w.Links[i].Index] = w.Links[i].Name
		}
	}
	return &route.Names{Links: route.MakeLinks(names)}
}

// isWord reports whether text can hold a name.
func isWord(name string) bool {
	return name != "" && utf8.ValidString(name) && !strings.ContainsFunc(name, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	})
}

// textFlags are the flags of interfaces that text has. Other interfaces than lo have the
// flags of defaultFlags unless text says otherwise.
const (
	textFlags    = FlagUp | FlagCarrier | FlagLoopback | FlagPointToPoint | FlagNoARP | FlagBroadcast | FlagMulticast
	defaultFlags = FlagUp | FlagCarrier | FlagBroadcast | FlagMulticast
	loFlags      = FlagUp | FlagCarrier | FlagLoopback
)

// loName is the name of the loopback interface.
const loName = "lo"

// flagWords are the words that turn flags on and off, beside up and down.
var flagWords = []struct {
	name string
	flag LinkFlags
	not  bool // the word is for the opposite
}{
	{"carrier", FlagCarrier, false}, {"arp", FlagNoARP, true}, {"broadcast", FlagBroadcast, false},
	{"multicast", FlagMulticast, false}, {"pointopoint", FlagPointToPoint, false}, {"loopback", FlagLoopback, false},
}

// command returns the command that makes an interface.
func (l *Link) command(names *route.Names) string {
	var p iptext.Printer
	p.Put(iptext.Quote(names.Links.Name(l.Index)), "index", iptext.Decimal(l.Index))
	flags := LinkFlags(defaultFlags)
	if l.Index == lo {
		flags = loFlags
	}
	if differ := (l.Flags ^ flags) & textFlags; differ != 0 {
		if differ&FlagUp != 0 {
			p.Put(onOff(l.Flags&FlagUp != 0, "up", "down"))
		}
		for _, x := range flagWords {
			if differ&x.flag != 0 {
				p.Put(x.name, onOff(l.Flags&x.flag != 0 != x.not, "on", "off"))
			}
		}
	}
	if l.Group != 0 {
		p.Put("group", iptext.Decimal(l.Group))
	}
	if l.Master != 0 {
		p.Put("master", iptext.Quote(names.Links.Name(l.Master)))
	}
	for _, name := range l.AltNames {
		if isWord(name) {
			p.Put("altname", iptext.Quote(name))
		}
	}
	if l.Kind != "" {
		p.Put("type", iptext.Quote(l.Kind))
	}
	if l.Table != 0 {
		p.Put("table", iptext.Decimal(uint32(l.Table)))
	}
	return "ip link add " + p.String()
}

func onOff(on bool, yes, no string) string {
	if on {
		return yes
	}
	return no
}

// addressFlagWords are the words of ip-address(8) for flags of addresses. The first is
// temporary for IPv6.
var addressFlagWords = iptext.Bits{
	{Bit: uint32(FlagSecondary), Name: "secondary"}, {Bit: uint32(FlagOptimistic), Name: "optimistic"},
	{Bit: uint32(FlagDADFailed), Name: "dadfailed"}, {Bit: uint32(FlagHome), Name: "home"},
	{Bit: uint32(FlagDeprecated), Name: "deprecated"}, {Bit: uint32(FlagTentative), Name: "tentative"},
	{Bit: uint32(FlagNoPrefixRoute), Name: "noprefixroute"},
}

// textAddressFlags are the flags of addresses that text has.
const textAddressFlags = FlagSecondary | FlagOptimistic | FlagDADFailed | FlagHome | FlagDeprecated | FlagTentative | FlagNoPrefixRoute

// temporaryWord is the word for FlagTemporary.
const temporaryWord = "temporary"

func (a *Address) command(names *route.Names) string {
	var p iptext.Printer
	if a.Peer.IsValid() {
		p.Put(a.Addr.String(), "peer", a.Peer.String()+"/"+iptext.Decimal(a.Bits))
	} else {
		p.Put(a.Addr.String() + "/" + iptext.Decimal(a.Bits))
	}
	p.Put("dev", iptext.Quote(names.Links.Name(a.Index)))
	if a.Scope != defaultScope(a.Addr) {
		p.Put("scope", a.Scope.String())
	}
	words, _ := addressFlagWords.Names(uint32(a.Flags))
	for _, word := range words {
		if word == "secondary" && a.Addr.Is6() {
			word = temporaryWord
		}
		p.Put(word)
	}
	return "ip address add " + p.String()
}

func (n *Neighbour) command(names *route.Names) string {
	return "ip neighbour add " + n.Addr.String() + " dev " + iptext.Quote(names.Links.Name(n.Index)) + " nud " + n.State.String()
}
