package main

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/policyroute/policyroute/route"
)

// routeWrong has the messages of ip(8) about arguments of keywords that differ from the
// common one, that the value is invalid.
var routeWrong = map[string]string{
	"dsfield":  `"tos" value is invalid`,
	"priority": `"metric" value is invalid`, "preference": `"metric" value is invalid`,
	"scope":  `invalid "scope" value`,
	"advmss": `"mss" value is invalid`,
	"weight": `"weight" is invalid`, "features": `"features" value not valid`,
	"realms": `"realm" value is invalid`, "realm": `"realm" value is invalid`,
	"nhid": `"id" value is invalid`, "proto": `"protocol" value is invalid`,
}

// routeError returns the failure of ip(8) for an error of parseRouteWords about args.
func (p *program) routeError(err error, args []string) error {
	var e *wordError
	if !errors.As(err, &e) {
		return fatalf(statusUsage, "Error: %v.", err)
	}
	n := slices.Index(args, "nexthop")
	switch {
	case len(args) == 0, n >= 0 && !p.hasDst(args[:n]):
		return usageFailure(helpRoute)
	case e.missing:
		return missingWord()
	case !p.hasDst(args):
		return usageFailure(helpRoute)
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
		return prefixExpected(p.knownFamily(before), arg)
	case "via", "src", "as":
		if arg == "via" && e.keyword == arg {
			return wrongArg(arg, "use nexthop syntax to specify multiple via")
		}
		return p.wrongAddress(arg, before)
	case "dev", "oif":
		return p.missingDevice(e.index, args)
	case "quickack", "fastopen_no_cookie":
		if isUint(arg, 32) {
			return wrongArg(arg, `"`+e.keyword+`" value should be 0 or 1`)
		}
	case "encap":
		if before[len(before)-1] == "encap" {
			return wrongArg(arg, `"encap type" value is invalid`)
		}
		return fatalf(statusUsage, `Error: unexpected end of line after "encap"`)
	}
	if why, ok := routeWrong[e.keyword]; ok {
		return wrongArg(arg, why)
	}
	return wrongArg(arg, `"`+e.keyword+`" value is invalid`)
}

// unknownWord returns the failure for a word that is not a keyword: an invalid destination,
// or a word after the destination.
func (p *program) unknownWord(arg string, before []string) error {
	switch {
	case abbreviates(arg, "help"):
		return usageFailure(helpRoute)
	case slices.Contains(before, "nexthop"):
		return fatalf(statusUsage, `Error: "nexthop" or end of line is expected instead of "%s"`, arg)
	case p.hasDst(before):
		return duplicateDst(arg)
	}
	return prefixExpected(p.knownFamily(before), arg)
}

func duplicateDst(arg string) error {
	return fatalf(statusUsage, `Error: either "to" is duplicate, or "%s" is garbage.`, arg)
}

// hasDst reports whether the words contain a destination: then Parse refuses a second one.
func (p *program) hasDst(args []string) bool {
	_, err := p.parseRouteWords(nil, append(slices.Clone(args), "default"))
	return err != nil
}

// knownFamily returns the family of the options or of the addresses among the words. Zero
// means that it is not known.
func (p *program) knownFamily(args []string) route.Family {
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

// wrongAddress returns the failure for an address after via, src or as. Before the address
// there may be the name of a family.
func (p *program) wrongAddress(arg string, before []string) error {
	keyword := len(before) - 1
	family := route.Family(0)
	if n, ok := parseFamily(before[keyword]); ok && keyword > 0 && before[keyword-1] == "via" {
		family, keyword = n, keyword-1
	} else if before[keyword] == "to" && keyword > 0 && before[keyword-1] == "as" {
		keyword--
	}
	before = before[:keyword]
	if len(before) > 0 && before[len(before)-1] == "nexthop" {
		before = before[:len(before)-1]
	}
	if family == 0 {
		family = p.knownFamily(before)
	}
	return addressExpected(family, arg)
}

func parseFamily(s string) (route.Family, bool) {
	for _, f := range families {
		if f.Name == s {
			return route.Family(f.N), true
		}
	}
	return 0, false
}

// missingDevice returns the failure for an interface that does not exist. ip(8) looks up
// interfaces after it has parsed all words, but those of next hops at once.
func (p *program) missingDevice(i int, args []string) error {
	name := args[i]
	if slices.Contains(args[:i], "nexthop") {
		return fatalf(statusUsage, "%v\nError: cannot parse nexthop", noDevice(name))
	}
	args = slices.Clone(args)
	args[i] = "if1"
	if _, err := p.parseRouteWords(nil, args); err != nil {
		return p.routeError(err, args)
	}
	return noDevice(name)
}
