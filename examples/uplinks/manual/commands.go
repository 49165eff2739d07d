package manual

import "slices"

// read are the options of commands that read the file and the kernel.
var read = []string{"f", "n", "etc", "json"}

// commands are all commands, in the order of the first screen.
var commands = []command{
	{
		name: "init", summary: "print an uplinks.conf for this host",
		options: []string{"n", "etc", "json"},
		text: []block{
			para("Init prints an uplinks.conf that describes the present state of this host. It changes nothing. The file has a line for " +
				"each interface and gateway that a default route uses, in the table main or in a table that scripts have made. The " +
				"line also contains the rules that these scripts have made. A comment above each line says where the line comes from."),
			para("If UDP servers listen on all addresses, or ports are published (DNAT), the file also has `reply` lines for them. These " +
				"lines are comments: to use one, remove the # before `reply`. Root sees more servers and ports than other users."),
		},
		examples: list{{"uplinks init >/etc/uplinks.conf", "Make a first version of the file. Read it before you continue."}},
	},
	{
		name: "plan", args: "[NAME...]", summary: "show what \"up\" would change, without changing it",
		options: append(slices.Clone(read), "prune", "adopt", "v", "sh", "impact"),
		text: []block{
			para("Plan prints what `up` would change, and changes nothing. It lists the rules, routes and names that would be added, " +
				"removed or changed, and says in how many steps packets switch to the new routes. If `up` would fail because scripts " +
				"have installed rules or routes that `adopt` can replace, plan prints what `adopt` would change, and says so."),
			para("A line with `expect` holds if its packet takes the way that the line names; see `uplinks help file`. Plan prints a " +
				"warning for each such line that will not hold after the change. If the line holds now, `up` refuses the change."),
			para("With -v, plan prints the command of ip(8) for each step. A comment marks the steps that switch packets to the new " +
				"routes. Rules with the actions `goto` and `nop` are temporary: with their help, all rules of an uplink take effect at " +
				"the same moment."),
			para("With -impact, plan also prints which packets go another way after the change: their sources, destinations, marks, " +
				"ports and so on, the way before and the way after. The list is complete: packets that are not in it go the same way as " +
				"before. If the host has too many rules and routes to find this out, a warning says so."),
			para("With -sh, plan prints the commands of ip(8) as a script. Unlike `up`, the script undoes nothing after a failure."),
		},
		statuses: list{{"3", "There is something to change."}},
		examples: list{
			{"uplinks plan lan2", "Show what would change for the uplink lan2."},
			{"uplinks -impact plan", "Show which packets would go another way."},
			{"uplinks -sh plan >up.sh", "Write a script that makes the same changes as `up`."},
		},
	},
	{
		name: "up", args: "[NAME...]", summary: "install the uplinks of the file, all or none",
		options: append(slices.Clone(read), "prune", "force"),
		text: []block{
			para("Up changes the rules and routes of the kernel to those that the file declares. It installs all uplinks or, on a " +
				"failure, none. Up changes only what differs. In the uplinks' tables, it deletes routes that have the uplinks' protocol " +
				"number (the word `proto`, by default 210) but are not declared by the file."),
			para("All rules of a source address take effect at the same moment. No packet leaves through a wrong interface during the change."),
			para("Up prints what it changed. If the name of a table cannot be written to rt_tables, up prints a warning; the uplink " +
				"works without the name. Up writes names last. If another process is writing names, up waits for it, but at most five seconds."),
			para("If a line with `expect` holds now (its packet takes the expected way) but would not hold after the change, up refuses " +
				"the change. With -force, up makes the change anyway. The same applies to `adopt`."),
			para("Up does not restore rules and routes that are deleted later. `run` does."),
		},
		examples: list{
			{"uplinks up", "Install all uplinks."},
			{"uplinks -prune up", "Also remove uplinks whose lines you have deleted from the file."},
		},
	},
	{
		name: "adopt", args: "[NAME...]", summary: "like \"up\", and replace what scripts have installed",
		options: append(slices.Clone(read), "force"),
		text: []block{
			para("Adopt installs uplinks as `up` does, and replaces the rules and routes that scripts have made for them. No packet " +
				"is lost during the change. See `uplinks help scripts`."),
		},
		examples: list{{"uplinks -adopt plan", "Show what `adopt` would change."}, {"uplinks adopt", "Install all uplinks of the file in place of what scripts have made."}},
	},
	{
		name: "down", args: "[NAME...]", summary: "remove what \"up\" installed",
		options: read,
		text: []block{
			para("Down removes the rules and routes of the uplinks, the names that `up` wrote to rt_tables, and the default route " +
				"that the uplinks share. It removes nothing that other programs installed."),
			para("If a name cannot be deleted, down prints a warning and removes everything else. The exit status is then 1."),
			para("Down finds an uplink by its line. To remove an uplink whose line you have deleted, use `uplinks -prune up`."),
			para("If `run` is active, it restores what `down` removes. So stop `run` first."),
		},
		examples: list{{"uplinks down lan2", "Remove the uplink lan2."}},
	},
	{
		name: "run", args: "[NAME...]", summary: "install the uplinks and keep them installed (a service)",
		options: append(slices.Clone(read), "once", "wait", "remove", "metrics", "v"),
		text: []block{
			para("Run installs each uplink as soon as possible and keeps running. It repairs the uplinks when cables are pulled, " +
				"leases change, or other programs delete rules. See `uplinks help service`."),
		},
		statuses: list{
			{"3", "With -once: an uplink is not complete."},
			{"78", "The command line or the file has a fault (EX_CONFIG). Correct the fault before you start the command again."},
		},
		examples: list{
			{"uplinks -metrics 127.0.0.1:9599 run", "Keep all uplinks installed, and serve metrics to this host."},
			{"uplinks run", "Keep all uplinks of the file installed."},
			{"uplinks -once -wait 1m run", "At boot: wait until all uplinks are complete, but not longer than a minute."},
		},
	},
	{
		name: "reload", summary: "make \"run\" read its file again",
		options: []string{"n", "json"},
		text: []block{
			para("Reload makes `run` read its file again. It returns when `run` has applied the changes. If the file has a fault, " +
				"reload prints the fault and fails, and `run` continues with the old lines."),
		},
		statuses: list{{"2", "The command line or the file has a fault."}},
		examples: list{{"uplinks reload", "Apply a change of the file."}},
	},
	{
		name: "status", args: "[NAME...]", summary: "show the state of each uplink",
		options: read,
		text: []block{
			para("Status compares the uplinks with the state of the kernel, and prints a line for each: complete, absent or " +
				"incomplete. The lines below it list what is missing, what is changed, what should not exist, and which rules of other " +
				"programs take packets of the uplink."),
			para("The column TCP has the number of established TCP connections of this host from the sources of the uplink. On a " +
				"terminal, IN and OUT are the rates at which the interface receives and sends, measured over a quarter of a second. A " +
				"wide terminal shows the table and the gateway as well. The environment variable NO_COLOR turns colors off."),
			para("Status also shows whether `run` is active. If it is, SINCE says how long the uplink has been in its state, and " +
				"HEALTH has the result of the probes and the time of the last one. The lines below a pending uplink say what it waits " +
				"for. The last events of `run` follow. If the file has a fault, status prints the fault and shows the lines that `run` " +
				"has read."),
		},
		statuses: list{{"3", "An uplink is not complete."}},
		examples: list{{"uplinks status", "Show all uplinks."}, {"uplinks -json status", "The same as a JSON object."}},
	},
	{
		name: "watch", args: "[NAME...]", summary: "show the state of each uplink until Ctrl-C",
		options: read,
		text: []block{
			para("On a terminal, watch shows what `status` shows, and redraws it every second. If `run` is active, watch asks it for " +
				"its state every second. Every five seconds, watch reads the file again and compares the uplinks with the kernel. If `run` " +
				"reports an event, watch does this within a second."),
			para("If standard output is not a terminal, watch prints lines: the events of `run`, and the state of an uplink when it " +
				"changes. With -json, watch prints the JSON object of `status` every second, on one line, with the additional field time."),
			para("Watch changes nothing. It ends on SIGINT or SIGTERM, and the exit status is 0."),
		},
		examples: list{
			{"uplinks watch", "Watch all uplinks."},
			{"uplinks watch | tee uplinks.log", "Record what happens."},
		},
	},
	{
		name: "metrics", other: true, args: "[NAME...]", summary: "print metrics for Prometheus",
		options: []string{"f", "n", "etc"},
		text: []block{
			para("Metrics prints numbers about the uplinks in the text format of Prometheus, for example for the textfile collector of " +
				"node_exporter. With the option -metrics, `run` serves the same metrics over HTTP, and in the OpenMetrics format to " +
				"clients that ask for it. `run` does not serve uplinks_uplink_connections, and the value of uplinks_uplink_up that it serves is from its last check of the uplink."),
			para("If `run` cannot listen on the address, it logs a warning, tries again every ten seconds, and maintains the uplinks " +
				"in the meantime. Even with -n, it listens in the network namespace in which it was started. The umask of `run` " +
				"determines the permissions of a unix: socket. `run` serves up to 16 clients at the same time, and computes the metrics " +
				"at most once a second."),
			para("Metrics with the labels name and family:"),
			list{
				{"uplinks_uplink_up", "1 if the uplink is complete, else 0."},
				{"uplinks_uplink_healthy", "1 if its probes succeed, else 0. It is absent if there is no result yet."},
				{"uplinks_uplink_probe_duration_seconds", "How long the last probe took."},
				{"uplinks_uplink_last_probe_timestamp_seconds", "When the last probe ended."},
				{"uplinks_uplink_probes_total, uplinks_uplink_probe_failures_total", "The number of probes, and the number of probes that failed."},
				{"uplinks_uplink_repairs_total, uplinks_uplink_failures_total", "The number of `repaired` events in the log, and the number of `failed` events."},
				{"uplinks_uplink_fights_total", "The number of `fighting` events in the log."},
				{"uplinks_uplink_reply_clients", "How many clients of UDP servers are remembered for the addresses of the uplink."},
				{"uplinks_uplink_connections", "Established TCP connections from the sources."},
				{"uplinks_uplink_receive_bytes_total, uplinks_uplink_transmit_bytes_total", "Bytes that the interface has received and sent, " +
					"including traffic that does not belong to the uplink."},
			},
			para("Other metrics:"),
			list{
				{"uplinks_monitored", "1 if `run` is active, else 0. It is absent if that is not known."},
				{"uplinks_reply_up", "1 if everything is installed for the `reply` lines and for `masquerade`, else 0."},
				{"uplinks_shared_default_up", "For each family: 1 if the shared default route is installed, else 0."},
				{"uplinks_start_timestamp_seconds", "When `run` started."},
				{"uplinks_looks_total, uplinks_changes_total, uplinks_steps_total", "How often `run` read the state of the kernel, how many " +
					"changes it made, and how many steps these had."},
				{"uplinks_failures_total, uplinks_fights_total, uplinks_lost_events_total", "How many changes failed, how often repairs were " +
					"limited because of another program, and how often events were lost."},
			},
		},
		examples: list{
			{"uplinks metrics >/var/lib/prometheus/node-exporter/uplinks.prom", "For the textfile collector of Debian."},
		},
	},
	{
		name: "check", args: "[NAME...]", summary: "find problems, and say how to fix them",
		options: read,
		text: []block{
			para("Check prints problems of the uplinks, and problems of the host that affect them. Each finding has a severity, a " +
				"code and a cure: what to do about it. Check sends no packets and changes nothing."),
			para("A fault means that an uplink does not work as the file declares. A warning means that some traffic goes the wrong way, or will do so " +
				"after some other event. A note means that a fact is not known, that something optional is missing, or that the state may be intended."),
			para("The command `uplinks help CODE` explains a code. These are the codes:"),
			codeList{},
		},
		statuses: list{{"3", "There is a fault or a warning."}},
		examples: list{{"uplinks check", "Check all uplinks and the host."}, {"uplinks help rp-filter", "Explain the code `rp-filter`."}},
	},
	{
		name: "explain", args: "PACKET...", summary: "say where a packet goes, and which rule and route decide that",
		options: []string{"n", "world", "batch", "input", "v", "json"},
		text: []block{
			para("Explain says what the kernel does with a packet, and why. Each line has a rule, the table that the rule looks up, " +
				"and what the table has for the packet. The last rule decides. The line below the rules has the packet and the result: unicast " +
				"with the next hop and the source address, local, or the error that a program gets. Rules that the packet does " +
				"not match are left out; -v prints them."),
			para("A packet is written in the words of `ip route get`: the destination address, and from, iif, oif, mark, tos, uid, ipproto, " +
				"sport, dport and flowlabel. Without iif, this host sends the packet. With iif, or with -input, the packet comes in from the " +
				"network. To explain several packets, quote each one."),
			para("Without -world, explain then asks the kernel about the same packet. The last line is `kernel agrees`, or the different answer " +
				"of the kernel. Explain sends no packet, changes nothing, does not read uplinks.conf, and needs no privileges."),
			para("With -batch, explain reads packets from a file. For each packet, it prints a line with a JSON object. For a line that is not " +
				"a packet, the object has the fields packet and error. Explain skips empty lines and comments, and does not ask the kernel."),
		},
		statuses: list{
			{"1", "Failure, or the kernel disagrees. Standard error has the reason."},
			{"2", "The command line, the file of -world, or a line of -batch has a fault."},
		},
		examples: list{
			{"uplinks explain 198.51.100.7 from 192.168.2.2", "Which router does an answer from 192.168.2.2 take?"},
			{"uplinks -input explain 192.168.2.2 from 198.51.100.7", "Is a packet from the Internet accepted, and through which interface does the answer leave?"},
			{"uplinks -world host.txt -batch packets explain", "Explain many packets on the host whose snapshot is host.txt."},
		},
	},
	{
		name: "tap", summary: "print packets of the uplinks, and which of them go astray",
		options: []string{"f", "n", "etc", "for", "json"},
		text: []block{
			para("Tap prints each IP packet that passes the interface of an uplink: the time, the interface, the direction, the protocol, " +
				"the addresses and ports, and a verdict. It ends at Ctrl-C, or after the time of -for, and then prints counts."),
			list{
				{"right", "The packet passes the interface of the uplink that its local address belongs to. The local address is the source " +
					"of a packet that leaves, and the destination of a packet that comes in."},
				{"astray", "The packet passes the interface of another uplink. For a packet that leaves, the line has the rule that " +
					"decides, as `explain` would print it. With main-first, a packet that takes a route of main other than the default is right."},
				{"refused", "The packet came in on the right interface, but the kernel drops it. The line has the reason, such as the reverse path filter."},
				{"other", "The local address belongs to no uplink, or the destination is a multicast or link-local address."},
			},
			para("Of an interface that no uplink has, such as that of a VPN, tap prints only packets that leave astray: those that have " +
				"the source of an uplink, and that a rule sends out by this interface. Packets to the networks of the interface are " +
				"not astray, nor are those that take a route of main, unless that route is the default or shorter than /4."),
			para("Tap needs CAP_NET_RAW. It changes nothing and sends no packet. It reads the rules, routes and addresses again when they " +
				"change. Tap cannot see which user sent a packet, so for rules with uidrange it assumes user 0. It can read the mark of a packet on Linux 5.19 and later."),
		},
		statuses: list{{"3", "A packet went astray."}},
		examples: list{
			{"uplinks tap", "Watch, until Ctrl-C."},
			{"uplinks -for 1m -json tap | jq -r 'select(.verdict == \"astray\") | .rule.text' | sort | uniq -c", "Count the rules that send packets astray."},
		},
	},
	{
		name: "trace", args: "[to PREFIX] [from PREFIX]", summary: "print lookups of routes, and the rule that decides",
		options: []string{"n", "for", "json"},
		text: []block{
			para("Trace prints the lookups of routes that the kernel makes, as it makes them. Each lookup is a line: the time, the " +
				"program, the packet, the tables that the kernel asked and what each of them said, the rule that decided, and the route. " +
				"Trace ends at Ctrl-C, or after the time of -for, and then prints counts."),
			para("Words select lookups by destination (`to`) and source (`from`), as in ip-route(8). A program that is not bound to an " +
				"address causes a lookup without a source first. The word `from` does not select that one."),
			list{
				{"any", "The source is not chosen yet."},
				{"-", "No program causes the lookup: the packet came in, or the kernel sends it."},
				{"(reverse path)", "The kernel looks up the source of an IPv4 packet that came in. Select by neither `to` nor `from` to see it with its packet."},
				{"?", "The rule is not known. The reason follows."},
			},
			para("The tracepoints of the kernel report the tables, but not the rules, the mark and the network namespace. Trace finds " +
				"the rule as `explain` does, and prints it if `explain` finds the same tables and the same answer. Otherwise it tries the " +
				"marks of the rules, and prints the mark that fits. If several rules lead to the same tables, another one may have decided. " +
				"For rules with uidrange, the user is that of the program, or 0 if the program has ended."),
			para("Trace sees the lookups of all network namespaces, and takes all for those of this one, or of that of -n. A lookup of " +
				"another namespace usually has the sign ?. If the other namespace has the same answer, its lookup cannot be told apart: select with `to` or `from`."),
			para("Established connections keep their route, so not each packet causes a lookup. Trace leaves out checks whether an " +
				"IPv4 address is local, and counts them. Rules and routes that change at the time of the lookup can cause a ?. If rules " +
				"lead to the first table twice, trace shows two lookups."),
			para("Trace needs root of the host (CAP_SYS_ADMIN, not in a container) and a kernel with tracefs. It changes nothing for other " +
				"users of tracing, sends no packets, and does not read uplinks.conf."),
		},
		examples: list{
			{"uplinks trace to 198.51.100.0/24", "Watch who looks up routes to this network."},
			{"uplinks -for 1m -json trace | jq -r '.rule.text // empty' | sort | uniq -c", "Count the rules that decide."},
		},
	},
	{
		name: "picture", args: "[PACKET]", summary: "draw rules, tables and gateways, and the path of a packet",
		options: []string{"n", "etc", "world", "dot", "mermaid", "svg"},
		text: []block{
			para("Picture draws which rules look up which tables, and which gateways and interfaces the routes of the tables lead to. " +
				"Routes that lead to the same place share a row. At the right is the name of the program that has probably made the rule. Picture " +
				"guesses the program from the priority, mark, table and protocol of the rule."),
			para("A packet is written in the words of `ip route get`, as for `explain`. Heavy lines and the sign ● mark the path of the packet. The sign " +
				"○ marks rules that match the packet but do not decide its path; the reason is at the right. Picture then draws only the family of the packet."),
			para("On a terminal, the path is green. The environment variable NO_COLOR turns colors off. Picture sends no packet, " +
				"changes nothing, does not read uplinks.conf, and needs no privileges. Kernel routes for broadcast, multicast and " +
				"anycast are left out, unless the packet takes one."),
		},
		examples: list{
			{"uplinks picture", "Draw this host."},
			{"uplinks picture 198.51.100.7 from 192.168.2.2", "Draw the way of an answer from 192.168.2.2."},
			{"uplinks -world host.txt -svg picture >host.svg", "Draw the host whose snapshot is host.txt."},
		},
	},
	{
		name: "test", args: "[FILE]", summary: "test whether packets take the ways that the file expects",
		options: append(slices.Clone(read), "world", "planned", "github"),
		text: []block{
			para("Test reads the lines with `expect` in FILE or, without FILE, in uplinks.conf. For each line, it tests whether the packet " +
				"takes the expected way on this host, and prints the name of the file, the number of the line, and the result. The result is ok or " +
				"FAILED. After FAILED, it prints the way that the packet takes and the rule that decides. FILE has the format of " +
				"uplinks.conf. Its lines with `expect` can also use the names of uplinks in uplinks.conf."),
			para("Test sends no packets and changes nothing. It needs no privileges, except with -planned if the file has lines with " +
				"`reply` or `masquerade`. With -world, it tests the host that a file describes, and works on every operating system."),
		},
		statuses: list{{"3", "A test failed."}},
		examples: list{
			{"uplinks test", "Test this host."},
			{"uplinks -planned test", "Test the state that this host would have after `up`."},
			{"uplinks -world host.txt test policy.conf", "Test a saved host, for instance in a CI workflow."},
		},
	},
	{
		name: "snapshot", other: true, summary: "print the state of this host that decides where packets go",
		options: []string{"n", "json"},
		text: []block{
			para("Snapshot prints the rules, routes, nexthop objects, interfaces, addresses, neighbours that are gateways, and " +
				"settings of this host. Each line is a command of ip(8) or sysctl(8). Lines that would change interfaces, addresses and " +
				"settings are comments. The commands that have the option -world read this text, on every operating system."),
			para("Snapshot changes nothing and needs no privileges. A setting that cannot be read has the value ?."),
		},
		examples: list{
			{"uplinks snapshot >host.txt", "Save the state of this host."},
			{"uplinks -world host.txt explain 198.51.100.7", "Work on it elsewhere."},
		},
	},
	{
		name: "recover", other: true, summary: "clean up after a command that was killed",
		options: read,
		text: []block{
			para("Recover removes the temporary rules and routes of a command that was killed during a change. This does not change " +
				"the way of any packet. `up`, `down` and `run` do this before anything else."),
		},
		examples: list{{"uplinks recover", "Clean up."}},
	},
	{
		name: "parse", other: true, args: "[NAME...]", summary: "check the syntax of the file",
		options: []string{"f", "json"},
		text: []block{
			para("Parse checks the syntax of the file, and prints its lines in a normal form. It needs no privileges, does not read " +
				"the state of the host, and changes nothing."),
		},
		examples: list{{"uplinks -f uplinks.conf.new parse", "Check a new file before you install it."}},
	},
	{
		name: "completion", other: true, args: "bash|zsh|fish", summary: "print a completion script for a shell",
		text: []block{
			para("Completion prints a script that completes commands, options, names of uplinks, topics and codes."),
		},
		examples: list{
			{"uplinks completion bash >/etc/bash_completion.d/uplinks", "For bash."},
			{"uplinks completion zsh >/usr/local/share/zsh/site-functions/_uplinks", "For zsh."},
			{"uplinks completion fish >/etc/fish/completions/uplinks.fish", "For fish."},
		},
	},
	{
		name: "man", other: true, args: "[8|5]", summary: "print a manual page for man(1)",
		text: []block{
			para("Man prints the manual page uplinks(8) or uplinks.conf(5), in the format of man(7)."),
		},
		examples: list{{"uplinks man 5 | man -l -", "Read uplinks.conf(5)."}},
	},
	{
		name: "version", other: true, summary: "print the version",
		options: []string{"json"},
		text: []block{
			para("Version prints the version of the module, the commit, the version of Go, and the oldest supported version of Linux. " +
				"The option -version does the same."),
		},
		examples: list{{"uplinks version", "Print the version."}},
	},
	{
		name: "help", args: "[COMMAND | TOPIC | CODE]", summary: "explain a command, a topic or a code of \"check\"",
		text: []block{
			para("Help explains a command, a topic, or a code of `check`. Without an argument, it lists the commands."),
		},
		examples: list{{"uplinks help file", "Explain the words of the file."}},
	},
}
