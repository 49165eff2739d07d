package route

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/iptext"
)

// An objectLine is a nexthop object on its way to or from text.
type objectLine struct {
	NextHopObject
	names *Names
}

// String is the words of ip-nexthop(8) for n, without the help of any file:
// the interface with the index 5 is if5. [ParseNextHop] gives n back; what is
// unset in n and has a default there (Family, weights) is then set.
func (n NextHopObject) String() string { return n.Text(nil) }

// Text is String with the names that names, which may be nil, knows.
func (n NextHopObject) Text(names *Names) string {
	l := objectLine{NextHopObject: n, names: names}
	var option, p iptext.Printer
	if n.Family != 0 && n.Family != n.family() {
		option.Put(iptext.FamilyOption(n.Family)...)
	}
	objectWords.Print(&p, &l)
	if p.String() == "" {
		p.Put("id", "0")
	}
	if option.String() != "" {
		option.Put(p.String())
		return option.String()
	}
	return p.String()
}

// MarshalText returns what String does.
func (n NextHopObject) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what String prints, as [ParseNextHop] does.
func (n *NextHopObject) UnmarshalText(text []byte) error {
	got, err := ParseNextHop(string(text), nil)
	if err == nil {
		*n = got
	}
	return err
}

// ParseNextHop reads a nexthop object in the words of ip-nexthop(8), as they
// follow "ip nexthop add", in any order. What ip(8) only shows is read as well.
// -4, -6 or -f FAMILY may stand at the beginning, and is needed for IPv6 only
// where no gateway tells.
//
// Names come from n, which may be nil. An error names the word, and its
// position.
func ParseNextHop(s string, n *Names) (NextHopObject, error) {
	w := iptext.Split("route", s)
	l := objectLine{names: n}
	if err := iptext.ParseFamilyOption(w, &l.Family); err != nil {
		return NextHopObject{}, err
	}
	if !w.More() {
		_, err := w.Arg("a nexthop")
		return NextHopObject{}, err
	}
	for w.More() {
		if err := objectWords.Parse(w, &l, "an attribute of a nexthop"); err != nil {
			return NextHopObject{}, err
		}
	}
	if l.Family == 0 {
		l.Family = l.family()
	}
	return l.NextHopObject, nil
}

// objectWords are the attributes of a nexthop object in the order in which
// ip(8) prints them.
var objectWords = iptext.Table[objectLine]{
	objectNumber("id", 32, func(l *objectLine) *uint32 { return &l.ID }),
	{Names: []string{"group"}, Parse: argGroup, Print: putGroupWord},
	{Names: []string{"type"},
		Parse: func(w *iptext.Words, l *objectLine) error {
			return iptext.ArgText(w, "a type of group", &l.GroupType)
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.GroupType != 0 {
				p.Put("type", l.GroupType.String())
			}
		}},
	objectNumber("buckets", 16, func(l *objectLine) *uint16 { return &l.Resilient.Buckets }),
	objectTimer("idle_timer", func(l *objectLine) *Opt[time.Duration] { return &l.Resilient.IdleTimer }),
	objectTimer("unbalanced_timer", func(l *objectLine) *Opt[time.Duration] { return &l.Resilient.UnbalancedTimer }),
	{Names: []string{"unbalanced_time"},
		Parse: func(w *iptext.Words, l *objectLine) error { return argSeconds(w, &l.Resilient.UnbalancedTime) },
		Print: func(p *iptext.Printer, l *objectLine) {
			if d := l.Resilient.UnbalancedTime; d != 0 {
				p.Put("unbalanced_time", seconds(d))
			}
		}},
	{Names: []string{resilientWord}, Parse: argResilientAttribute, Print: putResilientAttributes},
	{Names: []string{"via"},
		Parse: argObjectGateway,
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.Gateway.IsValid() {
				p.Put("via", l.Gateway.String())
			}
		}},
	{Names: []string{"dev"},
		Parse: func(w *iptext.Words, l *objectLine) error { return argLink(w, l.names, &l.OIF) },
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.OIF != 0 {
				p.Put("dev", l.names.links().Name(l.OIF))
			}
		}},
	{Names: []string{"scope"},
		Parse: func(w *iptext.Words, l *objectLine) error {
			return iptext.ArgName(w, "a scope", l.names.FileNames().Scopes().Parse, &l.Scope)
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.Scope != 0 {
				p.Put("scope", l.names.FileNames().Scopes().Name(uint32(l.Scope)))
			}
		}},
	objectBool("blackhole", func(l *objectLine) *bool { return &l.Blackhole }),
	{Names: []string{"proto", "protocol"},
		Parse: func(w *iptext.Words, l *objectLine) error {
			return iptext.ArgName(w, "a protocol", l.names.FileNames().Protos().Parse, &l.Protocol)
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.Protocol != 0 {
				p.Put("proto", l.names.FileNames().Protos().Name(uint32(l.Protocol)))
			}
		}},
	flagWord(func(l *objectLine) *Flags { return &l.Flags }),
	objectBool("fdb", func(l *objectLine) *bool { return &l.FDB }),
	{Names: []string{iptext.AttributeWord}, Parse: argObjectAttribute,
		Print: func(p *iptext.Printer, l *objectLine) {
			if l.Unknown != "" {
				p.Put(l.Unknown.String())
			}
		}},
}

// Kinds of words.

func objectNumber[V iptext.Number](name string, bits int, at func(*objectLine) *V) iptext.Word[objectLine] {
	return iptext.Word[objectLine]{
		Names: []string{name},
		Parse: func(w *iptext.Words, l *objectLine) (err error) {
			*at(l), err = iptext.ArgUint[V](w, "a number", bits)
			return err
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if v := *at(l); v != 0 {
				p.Put(name, iptext.Decimal(v))
			}
		},
	}
}

func objectBool(name string, at func(*objectLine) *bool) iptext.Word[objectLine] {
	return iptext.Word[objectLine]{
		Names: []string{name},
		Parse: func(_ *iptext.Words, l *objectLine) error {
			*at(l) = true
			return nil
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if *at(l) {
				p.Put(name)
			}
		},
	}
}

func objectTimer(name string, at func(*objectLine) *Opt[time.Duration]) iptext.Word[objectLine] {
	return iptext.Word[objectLine]{
		Names: []string{name},
		Parse: func(w *iptext.Words, l *objectLine) error {
			var d time.Duration
			err := argSeconds(w, &d)
			at(l).Set(d)
			return err
		},
		Print: func(p *iptext.Printer, l *objectLine) {
			if d, ok := at(l).Get(); ok {
				p.Put(name, seconds(d))
			}
		},
	}
}

// Arguments of words.

// argGroup takes ID[,WEIGHT][/ID[,WEIGHT]]...
func argGroup(w *iptext.Words, l *objectLine) error {
	s, err := w.Arg("a group")
	if err != nil {
		return err
	}
	l.Group = nil
	for member := range strings.SplitSeq(s, "/") {
		id, weight, weighted := strings.Cut(member, ",")
		g := GroupMember{Weight: 1}
		var ok bool
		if g.ID, ok = iptext.Uint[uint32](id, 32); !ok {
			return w.Errorf("not a group: %q is not the number of a nexthop", id)
		}
		if weighted {
			if g.Weight, ok = iptext.Uint[uint16](weight, 16); !ok || g.Weight == 0 {
				return w.Errorf("not a group: weight %q is not between 1 and 65535", weight)
			}
		}
		l.Group = append(l.Group, g)
	}
	return nil
}

func putGroupWord(p *iptext.Printer, l *objectLine) {
	if len(l.Group) == 0 {
		return
	}
	var b []byte
	for i, g := range l.Group {
		if i > 0 {
			b = append(b, '/')
		}
		b = strconv.AppendUint(b, uint64(g.ID), 10)
		if g.Weight > 1 {
			b = strconv.AppendUint(append(b, ','), uint64(g.Weight), 10)
		}
	}
	p.Put("group", string(b))
}

// seconds is d in seconds, a decimal number.
func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return strconv.FormatInt(int64(d/time.Second), 10)
	}
	sign, n := "", uint64(d)
	if d < 0 {
		sign, n = "-", -n
	}
	whole, frac := n/uint64(time.Second), n%uint64(time.Second)
	digits := strconv.FormatUint(uint64(time.Second)+frac, 10)[1:]
	return sign + strconv.FormatUint(whole, 10) + "." + strings.TrimRight(digits, "0")
}

// argSeconds takes a number of seconds with at most nine decimals.
func argSeconds(w *iptext.Words, d *time.Duration) error {
	s, err := w.Arg("a number of seconds")
	if err != nil {
		return err
	}
	whole, frac, point := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 64)
	if err != nil || n >= uint64(math.MaxInt64/time.Second) || len(frac) > 9 || point && frac == "" {
		return w.Errorf("not a number of seconds")
	}
	nanoseconds, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
	if err != nil {
		return w.Errorf("not a number of seconds")
	}
	*d = time.Duration(n)*time.Second + time.Duration(nanoseconds)
	return nil
}

// argObjectGateway takes an address with or without its family.
func argObjectGateway(w *iptext.Words, l *objectLine) error {
	var of Family
	if s := w.Peek(); s == IPv4.String() || s == IPv6.String() {
		if err := iptext.ArgText(w, "a family", &of); err != nil {
			return err
		}
	}
	err := iptext.ArgAddr(w, &l.Gateway)
	if err == nil && of != 0 && !of.Has(l.Gateway) {
		err = w.Errorf("not an address of family %s", of)
	}
	return err
}

// resilientWord is the word for an attribute inside NHA_RES_GROUP that has no
// word in ip(8).
const resilientWord = "resilient_attribute"

func putResilientAttributes(p *iptext.Printer, l *objectLine) {
	for num, payload := range l.Resilient.Unknown.All() {
		typ, data := iptext.AttributeArgs(num, payload)
		p.Put(resilientWord, typ, data)
	}
}

// argResilientAttribute takes an attribute as if it had come in a message.
func argResilientAttribute(w *iptext.Words, l *objectLine) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	m := resilientCodec.Borrow()
	defer resilientCodec.Return(m)
	*m = l.Resilient
	if err := resilientCodec.Decode([]byte(a), m); err != nil {
		return w.Errorf("%v", err)
	}
	l.Resilient = *m
	return nil
}

func argObjectAttribute(w *iptext.Words, l *objectLine) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	m := objectCodec.Borrow()
	defer objectCodec.Return(m)
	m.NextHopObject = l.NextHopObject
	if err := objectCodec.Decode([]byte(a), m); err != nil {
		return w.Errorf("%v", err)
	}
	l.NextHopObject = m.NextHopObject
	return nil
}
