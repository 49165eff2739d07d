package main

import (
	"context"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"

	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// routeCommands are the commands of the object route.
var routeCommands = []keyword[program]{
	modify(uapi.RTM_NEWROUTE, netlink.Create|netlink.Excl, nil, "add"),
	modify(uapi.RTM_NEWROUTE, netlink.Replace, []string{"chg"}, "change"),
	modify(uapi.RTM_NEWROUTE, netlink.Create|netlink.Replace, nil, "replace"),
	modify(uapi.RTM_NEWROUTE, netlink.Create, nil, "prepend"),
	modify(uapi.RTM_NEWROUTE, netlink.Create|netlink.Append, nil, "append"),
	modify(uapi.RTM_NEWROUTE, netlink.Excl, nil, "test"),
	modify(uapi.RTM_DELROUTE, 0, nil, "delete"),
	{short: []string{"list", "show", "lst"}, read: (*program).routeList},
	{short: []string{"get"}, read: (*program).routeGet},
	{short: []string{"flush"}, read: (*program).routeFlush},
	{short: []string{"save"}, read: (*program).routeSave},
	{short: []string{"restore"}, read: (*program).routeRestore},
	{short: []string{"showdump"}, read: (*program).routeShowDump},
	{short: []string{"help"}, read: func(*program, *words) error { return usage(helpRoute) }},
}

// modify is a command that sends a route to the kernel.
func modify(typ netlink.HeaderType, flags netlink.HeaderFlags, names []string, short string) keyword[program] {
	return keyword[program]{names: names, short: []string{short}, read: func(p *program, w *words) error {
		r, err := p.parseRoute(typ, w.rest())
		if err != nil {
			return err
		}
		data, err := r.MarshalBinary()
		if err != nil {
			return fail(statusFailed, "Error: %v.", err)
		}
		return p.send(typ, flags, data)
	}}
}

func (p *program) route(w *words) error {
	if !w.more() {
		return p.routeList(w)
	}
	verb := w.take()
	k := find(routeCommands, verb)
	if k == nil {
		return fatal(statusUsage, `Command "%s" is unknown, try "ip route help".`, verb)
	}
	return k.read(p, w)
}

// unsaidOfRoute stand before the words of a route to delete.
var unsaidOfRoute = []string{"type", "0", "proto", "0", "scope", "nowhere"}

// parseRoute makes the words of a route to add or to delete a route.
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
		before = unsaidOfRoute
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
		r.Scope = p.scopeToDelete(r, args)
	}
	if r.Family == route.MPLS && r.Type == 0 {
		r.Type = route.TypeUnicast
	}
	return r, nil
}

// scopeToDelete is the scope that ip(8) sends where the words say none. The
// kernel compares that of IPv4 routes, unless it is nowhere.
func (p *program) scopeToDelete(r route.Route, args []string) route.Scope {
	switch {
	case r.Family != route.IPv4:
		return route.ScopeGlobal
	case r.Type == 0 || r.Type == route.TypeUnicast:
		return route.ScopeNowhere
	}
	// As if it were to be added.
	if added, err := p.parseRouteWords(nil, args); err == nil {
		return added.Scope
	}
	return route.ScopeNowhere
}

// parseRouteWords makes words a route. An error is a *wordError.
func (p *program) parseRouteWords(before, args []string) (route.Route, error) {
	s := newSentence(p.family, before, args)
	if !slices.Contains(args, "encap") {
		for i, a := range args {
			if slices.Contains(foreign, a) {
				s.spoil(i)
			}
		}
	}
	r, err := route.Parse(s.String(), p.names)
	return r, s.wordError(err)
}

// foreign are words of package route that are none of "ip route add": some
// belong to "ip route get", and some only the package has.
var foreign = []string{
	"iif", "mark", "uid", "ipproto", "sport", "dport", "flowlabel",
	"type", "cacheinfo", "attribute", "metrics", "locks", "unlocked", "flags",
	"dead", "pervasive", "offload", "trap", "notify", "linkdown", "unresolved", "cloned", "prefix",
	"rt_offload", "rt_trap", "rt_offload_failed",
}

// checkNextHops refuses what is not a word of a next hop: with route.Parse other
// words of the route may follow. Those of an encapsulation are not told apart
// here.
func checkNextHops(w *words) error {
	if slices.Contains(w.rest(), "encap") {
		return nil
	}
	for w.more() {
		switch s := w.take(); {
		case s == "nexthop" && !w.more():
			return fatal(statusUsage, `Error: unexpected end of line after "nexthop"`)
		case s == "nexthop", s == "onlink":
		case s == "via" && (w.accept("inet") || w.accept("inet6")), s == "as" && w.accept("to"),
			s == "via", s == "dev", s == "weight", s == "as", begins(s, "realms"):
			if w.more() {
				w.take()
			}
		default:
			return fatal(statusUsage, `Error: "nexthop" or end of line is expected instead of "%s"`, s)
		}
	}
	return nil
}

// loadLinks reads the names of the interfaces as well as the files.
func (p *program) loadLinks() error {
	p.load()
	if p.names.Links != nil {
		return nil
	}
	if err := p.dial(); err != nil {
		return err
	}
	links, err := route.ListLinks(context.Background(), p.conn)
	p.names.Links = links
	return refused(err)
}

// device is the index of the interface with a name.
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
