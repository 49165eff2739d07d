package manual

// fileText describes the file.
var fileText = []block{
	para("Most lines of the file declare an uplink; OTHER LINES explains the others. The line of an uplink begins with a name, " +
		"which is also the name of the uplink's table. The words below follow in any order; most of them are words of ip(8). A # " +
		"begins a comment. Empty lines have no meaning. " +
		"An uplink with both IPv4 and IPv6 has two lines with the same name."),
}

// words are the words of a line, by subject.
var words = []struct {
	title string
	list  list
}{
	{"THE UPLINK", list{
		{"dev NAME", "The interface. Required."},
		{"via ADDRESS", "The gateway. Without `via` and `learn`, all destinations are on the link. The gateway of an IPv4 uplink " +
			"can be an IPv6 address: `via inet6 fe80::1`."},
		{"family FAMILY", "The family: inet or inet6. It is needed if neither the gateway nor `src` determines the family, as on a " +
			"point-to-point link. If two lines have the same name and interface, only one of them needs a family: the other line gets the other family."},
		{"learn FAMILY", "Use the default routes of this family that a DHCP client or router advertisements have put into the " +
			"table main. The uplink gets all properties of these routes: gateway, onlink, src, mtu and so on. Several routes keep their " +
			"order. If a route has a source prefix (`default from PREFIX`), packets from this prefix also take the uplink, as with `src " +
			"PREFIX`. `run` follows changes. If the routes disappear, `run` keeps the routes that it learned last."},
		{"learn FAMILY table NUMBER", "Learn from another table, such as the one of RouteTable= of systemd-networkd. Here `table " +
			"NUMBER` must come directly after FAMILY. In any other place, it sets the table of the uplink."},
		{"onlink", "The gateway is on the link although no subnet of the interface contains it."},
		{"table NUMBER", "The table. Default: the table of another line with the same name, otherwise the number that rt_tables " +
			"has for the name, otherwise a free number."},
	}},
	{"PACKETS THAT TAKE THE UPLINK", list{
		{"src ADDRESS...", "The source addresses. Default: all global addresses of the interface. An address that the host does " +
			"not have at the moment also gets its rules, but the host must have at least one of the addresses."},
		{"src PREFIX...", "Networks behind this host whose packets also take the uplink, such as a prefix that the provider has " +
			"delegated. If the table main has a route for such a packet, other than its default route, the packet uses main."},
		{"src dev NAME", "Packets from the networks of another interface also take the uplink, as with `src PREFIX`. `run` follows changes of these networks."},
		{"src none", "No address of this host selects the uplink; only other `src` words and `also` do. Use this for two " +
			"interfaces with the same address, together with `also oif NAME` or `also fwmark MARK`."},
		{"also SELECTORS", "Other packets that take the uplink, in the words of ip-rule(8). If the table main has a route for such a packet, " +
			"other than its default route, the packet uses main. The selectors end at the next `also` or at the end of the " +
			"line, so put `also` after all other words."},
		{"main-first", "The routes of the table main, except for its default route, come before those of the uplink. So packets to " +
			"other networks of this host, and to networks for which the administrator has added routes, do not take the uplink."},
		{"unreachable", "While the uplink has no route, packets from its addresses are refused with the error \"unreachable\". " +
			"Without this word, they leave through another interface."},
	}},
	{"ROUTES AND RULES", list{
		{"subnet PREFIX...", "More prefixes on the link. The prefixes of the interface's addresses are always on the link, and so " +
			"are those to which the table main has a route through the interface without a gateway (with protocol kernel, ra or dhcp)."},
		{"to PREFIX...", "More destinations behind the gateway, besides the default route."},
		{"pref NUMBER", "The priority of the rules. Default: a free one before main."},
		{"metric NUMBER", "The metric of the routes."},
		{"proto PROTOCOL", "The protocol number that marks the rules and routes of the uplink. Default: 210."},
	}},
	{"PROBES (RUN ONLY)", list{
		{"ping ADDRESS...", "Probe the uplink: send ICMP echo requests to these addresses, from an address of the uplink. One " +
			"answer is enough. The sysctl net.ipv4.ping_group_range has to include a group of the process."},
		{"connect ADDRESS:PORT...", "Probe the uplink by TCP connections to these addresses and ports."},
		{"every TIME", "The time from one probe to the next. Default: 5s."},
		{"timeout TIME", "How long a probe may take. Default: the time of `every`, but at most 2s."},
		{"failures NUMBER", "The uplink is unhealthy after this number of failed probes in a row. Default: 3."},
		{"successes NUMBER", "The uplink is healthy again after this number of successful probes in a row. Default: 2."},
		{"withdraw [all]", "While the uplink is unhealthy, remove it from the shared default route, and remove the rules of its " +
			"`also` words. Rules with fwmark stay, because open connections would break without them; `withdraw all` removes these rules " +
			"as well. Without `withdraw`, the log says that the uplink is unhealthy, and nothing else happens."},
	}},
	{"FORWARDED PACKETS", list{
		{"masquerade", "Packets of other hosts and of containers that leave through the uplink get its address as their source. " +
			"If the uplink also has `withdraw`, `run` ends the connections of these packets while the uplink is unhealthy and another uplink is healthy: it " +
			"deletes them from connection tracking, so that they can begin again through the other uplink."},
	}},
	{"A SHARED DEFAULT ROUTE (RUN ONLY)", list{
		{"weight NUMBER", "All uplinks with a weight share a default route. NUMBER is the share of this uplink."},
	}},
}

// otherLines are the lines of the file that declare no uplink.
var otherLines = []block{
	list{
		{"default [table NUMBER] [metric NUMBER]", "The table and metric of the shared default route. Default: table main and " +
			"metric 50, which comes before the default routes of DHCP clients. When an interface is deleted, the kernel deletes the whole " +
			"shared IPv4 route. So `run` also adds an IPv4 default route through each single interface, with the next metrics (51 and so on)."},
		{"reply udp PORT... [remember TIME] [clients NUMBER]", "Answers of the UDP servers on these ports leave through the uplink that the " +
			"request came in on, even if the servers listen on all addresses. The source of an answer is the address that the request was sent to. A port " +
			"can be a range, such as 1194-1199. `reply udp all` is for all ports. The programs need no change. " +
			"`remember` is how long a client is remembered after its last packet. Default: 1m. `clients` is how many clients are " +
			"remembered for each address of an uplink. Default: 65536. The line has no effect on servers that connect() their socket to the client."},
		{"reply forwarded [mark VALUE/MASK]", "All packets of a connection that this host forwards, such as one to the published " +
			"port of a container, leave through the uplink that its first packet took. Connections get the mark of their uplink. The mark of " +
			"the first uplink is VALUE, and the marks of the others are the next values within the bits of MASK. Other programs can use the other bits. Default: " +
			"0x4/0x7c. See `uplinks help containers`."},
		{"expect PACKET by WAY", "Declares which way a packet has to take. PACKET is in the words of `ip route get`, such as 198.51.100.7 " +
			"from 192.0.2.2; see `uplinks help explain`. WAY is the name of an uplink, `dev NAME`, `via ADDRESS`, `dev NAME via ADDRESS`, or a verdict: " +
			"local, unreachable, prohibit, blackhole, none (such as no route), broadcast or multicast. A packet takes an uplink if it leaves through the uplink's " +
			"interface, to the uplink's gateway or to a host on the link. If the kernel chooses one of several next hops, each of them has to " +
			"be as expected. A line holds if the packet takes WAY. `test`, `plan` and `check` report lines that do not hold. `up` " +
			"refuses a change after which a line would no longer hold."},
		{"multihome udp PORT...", "Declares that the UDP servers on these ports answer from the address that the request was sent " +
			"to (IP_PKTINFO; the option multihome of OpenVPN). `check` does not report these servers."},
	},
}

// fileExamples are examples of the file.
var fileExamples = []block{
	para("A VPN server that clients reach through either of two providers. Each reply leaves through the provider that the " +
		"request came from. The first line is for VPN servers that use UDP and listen on all addresses, as OpenVPN does."),
	code(`reply udp 1194
lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1
lan2          dev eth1 via 2001:db8:2::1`),
	para("Mail leaves through the second provider, and web traffic through the first. This does not apply to sockets that are bound to an address."),
	code(`lan1 table 10 dev eth0 via 192.168.1.1 also ipproto tcp dport 80 also ipproto tcp dport 443
lan2 table 20 dev eth1 via 192.168.2.1 also ipproto tcp dport 25`),
	para("Addresses and gateways come from DHCP or, for IPv6, from router advertisements. Packets from an address never leave " +
		"through the wrong provider, even while a cable is unplugged."),
	code(`lan1 table 10 dev eth0 learn inet  unreachable
lan2 table 20 dev eth1 learn inet  unreachable
lan2          dev eth1 learn inet6 unreachable`),
	para("Traffic from sockets that are not bound to an address is shared three to one among the providers whose probes succeed."),
	code(`lan1 table 10 dev eth0 via 192.168.1.1 weight 3 ping 192.0.2.1 192.0.2.2 withdraw
lan2 table 20 dev eth1 via 192.168.2.1 weight 1 ping 192.0.2.1 192.0.2.2 withdraw`),
	para("Each provider has delegated an IPv6 prefix to the LAN. Packets from a prefix leave through the provider that has " +
		"delegated it. The first prefix can change: `run` learns it from the route `default from PREFIX` that the DHCPv6 client adds. The second prefix is fixed."),
	code(`lan1 table 10 dev eth0 learn inet6         unreachable
lan2 table 20 dev eth1 via 2001:db8:2::1   unreachable src 2001:db8:200::/56`),
	para("Two modems give this host the same address. The interface that a socket is bound to, or a firewall mark, selects the " +
		"modem."),
	code(`modem1 table 10 dev eth0 via 192.168.8.1 src none also oif eth0 also fwmark 0x10
modem2 table 20 dev eth1 via 192.168.8.1 src none also oif eth1 also fwmark 0x20`),
}
