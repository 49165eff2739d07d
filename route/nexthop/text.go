package nexthop

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/policyroute/policyroute/internal/attr"
	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// A line is an object that is being parsed or printed.
type line struct {
	Object
	names *route.Names
}

// String returns n in the words of ip-nexthop(8), without names from files: the
// interface with the index 5 is if5. [Parse] returns the same object, with the defaults
// of Family and weights filled in.
func (n Object) String() string { return n.Text(nil) }

// Text returns what String does, with names instead of numbers. The argument names can
// be nil.
func (n Object) Text(names *route.Names) string {
	var p iptext.Printer
	if n.Family != 0 && n.Family != n.defaultFamily() {
		p.Put(iptext.FamilyOption(n.Family)...)
	}
	p.Put(n.Args(names))
	return p.String()
}

// Args returns n as the arguments of "ip -4 nexthop add" or "ip -6 nexthop add". The
// argument names can be nil.
func (n Object) Args(names *route.Names) string {
	var p iptext.Printer
	words.Print(&p, &line{Object: n, names: names})
	if p.String() == "" {
		p.Put("id", "0")
	}
	return p.String()
}

// MarshalText returns what String does.
func (n Object) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what String returns, as [Parse] does.
func (n *Object) UnmarshalText(text []byte) error {
	got, err := Parse(string(text), nil)
	if err == nil {
		*n = got
	}
	return err
}

// Parse reads a nexthop object in the words of ip-nexthop(8) that follow "ip
// nexthop add", in any order. It also reads the words that ip(8) only prints.
// -4, -6 or -f FAMILY can come first, and is needed only for an IPv6 object
// without a gateway.
//
// Parse looks up names in n, which can be nil. Without n.Links, an interface has to be
// if and its index, such as if5. An error has the word and its position.
func Parse(s string, n *route.Names) (Object, error) {
	w := iptext.Split("nexthop", s)
	l := line{names: n}
	if err := iptext.ParseFamilyOption(w, &l.Family); err != nil {
		return Object{}, err
	}
	if !w.More() {
		_, err := w.Arg("a nexthop")
		return Object{}, err
	}
	for w.More() {
		if err := words.Parse(w, &l, "an attribute of a nexthop"); err != nil {
			return Object{}, err
		}
	}
	if l.Family == 0 {
		l.Family = l.defaultFamily()
	}
	return l.Object, nil
}

// words are the attributes of a nexthop object in the order in which ip(8)
// prints them.
var words = iptext.Table[line]{
	number("id", 32, func(l *line) *uint32 { return &l.ID }),
	{Names: []string{"group"}, Parse: argGroup, Print: putGroupWord},
	{Names: []string{"type"},
		Parse: func(w *iptext.Words, l *line) error { return iptext.ArgText(w, "a type of group", &l.GroupType) },
		Print: func(p *iptext.Printer, l *line) {
			if l.GroupType != 0 {
				p.Put("type", l.GroupType.String())
			}
		}},
	{Names: []string{"buckets"},
		Parse: func(w *iptext.Words, l *line) (err error) {
			r := &l.Resilient
			r.Buckets, err = iptext.ArgUint[uint16](w, "a number", 16)
			r.Unknown = route.Attributes(zeroWords.With(string(r.Unknown), uapi.NHA_RES_GROUP_BUCKETS, r.Buckets == 0))
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if n := l.Resilient.Buckets; n != 0 || zeroWords.Has(string(l.Resilient.Unknown), uapi.NHA_RES_GROUP_BUCKETS) {
				p.Put("buckets", iptext.Decimal(n))
			}
		}},
	timer("idle_timer", func(l *line) *route.Opt[time.Duration] { return &l.Resilient.IdleTimer }),
	timer("unbalanced_timer", func(l *line) *route.Opt[time.Duration] { return &l.Resilient.UnbalancedTimer }),
	{Names: []string{"unbalanced_time"},
		Parse: func(w *iptext.Words, l *line) error { return argSeconds(w, &l.Resilient.UnbalancedTime) },
		Print: func(p *iptext.Printer, l *line) {
			if d := l.Resilient.UnbalancedTime; d != 0 {
				p.Put("unbalanced_time", seconds(d))
			}
		}},
	{Names: []string{resilientWord}, Parse: argResilientAttribute, Print: putResilientAttributes},
	{Names: []string{"via"},
		Parse: argGateway,
		Print: func(p *iptext.Printer, l *line) {
			if l.Gateway.IsValid() {
				p.Put("via", l.Gateway.String())
			}
		}},
	{Names: []string{"dev"},
		Parse: func(w *iptext.Words, l *line) error { return iptext.ArgLink(w, l.names.LinkNames(), &l.OIF) },
		Print: func(p *iptext.Printer, l *line) {
			if l.OIF != 0 {
				p.Put("dev", l.names.LinkNames().Name(l.OIF))
			}
		}},
	{Names: []string{"scope"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a scope", l.names.FileNames().Scopes().Parse, &l.Scope)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Scope != 0 {
				p.Put("scope", l.names.FileNames().Scopes().Name(uint32(l.Scope)))
			}
		}},
	presenceWord("blackhole", func(l *line) *bool { return &l.Blackhole }),
	{Names: []string{"proto", "protocol"},
		Parse: func(w *iptext.Words, l *line) error {
			return iptext.ArgName(w, "a protocol", l.names.FileNames().Protos().Parse, &l.Protocol)
		},
		Print: func(p *iptext.Printer, l *line) {
			if l.Protocol != 0 {
				p.Put("proto", l.names.FileNames().Protos().Name(uint32(l.Protocol)))
			}
		}},
	iptext.FlagsWord(func(l *line) *route.Flags { return &l.Flags }),
	presenceWord("fdb", func(l *line) *bool { return &l.FDB }),
	{Names: []string{iptext.AttributeWord}, Parse: argAttribute,
		Print: func(p *iptext.Printer, l *line) {
			if l.Unknown != "" {
				p.Put(l.Unknown.String())
			}
		}},
}

// Kinds of words.

func number[V iptext.Number](name string, bits int, at func(*line) *V) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{name},
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

func presenceWord(name string, at func(*line) *bool) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{name},
		Parse: func(_ *iptext.Words, l *line) error {
			*at(l) = true
			return nil
		},
		Print: func(p *iptext.Printer, l *line) {
			if *at(l) {
				p.Put(name)
			}
		},
	}
}

func timer(name string, at func(*line) *route.Opt[time.Duration]) iptext.Word[line] {
	return iptext.Word[line]{
		Names: []string{name},
		Parse: func(w *iptext.Words, l *line) error {
			var d time.Duration
			err := argSeconds(w, &d)
			at(l).Set(d)
			return err
		},
		Print: func(p *iptext.Printer, l *line) {
			if d, ok := at(l).Get(); ok {
				p.Put(name, seconds(d))
			}
		},
	}
}

// Arguments of words.

// argGroup takes ID[,WEIGHT][/ID[,WEIGHT]]...
func argGroup(w *iptext.Words, l *line) error {
	s, err := w.Arg("a group")
	if err != nil {
		return err
	}
	l.Group = nil
	for member := range strings.SplitSeq(s, "/") {
		id, weight, hasWeight := strings.Cut(member, ",")
		g := Member{Weight: 1}
		var ok bool
		if g.ID, ok = iptext.Uint[uint32](id, 32); !ok {
			return w.Errorf("not a group: %q is not the number of a nexthop", id)
		}
		if hasWeight {
			if g.Weight, ok = iptext.Uint[uint16](weight, 16); !ok || g.Weight == 0 {
				return w.Errorf("not a group: weight %q is not between 1 and 65535", weight)
			}
		}
		l.Group = append(l.Group, g)
	}
	return nil
}

func putGroupWord(p *iptext.Printer, l *line) {
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

// seconds returns d in seconds, as a decimal number.
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

// argGateway takes an address, with or without its family.
func argGateway(w *iptext.Words, l *line) error {
	var family route.Family
	if s := w.Peek(); s == route.IPv4.String() || s == route.IPv6.String() {
		if err := iptext.ArgText(w, "a family", &family); err != nil {
			return err
		}
	}
	err := iptext.ArgAddr(w, &l.Gateway)
	if err == nil && family != 0 && !family.Has(l.Gateway) {
		err = w.Errorf("not an address of family %s", family)
	}
	return err
}

// zeroWords are the attributes inside NHA_RES_GROUP with a word whose field cannot say
// zero.
var zeroWords = attr.Zeros[resilientAttr]{uapi.NHA_RES_GROUP_BUCKETS: 2}

// resilientWord is the word for an attribute inside NHA_RES_GROUP that ip(8)
// has no word for.
const resilientWord = "resilient_attribute"

func putResilientAttributes(p *iptext.Printer, l *line) {
	for num, payload := range attr.All(zeroWords.Rest(string(l.Resilient.Unknown))) {
		typ, data := iptext.AttributeArgs(num, payload)
		p.Put(resilientWord, typ, data)
	}
}

// argResilientAttribute decodes an attribute inside NHA_RES_GROUP.
func argResilientAttribute(w *iptext.Words, l *line) error {
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

// argAttribute decodes an attribute of the message.
func argAttribute(w *iptext.Words, l *line) error {
	a, err := iptext.ArgAttribute(w)
	if err != nil {
		return err
	}
	m := codec.Borrow()
	defer codec.Return(m)
	m.Object = l.Object
	if err := codec.Decode([]byte(a), m); err != nil {
		return w.Errorf("%v", err)
	}
	l.Object = m.Object
	return nil
}
