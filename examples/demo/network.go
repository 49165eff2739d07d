package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/rttables"
	"github.com/policyroute/policyroute/rule"
)

// The routers, as indexes.
const (
	routerA = iota
	routerB
)

// A plan has the addresses of the network in one family.
type plan struct {
	title  string
	family route.Family
	tcp    string       // the network for package net
	ip     string       // the command of an administrator
	client netip.Prefix // on the loopback of the client, behind both routers
	sides  [2]side      // by router
}

// A side has the addresses on the way from the server to the client by one router.
type side struct {
	server netip.Prefix // on the interface of the server
	lan    netip.Prefix // on the interface of the router to the server
	wan    netip.Prefix // on the interface of the router to the Internet
	isp    netip.Prefix // on the interface of the client to the router
}

var prefix = netip.MustParsePrefix

// plans has a plan for each family. Both use the same links and namespaces.
var plans = []plan{{
	title: "IPv4", family: route.IPv4, tcp: "tcp4", ip: "ip",
	client: prefix("198.51.100.10/32"),
	sides: [2]side{
		{prefix("192.168.1.6/24"), prefix("192.168.1.1/24"), prefix("203.0.113.1/30"), prefix("203.0.113.2/30")},
		{prefix("192.168.2.2/24"), prefix("192.168.2.1/24"), prefix("203.0.113.5/30"), prefix("203.0.113.6/30")},
	},
}, {
	title: "IPv6", family: route.IPv6, tcp: "tcp6", ip: "ip -6",
	client: prefix("2001:db8:99::10/128"),
	sides: [2]side{
		{prefix("2001:db8:1::6/64"), prefix("2001:db8:1::1/64"), prefix("2001:db8:a::1/64"), prefix("2001:db8:a::2/64")},
		{prefix("2001:db8:2::2/64"), prefix("2001:db8:2::1/64"), prefix("2001:db8:b::1/64"), prefix("2001:db8:b::2/64")},
	},
}}

// A router is one of the two routers.
type router struct {
	name     string // A or B
	ns       *lab.NS
	lan, wan *lab.Tap // count the packets on both interfaces
}

// A network is all that the story needs. Its close removes everything.
type network struct {
	lab     *lab.Lab
	plans   []plan
	server  *lab.NS
	client  *lab.NS
	routers [2]router
	etc     string // in place of /etc/iproute2

	conn    *route.Socket // of the server, for observations
	changer route.Conn    // of the server, for changes: -v prints its requests
	links   *route.Links  // the names of the server's interfaces

	noTables bool // the kernel has no nf_tables

	conns []*route.Socket // all of them
	port  uint16          // the port of the last call
}

// build makes the network. The caller closes the network, also after an error.
func build(p *printer) (*network, error) {
	n := &network{lab: lab.New(), plans: plans, port: 50000}
	if _, err := os.Stat("/proc/sys/net/ipv6"); errors.Is(err, os.ErrNotExist) {
		n.plans = plans[:1]
	}
	var err error
	if n.etc, err = makeEtc(); err != nil {
		return n, err
	}
	n.buildLinks()
	if err := n.lab.Err(); err != nil {
		return n, err
	}
	if err := n.addRoutes(p); err != nil {
		return n, err
	}
	return n, n.serve()
}

// close removes the directory, and closes the sockets and the namespaces.
func (n *network) close() error {
	for _, c := range n.conns {
		c.Close()
	}
	err := n.lab.Close()
	if n.etc != "" {
		err = errors.Join(err, os.RemoveAll(n.etc))
	}
	return err
}

// omitted returns a sentence about the part of the story that this kernel cannot run, or "".
func (n *network) omitted() string {
	switch {
	case len(n.plans) < len(plans):
		return "IPv6 was left out: this kernel runs without it"
	case n.noTables:
		return "The policy of the VPN by UDP was left out: this kernel has no nf_tables"
	}
	return ""
}

// makeEtc makes a directory like /etc/iproute2. Its rt_tables is the one that distributions
// ship.
func makeEtc() (string, error) {
	const shipped = "#\n# reserved values\n#\n255\tlocal\n254\tmain\n253\tdefault\n0\tunspec\n" +
		"#\n# local\n#\n#1\tinr.ruhep\n"
	dir, err := os.MkdirTemp("", "policyroute-demo-")
	if err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, "rt_tables"), []byte(shipped), 0o644)
}

// buildLinks makes the namespaces, the links and the addresses. The lab keeps the first
// error.
func (n *network) buildLinks() {
	n.server, n.client = n.lab.NS("server"), n.lab.NS("client")
	for i, name := range []string{"A", "B"} {
		r := &n.routers[i]
		r.name, r.ns = name, n.lab.NS("router "+name)
		eth, isp := fmt.Sprintf("eth%d", i), "isp-"+name
		n.server.Link(eth, r.ns, "lan")
		n.client.Link(isp, r.ns, "wan")
		r.ns.Sysctl("net.ipv4.conf.all.rp_filter", "1") // drops packets if the route to their source is not by the interface they came in on
		r.ns.Sysctl("net.ipv4.conf.all.forwarding", "1")
		if len(n.plans) > 1 {
			r.ns.Sysctl("net.ipv6.conf.all.forwarding", "1")
		}
		for _, plan := range n.plans {
			side := plan.sides[i]
			n.server.Addr(eth, side.server.String())
			r.ns.Addr("lan", side.lan.String())
			r.ns.Addr("wan", side.wan.String())
			n.client.Addr(isp, side.isp.String())
		}
		r.lan, r.wan = r.ns.Tap("lan"), r.ns.Tap("wan")
	}
	for _, plan := range n.plans {
		n.client.Addr("lo", plan.client.String())
	}
}

// dial opens a netlink socket in a namespace. It returns the connection for changes, which
// -v traces, the socket itself, and the names of the interfaces.
func (n *network) dial(ns *lab.NS, p *printer) (route.Conn, *route.Socket, *route.Names, error) {
	c, err := route.Dial(ns.Config())
	if err != nil {
		return nil, nil, nil, err
	}
	n.conns = append(n.conns, c)
	links, err := route.ListLinks(context.Background(), c)
	names := &route.Names{Links: links}
	if p.verbose {
		return tracer{conn: c, where: ns.String(), names: names, p: p}, c, names, err
	}
	return c, c, names, err
}

// addRoutes adds the routes of the network, in the words of ip-route(8).
func (n *network) addRoutes(p *printer) error {
	server, socket, names, err := n.dial(n.server, p)
	if err != nil {
		return err
	}
	n.changer, n.conn, n.links = server, socket, names.Links
	client, _, clientNames, err := n.dial(n.client, p)
	if err != nil {
		return err
	}
	for _, plan := range n.plans {
		err := add(server, names, "default via %s", plan.sides[routerA].lan.Addr())
		if err != nil {
			return err
		}
		for i := range n.routers {
			side := plan.sides[i]
			err := add(client, clientNames, "%s via %s src %s", side.lan.Masked(), side.wan.Addr(), plan.client.Addr())
			if err != nil {
				return err
			}
		}
	}
	for i := range n.routers {
		if err := n.setUpRouter(i, p); err != nil {
			return err
		}
	}
	return nil
}

// setUpRouter adds the default routes of router i, and its IPv6 filter.
func (n *network) setUpRouter(i int, p *printer) error {
	conn, _, names, err := n.dial(n.routers[i].ns, p)
	if err != nil {
		return err
	}
	for _, plan := range n.plans {
		side := plan.sides[i]
		if err := add(conn, names, "default via %s", side.isp.Addr()); err != nil {
			return err
		}
		if plan.family != route.IPv6 {
			continue
		}
		// The rules come after the rule for the table local, so they apply only to
		// forwarded packets, and neighbours still reach the router. There are two
		// rules because "not" negates all selectors: "iif lan not from LAN" would
		// also match packets that come in by wan.
		for _, r := range []rule.Rule{
			{Priority: rule.Priority(100), IIF: "lan", From: side.lan.Masked(), Table: rttables.Main},
			{Priority: rule.Priority(101), IIF: "lan", Action: rule.ActionBlackhole, Family: route.IPv6},
		} {
			if err := rule.Add(context.Background(), conn, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// add adds a route in the words of ip-route(8).
func add(c route.Conn, names *route.Names, format string, args ...any) error {
	r, err := route.Parse(fmt.Sprintf(format, args...), names)
	if err != nil {
		return err
	}
	return route.Add(context.Background(), c, r)
}
