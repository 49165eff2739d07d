package manual

import "slices"

// read are the options of commands that read the file and the kernel.
var read = []string{"f", "n", "etc", "json"}

// commands are all commands, in the order of the first screen.
var commands = []command{
	{
		name: "init", summary: "print a file for this host as it is",
		options: []string{"n", "etc", "json"},
		text: []block{
			para("Init prints a file that describes the host as it is now, and changes nothing. The file has a line for each " +
				"interface and gateway that has a default route, in the table main or in a table that scripts have made. " +
				"A line also has the rules of these scripts. A comment above each line says where the line comes from."),
		},
		examples: list{{"uplinks init >/etc/uplinks.conf", "Begin with a file for this host. Read it before you go on."}},
	},
	{
		name: "plan", args: "[NAME...]", summary: "show what up would change, and change nothing",
		options: append(slices.Clone(read), "prune", "adopt", "v", "sh"),
		text: []block{
			para("Plan prints what up would change, and changes nothing: the rules, routes and names that are added, removed or " +
				"changed, and in how many steps packets change over. If up would refuse what adopt can take over, plan prints the " +
				"difference that adopt makes, and says so."),
			para("With -v, plan prints the command of ip(8) for each step. A comment marks the steps with which packets change over. " +
				"Rules with the actions `goto` and `nop` are temporary: they make all rules of an uplink take effect at the same moment."),
			para("With -sh, plan prints these commands as a script. Unlike up, the script undoes nothing after a failure."),
		},
		statuses: list{{"3", "There is something to change."}},
		examples: list{
			{"uplinks plan lan2", "Show what would change for the uplink lan2."},
			{"uplinks -sh plan >up.sh", "Write a script that does what up would do."},
		},
	},
	{
		name: "up", args: "[NAME...]", summary: "install the uplinks of the file: all or none",
		options: append(slices.Clone(read), "prune"),
		text: []block{
			para("Up makes the rules and routes of the kernel what the file says. It installs all uplinks or, on a failure, none. " +
				"Up changes only what differs. In the uplinks' tables, it deletes routes that have the uplinks' protocol and that the " +
				"file does not ask for."),
			para("All rules of a source address take effect at the same moment. No packet leaves by a wrong interface during the change."),
			para("Up prints what it changed. A name that cannot be written to rt_tables is a warning: the uplink works without it. " +
				"Names are written last. Up waits five seconds for another process that is writing names."),
			para("Up does not restore what is deleted later. The command run does."),
		},
		examples: list{
			{"uplinks up", "Install all uplinks."},
			{"uplinks -prune up", "Also remove uplinks whose lines you have deleted from the file."},
		},
	},
	{
		name: "adopt", args: "[NAME...]", summary: "like up, and take over what scripts have installed",
		options: read,
		text: []block{
			para("Adopt does what up does, and takes the place of rules and routes that scripts have made for the same uplinks. " +
				"No packet is lost during the change. See `uplinks help scripts`."),
		},
		examples: list{{"uplinks -adopt plan", "Show the steps of adopt."}, {"uplinks adopt", "Take over all uplinks of the file."}},
	},
	{
		name: "down", args: "[NAME...]", summary: "remove what up installed",
		options: read,
		text: []block{
			para("Down removes the rules and routes of the uplinks, and the names that up wrote to rt_tables. It removes nothing that " +
				"other programs installed. Down also removes the default route that uplinks share."),
			para("If a name cannot be deleted, down prints a warning, removes all else, and the exit status is 1."),
			para("Down finds an uplink by its line. To remove an uplink whose line you have deleted, use `uplinks -prune up`."),
			para("If run is active, it restores what down removes. Stop run first."),
		},
		examples: list{{"uplinks down lan2", "Remove the uplink lan2."}},
	},
	{
		name: "run", args: "[NAME...]", summary: "install the uplinks and keep them installed (a service)",
		options: append(slices.Clone(read), "once", "wait", "remove", "metrics", "v"),
		text: []block{
			para("Run installs each uplink as soon as that is possible, keeps running, and repairs the uplinks: when cables are pulled, " +
				"leases change, or other programs delete rules. See `uplinks help service`."),
		},
		statuses: list{
			{"3", "With -once: an uplink is not complete."},
			{"78", "The command line or the file has a fault (EX_CONFIG). A restart does not help before the fault is corrected."},
		},
		examples: list{
			{"uplinks -metrics 127.0.0.1:9599 run", "Keep all uplinks installed, and serve metrics to this host."},
			{"uplinks run", "Keep all uplinks of the file installed."},
			{"uplinks -once -wait 1m run", "At boot: wait at most a minute until all uplinks are complete."},
		},
	},
	{
		name: "reload", summary: "make run read its file again",
		options: []string{"n", "json"},
		text: []block{
			para("Reload makes run read its file again, and returns when run has finished. If the file has a fault, reload prints the " +
				"fault and fails. Run then keeps the lines that it had."),
		},
		examples: list{{"uplinks reload", "After a change of the file."}},
	},
	{
		name: "status", args: "[NAME...]", summary: "show the state of each uplink",
		options: read,
		text: []block{
			para("Status prints a line for each uplink: complete, absent or incomplete. Below the line are the faults: what is missing, what " +
				"is changed, what should not be there, and which rules of other programs take its packets. This is the state of the kernel."),
			para("The column TCP has the number of established TCP connections of this host from the sources of the uplink. On a terminal, " +
				"IN and OUT have what the interface receives and sends, measured for a quarter of a second. A wide terminal shows the table " +
				"and the gateway as well. The environment variable NO_COLOR turns colors off."),
			para("Status also shows whether run is active. If it is, SINCE has the time that the uplink has been in its state, HEALTH has the " +
				"verdict of the probes with the time of the last one, the lines below have what a pending uplink waits for, and the last " +
				"events follow. If the file has a fault, status prints the fault and shows the lines that run has read."),
		},
		statuses: list{{"3", "An uplink is not complete."}},
		examples: list{{"uplinks status", "Show all uplinks."}, {"uplinks -json status", "The same as a JSON object."}},
	},
	{
		name: "watch", args: "[NAME...]", summary: "show the state of each uplink until Ctrl-C",
		options: read,
		text: []block{
			para("Watch shows on a terminal what status shows, and redraws it every second. It asks run every second, if run is active, and " +
				"compares the uplinks with the kernel every five seconds, or at the next second if run reports an event. It reads the " +
				"file again each time."),
			para("If standard output is not a terminal, watch prints lines: the events of run, and the state of an uplink when it changes. " +
				"With -json it prints the object of status each second, one a line, with the field time."),
			para("Watch changes nothing. It ends on SIGINT or SIGTERM, and the exit status is 0."),
		},
		examples: list{
			{"uplinks watch", "Watch all uplinks."},
			{"uplinks watch | tee uplinks.log", "Record what happens."},
		},
	},
	{
		name: "metrics", args: "[NAME...]", summary: "print metrics for Prometheus",
		options: []string{"f", "n", "etc"},
		text: []block{
			para("Metrics prints numbers about the uplinks in the text format of Prometheus, such as for the textfile collector of " +
				"node_exporter. With the option -metrics, run serves the same over HTTP, and serves OpenMetrics to clients that ask for it. " +
				"There up is what run knows from its last look, and connections are not counted."),
			para("If run cannot listen on the address, it logs a warning, tries again every ten seconds, and maintains the uplinks in the " +
				"meantime. With -n it listens in the network namespace in which it was started. A socket of unix: has the permissions that the " +
				"umask of run allows. Run serves 16 clients at the same time, and makes an answer once a second at most."),
			para("Metrics with the labels name and family:"),
			list{
				{"uplinks_uplink_up", "1 if the uplink is complete, else 0."},
				{"uplinks_uplink_healthy", "1 if its probes succeed, else 0. It is absent if there is no result."},
				{"uplinks_uplink_probe_duration_seconds", "How long the last probe took."},
				{"uplinks_uplink_last_probe_timestamp_seconds", "When the last probe ended."},
				{"uplinks_uplink_probes_total, uplinks_uplink_probe_failures_total", "Probes, and probes that failed."},
				{"uplinks_uplink_repairs_total, uplinks_uplink_failures_total", "Events of the log: repaired and failed."},
				{"uplinks_uplink_fights_total", "Events of the log: fighting."},
				{"uplinks_uplink_connections", "Established TCP connections from the sources."},
				{"uplinks_uplink_receive_bytes_total, uplinks_uplink_transmit_bytes_total", "Bytes of the interface, with all that uses it."},
			},
			para("Other metrics:"),
			list{
				{"uplinks_monitored", "1 if run is active, else 0. It is absent if that is not known."},
				{"uplinks_shared_default_up", "1 if the shared default route is installed, by family."},
				{"uplinks_start_timestamp_seconds", "When run began."},
				{"uplinks_looks_total, uplinks_changes_total, uplinks_steps_total", "How often run read the state of the kernel, changes, and their steps."},
				{"uplinks_failures_total, uplinks_fights_total, uplinks_lost_events_total", "Failed changes, conflicts, and how often events were lost."},
			},
		},
		examples: list{
			{"uplinks metrics >/var/lib/prometheus/node-exporter/uplinks.prom", "For the textfile collector of Debian."},
		},
	},
	{
		name: "check", args: "[NAME...]", summary: "find problems, each with its cure",
		options: read,
		text: []block{
			para("Check prints what is wrong with the uplinks, and what else on the host will cause trouble for them. Each finding has a " +
				"severity, a code and a cure. Check sends no packet and changes nothing."),
			para("A fault means that an uplink does not do what it is for. A warning means that some traffic goes wrong, or will when " +
				"something else happens. A note means that nothing is wrong, but something is not known or not done."),
			para("The command `uplinks help CODE` explains a code. These are the codes:"),
			codeList{},
		},
		statuses: list{{"3", "There is a fault or a warning."}},
		examples: list{{"uplinks check", "Check all uplinks and the host."}, {"uplinks help rp-filter", "Explain the code rp-filter."}},
	},
	{
		name: "recover", summary: "clean up after a command that was killed",
		options: read,
		text: []block{
			para("Recover removes the temporary rules and routes of a command that was killed during a change. The way of packets does " +
				"not change. Up, down and run do the same before anything else."),
		},
		examples: list{{"uplinks recover", "Clean up."}},
	},
	{
		name: "parse", args: "[NAME...]", summary: "check the file alone",
		options: []string{"f", "json"},
		text: []block{
			para("Parse checks the file, and prints its lines in their normal form. It needs no privilege, does not ask the kernel, and " +
				"changes nothing."),
		},
		examples: list{{"uplinks -f uplinks.conf.new parse", "Check a new file before you install it."}},
	},
	{
		name: "completion", args: "bash|zsh|fish", summary: "print a completion script for a shell",
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
		name: "man", args: "[8|5]", summary: "print a manual page for man(1)",
		text: []block{
			para("Man prints the manual page uplinks(8) or uplinks.conf(5), in the format of man(7)."),
		},
		examples: list{{"uplinks man 5 | man -l -", "Read uplinks.conf(5)."}},
	},
	{
		name: "version", summary: "print the version",
		options: []string{"json"},
		text: []block{
			para("Version prints the version of the module, the commit, the version of Go, and the oldest version of Linux that the " +
				"program works with. The option -version does the same."),
		},
		examples: list{{"uplinks version", "Print the version."}},
	},
	{
		name: "help", args: "[COMMAND | TOPIC | CODE]", summary: "explain a command, a topic or a code of check",
		text: []block{
			para("Help explains a command, a topic, or a code of check. Without an argument it lists the commands."),
		},
		examples: list{{"uplinks help file", "The words of the file."}},
	},
}
