package manual

import (
	"fmt"
	"strings"
)

// codeExpectation is the code of a finding that is not one of package check.
const codeExpectation = "expectation"

// findings explains all codes of check, in the order of package check, and then the program's own.
var findings = []finding{
	{"absent", "fault", "No rule or route of the uplink is installed.", "Run `uplinks up`, or start the service."},
	{"missing", "fault", "A route or rule of the uplink does not exist. Packets that need it leave through another interface or are dropped.",
		"Run `uplinks up`. If it happens again, start the service, which restores what others delete."},
	{"changed", "fault", "A route of the uplink exists, but with other properties, such as another gateway.", "Run `uplinks up`."},
	{"extra", "warning", "A route or rule has the protocol of the uplinks, but does not belong to any line of the file.", "Run `uplinks " +
		"up`, or `uplinks -prune up` if the line of an uplink was deleted from the file."},
	{"unnamed", "note", "The file rt_tables does not have the name of the table. The uplink works, and ip(8) shows the number of the table.",
		"Run `uplinks up` as a user who can write rt_tables. If another line of rt_tables has the name or the number, change that line or the uplink."},
	{"adoptable", "warning or note", "Scripts have installed rules and routes for this uplink. The finding is a warning if " +
		"`uplinks` has installed none, and a note if `uplinks` has installed the uplink and a script has added its own rules again.",
		"Run `uplinks adopt`, and remove the commands from the script. See `uplinks help scripts`."},
	{"refused", "fault", "The uplink cannot be installed as the file declares it. The finding says why.", "Correct the line as the finding says."},
	{"unfinished", "warning", "A command that changes uplinks was killed, or is running now. No packet is affected.", "Run `uplinks " +
		"recover`. The commands `up`, `down` and `run` also do this before anything else."},
	{"interface-missing", "fault", "The interface does not exist.", "Correct dev in the line, or create the interface."},
	{"interface-down", "fault", "The interface is down. The kernel has deleted the IPv4 routes of the uplink.", "Run `ip link set DEV up`, and then `uplinks up`."},
	{"no-carrier", "warning", "The interface is up, but has no carrier: the cable is out, or the other end is off.", "Look at the cable and at the other end."},
	{"source-gone", "fault", "No source of the uplink is an address of this host.", "Add the address to the interface, or correct src in the line."},
	{"source-absent", "note", "A source of the uplink is not an address of this host, but another source is.", "Nothing has to be done if the address comes and goes."},
	{"source-tentative", "fault", "Duplicate address detection for the source has not finished, or it has found another host with the address.",
		"Wait two seconds. If the finding stays, look for the other host: `ip -6 addr show dadfailed` lists addresses that another host has."},
	{"gateway-unknown", "note", "This host has not sent anything to the gateway yet, so the kernel does not know whether the gateway is " +
		"there.", "Run `ping -c 1 -I DEV GATEWAY`."},
	{"gateway-unresolved", "fault", "The gateway does not answer ARP or neighbour discovery.", "Check the address of the gateway, the " +
		"router and the cable: `ip neigh show GATEWAY dev DEV`."},
	{"gateway-none", "note or warning", "The uplink has no gateway, and its link is not point-to-point. The host sends an ARP " +
		"request or neighbour solicitation on the link for every destination.",
		"Add `via ADDRESS` to the line, unless a host on the link answers for all addresses."},
	{"gateway-unlearned", "fault", "The line has the word `learn`, and there is no default route to learn from.",
		"Check the DHCP client or the router advertisements. If the kernel has refused a second default route because it has no " +
			"metric, see `uplinks help managers`."},
	{"no-local", "fault", "No rule looks up the table local, so this host does not receive any packets.", "Run `ip rule add from all lookup local pref 0`."},
	{"before-local", "fault", "A rule of an uplink comes before the rule for the table local, and no rule of the uplink before " +
		"it looks up local. Packets from one address of this host to another leave the host.",
		"Remove `pref` from the line, or choose a number above that of the rule for local. Then run `uplinks up`."},
	{"after-main", "fault", "A rule of an uplink comes after the rule for the table main, whose default route takes the packets.",
		"Remove `pref` from the line, or choose a number below that of the rule for main. Then run `uplinks up`."},
	{"rule-order", "fault or note", "A rule of another uplink comes before a rule from a source of this uplink and takes its " +
		"packets. The finding names both rules. It is a note if `pref` in the other line puts the rule there.",
		"For a fault, run `uplinks up`, which puts the rules into the right order. For a note, remove `pref` from the other line, " +
			"unless this order is intended."},
	{"overruled", "fault", "A rule or route of another program takes the packets of the uplink. The finding names the rule or route, and the program if it is known.",
		"Remove the other rule, or use `pref` in the line to put the uplink's rules before it."},
	{"overruled-partly", "note", "Rules of other programs come before the uplink's rules and take some of its packets.", "If this is " +
		"intended, nothing has to be done. Otherwise, use `pref` in the line to put the uplink's rules before the other rules."},
	{"foreign-route", "note", "The uplink's table has routes of other programs.", "If this is intended, nothing has to be done. " +
		"Otherwise, replace the routes with words of the file: `to` adds destinations behind the gateway, and with `main-first` packets to other networks use the table main."},
	{"lan-detour", "warning", "Packets from the uplink's address to a LAN of this host go to the gateway instead of the LAN.", "Add " +
		"`main-first` to the line, and run `uplinks up`."},
	{"rp-filter", "warning", "The reverse path filter of the interface is strict, and drops packets that come in through the interface.",
		"Add the address that the finding names to `src` in the line, or run `sysctl -w net.ipv4.conf.DEV.rp_filter=2`. For rules with fwmark, also set " +
			"net.ipv4.conf.all.src_valid_mark=1."},
	{"udp-wildcard", "warning", "A UDP server listens on all addresses. Unless the server uses IP_PKTINFO, its answers can " +
		"leave through another interface and with another source address than the client expects.",
		"Add the line `reply udp PORT` to the file, and run `uplinks up`. Or bind the server to the address. If the server uses " +
			"IP_PKTINFO, add the line `multihome udp PORT`."},
	{"published-ports", "note", "A container may have a published port. Answers from that port leave through the default route of " +
		"main.", "Add the line `reply forwarded`. See `uplinks help containers`."},
	{"dnat", "warning", "Rules of nf_tables or of iptables-nft publish ports (DNAT). Answers to requests that came in through this " +
		"uplink leave through the default route of main.",
		"Add the line `reply forwarded` to the file, and run `uplinks up`."},
	{"reply-absent", "fault", "The file has `reply` lines or the word `masquerade`, and nothing is installed for them. Answers can leave " +
		"through another uplink than the one that the request came in on.",
		"Run `uplinks up`. If the finding says that the policy cannot be installed, fix the cause that it names, such as a kernel without " +
			"nf_tables or nft_ct, or another table with the name policyroute."},
	{"reply-changed", "fault", "The table of nf_tables or the rules for the `reply` lines differ from the file. Another program has " +
		"changed them, or the file has changed since the last `up`.",
		"Run `uplinks up`. If it happens again, start the service, which restores what others delete."},
	{"mark-conflict", "warning", "A rule of another program changes bits of marks that the line `reply forwarded` uses. Packets can lose " +
		"the mark of their uplink, and then leave through the default route of main.",
		"Give the line other bits, such as `reply forwarded mark 0x100/0xf00`, or change the other rule so that it keeps these bits."},
	{"src-valid-mark", "warning", "The reverse path filter of the uplink's interface is strict and ignores marks, so the kernel drops " +
		"packets to published ports that come in through this interface.",
		"Run `sysctl -w net.ipv4.conf.all.src_valid_mark=1`, and put the setting into /etc/sysctl.d."},
	{"untracked", "warning", "Check cannot list the connections that the kernel tracks, so `run` cannot either. When an uplink " +
		"with `masquerade` fails, `run` does not end its connections.",
		"Load the kernel module nf_conntrack_netlink."},
	{"port-unused", "note", "No UDP server listens on a port of the line `multihome`.", "Remove the port from the line `multihome`, or start the server."},
	{"default-absent", "warning", "The default route that the uplinks share is not installed.", "Start the service. Up does not install this route."},
	{"default-idle", "warning", "Another route or rule comes before the default route that the uplinks share.", "Give the shared route a " +
		"smaller metric, or remove the other route or rule."},
	{"foreign-rules", "warning", "A running network manager deletes rules of other programs.", "Set ManageForeignRoutingPolicyRules=no. See `uplinks help managers`."},
	{"foreign-routes", "warning", "A running network manager deletes routes of other programs.", "Set ManageForeignRoutes=no. See `uplinks help managers`."},
	{"not-read", "note", "Check could not read a part of the host's state. The text says which one, and why.", "Run check as root."},
	{codeExpectation, "fault", "A packet does not take the way that a line with `expect` declares. The finding has the way that " +
		"the packet takes, and the rule that decides.",
		"Run `uplinks -v explain PACKET` to see why. Then correct the rule or the line with `expect`."},
}

// A codeList is the list of all codes.
type codeList struct{}

func (codeList) text(p *textPrinter, indent int) {
	wide := 0
	for _, f := range findings {
		wide = max(wide, len(f.code))
	}
	for _, f := range findings {
		first, _, _ := strings.Cut(f.meaning, ". ")
		fmt.Fprintf(p, "%*s%-*s  ", indent, "", wide, f.code)
		p.fillFrom(f.severity+": "+strings.TrimSuffix(first, ".")+".", indent+wide+2, indent+wide+2)
	}
}

func (codeList) roff(p *roffPrinter) {
	for _, f := range findings {
		p.WriteString(".TP\n.B " + escape(f.code) + "\n")
		p.line(literals("(" + f.severity + ") " + f.meaning + " Cure: " + f.cure))
	}
}

// section explains the code of a finding.
func (f *finding) section() section {
	return section{"CODE " + f.code, []block{
		list{{"Severity", f.severity}, {"Meaning", f.meaning}, {"Cure", f.cure}},
	}}
}
