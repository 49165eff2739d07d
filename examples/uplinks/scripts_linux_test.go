package main

// A script is what administrators have in rc.local, and what becomes of it.
type script struct {
	name  string
	names string // lines of rt_tables
	text  string
	twice bool // the script is run twice
	// file is the lines of init that are no comments.
	file string
	// comments are parts of its comments.
	comments []string
	// stays is what adopt says of rules that it leaves.
	stays string
	// leads are packets that go another way afterwards, with that way.
	leads map[string]string
}

// scripts are those of tutorials, word for word except for addresses.
var scripts = []script{
	{
		name: "two providers", names: "10 lan1\n20 lan2\n", twice: true,
		text: `
ip route add 192.168.1.0/24 dev eth0 src 192.168.1.2 table lan1
ip route add default via 192.168.1.1 table lan1
ip rule add from 192.168.1.2 table lan1
ip route add 192.168.2.0/24 dev eth1 src 192.168.2.2 table lan2
ip route add default via 192.168.2.1 table lan2
ip rule add from 192.168.2.2 table lan2
`,
		file: `lan1 table 10 dev eth0 via 192.168.1.1
lan2 table 20 dev eth1 via 192.168.2.1
`,
		comments: []string{
			"# table lan2 has a default route via 192.168.2.1 by eth1", "# rule 32762: from 192.168.2.2 lookup lan2", "#     lan 172.16.5.2",
		},
	},
	{
		name: "the second provider", names: "20 lan2\n",
		text: `
ip route add default via 192.168.2.1 dev eth1 table lan2
ip rule add from 192.168.2.2 lookup lan2 prio 1000
ip route flush cache
`,
		file: `eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1
`,
		comments: []string{"no rule is from 192.168.1.2 so far: because of main-first, other routes of main are still used"},
		leads:    map[string]string{"192.168.2.2 > 192.168.2.9": "eth1"}, // on the link
	},
	{
		name: "numbers, and the network", twice: true,
		text: `
ip route add 192.168.2.0/24 dev eth1 table 20
ip route add default via 192.168.2.1 dev eth1 table 20
ip rule add from 192.168.2.0/24 table 20
ip rule add to 192.168.2.2 table 20
`,
		file: `eth0 dev eth0 via 192.168.1.1 main-first
eth1 table 20 dev eth1 via 192.168.2.1 also from 192.168.2.0/24 lookup 20
`,
	},
	{
		name: "the default shared out", names: "1 T1\n2 T2\n",
		text: `
IF1=eth0 IF2=eth1 IP1=192.168.1.2 IP2=192.168.2.2 P1=192.168.1.1 P2=192.168.2.1 P1_NET=192.168.1.0/24 P2_NET=192.168.2.0/24
ip route add $P1_NET dev $IF1 src $IP1 table T1
ip route add default via $P1 table T1
ip route add $P2_NET dev $IF2 src $IP2 table T2
ip route add default via $P2 table T2
ip route del default
ip route add default scope global nexthop via $P1 dev $IF1 weight 1 nexthop via $P2 dev $IF2 weight 1
ip rule add from $IP1 table T1
ip rule add from $IP2 table T2
ip route add 172.16.5.0/24 dev lan table T1
ip route add $P2_NET dev $IF2 table T1
ip route add 127.0.0.0/8 dev lo table T1
`,
		file: `T1 table 1 dev eth0 via 192.168.1.1
T2 table 2 dev eth1 via 192.168.2.1
`,
	},
	{
		name: "both families",
		text: `
ip route add 192.168.2.0/24 dev eth1 table 20
ip route add default via 192.168.2.1 dev eth1 table 20
ip rule add from 192.168.2.2 table 20
ip -6 route add 2001:db8:2::/64 dev eth1 table 20
ip -6 route add default via 2001:db8:2::1 dev eth1 table 20
ip -6 rule add from 2001:db8:2::2 table 20
`,
		file: `eth0 dev eth0 via 192.168.1.1 main-first
eth1 table 20 dev eth1 via 192.168.2.1
eth1 table 20 dev eth1 via 2001:db8:2::1
`,
	},
	{
		name: "marks and ports", names: "20 lan2\n",
		text: `
ip route add 192.168.2.0/24 dev eth1 table lan2
ip route add default via 192.168.2.1 dev eth1 table lan2
ip rule add from 192.168.2.2 lookup lan2
ip rule add fwmark 2 lookup lan2
ip rule add ipproto tcp dport 25 lookup lan2
`,
		// The rule for the port comes first, then the mark, then the address.
		file: `# eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 pref 32765 also ipproto tcp dport 25 lookup 20 pref 32763 also fwmark 0x2 lookup 20 pref 32764
`,
	},
	{
		name: "marks behind addresses", names: "20 lan2\n",
		text: `
ip route add 192.168.2.0/24 dev eth1 table lan2
ip route add default via 192.168.2.1 dev eth1 table lan2
ip rule add from 192.168.2.2 lookup lan2 pref 100
ip rule add fwmark 2 lookup lan2 pref 200
`,
		file: `eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 pref 100 also fwmark 0x2 lookup 20 pref 200
`,
	},
	{
		name: "main first for all",
		text: `
ip route add default via 192.168.2.1 dev eth1 table 20 metric 100
ip route add 192.168.2.0/24 dev eth1 table 20 metric 100
ip rule add from all lookup main suppress_prefixlength 0 pref 32000
ip rule add from 192.168.2.2 table 20 pref 32001
`,
		file: `eth0 dev eth0 via 192.168.1.1 pref 32003 main-first
eth1 table 20 dev eth1 via 192.168.2.1 pref 32001 metric 100
`,
		comments: []string{"#     32000: from all lookup main suppress_prefixlength 0"},
	},
	{
		name: "main first for the address",
		text: `
ip route add default via 192.168.2.1 dev eth1 table 20
ip route add 192.168.2.0/24 dev eth1 table 20
ip rule add from 192.168.2.2 lookup main suppress_prefixlength 0 pref 100
ip rule add from 192.168.2.2 lookup 20 pref 101
ip rule add from 192.168.2.2 unreachable pref 102
`,
		file: `eth0 dev eth0 via 192.168.1.1 main-first
eth1 table 20 dev eth1 via 192.168.2.1 main-first unreachable
`,
	},
	{
		name: "a route of the LAN, and one behind the gateway", names: "20 lan2\n",
		text: `
ip route add 192.168.2.0/24 dev eth1 table lan2
ip route add default via 192.168.2.1 table lan2
ip route add 172.16.5.0/24 dev lan table lan2
ip route add 203.0.113.0/24 via 192.168.2.1 table lan2
ip rule add from 192.168.2.2 table lan2
ip rule add iif lan table lan2
`,
		file: `# eth0 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 to 203.0.113.0/24 pref 32765 also iif lan lookup 20 pref 32764
`,
	},
}
