package main

import (
	"errors"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
)

// version is that of the ip(8) which the program is like.
const version = "ip utility, iproute2-7.1.0, policyroute\n"

var errVersion = errors.New("the version was asked for")

// options are what stands before the object.
type options struct {
	family route.Family // zero: none was said
	batch  string       // the file with commands; "-" is standard input
	netns  string
	force  bool
	stats  int
	style  show.Style
}

// optionWords are the options. Those that only matter to other objects, or only
// to the way in which ip(8) works, are taken and have no effect.
var optionWords = []keyword[options]{
	{short: []string{"-loops"}, read: skip},
	{short: []string{"-family"}, read: (*options).readFamily},
	option(func(o *options) { o.family = route.IPv4 }, "-4"),
	option(func(o *options) { o.family = route.IPv6 }, "-6"),
	option(func(o *options) { o.family = route.Family(uapi.AF_PACKET) }, "-0"),
	option(func(o *options) { o.family = route.MPLS }, "-M"),
	option(func(o *options) { o.family = route.Family(uapi.AF_BRIDGE) }, "-B"),
	{short: []string{"-human", "-human-readable"}, read: none},
	{short: []string{"-iec"}, read: none},
	flag(func(o *options) { o.stats++; o.style.Statistics = true }, "-stats", "-statistics"),
	flag(func(o *options) { o.style.Details = true }, "-details"),
	{short: []string{"-resolve"}, read: none},
	flag(func(o *options) { o.style.OneLine = true }, "-oneline"),
	{short: []string{"-timestamp", "-tshort"}, read: none},
	{short: []string{"-Version"}, read: func(*options, *words) error { return errVersion }},
	flag(func(o *options) { o.force = true }, "-force"),
	{short: []string{"-batch"}, read: func(o *options, w *words) (err error) {
		o.batch, err = optionArg(w)
		return err
	}},
	{short: []string{"-brief"}, read: none},
	flag(func(o *options) { o.style.JSON = true }, "-json"),
	flag(func(o *options) { o.style.Pretty = true }, "-pretty"),
	{short: []string{"-rcvbuf"}, read: readBufferSize},
	{names: []string{"-color=always", "-color=auto", "-color=never"}, short: []string{"-color"}, read: none},
	{short: []string{"-help"}, read: func(*options, *words) error { return usage(helpIP) }},
	{short: []string{"-netns"}, read: func(o *options, w *words) (err error) {
		o.netns, err = w.arg()
		return err
	}},
	flag(func(o *options) { o.style.Numeric = true }, "-Numeric"),
	{short: []string{"-all"}, read: none},
}

// option is an option without an argument that must be written out.
func option(set func(*options), names ...string) keyword[options] {
	return keyword[options]{names: names, read: func(o *options, _ *words) error { set(o); return nil }}
}

// flag is one of which the beginning is enough.
func flag(set func(*options), names ...string) keyword[options] {
	return keyword[options]{short: names, read: func(o *options, _ *words) error { set(o); return nil }}
}

func none(*options, *words) error { return nil }

func skip(_ *options, w *words) error {
	_, err := optionArg(w)
	return err
}

// optionArg takes the argument of an option, without which ip(8) shows its help.
func optionArg(w *words) (string, error) {
	if !w.more() {
		return "", usage(helpIP)
	}
	return w.take(), nil
}

// readOptions takes the words that begin with a dash, one or two.
func (o *options) readOptions(w *words) error {
	for w.more() && strings.HasPrefix(w.args[w.next], "-") {
		s := w.take()
		if s == "--" {
			break
		}
		if strings.HasPrefix(s, "--") {
			s = s[1:]
		}
		k := find(optionWords, s)
		if k == nil {
			return fatal(statusUsage, `Option "%s" is unknown, try "ip -help".`, s)
		}
		if err := k.read(o, w); err != nil {
			return err
		}
	}
	return nil
}

// families are what -family takes.
var families = iptext.Enum{
	{N: uapi.AF_INET, Name: "inet"},
	{N: uapi.AF_INET6, Name: "inet6"},
	{N: uapi.AF_PACKET, Name: "link"},
	{N: uapi.AF_MPLS, Name: "mpls"},
	{N: uapi.AF_BRIDGE, Name: "bridge"},
}

func (o *options) readFamily(w *words) error {
	s, err := optionArg(w)
	if err != nil {
		return err
	}
	if s == "help" {
		return usage(helpIP)
	}
	for _, f := range families {
		if f.Name == s {
			o.family = route.Family(f.N)
			return nil
		}
	}
	return wrong(s, "invalid protocol family")
}

func readBufferSize(_ *options, w *words) error {
	s, err := optionArg(w)
	if err != nil {
		return err
	}
	if _, ok := iptext.Uint[uint32](s, 32); !ok {
		return fatal(statusUsage, "Invalid rcvbuf size '%s'", s)
	}
	return nil
}
