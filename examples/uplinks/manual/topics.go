package manual

// description is the first section of uplinks(8).
var description = []block{
	para("An uplink is an interface with its gateway, a table with the routes through them, and a rule for each of its addresses. The " +
		"rule sends packets from that address by that uplink. The table main stays as it is, and so does traffic from sockets that " +
		"are not bound to an address."),
	para("Commands that read need no privilege. Up, adopt, down, run and recover need root or CAP_NET_ADMIN. Two commands that change " +
		"uplinks of the same network namespace wait for each other."),
	para("With NAMEs, a command applies to these uplinks only."),
}

// service describes run.
var service = []block{
	para("Run installs the uplinks and keeps them installed. It restores what the kernel deletes when a link goes down or an address " +
		"is removed. It follows addresses and gateways that change. It restores what other programs delete. An uplink that cannot be " +
		"installed yet is pending, and does not delay the others."),
	para("One process runs for a network namespace. A second one refuses to start. The process answers status, reload and down on a " +
		"socket in /run/uplinks, a directory that only root can use. If this directory cannot be made or written, run logs a warning " +
		"and works without it: status then does not know the process, and a second one is not refused. The same applies to two " +
		"containers that share the network namespace but not the directory: mount the directory in both."),
	para("With -n, run ends with a failure when the network namespace is deleted, also if it is made again at once. A service manager " +
		"then starts run again."),
	para("Signals:"),
	list{
		{"SIGHUP", "Read the file again, change what differs, and remove uplinks whose lines are gone. If the file has a fault, nothing " +
			"changes, and the log shows the fault. Restart the process to change options of the command line. The command " +
			"reload sends this signal, waits, and returns the result."},
		{"SIGTERM, SIGINT", "Exit. The uplinks stay installed or, with -remove, are removed. A second signal ends the process at once."},
		{"SIGKILL", "The uplinks stay installed. The next run, up or down cleans up a change that was interrupted."},
	},
	para("The source of this program has units for systemd:"),
	list{
		{"uplinks-run.service", "Runs run. It is ready when all uplinks have been checked once; some of them may be pending. " +
			"`systemctl reload` returns when the reload is done, and fails if the file has a fault. `systemctl status` shows the " +
			"fault, and how many uplinks are complete. The watchdog of systemd restarts a process that no longer checks the " +
			"uplinks. systemd restarts run after a crash, but not after a fault of the file. The uplinks stay installed when the " +
			"service stops or restarts."},
		{"uplinks-wait.service", "Makes network-online.target wait until all uplinks are complete, at most 30 seconds."},
		{"uplinks.service", "Runs `uplinks -once -wait 1m run` at boot. Uplinks that can be installed are, and nothing repairs them later."},
	},
	para("The log has a line for each event, on standard error. With -json it has one object a line, on standard output. The events:"),
	list{
		{"installed", "All rules and routes of the uplink are installed."},
		{"pending", "The uplink waits for an interface, an address or a gateway. Its rules stay installed: with the word " +
			"unreachable, its packets are refused in the meantime."},
		{"repaired", "Something was not as it should be. The line has the reason and the commands of ip(8) that are equivalent to the " +
			"repair."},
		{"failed", "The kernel refused a change, a rule or route of another program is in the way, or an address also belongs to another " +
			"uplink. Everything else of the uplink is installed. Run tries again every ten seconds or sooner."},
		{"overruled", "A rule or route of another program takes the packets of the uplink."},
		{"in force", "Nothing takes the packets of the uplink any more."},
		{"events lost", "The kernel reported more changes than run could receive. Run has read everything again."},
		{"fighting", "Another program keeps undoing the uplinks. Repairs are limited from now on. Stop the other program; see `uplinks " +
			"help managers`. The line names the process that has the socket. Without CAP_SYS_PTRACE, which the units do not " +
			"have, it says `perhaps`."},
		{"calm", "The conflict has ended."},
		{"healthy", "The probes succeed."},
		{"unhealthy", "The probes fail or cannot be sent. The reason follows."},
		{"removed", "The uplink was removed."},
		{"ready", "All uplinks have been checked once after the start or after SIGHUP."},
	},
}

// scripts describes the way from scripts to uplinks.
var scripts = []block{
	para("A host on which rc.local adds tables and rules moves to uplinks with these commands:"),
	code(`uplinks init >/etc/uplinks.conf
uplinks plan
uplinks adopt`),
	para("Read the file before you run the other commands: it decides where packets go. Afterwards remove the commands from rc.local, and " +
		"start uplinks-run.service."),
	para("Adopt replaces three things: rules from the uplinks' addresses that look up the uplinks' tables, rules with the selectors of " +
		"also, and the routes in these tables with the uplinks' interfaces and destinations. Our rules and routes are installed before " +
		"the old ones are deleted. Packets take the same way as before, unless the file says otherwise. On a failure, everything is as " +
		"it was before. Names in rt_tables are used as they are. Other rules and routes stay. Adopt prints the rules that look up a " +
		"table of the uplinks and that it leaves alone. A second adopt changes nothing."),
	para("Adopt takes over what has no protocol, the protocol boot or static, or a number without a name. It refuses to take over what " +
		"has the protocol of a program (dhcp, ra, bird, zebra and so on), because that program would install it again. " +
		"systemd-networkd and NetworkManager use static: remove the rules and routes from their configuration first."),
}

// containers describes published ports.
var containers = []block{
	para("A container answers on a published port (DNAT) from its own address. No rule from an address of an uplink matches the answer, " +
		"so it leaves by the default route of main, whichever uplink the question came from. Check prints a note if a bridge of Docker, " +
		"Podman, LXD or another engine has a running container."),
	para("The cure is a mark on the connection, which the answer carries as well. A table of nft(8) sets the mark, and the file of uplinks " +
		"uses it:"),
	code(`table inet published {
    chain answers {
        type filter hook prerouting priority mangle;
        iifname "eth1" ct state new ct mark set ct mark | 0x2
        iifname "docker0" ct direction reply meta mark set ct mark & 0x3
    }
}`),
	code(`lan2 table 20 dev eth1 via 192.168.2.1 also fwmark 0x2/0x3`),
	para("Other programs can use the other bits of the mark. If rp_filter is strict (1), net.ipv4.conf.all.src_valid_mark=1 is needed as " +
		"well, and the mark on packets that come in through eth1."),
	para("A UDP server outside of containers that listens on all addresses has to answer from the address that the question was sent to. " +
		"See `multihome udp` in uplinks.conf(5)."),
}

// managers describes network managers.
var managers = []block{
	para("When a link goes down, the kernel deletes its IPv4 routes from every table. Run restores them. Without run, use up when the " +
		"link is back."),
	para("systemd-networkd deletes rules and routes of other programs when it starts and when it configures an interface. Two settings in " +
		"the section [Network] of its configuration prevent that, and both are needed:"),
	code(`mkdir -p /etc/systemd/networkd.conf.d
printf '[Network]\nManageForeignRoutingPolicyRules=no\nManageForeignRoutes=no\n' \
    >/etc/systemd/networkd.conf.d/uplinks.conf
systemctl restart systemd-networkd`),
	para("dhclient and udhcpc, which ifupdown uses, add the default route without a metric. The kernel accepts one such route only, so " +
		"the second interface gets none (\"File exists\"), and learn waits for it. Give all interfaces but one a metric in interfaces(5):"),
	code(`iface eth1 inet dhcp
    metric 200`),
	para("dhclient uses this metric. The script of udhcpc in Debian does so only if its line `busybox ip -4 route add default` ends with " +
		"`${IF_METRIC:+metric $IF_METRIC}`: see /etc/udhcpc/default.script. dhcpcd, NetworkManager and systemd-networkd choose a " +
		"metric for each interface by themselves."),
}

// exit describes exit statuses.
var exit = []block{list{
	{"0", "Success. Plan: there is nothing to change. Status, `run -once`: all uplinks are complete. Check: there are notes at most. " +
		"Run: a signal ended it."},
	{"1", "Failure. Standard error has the uplink, the step, the error of the kernel and, if a change could not be undone, what is left. " +
		"Down: a name in rt_tables could not be deleted."},
	{"2", "The command line or the file has a fault. All faulty lines are reported. Run: the process crashed; a service manager should " +
		"restart it."},
	{"3", "Plan: there is something to change. Status, `run -once`: an uplink is not complete. Check: there is a warning or a fault."},
	{"78", "Run: the command line or the file has a fault (EX_CONFIG of sysexits.h). A restart does not help before the fault is corrected."},
}}

// jsonText describes JSON.
var jsonText = []block{
	para("With -json a command prints one object. A field without a value is left out. Later versions can have more fields. The fields:"),
	list{
		{"command", "The command."},
		{"time", "Watch: the time."},
		{"uplinks", "An object for each line of the file."},
		{"findings", "Check: an object for each finding."},
		{"others", "The steps for uplinks that the file does not have: objects with name and steps. The steps of recover have the name " +
			"`(left over)`."},
		{"keeper", "Status, watch: the process of run. It is absent if run is not active, or if that is not known."},
		{"unknown", "Status: why it is not known whether run is active."},
		{"warnings", "The warnings that standard error has as well."},
		{"error", "Why the command failed, as on standard error."},
		{"left", "Steps that were done and could not be undone."},
	},
	para("The fields of an uplink:"),
	list{
		{"name, table, family, dev", "As in the file. Family is inet, inet6 or any."},
		{"via", "The gateways, given or learned, separated by commas."},
		{"sources", "The sources of the line. Status: also those that the interface has."},
		{"config", "The line in its normal form."},
		{"reasons", "Init: where the line comes from, in sentences."},
		{"steps", "Plan: the steps of up or adopt. Up, adopt, down: the steps that were done. Each is a command of ip(8). For several " +
			"uplinks, only plan without -json shows the order."},
		{"state", "Status: complete, incomplete or absent."},
		{"missing", "Status: routes and rules that do not exist."},
		{"changed", "Status: objects with the route that is there, and the route that is wanted."},
		{"extra", "Status: routes and rules of ours that should not exist."},
		{"overruled", "Status: rules and routes of other programs that take all packets of the uplink."},
		{"problem", "Status: why up would fail."},
		{"traffic", "Status: received_bytes and sent_bytes of the interface, with all that uses it. On a terminal also " +
			"received_bytes_per_second and sent_bytes_per_second."},
		{"connections", "Status: the number of established TCP connections of this host from the sources. With more_connections " +
			"there are more, which were not counted."},
		{"notes", "Status: facts that do not make the uplink incomplete."},
		{"unnamed", "Status: true if rt_tables does not have the name."},
	},
	para("The fields of a finding:"),
	list{
		{"code", "The code. Codes do not change."},
		{"severity", "Note, warning or fault."},
		{"uplink", "The uplink. It is absent if the finding is about the host."},
		{"object", "The route, rule, interface, address or program."},
		{"text", "What is wrong, in a sentence."},
		{"cure", "A command or setting that cures it."},
	},
	para("The fields of keeper:"),
	list{
		{"pid, since, file", "The process, when it started, and its file."},
		{"uplinks", "For each line: name, family, config, state (starting, installed, pending or failed), reason, health, and since. Probed is true " +
			"if the line has a probe; last_probe, probe_seconds and probe_error are those of the last one. Repairs, failures, fights, " +
			"probes and probe_failures say how often."},
		{"default", "The same for the shared default route, by family."},
		{"fighting", "Who undoes the uplinks now, by the names of the uplinks."},
		{"repairs, failures, lost", "How often run repaired, failed, and lost events of the kernel."},
		{"changes, steps, looks", "How many changes run made, of how many steps, and how often it read the state of the kernel."},
		{"fights, postponed, redials", "How often repairs were limited, waited for that reason, and how often sockets were opened again."},
		{"events", "The last events, the oldest first: number, time, level and text, as in the log."},
		{"reload", "Begun and done: how often the file was read again. Error: the faults of the file at the last time."},
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
	{"service", "run as a service", "SERVICE", func() []block { return service }},
	{"scripts", "the way from rc.local to uplinks", "COMING FROM SCRIPTS", func() []block { return scripts }},
	{"containers", "published ports of containers", "CONTAINERS", func() []block { return containers }},
	{"managers", "systemd-networkd and DHCP clients", "NETWORK MANAGERS", func() []block { return managers }},
	{"options", "options that every command has", "OPTIONS", optionBlocks},
	{"exit", "exit statuses", "EXIT STATUS", func() []block { return exit }},
	{"json", "the fields of JSON", "JSON", func() []block { return jsonText }},
}
