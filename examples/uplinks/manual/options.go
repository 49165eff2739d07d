package manual

// options are all options.
var options = []option{
	{"f", "FILE", "Read this file. Default: /etc/uplinks.conf.", true},
	{"n", "NETNS", "Work in this network namespace: a name from `ip netns add`, or a path such as /proc/PID/ns/net. This needs CAP_SYS_ADMIN.", true},
	{"etc", "DIR", "The directory of rt_tables. Default: /etc/iproute2.", true},
	{"control", "DIR", "The directory of the socket on which `run` answers `status`, `reload` and `down`. Default: " +
		"/run/uplinks. The directory has to belong to root or to this user, and no other user may have write permission. `run` " +
		"creates the directory if it does not exist.", true},
	{"json", "", "Print JSON instead of text. See `uplinks help json`.", true},
	{"prune", "", "Also remove the rules and routes of uplinks that are not in the file. They are recognized by the protocol " +
		"numbers of the lines in the file: 210, or the number after `proto`.", false},
	{"adopt", "", "Show the steps of `adopt` instead of those of `up`.", false},
	{"once", "", "Exit as soon as all uplinks are complete. An uplink that cannot be installed does not delay the others. Probes are not sent.", false},
	{"wait", "TIME", "With -once: exit after this time, such as 90s, even if an uplink is not complete. Default: 30s.", false},
	{"remove", "", "Remove the uplinks when the process exits.", false},
	{"metrics", "PLACE", "Serve metrics for Prometheus over HTTP at /metrics. The place is an address with a port, such as " +
		"127.0.0.1:9599, or unix:PATH. There is no password, so use an address that only trusted hosts can reach. See `uplinks " +
		"help metrics`.", false},
	{"impact", "", "Also print which packets go another way after the change. All other packets go the same way as before.", false},
	{"force", "", "Make the change even if a line with `expect` holds now and will not hold afterwards.", false},
	{"planned", "", "Test the state that the host would have after `up`, instead of its present state.", false},
	{"github", "", "Print failures as errors of a GitHub workflow. This is the default if the environment variable GITHUB_ACTIONS is true.", false},
	{"world", "FILE", "Use the host that this file describes, instead of this host. The file has the format of `snapshot`. The name - " +
		"means standard input. This works on every operating system.", false},
	{"batch", "FILE", "Explain the packets of this file, one on each line. The name - means standard input.", false},
	{"input", "", "The packet comes in from the network. Without iif, it comes in through the interface that has the destination address. " +
		"If no interface has the address, there is an explanation for each interface that is up.", false},
	{"dot", "", "Print the picture in the language of Graphviz: pipe it to dot -Tsvg.", false},
	{"mermaid", "", "Print the picture as a flowchart of Mermaid, for Markdown.", false},
	{"svg", "", "Print the picture as SVG, for a browser.", false},
	{"for", "TIME", "End after this time, such as 30s. Without it, tap ends at Ctrl-C.", false},
	{"v", "", "Plan: print the commands of all steps. Run: also log the commands that installed an uplink. Explain: also print the " +
		"rules that the packet does not match, and the routes that were looked up but not used.", false},
	{"sh", "", "Print a script for sh(1) that does all steps with ip(8).", false},
}

// optionsOf returns the options of a command, in the command's order.
func (c *command) optionsOf() []option {
	var all []option
	for _, name := range c.options {
		for _, o := range options {
			if o.name == name {
				all = append(all, o)
			}
		}
	}
	return all
}

// term returns the option as it is typed.
func (o option) term() string {
	if o.arg == "" {
		return "-" + o.name
	}
	return "-" + o.name + " " + o.arg
}
