// Uplinks makes a host with several providers answer every packet by the
// provider that it came from, and send chosen traffic by a chosen one. It does
// once, and all or nothing, what a list of ip(8) commands in rc.local does:
//
//	uplinks [-n NETNS] [-f FILE] [-etc DIR] [-json] plan|up|down|run|status|check|recover [NAME...]
//
// The uplinks stand in a file, one a line, in the words of ip(8):
//
//	lan1 table 10 dev eth0 via 192.168.1.1
//	lan2 table 20 dev eth1 via 192.168.2.1  also ipproto tcp dport 25
//	lan2          dev eth1 via 2001:db8:2::1  main-first unreachable
//
// plan prints the ip commands that up would amount to. up makes the kernel's
// state what the file says: all lines or, on a failure, none; again, it changes
// nothing; after a change of the file, it changes what differs, and with -prune
// also removes what the file no longer has. status says what is missing, changed
// or too much, and check also what around the uplinks will hurt. down removes what
// up installed, and nothing else. recover cleans up after a kill.
//
// run stays, and keeps the uplinks so when cables are pulled, leases change and
// others delete rules:
//
//	uplinks [-json] [-v] [-once [-wait TIME] | -remove] run [NAME...]
//
// It reads the file again at SIGHUP, and changes what differs; a faulty file is
// refused, and all stays as it is. SIGTERM ends it, and leaves the uplinks or, with
// -remove, removes them. status asks it, too, on a socket of the network namespace:
// who keeps the uplinks, and what each of them waits for. Its log has a line for
// each thing that happens:
//
//	warning: uplink lan2 IPv4 pending: the interface eth1 is down
//	uplink lan2 IPv4 installed: added 2 routes
//	uplink lan1 IPv4 repaired: rules changed: ip rule add from 192.168.1.2 lookup lan1 proto 210 pref 31000
//
// The exit status is 0 when all is done or complete, 1 after a failure, 2 for a
// fault of the command line or the file, and 3 when something is left to do or
// missing. "uplinks help" has the file's format, the fields of the JSON, and
// examples; "uplinks help run" and "uplinks help file" are parts of it.
//
// The folder has units for systemd: uplinks-run.service for run, with readiness,
// reload and watchdog, and uplinks.service for up. uplinks.conf is an example of the
// file, and conf has more: a VPN server, mail and web, DHCP, and a default route
// that is shared. On other systems than Linux the commands fail with
// errors.ErrUnsupported.
//
// The program is also an example of package table: a line of the file becomes a
// [table.MaintainedUplink], and the commands are [table.PlanInstall],
// [table.PlanSync], [table.PlanRemove], [table.PlanRecover] and [table.Plan.Apply];
// run is [table.Maintain].
package main
