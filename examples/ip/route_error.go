package main

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
)

// routeWrong are what ip(8) says about the arguments of keywords, where it is
// not that the value is invalid.
var routeWrong = map[string]string{
	"dsfield":  `"tos" value is invalid`,
	"priority": `"metric" value is invalid`, "preference": `"metric" value is invalid`,
	"scope":  `invalid "scope" value`,
	"advmss": `"mss" value is invalid`,
	"weight": `"weight" is invalid`, "features": `"features" value not valid`,
	"realms": `"realm" value is invalid`, "realm": `"realm" value is invalid`,
	"nhid": `"id" value is invalid`, "proto": `"protocol" value is invalid`,
}

// routeError says in ip(8)'s words what parseRouteWords says about args.
func (p *program) routeError(err error, args []string) error {
	var e *wordError
	if !errors.As(err, &e) {
		return fatal(statusUsage, "Error: %v.", err)
	}
	n := slices.Index(args, "nexthop")
	switch {
	case len(args) == 0, n >= 0 && !p.hasDst(args[:n]):
		return usage(helpRoute)
	case e.missing:
		return incomplete()
	case !p.hasDst(args):
		return usage(helpRoute)
	}
	arg, before := args[e.index], args[:e.index]
	if n >= 0 && n < e.index {
		if err := checkNextHops(&words{args: args[:e.index+1], next: n}); err != nil {
			return err
		}
	}
	switch e.keyword {
	case "":
		return p.unknownWord(arg, before)
	case "to", "from":
		before = before[:len(before)-1]
		if e.keyword == "to" && p.hasDst(before) {
			return duplicateDst(arg)
		}
		return notPrefix(p.familySoFar(before), arg)
	case "via", "src", "as":
		if arg == "via" && e.keyword == arg {
			return wrong(arg, "use nexthop syntax to specify multiple via")
		}
		return p.wrongAddress(arg, before)
	case "dev", "oif":
		return p.missingDevice(e.index, args)
	case "quickack", "fastopen_no_cookie":
		if isUint(arg, 32) {
			return wrong(arg, `"`+e.keyword+`" value should be 0 or 1`)
		}
	case "encap":
		if before[len(before)-1] == "encap" {
			return wrong(arg, `"encap type" value is invalid`)
		}
		return fatal(statusUsage, `Error: unexpected end of line after "encap"`)
	}
	if why, ok := routeWrong[e.keyword]; ok {
		return wrong(arg, why)
	}
	return wrong(arg, `"`+e.keyword+`" value is invalid`)
}

// unknownWord is the failure for a word that is no keyword: a destination that
// is none, or something after it.
func (p *program) unknownWord(arg string, before []string) error {
	switch {
	case begins(arg, "help"):
		return usage(helpRoute)
	case slices.Contains(before, "nexthop"):
		return fatal(statusUsage, `Error: "nexthop" or end of line is expected instead of "%s"`, arg)
	case p.hasDst(before):
		return duplicateDst(arg)
	}
	return notPrefix(p.familySoFar(before), arg)
}

func duplicateDst(arg string) error {
	return fatal(statusUsage, `Error: either "to" is duplicate, or "%s" is garbage.`, arg)
}

// hasDst reports whether there is a destination among the words: Parse refuses
// another one.
func (p *program) hasDst(args []string) bool {
	_, err := p.parseRouteWords(nil, append(slices.Clone(args), "default"))
	return err != nil
}

// familySoFar is the family that the options or the addresses among the words
// tell, or zero.
func (p *program) familySoFar(args []string) route.Family {
	if p.family != 0 {
		return p.family
	}
	if !p.hasDst(args) {
		args = append(slices.Clone(args), "default")
	}
	r, err := p.parseRouteWords(nil, args)
	if err != nil {
		return 0
	}
	addrs := []netip.Addr{r.Dst.Addr(), r.Src.Addr(), r.PrefSrc, r.Gateway}
	for _, nh := range r.Multipath {
		addrs = append(addrs, nh.Gateway)
	}
	for _, a := range addrs {
		if a.IsValid() {
			return route.FamilyOf(a)
		}
	}
	return 0
}

// wrongAddress is the failure for an address after via, src or as, before which
// the name of a family may stand.
func (p *program) wrongAddress(arg string, before []string) error {
	keyword := len(before) - 1
	family := route.Family(0)
	if n, ok := namedFamily(before[keyword]); ok && keyword > 0 && before[keyword-1] == "via" {
		family, keyword = n, keyword-1
	} else if before[keyword] == "to" && keyword > 0 && before[keyword-1] == "as" {
		keyword--
	}
	before = before[:keyword]
	if len(before) > 0 && before[len(before)-1] == "nexthop" {
		before = before[:len(before)-1]
	}
	if family == 0 {
		family = p.familySoFar(before)
	}
	return notAddress(family, arg)
}

func namedFamily(s string) (route.Family, bool) {
	for _, f := range families {
		if f.Name == s {
			return route.Family(f.N), true
		}
	}
	return 0, false
}

// missingDevice is the failure for an interface that is not there. ip(8) looks
// for it after it has read all words, but those of next hops at once.
func (p *program) missingDevice(i int, args []string) error {
	name := args[i]
	if slices.Contains(args[:i], "nexthop") {
		return fatal(statusUsage, "%v\nError: cannot parse nexthop", noDevice(name))
	}
	args = slices.Clone(args)
	args[i] = "if1"
	if _, err := p.parseRouteWords(nil, args); err != nil {
		return p.routeError(err, args)
	}
	return noDevice(name)
}
