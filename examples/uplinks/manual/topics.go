package manual

// description is the first section of uplinks(8).
var description = []block{
	para("An uplink is an interface with its gateway, a routing table with routes through them, and a rule for each address of " +
		"the interface. The rule sends packets from that address through the uplink. Traffic from sockets that are not bound to an " +
		"address takes the same way as before, unless a line has the word `also` or `weight`. The table main does not change, except " +
		"that `run` adds a default route for lines with `weight`."),
	para("The commands `up`, `adopt`, `down`, `run` and `recover` need root or CAP_NET_ADMIN. `reload` has to ask `run`, which by " +
		"default only root can do. `tap` needs CAP_NET_RAW. The others need no privileges, but they show the state of `run` and of nf_tables only to root. If " +
		"two commands change uplinks of the same network namespace, the second one waits for the first."),
	para("With NAME arguments, a command applies only to the uplinks with these names."),
}

// service describes run.
var service = []block{
	para("The command `run` installs the uplinks and keeps them installed. It restores the rules and routes that other programs " +
		"delete, and the routes that the kernel deletes when a link goes down or an address is removed. It follows changes of " +
		"addresses and gateways. An uplink that cannot be installed yet is pending, and does not delay the others."),
	para("There can be one `run` in each network namespace. A second one refuses to start. `run` answers `status`, `reload` and " +
		"`down` on a socket in /run/uplinks, a directory that only root can use. If this directory cannot be created or written, " +
		"`run` logs a warning and works without the socket: `status` then cannot tell whether `run` is active, and a second `run` " +
		"is not refused. The same happens if two containers share the network namespace but not the directory. In this case, mount " +
		"the directory in both."),
	para("With -n, `run` follows the name. When the network namespace is deleted, `run` waits, and when the namespace is created " +
		"again, `run` installs the uplinks there. With a path such as /proc/PID/ns/net, `run` exits with a failure when the process " +
		"ends, because another process can get the same number."),
	para("Signals:"),
	list{
		{"SIGHUP", "Read the file again, change what differs, and remove uplinks that are no longer in the file. If the file has a " +
			"fault, nothing changes, and the log shows the fault. To change command-line options, restart the process. The command " +
			"`reload` sends this signal, waits, and returns the result."},
		{"SIGTERM, SIGINT", "Exit. The uplinks stay installed; with -remove, they are removed. A second signal ends the process at once."},
		{"SIGKILL", "The uplinks stay installed. If a change was interrupted, the next `run`, `up` or `down` cleans up."},
	},
	para("The source code of this program includes units for systemd:"),
	list{
		{"uplinks-run.service", "Executes `uplinks run`. The unit is ready when all uplinks have been checked once; some of them " +
			"may be pending. `systemctl reload` returns when the reload is done, and fails if the file has a fault. `systemctl " +
			"status` shows the fault, and how many uplinks are complete. The watchdog of systemd restarts `run` if it no longer " +
			"checks the uplinks. systemd also restarts `run` after a crash, but not if the file has a fault. The uplinks stay " +
			"installed when the service stops or restarts."},
		{"uplinks-wait.service", "Makes network-online.target wait until all uplinks are complete, or for 30 seconds."},
		{"uplinks.service", "Runs `uplinks -once -wait 1m run` at boot. It installs the uplinks that can be installed within that time. Nothing repairs them later."},
	},
	para("The log has a line for each event, on standard error. With -json, each line is a JSON object, on standard output. The events:"),
	list{
		{"installed", "All rules and routes of the uplink are installed."},
		{"pending", "The uplink waits for an interface, an address or a gateway. Its rules stay installed, so with the word " +
			"`unreachable` its packets are refused in the meantime."},
		{"repaired", "A rule or route was missing or wrong. The line has the reason for the check, and the commands of ip(8) that " +
			"are equivalent to the repair."},
		{"failed", "The kernel refused a change, a rule or route of another program is in the way, or an address also belongs to " +
			"another uplink. The rest of the uplink is installed. `run` tries again at least every ten seconds. This event also reports " +
			"a socket that fails, an uplink that cannot be removed, and a probe that this host cannot make, for example because " +
			"ping_group_range does not permit it. Such a probe counts neither as failed nor as successful."},
		{"obstructed", "Another process holds the lock that repairs need. The line names the process, and says whether `run` waits for it."},
		{"overruled", "A rule or route of another program takes the packets of the uplink."},
		{"in force", "After overruled: no rule or route of another program takes the packets of the uplink any more."},
		{"events lost", "The kernel reported more changes than `run` could receive. `run` has read the whole state again."},
		{"fighting", "Another program keeps undoing the uplinks. Repairs are limited from now on. Stop the other program; see " +
			"`uplinks help managers`. The line names the process whose socket deleted the rules or routes. Without CAP_SYS_PTRACE, " +
			"which the units do not have, `run` has to guess the process, and the line says \"perhaps\"."},
		{"calm", "After fighting: the other program no longer undoes the uplinks."},
		{"healthy", "The probes succeed."},
		{"unhealthy", "The probes fail. The reason follows."},
		{"removed", "The uplink was removed."},
		{"connections ended", "The uplink has the word `masquerade` and was withdrawn: connections with its address as their " +
			"translated source were deleted from connection tracking. The line has their number or, if they could not be deleted, the error."},
		{"ready", "All uplinks have been checked once after the start or after SIGHUP."},
	},
}

// scripts describes the way from scripts to uplinks.
var scripts = []block{
	para("If rc.local or another script adds tables and rules on this host, these commands replace them with uplinks:"),
	code(`uplinks init >/etc/uplinks.conf
uplinks plan
uplinks adopt`),
	para("Read the file before you run the other commands: it decides where packets go. Afterwards remove the commands from rc.local, and " +
		"start uplinks-run.service."),
	para("Adopt replaces three things: rules from the uplinks' addresses that look up the uplinks' tables, rules with the " +
		"selectors of `also`, and the routes in these tables with the uplinks' interfaces and destinations. It installs the new " +
		"rules and routes before it deletes the old ones. Packets take the same way as before, unless the file says otherwise. " +
		"After a failure, everything is as it was before. Adopt keeps the names in rt_tables, and all other rules and routes. If " +
		"rules that it keeps look up a table of an uplink, it prints these rules. A second `adopt` changes nothing."),
	para("Adopt replaces only rules and routes that have no protocol, the protocol boot or static, or a protocol number without " +
		"a name. It refuses to replace those with the protocol of a program (dhcp, ra, bird, zebra and so on), because that " +
		"program would install them again. systemd-networkd and NetworkManager use the protocol static, so first remove the rules " +
		"and routes from their configuration."),
}

// containers describes published ports.
var containers = []block{
	para("A container answers on a published port (DNAT) from its own address. No rule from an address of an uplink matches the " +
		"answer, so the answer leaves through the default route of main, whichever uplink the request came from. `check` prints a " +
		"note if a bridge of Docker, Podman, LXD or another engine has a running container."),
	para("The line `reply forwarded` of uplinks.conf solves this:"),
	code(`reply forwarded
lan1 table 10 dev eth0 via 192.168.1.1 main-first
lan2 table 20 dev eth1 via 192.168.2.1 main-first`),
	para("The first packet of a connection determines the uplink. The connection gets the firewall mark of this uplink, and all later packets leave through it. `uplinks " +
		"plan` shows the table of nf_tables and the rules that do this. With `main-first`, programs on this host can also reach the " +
		"published ports at the addresses of the uplinks."),
	para("The marks use the bits 0x7c, which Docker, Kubernetes, Tailscale and mwan3 do not use. If another program uses these bits, " +
		"`check` says so. Then choose other bits: `reply forwarded mark 0x100/0xf00`."),
	para("If rp_filter is strict (1), also set net.ipv4.conf.all.src_valid_mark=1. `check` says when this is needed."),
	para("A UDP server outside of containers that listens on all addresses needs the line `reply udp PORT`."),
}

// managers describes network managers.
var managers = []block{
	para("When a link goes down, the kernel deletes its IPv4 routes from every table. The command `run` restores them. If `run` " +
		"is not active, use `up` when the link is up again."),
	para("systemd-networkd deletes rules and routes of other programs when it starts and when it configures an interface. Two " +
		"settings in the section [Network] of its configuration prevent this. Both are needed:"),
	code(`mkdir -p /etc/systemd/networkd.conf.d
printf '[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n' \
    >/etc/systemd/networkd.conf.d/uplinks.conf
systemctl restart systemd-networkd`),
	para("dhclient and udhcpc, which ifupdown uses, add the default route without a metric. The kernel accepts only one such " +
		"route. The second interface gets no default route (\"File exists\"), and an uplink with `learn` waits for one. In interfaces(5), give " +
		"every interface except one a metric:"),
	code(`iface eth1 inet dhcp
    metric 200`),
	para("dhclient uses this metric. Debian's script for udhcpc, /etc/udhcpc/default.script, uses it only if the line `busybox " +
		"ip -4 route add default` ends with `${IF_METRIC:+metric $IF_METRIC}`. dhcpcd, NetworkManager and systemd-networkd choose " +
		"a metric for each interface by themselves."),
}

// exit describes exit statuses.
var exit = []block{list{
	{"0", "Success. `plan`: there is nothing to change. `status`, `run -once`: all uplinks are complete. `check`: there is no " +
		"warning and no fault. `run`: a signal ended it."},
	{"1", "Failure. Standard error has the uplink, the step and the error of the kernel. If a change could not be undone completely, it " +
		"also lists the steps that are still in effect. `down`: a name in rt_tables could not be deleted. `explain`: the kernel disagrees."},
	{"2", "The command line or the file has a fault. All faulty lines are reported. `run`: the process crashed; a service " +
		"manager should start it again."},
	{"3", "`plan`: there is something to change. `status`, `run -once`: an uplink is not complete. `check`: there is a warning or " +
		"a fault. `test`: a test failed. `tap`: a packet went astray."},
	{"78", "`run`: the command line or the file has a fault (EX_CONFIG of sysexits.h). Correct the fault before you start `run` again."},
}}

// jsonText describes JSON.
var jsonText = []block{
	para("With -json, a command prints one JSON object. Fields without a value are left out. Later versions may add fields. The fields of the object:"),
	list{
		{"command", "The command."},
		{"time", "Watch: the time."},
		{"uplinks", "An object for each line of the file."},
		{"findings", "Check: an object for each finding."},
		{"others", "The steps for uplinks that are not in the file: objects with the fields `name` and `steps`. The steps for the " +
			"`reply` lines and for `masquerade` have the name `(reply)`. The steps of `recover` " +
			"have the name `(left over)`."},
		{"impact", "Plan -impact: an object for each class of packets that go another way, with the fields `packets`, `before`, " +
			"`after` and `example` (one of the packets). `impact` is absent if the classes could not be computed."},
		{"tests", "Test, plan: an object for each line with `expect`, with `file`, `line`, `packet`, `by` and `holds` (true or " +
			"false). If the line does not hold, the field `instead` has the way that the packet takes, and `rule` has the rule that " +
			"decides. Plan: `holds` applies to the host after the change, and `held` to the host now."},
		{"reply", "Status: an object for the `reply` lines and for `masquerade`, with `config` (the lines), `state` (complete, " +
			"incomplete, absent or unknown), `problem`, `steps` (what `up` would do), and `clients` (how many clients of UDP servers are remembered)."},
		{"proposals", "Init: the `reply` lines that the file has as comments."},
		{"reply_lines", "Parse: the `reply` lines in their normal form."},
		{"keeper", "Status, watch: an object for the process of `run`. It is absent if `run` is not active, or if that is not known."},
		{"unknown", "Status: why it is not known whether `run` is active."},
		{"warnings", "The same warnings as on standard error."},
		{"error", "Why the command failed, as on standard error."},
		{"left", "Steps that were done and could not be undone."},
	},
	para("The fields of an uplink:"),
	list{
		{"name, table, family, dev", "As in the file. Family is inet, inet6 or any."},
		{"via", "The gateways, given or learned, separated by commas."},
		{"sources", "The sources of the line. Status: also the networks of `src dev` and, unless `src` names addresses or is none, the addresses of the interface."},
		{"config", "The line in its normal form."},
		{"reasons", "Init: where the line comes from, in sentences."},
		{"steps", "Plan: the steps that `up` or `adopt` would do. Up, adopt, down: the steps that were done. Each step is a " +
			"command of ip(8). The order of steps of different uplinks is only in the output of `plan` without -json."},
		{"state", "Status: complete, incomplete or absent."},
		{"missing", "Status: routes and rules that do not exist."},
		{"changed", "Status: objects with the existing route and the wanted route."},
		{"extra", "Status: routes and rules with the uplink's protocol that should not exist."},
		{"overruled", "Status: rules and routes of other programs that take all packets of the uplink."},
		{"problem", "Status: why `up` would fail."},
		{"traffic", "Status: `received_bytes` and `sent_bytes` of the interface, including traffic that does not belong to the " +
			"uplink. On a terminal, also `received_bytes_per_second` and `sent_bytes_per_second`."},
		{"connections", "Status: the number of established TCP connections of this host from the sources. If `more_connections` is " +
			"true, there are more, which were not counted."},
		{"reply_clients", "Status: the number of clients of UDP servers that are remembered for the sources."},
		{"notes", "Status: facts that do not make the uplink incomplete."},
		{"unnamed", "Status: true if rt_tables does not have the name of the table."},
	},
	para("The object of `explain` has the fields `command`, `explanations` and, without -world, `kernel`. The latter two are " +
		"arrays in the order of the packets. With -batch, each line of the output is an explanation. The fields of an explanation:"),
	list{
		{"packet", "The packet in the words of ip route get."},
		{"verdict", "Unicast, local, broadcast, multicast, unreachable, prohibit, blackhole or none. None means that the kernel found no " +
			"route, or refuses the packet for a reason other than a rule or route."},
		{"rule", "The rule that decided, with priority and text."},
		{"table, route", "The table that has the route, and the route."},
		{"dev, via, source", "The interface, the next router, and the source address of the packet."},
		{"candidates", "The next hops, if the kernel chooses one by a hash: objects with `dev`, `via` and `weight`."},
		{"tables", "The tables that were looked up, in order."},
		{"steps", "The rules that were tried, in order: objects with `rule`, `result`, `selector`, `table`, `route`, and `passed` (routes that were looked up but not used)."},
		{"depends", "State that the decision depends on and that cannot be read."},
		{"error", "The error that a program gets and, after a colon, its reason. If `verdict` is absent: why the line is not a packet."},
	},
	para("An object in the array `kernel` has the fields `agrees` (true or false), `says` (the route or error of the kernel), and " +
		"`unknown` (why the kernel was not asked, or why the answers cannot be compared). The object of `snapshot` has the fields " +
		"`command` and `world` (the text of the snapshot)."),
	para("Tap prints an object on one line for each packet, and a last one with the counts `packets`, `right`, `astray`, " +
		"`refused`, `other` and `lost`. Lost packets came faster than tap could read them. The fields of a packet:"),
	list{
		{"time, dev, direction", "When the packet passed, through which interface, and in which direction (in or out)."},
		{"from, to, ipproto, sport, dport, mark, length", "The packet. Length is in bytes, with the IP header."},
		{"verdict", "Right, astray, refused or other."},
		{"uplink, wire", "The uplink that the local address of the packet belongs to. If the packet passes the interface of a different uplink, wire is that uplink."},
		{"rule", "The rule that sends the packet astray, with priority and text."},
		{"reason", "Why the packet is astray or refused."},
	},
	para("Trace prints an object on one line for each lookup, and a last one with the counts lookups, explained, unexplained, addresses " +
		"(checks whether an address is local) and lost (events that the buffers of the kernel had no room for). The fields of a lookup:"),
	list{
		{"time, comm, pid", "When, and the program. Comm and pid are absent if no program causes the lookup, and comm is absent if the program has ended."},
		{"from, to, iif, oif, ipproto, sport, dport, tos, flowlabel", "The packet. Fields that the lookup does not have are absent."},
		{"reverse", "True if this is the reverse path check of the packet before."},
		{"tables", "The tables that were asked, in order: objects with table, and says (what the table said)."},
		{"rule, route", "The rule that decided, with priority and text, and the route."},
		{"mark", "The mark that the packet must have had."},
		{"refusal", "Why the kernel refuses the packet, if neither a rule nor a route does."},
		{"unknown", "Why the rule is not known."},
	},
	para("The fields of a finding:"),
	list{
		{"code", "The code of the finding. Codes do not change between versions."},
		{"severity", "Note, warning or fault."},
		{"uplink", "The uplink. It is absent if the finding is about the host."},
		{"object", "The route, rule, interface, address or program."},
		{"text", "What is wrong, in a sentence."},
		{"cure", "A command or setting that fixes the problem."},
	},
	para("The fields of keeper:"),
	list{
		{"pid, since, file", "The process ID, the time at which it started, and the path of its file."},
		{"uplinks", "An object for each line, with `name`, `family`, `config`, `state` (starting, installed, pending or failed), " +
			"`reason`, `health` and `since`. `probed` is true if the line has a probe. `last_probe`, `probe_seconds` and `probe_error` " +
			"are the time, duration and error of the last probe. `repairs`, `failures`, `fights`, `probes` and `probe_failures` are counts."},
		{"default", "Objects with the same fields, for the shared default route of each family."},
		{"reply", "An object with the same fields, for the `reply` lines and `masquerade`."},
		{"fighting", "For each uplink that another program keeps undoing at the moment: that program. The keys are the names of the uplinks."},
		{"repairs, failures, lost", "How often `run` repaired something, failed to do so, and lost events of the kernel."},
		{"changes, steps, looks", "How many changes `run` made, how many steps they had, and how often `run` read the state of the kernel."},
		{"fights, postponed, redials", "How often repairs were limited because of another program, how many repairs waited for that reason, " +
			"and how often sockets were opened again."},
		{"events", "The last events, the oldest first: objects with `number`, `time`, `level` and `text`, as in the log."},
		{"reload", "An object: `begun` and `done` are how many reloads have begun and how many are done, and `error` has the faults that the last reload found in the file."},
	},
}

// A topic is what "uplinks help" explains besides commands and codes.
type topic struct {
	name, summary, title string
	blocks               func() []block
}

// topics are all topics, in the order of the first screen.
var topics = []topic{
	{"file", "the words of uplinks.conf", "FILE", func() []block { return fileText }},
	{"examples", "examples of uplinks.conf", "EXAMPLES", func() []block { return fileExamples }},
	{"service", "\"uplinks run\" as a service", "SERVICE", func() []block { return service }},
	{"scripts", "how to replace rc.local with uplinks", "COMING FROM SCRIPTS", func() []block { return scripts }},
	{"containers", "published ports of containers", "CONTAINERS", func() []block { return containers }},
	{"managers", "systemd-networkd and DHCP clients", "NETWORK MANAGERS", func() []block { return managers }},
	{"options", "options that most commands have", "OPTIONS", optionBlocks},
	{"exit", "exit statuses", "EXIT STATUS", func() []block { return exit }},
	{"json", "the fields of JSON", "JSON", func() []block { return jsonText }},
}
