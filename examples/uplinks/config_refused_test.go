package main

import (
	"strings"
	"testing"
)

var badLines = []struct{ text, want string }{
	{"dev eth0 via 10.0.0.1", `f:1: word 1 "dev": not a name: a line begins with the name of an uplink`},
	{"also dport 25", `f:1: word 1: the name of an uplink is missing`},
	{"25 dev eth0", `f:1: word 1 "25": bad name: it is a number, and would hide the table with that number from ip(8)`},
	{"main dev eth0", `f:1: word 1 "main": reserved name`},
	{"a", `f:1: word 2: dev is missing after "a"`},
	{"a via 10.0.0.1", `f:1: word 4: dev is missing after "10.0.0.1"`},
	{"a dev", `f:1: word 3: an interface is missing after "dev"`},
	{"a dev eth0 vai 10.0.0.1", `f:1: word 4 "vai": not a word of an uplink; did you mean via?`},
	{"a dev eth0 alos dport 25", `f:1: word 4 "alos": not a word of an uplink; did you mean also?`},
	{"a dev eth0 main", `f:1: word 4 "main": not a word of an uplink`},
	{"a dev eth0 via 10.0.0.300", `f:1: word 5 "10.0.0.300": not an address`},
	{"a dev eth0 src 10.0.0.2/24", `f:1: word 5 "10.0.0.2/24": write an address of this host without a length, 10.0.0.2, ` +
		`and a network behind this host without the bits beyond its length, 10.0.0.0/24`},
	{"a dev eth0 src dev", `f:1: word 6: an interface is missing after "dev"`},
	{"a dev eth0 src dev eth0", `f:1: src dev: eth0 is the uplink's own interface: networks behind this host are on other interfaces`},
	{"a dev eth0 src none", `f:1: src none: needs also: otherwise no packet takes the uplink`},
	{"a dev eth0 src none src 10.0.0.2 also dport 25", `f:1: src none: excludes src, which has 10.0.0.2`},
	{"a dev eth0 src 0.0.0.0/0", `f:1: src: 0.0.0.0/0 contains every address`},
	{"a dev eth0 via 10.0.0.1 src 2001:db8::/56", `f:1: src: 2001:db8::/56 is inet6, but the uplink is inet: write two lines`},
	{"a dev eth0 via 10.0.0.1 subnet 2001:db8::/64", `f:1: subnet: 2001:db8::/64 is inet6, but the uplink is inet: write two lines`},
	{"a dev eth0 subnet 10.0.0.1/24", `f:1: subnet: 10.0.0.1/24 has bits beyond its length: did you mean 10.0.0.0/24?`},
	{"a dev eth0 src 10.9.0.0/16\nb dev eth1 src 10.9.1.0/24", `f:2: src: 10.9.1.0/24 overlaps with 10.9.0.0/16 of a on line 1`},
	{"a dev eth0 src dev lan0\nb dev eth1 src dev lan0", `f:2: src: dev lan0 already belongs to a on line 1`},
	{"a dev eth0 src 10.0.0.2 10.0.0.300", `f:1: word 6 "10.0.0.300": not an address`},
	{"a dev eth0 10.0.0.2", `f:1: word 4 "10.0.0.2": neither a word of an uplink nor a valid address here`},
	{"a dev eth0 learn", `f:1: word 5: a family with gateways: inet or inet6 is missing after "learn"`},
	{"a dev eth0 learn mpls", `f:1: word 5 "mpls": not a family with gateways: inet or inet6`},
	{"a dev eth0 learn inet via 10.0.0.1", `f:1: learn: excludes via: the gateway is either given or learned`},
	{"a dev eth0 learn inet src 2001:db8::1", `f:1: src: 2001:db8::1 is inet6, but the uplink is inet: write two lines`},
	{"a dev eth0 dev eth1", `f:1: word 4 "dev": given twice`},
	{"a dev eth0 pref 7 priority 8", `f:1: word 6 "priority": given twice`},
	{"a dev eth0 table lan2", `f:1: word 5 "lan2": not the number of a table: want 1 to 4294967295`},
	{"a dev eth0 table 0", `f:1: word 5 "0": not the number of a table: want 1 to 4294967295`},
	{"a dev eth0 table 4294967296", `f:1: word 5 "4294967296": not the number of a table: want 1 to 4294967295`},
	{"a dev eth0 pref 0", `f:1: word 5 "0": the rule for the table local is at 0, and the rules of an uplink come after it`},
	{"a dev eth0 metric x", `f:1: word 5 "x": not a metric: want a number of at most 32 bits`},
	{"a dev eth0 proto 0", `f:1: word 5 "0": not a protocol that shows which program a route belongs to`},
	{"a dev eth0 proto nobody", `f:1: word 5 "nobody": not a protocol`},
	{"a dev eth0 to default", `f:1: word 5 "default": not needed: the uplink always has a default route`},
	{"a dev eth0 to 10.0.0.0/33", `f:1: word 5 "10.0.0.0/33": not a prefix`},
	{"a dev eth0 also", `f:1: word 5: a selector is missing`},
	{"a dev eth0 also also dport 25", `f:1: word 5: a selector is missing`},
	{"a dev eth0 also -6", `f:1: word 6: a selector is missing`},
	{"a dev eth0 also dport 25 dprot 26", `f:1: word 7 "dprot": not a selector or an action; did you mean dport?`},
	{"a dev eth0 also -f inet dprot 25", `f:1: word 7 "dprot": not a selector or an action; did you mean dport?`},
	{"a dev eth0 also -f ipx dport 25", `f:1: word 6 "ipx": not a family; did you mean ipmr?`},
	{"a dev eth0 also dport", `f:1: word 6: a port or a range is missing after "dport"`},
	{"a dev eth0 via 10.0.0.1 also -6 dport 25", "f:1: also: dport 25 is inet6, but the uplink is inet"},
	{"a dev eth0 via 10.0.0.1 src 2001:db8::1", "f:1: src: 2001:db8::1 is inet6, but the uplink is inet: write two lines"},
	{"a dev eth0 src 10.0.0.1 to 2001:db8::/32", "f:1: to: 2001:db8::/32 is inet6, but the uplink is inet: write two lines"},

	// Probes and weights.
	{"a dev eth0 ping x", `f:1: word 5 "x": not an address`},
	{"a dev eth0 connect 192.0.2.1", `f:1: word 5 "192.0.2.1": not an address with a port, such as 192.0.2.1:443 or [2001:db8::1]:443`},
	{"a dev eth0 connect 192.0.2.1:443 every 5", `f:1: word 7 "5": a time needs its unit: 5s`},
	{"a dev eth0 connect 192.0.2.1:443 timeout -1s", `f:1: word 7 "-1s": not a time, such as 5s or 500ms`},
	{"a dev eth0 ping 192.0.2.1 failures 0", `f:1: word 7 "0": want 1 or more`},
	{"a dev eth0 withdraw", "f:1: withdraw: needs ping or connect, which give the targets of the probe"},
	{"a dev eth0 via 10.0.0.1 ping 2001:db8::1", "f:1: probe: 2001:db8::1 is not of the uplink's family"},
	{"a dev eth0 connect 192.0.2.1:0", "f:1: probe: 192.0.2.1:0 has no port to connect to"},
	{"a dev eth0 via 10.0.0.1 weight 257", `f:1: word 7 "257": want 1 to 256: leave the word out for an uplink without a share`},
	{"a dev eth0 via 10.0.0.1 weight 0", `f:1: word 7 "0": want 1 to 256: leave the word out for an uplink without a share`},
	{"default metric 9\na dev eth0 via 10.0.0.1", "f:1: default: no uplink has a weight, so no uplink shares the route"},
	{"default metric 0", `f:1: word 3 "0": want 1 or more: the default is 50`},
	{"default via 10.0.0.1", `f:1: word 2 "via": not a word of the line default`},
	{"default\ndefault\na dev eth0 via 10.0.0.1 weight 1", "f:2: default: already given on line 1"},
	{
		"a dev eth0 via 10.0.0.1 weight 1\nb dev eth1 via 10.1.0.1 proto 9",
		"f:2: proto: uplinks that share a default route need the same protocol",
	},
	{"default table 20\na table 20 dev eth0 via 10.0.0.1 weight 1", "f:2: table: 20 is also the table of the shared default"},
	{"default table 255\na dev eth0 via 10.0.0.1 weight 1", "f:1: default: 255 is a system table"},

	// Forms of an address that are not the same to all programs.
	{"a dev eth0 via 010.0.0.1", `f:1: word 5 "010.0.0.1": a number with a leading zero, which some programs read as octal: ` +
		`write 8.0.0.1, or the address that you mean`},
	{"a dev eth0 src 10.0.0.0x2", `f:1: word 5 "10.0.0.0x2": a number with a leading zero, which some programs read as octal: ` +
		`write 10.0.0.2, or the address that you mean`},
	{"a dev eth0 via 10.1", `f:1: word 5 "10.1": an address of fewer than four numbers, which programs read differently: ` +
		`write 10.1.0.0, or the address that you mean`},
	{"a dev eth0 via 5", `f:1: word 5 "5": an address of fewer than four numbers, which programs read differently: ` +
		`write 5.0.0.0, or the address that you mean`},
	{"a dev eth0 to 10.8/16", `f:1: word 5 "10.8/16": an address of fewer than four numbers, which programs ` +
		`read differently: write 10.8.0.0, or the address that you mean`},
	{"a dev eth0 to 10.0.0.0/255.255", `f:1: word 5 "10.0.0.0/255.255": an address of fewer than four numbers, which programs ` +
		`read differently: write 255.255.0.0, or the address that you mean`},
	{"a dev eth0 ping 192.0.2.01", `f:1: word 5 "192.0.2.01": a number with a leading zero, which some programs read as octal: ` +
		`write 192.0.2.1, or the address that you mean`},
	{"a dev eth0 also from 10/8 dport 25", `f:1: word 6 "10/8": an address of fewer than four numbers, which programs ` +
		`read differently: write 10.0.0.0, or the address that you mean`},
	{"a dev eth0 also -4 to 192.0.02.1", `f:1: word 7 "192.0.02.1": a number with a leading zero, which some programs ` +
		`read as octal: write 192.0.2.1, or the address that you mean`},
	{"a dev eth0 via fe80::1%eth1", `f:1: word 5 "fe80::1%eth1": an address with a zone: write the interface eth1 after dev, and ` +
		`here the address fe80::1`},
	{"a dev eth0 via [fe80::1]", `f:1: word 5 "[fe80::1]": write an address here without brackets: fe80::1`},

	{"multihome", `f:1: word 2: udp is missing after "multihome"`},
	{"multihome tcp 80", `f:1: word 2 "tcp": want udp and ports: a TCP server always answers from the address that the client has connected to`},
	{"multihome 1194", `f:1: word 2 "1194": want udp and ports: a TCP server always answers from the address that the client has connected to`},
	{"a dev eth0 src dev lan:1", `f:1: word 6 "lan:1": the label of an address, not an interface: write the interface lan, and the address after src`},
	{"multihome udp", `f:1: word 3: a port is missing after "udp"`},
	{"multihome udp 0", `f:1: word 3 "0": want 1 to 65535`},
	{"multihome udp 53 66000", `f:1: word 4 "66000": not a port: want a number of at most 16 bits`},

	{"reply", `f:1: word 2: udp or forwarded is missing after "reply"`},
	{"reply dev eth0 via 10.0.0.1", `f:1: word 2 "dev": want udp or forwarded: "reply" begins a line about answers, so no uplink can have this name`},
	{"reply tcp 80", `f:1: word 2 "tcp": want udp or forwarded; did you mean udp?`},
	{"reply udp", `f:1: word 3: a port is missing after "udp"`},
	{"reply udp dns", `f:1: word 3 "dns": not a port: want 1 to 65535, a range such as 1194-1199, or all`},
	{"reply udp 53 0", `f:1: word 4 "0": not a port: want 1 to 65535, a range such as 1194-1199, or all`},
	{"reply udp 53 66000", `f:1: word 4 "66000": not a port: want 1 to 65535, a range such as 1194-1199, or all`},
	{"reply udp 53-", `f:1: word 3 "53-": not a port: want 1 to 65535, a range such as 1194-1199, or all`},
	{"reply udp 1199-1194", `f:1: word 3 "1199-1194": the last port is below the first: write 1194-1199`},
	{"reply udp 53 rember 5s", `f:1: word 4 "rember": not a port, or a word of the line reply udp; did you mean remember?`},
	{"reply udp 53 remember 5", `f:1: word 5 "5": a time needs its unit: 5s`},
	{"reply udp 53 remember 1500ms", `f:1: word 5 "1500ms": 1.5s is not a number of seconds up to 24h0m0s`},
	{"reply udp 53 clients 0", `f:1: word 5 "0": want 1 or more`},
	{"reply udp 53 clients 99999999", `f:1: word 5 "99999999": 99999999 are more than 16777216`},
	{"reply udp all\nreply udp 53", `f:2: word 3 "53": line 1 has all ports already`},
	{"reply forwarded\nreply forwarded", `f:2: word 2 "forwarded": already given on line 1`},
	{"reply forwarded mark", `f:1: word 4: a mark and a mask, such as 0x4/0x7c is missing after "mark"`},
	{"reply forwarded mark 4", `f:1: word 4 "4": want the first mark and the bits that belong to the marks, such as 0x4/0x7c`},
	{"reply forwarded mark 0x8/0x7", `f:1: word 4 "0x8/0x7": the mark has bits that the mask has not: take the mark from the mask, or widen the mask`},
	{"reply forwarded mark 0/0x7", `f:1: word 4 "0/0x7": 0 is the mark of all other packets: ` +
		`want the first mark and the bits that belong to the marks, such as 0x4/0x7c`},
	{"reply forwarded mark 0x4/0x7c mark 0x4/0x7c", `f:1: word 5 "mark": given twice`},
	{"reply forwarded 53", `f:1: word 3 "53": not a word of the line reply forwarded`},
	{"a dev eth0 masquerade masquerade", `f:1: word 5 "masquerade": given twice`},

	// What is no interface, no name, no word, and no selector.
	{"a dev eth0:1", `f:1: word 3 "eth0:1": the label of an address, not an interface: write the interface eth0, and the address after src`},
	{"a dev eth0 also iif eth1:0", `f:1: word 6 "eth1:0": the label of an address, not an interface: write the interface eth1, ` +
		`and the address after src`},
	{"a dev /dev/net/tun", `f:1: word 3 "/dev/net/tun": no interface can have this name`},
	{"[lan1]", `f:1: word 1 "[lan1]": not a name: the file has no sections; a line is an uplink, such as: ` +
		`lan1 dev eth0 via 192.0.2.1`},
	{"a dev=eth0", `f:1: word 2 "dev=eth0": not a word of an uplink: write a blank, not =, between a word and its value`},
	{"a\u200b dev eth0", `f:1: word 1 "a\u200b": has the invisible character U+200B`},
	{"a dev eth0\n\ufeffb dev eth1", `f:2: word 1 "\ufeffb": has the invisible character U+FEFF`},
	{"\xff\xfea\x00 \x00", "f:1: the file is in UTF-16: save it as UTF-8"},
	{"b\xfcro dev eth0", "f:1: the file is not in UTF-8"},
	{"a dev eth0 also dport 443-80", `f:1: also: "from all dport 443-80" has an invalid range of ports: want ` +
		`1 to 65534, the lower one first`},
	{"a dev eth0 also sport 0", `f:1: also: "from all sport 0" has an invalid range of ports: want ` +
		`1 to 65534, the lower one first`},
	{"a dev eth0 also uidrange 8-7", `f:1: also: "from all uidrange 8-7" has an invalid range of users: want ` +
		`0 to 4294967294, the lower one first`},
	{"a dev eth0 every 5s", "f:1: every: needs ping or connect, which give the targets of the probe"},
	{"a dev eth0 family ipmr", `f:1: word 5 "ipmr": not a family of uplinks: inet or inet6`},
	{"a dev eth0 family inet learn inet6", `f:1: learn: inet6 differs from the uplink's family, inet`},
	{"a dev eth0 learn inet table 0", `f:1: word 7 "0": not the number of a table: want 1 to 4294967295`},
	{"a table 20 dev eth0 learn inet table 20", "f:1: learn: 20 is the uplink's own table: learn from the table that a DHCP client or another program writes to"},
	{"a dev eth0 via inet 10.0.0.1 family inet6", "f:1: via: 10.0.0.1 is IPv4, but the gateway of an IPv6 route has to be IPv6"},
	{"a dev eth0 via inet6 10.0.0.1", `f:1: word 6 "10.0.0.1": not an address of inet6`},
	{"a dev eth0 via 0.0.0.0", "f:1: via: 0.0.0.0 is not the address of a router; leave out the gateway for a tunnel or another link without a router"},
	{"a dev eth0 via ff02::1", "f:1: via: ff02::1 is the address of many hosts, not of one router"},
	{"a dev eth0 via 255.255.255.255", "f:1: via: 255.255.255.255 is the address of many hosts, not of one router"},
	{"a dev eth0 via 127.0.0.1", "f:1: via: 127.0.0.1 is an address of this host itself: set the address of the router"},
	{"a dev eth0 via ::ffff:10.1.1.1", "f:1: via: ::ffff:10.1.1.1 is an IPv4 address written as an IPv6 address: write 10.1.1.1"},
	{"a dev eth0 src ::ffff:10.1.1.2", "f:1: src: ::ffff:10.1.1.2 is an IPv4 address written as an IPv6 address: write 10.1.1.2"},
	{"a dev eth0 to ::ffff:10.1.0.0/112", "f:1: to: ::ffff:10.1.0.0/112 has IPv4 addresses written as IPv6 addresses: write 10.1.0.0/16"},
	{"a dev eth0 also from ::ffff:10.1.1.2", "f:1: also: ::ffff:10.1.1.2 is an IPv4 address written as an IPv6 address: write 10.1.1.2"},
	{"a dev eth0 learn ipmr", `f:1: word 5 "ipmr": not a family with gateways: inet or inet6`},

	// Conflicts of lines, and several faults.
	{"a dev eth0\nb dev eth0 via 10.0.0.1", "f:2: src: is missing here and on line 1: both uplinks would have all addresses of eth0"},
	{"a dev eth0 src 10.0.0.2\nb dev eth1 src 10.0.0.2", "f:2: src: 10.0.0.2 already belongs to a on line 1"},
	{
		"a dev eth0 via 10.0.0.1\n\n# comment\na dev eth1 via 10.0.1.1",
		"f:4: a is already on line 1, with the same family",
	},
	{"a dev eth0\na dev eth1 via 10.0.1.1", "f:2: a is already on line 1, with the same family"},
	{
		"a table 10 dev eth0 via 10.0.0.1\na table 11 dev eth0 via 2001:db8::1",
		"f:2: table 11: a has table 10 on line 1",
	},
	{"a table 10 dev eth0\nb table 10 dev eth1", "f:2: table 10 already belongs to a on line 1"},
	{
		"a dve eth0\nb dev eth1 via 10.0.0.1\nc dev eth2 via 1.2.3.4.5\r\n\nd",
		`f:1: word 2 "dve": not a word of an uplink; did you mean dev?
f:3: word 5 "1.2.3.4.5": not an address
f:5: word 2: dev is missing after "d"`,
	},
}

func TestParseBad(t *testing.T) {
	for _, c := range badLines {
		if _, err := parseConfig("f", c.text); err == nil || err.Error() != c.want {
			t.Errorf("%q:\n got %v\nwant %s", c.text, err, c.want)
		}
	}
}

// An uplink that package table refuses on any host is refused when the file is read, with
// the reason in the words of the file.
func TestParseRefused(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"a table 254 dev eth0", "f:1: table: "},
		{"a dev eth0 onlink", "f:1: onlink: "},
		{"a dev eth0 to 10.0.0.1/8", "f:1: to: "},
		{"a dev eth0 also from all", "f:1: also: "},
		{"a dev eth0 also dport 25 blackhole", "f:1: also: "},
		{"a table 20 dev eth0 also dport 25 lookup main", "f:1: also: "},
		{"a dev eth0 also dport 25 proto static", "f:1: also: "},
		{"a dev eth0 via 10.0.0.1 also to 2001:db8::/32", "f:1: also: "},
	} {
		if _, err := parseConfig("f", c.text); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s…", c.text, err, c.want)
		}
	}
}
