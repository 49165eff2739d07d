package main

import (
	"errors"
	"strings"

	"github.com/policyroute/policyroute/internal/iptext"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
)

// version is the output of -V, with the version of ip(8) that the program follows.
const version = "ip utility, iproute2-7.1.0, policyroute\n"

var errVersion = errors.New("the version was asked for")

// options are the options before the object.
type options struct {
	family route.Family // zero means that no option set one
	batch  string       // the file with commands; "-" is standard input
	netns  string
	force  bool
	echo   bool
	color  string // always, auto or never; empty means never
	stats  int
	style  show.Style
}

// optionWords are the options. Options that only affect other objects, or only the
// implementation of ip(8), are accepted and have no effect.
var optionWords = []keyword[options]{
	{short: []string{"-loops"}, read: ignoreArg},
	{short: []string{"-family"}, read: (*options).readFamily},
	exactOption(func(o *options) { o.family = route.IPv4 }, "-4"),
	exactOption(func(o *options) { o.family = route.IPv6 }, "-6"),
	exactOption(func(o *options) { o.family = route.Family(uapi.AF_PACKET) }, "-0"),
	exactOption(func(o *options) { o.family = route.MPLS }, "-M"),
	exactOption(func(o *options) { o.family = route.Family(uapi.AF_BRIDGE) }, "-B"),
	{short: []string{"-human", "-human-readable"}, read: noEffect},
	{short: []string{"-iec"}, read: noEffect},
	shortOption(func(o *options) { o.stats++; o.style.Statistics = true }, "-stats", "-statistics"),
	shortOption(func(o *options) { o.style.Details = true }, "-details"),
	{short: []string{"-resolve"}, read: noEffect},
	shortOption(func(o *options) { o.style.OneLine = true }, "-oneline"),
	{short: []string{"-timestamp", "-tshort"}, read: noEffect},
	{short: []string{"-Version"}, read: func(*options, *words) error { return errVersion }},
	shortOption(func(o *options) { o.force = true }, "-force"),
	{short: []string{"-batch"}, read: func(o *options, w *words) (err error) {
		o.batch, err = optionArg(w)
		return err
	}},
	{short: []string{"-brief"}, read: noEffect},
	shortOption(func(o *options) { o.style.JSON = true }, "-json"),
	shortOption(func(o *options) { o.style.Pretty = true }, "-pretty"),
	{short: []string{"-rcvbuf"}, read: readBufferSize},
	exactOption(func(o *options) { o.echo = true }, "-echo"),
	{short: []string{"-help"}, read: func(*options, *words) error { return usageFailure(helpIP) }},
	{short: []string{"-netns"}, read: func(o *options, w *words) (err error) {
		o.netns, err = w.arg()
		return err
	}},
	shortOption(func(o *options) { o.style.Numeric = true }, "-Numeric"),
	{short: []string{"-all"}, read: noEffect},
}

// exactOption returns an option without an argument that cannot be abbreviated.
func exactOption(set func(*options), names ...string) keyword[options] {
	return keyword[options]{names: names, read: func(o *options, _ *words) error { set(o); return nil }}
}

// shortOption returns an option without an argument that can be abbreviated.
func shortOption(set func(*options), names ...string) keyword[options] {
	return keyword[options]{short: names, read: func(o *options, _ *words) error { set(o); return nil }}
}

func noEffect(*options, *words) error { return nil }

func ignoreArg(_ *options, w *words) error {
	_, err := optionArg(w)
	return err
}

// optionArg takes the argument of an option. If it is missing, ip(8) prints its help.
func optionArg(w *words) (string, error) {
	if !w.more() {
		return "", usageFailure(helpIP)
	}
	return w.take(), nil
}

// readOptions takes the words that begin with one or two dashes.
func (o *options) readOptions(w *words) error {
	for w.more() && strings.HasPrefix(w.args[w.next], "-") {
		s := w.take()
		if s == "--" {
			break
		}
		if strings.HasPrefix(s, "--") {
			s = s[1:]
		}
		if when, ok := parseColor(s); ok {
			o.color = when
			continue
		}
		k := find(optionWords, s)
		if k == nil {
			return fatalf(statusUsage, `Option "%s" is unknown, try "ip -help".`, s)
		}
		if err := k.read(o, w); err != nil {
			return err
		}
	}
	return nil
}

// parseColor parses an abbreviation of -color, which can end in =always, =auto or =never.
func parseColor(s string) (when string, ok bool) {
	word, when, found := strings.Cut(s, "=")
	if !found {
		when = "always"
	}
	return when, abbreviates(word, "-color") && (when == "always" || when == "auto" || when == "never")
}

// setColors sets the colors of the style. The variable is that of the environment in which
// some terminals say what their colors are: the last number is that of the background.
func (o *options) setColors(terminal bool, colorFGBG string) {
	if o.color != "always" && (o.color != "auto" || !terminal) {
		return
	}
	o.style.Colors = show.ColorsOnLight
	_, background, ok := cutLast(colorFGBG, ";")
	if ok && len(background) == 1 && strings.Contains("01234568", background) {
		o.style.Colors = show.ColorsOnDark
	}
}

// cutLast cuts s around the last instance of sep.
func cutLast(s, sep string) (before, after string, ok bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// families are the names that -family takes.
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
		return usageFailure(helpIP)
	}
	for _, f := range families {
		if f.Name == s {
			o.family = route.Family(f.N)
			return nil
		}
	}
	return wrongArg(s, "invalid protocol family")
}

func readBufferSize(_ *options, w *words) error {
	s, err := optionArg(w)
	if err != nil {
		return err
	}
	if _, ok := iptext.Uint[uint32](s, 32); !ok {
		return fatalf(statusUsage, "Invalid rcvbuf size '%s'", s)
	}
	return nil
}
