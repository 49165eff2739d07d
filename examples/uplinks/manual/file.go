package manual

// fileText describes the file.
var fileText = []block{
	para("Each line of the file declares an uplink: a name, which is also the name of the uplink's table, and then words of ip(8) in " +
		"any order. A `#` begins a comment. Empty lines have no meaning. An uplink with both IPv4 and IPv6 has two lines with the " +
		"same name."),
}

// words are the words of a line, by subject.
var words = []struct {
	title string
	list  list
}{
	{"THE UPLINK", list{
		{"dev NAME", "The interface. Required."},
		{"via ADDRESS", "The gateway. Without via and learn, all destinations are on the link. The gateway of an IPv4 uplink can be an " +
			"IPv6 address: `via inet6 fe80::1`."},
		{"family FAMILY", "The family: inet or inet6. It is needed if neither the gateway nor src says it, as on a point-to-point link. " +
			"If one of two lines with the same name and interface has a family, the other line has the other family."},
		{"learn FAMILY", "Learn the default routes of this family from the table main, where a DHCP client or router advertisements put " +
			"them. All properties are taken over: gateway, onlink, src, mtu and so on. Several routes keep their order. Run " +
			"follows changes. If the routes disappear, the last ones are kept."},
		{"learn FAMILY table NUMBER", "Learn from another table, such as the one of RouteTable= of systemd-networkd. This table follows " +
			"FAMILY immediately. A table anywhere else in the line is the uplink's."},
		{"onlink", "The gateway is on the link although no subnet of the interface contains it."},
		{"table NUMBER", "The table. Default: the table of another line with the same name, else the number that rt_tables has for the " +
			"name, else a free number."},
	}},
	{"PACKETS THAT TAKE THE UPLINK", list{
		{"src ADDRESS...", "The source addresses. Default: all global addresses of the interface. An address that the host does not " +
			"have now has its rules all the same, but the host needs to have one of them."},
		{"src PREFIX...", "Networks behind this host that also take the uplink, such as a prefix that the provider has delegated. A " +
			"packet stays with the table main if main has a route for it other than the default route."},
		{"src dev NAME", "The networks of another interface. Run follows their changes."},
		{"src none", "No address of this host takes the uplink. Only other src words and also do. Use it for two interfaces with the " +
			"same address, with `also oif NAME` and `also fwmark MARK`."},
		{"also SELECTORS", "Other packets that take the uplink, in the words of ip-rule(8). A packet stays with the table main if main " +
			"has a route for it other than the default route. The selectors end at the next also or at the end of the line, so " +
			"also comes after all other words."},
		{"main-first", "The routes of the table main other than its default route come first. So packets to other networks of this " +
			"host, and to those for which the administrator has set routes, do not take the uplink."},
		{"unreachable", "While the uplink has no route, packets from its addresses are refused. Without this word they leave by another " +
			"interface."},
	}},
	{"ROUTES AND RULES", list{
		{"subnet PREFIX...", "Prefixes on the link, besides those of the interface's addresses and those to which the table main has a " +
			"route without a gateway (protocols kernel, ra and dhcp)."},
		{"to PREFIX...", "More destinations behind the gateway, besides the default route."},
		{"pref NUMBER", "The priority of the rules. Default: a free one before main."},
		{"metric NUMBER", "The metric of the routes."},
		{"proto PROTOCOL", "The protocol number that marks our rules and routes. Default: 210."},
	}},
	{"PROBES (RUN ONLY)", list{
		{"ping ADDRESS...", "Probe the uplink: send ICMP echo requests to these addresses, from an address of the uplink. One answer is " +
			"enough. The sysctl net.ipv4.ping_group_range has to allow it."},
		{"connect ADDRESS:PORT...", "Probe the uplink by TCP connections to these addresses and ports."},
		{"every TIME", "The time from one probe to the next. Default: 5s."},
		{"timeout TIME", "How long a probe may take. Default: the time of every, and 2s at most."},
		{"failures NUMBER", "The uplink is unhealthy after this number of failed probes in a row. Default: 3."},
		{"successes NUMBER", "It is healthy again after this number of successful probes in a row. Default: 2."},
		{"withdraw [all]", "While the uplink is unhealthy, take away its share of the default route and its rules of also. Rules with " +
			"fwmark stay, because open connections would break without them; `withdraw all` takes them away as well. Without " +
			"withdraw, the log says that the uplink is unhealthy, and nothing changes."},
	}},
	{"A SHARED DEFAULT ROUTE (RUN ONLY)", list{
		{"weight NUMBER", "The share of this uplink in a default route that all uplinks with a weight share."},
	}},
}

// otherLines are the lines of the file that declare no uplink.
var otherLines = []block{
	list{
		{"default [table NUMBER] [metric NUMBER]", "Where the shared default route is. Default: the table main, metric 50, which comes " +
			"before the default routes of DHCP clients. An IPv4 route by each interface alone stands behind the shared route, with " +
			"the next metrics (51 and so on): when an interface is deleted, the kernel deletes the whole shared route."},
		{"multihome udp PORT...", "The UDP servers on these ports answer from the address that the question was sent to (IP_PKTINFO; the " +
			"option multihome of OpenVPN). Check does not report them."},
	},
}

// fileExamples are examples of the file.
var fileExamples = []block{
	para("A VPN server that clients reach through either of two providers. Each answer leaves by the provider that the question came " +
		"from. A UDP server that listens on all addresses needs to answer from the address that the question was sent to, or to be " +
		"one process for each address."),
	code(`lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1
lan2          dev eth1 via 2001:db8:2::1`),
	para("Mail leaves by the second provider, and web traffic by the first. This does not apply to sockets that are bound to an address."),
	code(`lan1 table 10 dev eth0 via 192.168.1.1 also ipproto tcp dport 80 also ipproto tcp dport 443
lan2 table 20 dev eth1 via 192.168.2.1 also ipproto tcp dport 25`),
	para("Addresses and gateways come by DHCP, and for IPv6 by router advertisements. Packets from an address never leave by the wrong " +
		"provider, even while a cable is out."),
	code(`lan1 table 10 dev eth0 learn inet  unreachable
lan2 table 20 dev eth1 learn inet  unreachable
lan2          dev eth1 learn inet6 unreachable`),
	para("All other traffic is shared, three to one, by the providers that answer probes."),
	code(`lan1 table 10 dev eth0 via 192.168.1.1 weight 3 ping 192.0.2.1 192.0.2.2 withdraw
lan2 table 20 dev eth1 via 192.168.2.1 weight 1 ping 192.0.2.1 192.0.2.2 withdraw`),
	para("Each provider has delegated an IPv6 prefix to the LAN. Packets from a prefix leave by its provider. The first prefix changes, " +
		"and is learned. The second one is fixed."),
	code(`lan1 table 10 dev eth0 learn inet6         unreachable
lan2 table 20 dev eth1 via 2001:db8:2::1   unreachable src 2001:db8:200::/56`),
	para("Two modems give this host the same address. Packets of sockets that are bound to an interface, and packets with a mark, take " +
		"one of the modems."),
	code(`modem1 table 10 dev eth0 via 192.168.8.1 src none also oif eth0 also fwmark 0x10
modem2 table 20 dev eth1 via 192.168.8.1 src none also oif eth1 also fwmark 0x20`),
}
