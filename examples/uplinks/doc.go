// Uplinks makes a host with several providers send each reply through the provider that
// the request came from. It can also send selected traffic through a selected provider.
// It replaces a list of ip(8) commands in rc.local, and makes the change in one atomic
// step:
//
//	uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] plan|up|down|run|status|watch|metrics|check|recover|parse [NAME...]
//	uplinks [-n NETNS] [-json] reload
//	uplinks [-n NETNS] [-etc DIR] [-json] init
//	uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] adopt|-adopt plan [NAME...]
//	uplinks [-n NETNS] [-world FILE] explain|picture PACKET...
//	uplinks [-n NETNS] [-world FILE] [-f FILE] snapshot|test|tap
//
// A file declares the uplinks, one on each line, in the words of ip(8):
//
//	lan1 table 10 dev eth0 via 192.168.1.1
//	lan2 table 20 dev eth1 via 192.168.2.1  also ipproto tcp dport 25
//	lan2          dev eth1 via 2001:db8:2::1  main-first unreachable
//
// The commands:
//
//   - init prints an uplinks.conf for this host.
//   - plan prints the rules, routes and names that up, or adopt, would change. With -v it
//     prints the equivalent ip commands.
//   - adopt installs uplinks as up does, and replaces rules and routes that scripts have made for
//     them, without losing a packet. To replace rc.local, run "uplinks init >/etc/uplinks.conf;
//     uplinks plan; uplinks adopt".
//   - up installs the uplinks of the file: all of them or, on a failure, none. It changes
//     only what differs. With -prune it also removes uplinks that the file no longer has.
//   - down removes what up installed, and nothing else.
//   - run installs the uplinks, keeps running, and restores them when cables are pulled,
//     leases change or other programs delete rules.
//   - status prints the state of each uplink: what is missing, changed or should not exist,
//     how long it has been in this state, its health and its connections. It also prints
//     the last events of run. watch shows the same until Ctrl-C.
//   - metrics prints metrics for Prometheus. With -metrics PLACE, run serves them over
//     HTTP.
//   - check prints problems of the uplinks, and problems of the host that affect them.
//   - picture draws the rules, tables, gateways and interfaces of this host, or of one that
//     a file describes, and the path of a packet.
//   - tap prints the packets that pass the interfaces of the uplinks. A packet is astray if
//     it has an address of one uplink and passes the interface of another. If such a packet
//     leaves this host, tap also prints the rule that decides its way.
//   - trace prints the lookups of routes that the kernel makes. Each has the rule and the
//     route that decide.
//   - recover cleans up after a command that was killed.
//   - reload makes run read its file again, waits until run has applied it, and returns
//     the result.
//   - parse checks the syntax of the file.
//
// The command run has options of its own:
//
//	uplinks [-json] [-v] [-once [-wait TIME] | [-remove] [-metrics PLACE]] run [NAME...]
//
// On SIGHUP, which reload sends, run reads the file again and changes what differs. If the
// file has a fault, nothing changes. On SIGTERM it exits, and leaves the uplinks installed
// or, with -remove, removes them. It answers status on a socket of the network namespace,
// so status shows which process maintains the uplinks and what each of them waits for. The
// log has a line for each event:
//
//	warning: uplink lan2 IPv4 pending: the interface eth1 is down
//	uplink lan2 IPv4 installed: added 2 routes
//	uplink lan1 IPv4 repaired: rules changed: ip rule add from 192.168.1.2 lookup lan1 proto 210 pref 31000
//
// The exit status is 0 on success, 1 after a failure, 2 for a fault in the command line or
// the file, and 3 if something is missing or has to be changed. For a fault, run returns 78
// instead of 2, because a Go program that crashes returns 2. "uplinks help" lists the
// commands. "uplinks help COMMAND" explains one, "uplinks help file" the words of the file,
// and "uplinks help CODE" a code of check. The manual pages uplinks(8) and uplinks.conf(5)
// have the same text. "uplinks completion SHELL" prints a script that completes command
// lines.
//
// The directory has units for systemd: uplinks-run.service for run, with readiness, reload
// and watchdog; uplinks-wait.service, which delays network-online.target; and
// uplinks.service, which installs the uplinks once. networkd.conf.d has settings of
// systemd-networkd that all of them need. uplinks.conf is an example of the file. The
// directory conf has more examples: a VPN server, mail and web, DHCP, and a shared default
// route. On systems other than Linux the commands fail with errors.ErrUnsupported.
//
// The program is also an example of package table: a line of the file becomes a
// [maintain.Uplink]. The commands make their plans with [table.PlanInstall],
// [table.PlanSync], [table.PlanAdopt], [table.PlanRemove] and [table.PlanRecover], and apply them with
// [plan.Plan.ApplyLocked] under [plan.Lock]. The command run calls [maintain.Run].
package main
