package main

import (
	"context"
	"io"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/route/show"
	"github.com/policyroute/policyroute/rule"
)

// routeCommands are the commands of the object route.
var routeCommands = []keyword[program]{
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Create|netlink.Excl, nil, "add"),
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Replace, []string{"chg"}, "change"),
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Create|netlink.Replace, nil, "replace"),
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Create, nil, "prepend"),
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Create|netlink.Append, nil, "append"),
	modifyCommand(uapi.RTM_NEWROUTE, netlink.Excl, nil, "test"),
	modifyCommand(uapi.RTM_DELROUTE, 0, nil, "delete"),
	{short: []string{"list", "show", "lst"}, read: (*program).routeList},
	{short: []string{"get"}, read: (*program).routeGet},
	{short: []string{"flush"}, read: (*program).routeFlush},
	{short: []string{"save"}, read: (*program).routeSave},
	{short: []string{"restore"}, read: (*program).routeRestore},
	{short: []string{"showdump"}, read: (*program).routeShowDump},
	{short: []string{"help"}, read: func(*program, *words) error { return usageFailure(helpRoute) }},
}

// modifyCommand returns a command that sends a route to the kernel.
func modifyCommand(typ netlink.HeaderType, flags netlink.HeaderFlags, names []string, short string) keyword[program] {
	return keyword[program]{names: names, short: []string{short}, read: func(p *program, w *words) error {
		r, err := p.parseRoute(typ, w.rest())
		if err != nil {
			return err
		}
		data, err := r.MarshalBinary()
		if err != nil {
			return failf(statusFailed, "Error: %v.", err)
		}
		return p.send(typ, flags, data)
	}}
}

// echoed prints the messages with which the kernel says what a request has changed.
func (p *program) echoed(msgs []netlink.Message) error {
	for _, m := range msgs {
		echo := *p
		echo.style.Deleted = m.Header.Type == uapi.RTM_DELROUTE || m.Header.Type == uapi.RTM_DELRULE
		var err error
		switch m.Header.Type {
		case uapi.RTM_NEWROUTE, uapi.RTM_DELROUTE:
			var r route.Route
			if err = r.UnmarshalBinary(m.Data); err == nil {
				err = echo.showRoutes([]route.Route{r}, 0)
			}
		case uapi.RTM_NEWRULE, uapi.RTM_DELRULE:
			var r rule.Rule
			if err = r.UnmarshalBinary(m.Data); err == nil {
				_, err = io.WriteString(p.out, show.Rules([]rule.Rule{r}, echo.showStyle()))
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *program) route(w *words) error {
	if !w.more() {
		return p.routeList(w)
	}
	verb := w.take()
	k := find(routeCommands, verb)
	if k == nil {
		return fatalf(statusUsage, `Command "%s" is unknown, try "ip route help".`, verb)
	}
	return k.read(p, w)
}

// routeWildcards come before the words of a route to delete: they replace the defaults for
// adding with values that match any route.
var routeWildcards = []string{"type", "0", "proto", "0", "scope", "nowhere"}

// parseRoute parses the words of a route to add or to delete.
func (p *program) parseRoute(typ netlink.HeaderType, args []string) (route.Route, error) {
	if err := p.loadLinks(); err != nil {
		return route.Route{}, err
	}
	args, err := p.replaceVRF(args)
	if err != nil {
		return route.Route{}, err
	}
	var before []string
	if typ == uapi.RTM_DELROUTE {
		before = routeWildcards
	}
	r, err := p.parseRouteWords(before, args)
	if err != nil {
		return route.Route{}, p.routeError(err, args)
	}
	if n := slices.Index(args, "nexthop"); n >= 0 {
		if err := checkNextHops(&words{args: args, next: n}); err != nil {
			return route.Route{}, err
		}
	}
	if typ == uapi.RTM_DELROUTE && r.Scope == route.ScopeNowhere {
		r.Scope = p.deleteScope(r, args)
	}
	if r.Family == route.MPLS && r.Type == 0 {
		r.Type = route.TypeUnicast
	}
	return r, nil
}

// deleteScope returns the scope that ip(8) sends to delete a route whose words set no scope.
// The kernel compares the scope of IPv4 routes, unless it is nowhere.
func (p *program) deleteScope(r route.Route, args []string) route.Scope {
	switch {
	case r.Family != route.IPv4:
		return route.ScopeGlobal
	case r.Type == 0 || r.Type == route.TypeUnicast:
		return route.ScopeNowhere
	}
	// The scope is the one with which the route would be added.
	if added, err := p.parseRouteWords(nil, args); err == nil {
		return added.Scope
	}
	return route.ScopeNowhere
}

// parseRouteWords parses the words of a route. The error is a *wordError.
func (p *program) parseRouteWords(before, args []string) (route.Route, error) {
	s := newParserInput(p.family, before, args)
	for i, a := range args {
		if a == "lock" && i > 0 && slices.Contains(unlockable, args[i-1]) {
			s.invalidate(i)
		}
	}
	if !slices.Contains(args, "encap") {
		for i, a := range args {
			if slices.Contains(unsupportedWords, a) {
				s.invalidate(i)
			}
		}
	}
	r, err := route.Parse(s.String(), p.names)
	return r, s.wordError(err)
}

// unlockable are the metrics that ip(8) does not take the word lock for. It always locks the
// first one.
var unlockable = []string{"rto_min", "features", "quickack", "fastopen_no_cookie"}

// unsupportedWords are words that package route parses and "ip route add" does not: words
// of "ip route get", and words that only the package has.
var unsupportedWords = []string{
	"iif", "mark", "uid", "ipproto", "sport", "dport", "flowlabel",
	"type", "cacheinfo", "attribute", "metrics", "locks", "unlocked", "flags",
	"dead", "pervasive", "offload", "trap", "notify", "linkdown", "unresolved", "cloned", "prefix",
	"rt_offload", "rt_trap", "rt_offload_failed",
}

// checkNextHops refuses words after nexthop that are not words of a next hop. route.Parse
// would accept other words of the route there. With an encapsulation nothing is checked.
func checkNextHops(w *words) error {
	if slices.Contains(w.rest(), "encap") {
		return nil
	}
	for w.more() {
		switch s := w.take(); {
		case s == "nexthop" && !w.more():
			return fatalf(statusUsage, `Error: unexpected end of line after "nexthop"`)
		case s == "nexthop", s == "onlink":
		case s == "via" && (w.accept("inet") || w.accept("inet6")), s == "as" && w.accept("to"),
			s == "via", s == "dev", s == "weight", s == "as", abbreviates(s, "realms"):
			if w.more() {
				w.take()
			}
		default:
			return fatalf(statusUsage, `Error: "nexthop" or end of line is expected instead of "%s"`, s)
		}
	}
	return nil
}

// loadLinks reads the files of names, and the names of the interfaces.
func (p *program) loadLinks() error {
	p.loadNames()
	if p.names.Links != nil {
		return nil
	}
	if err := p.dial(); err != nil {
		return err
	}
	links, err := route.ListLinks(context.Background(), p.conn)
	p.names.Links = links
	return kernelFailure(err)
}

// device returns the index of the interface with a name.
func (p *program) device(name string) (uint32, error) {
	if err := p.loadLinks(); err != nil {
		return 0, err
	}
	index, ok := p.names.Links.Index(name)
	if !ok || strings.TrimSpace(name) != name {
		return 0, noDevice(name)
	}
	return index, nil
}
