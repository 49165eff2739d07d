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
// up installed, and nothing else. recover cleans up after a kill. run stays, and
// keeps the uplinks so when cables are pulled, addresses change and others delete
// rules. "uplinks help" has the file's format, the exit statuses, the fields of the
// JSON, and examples.
//
// The folder has units for systemd, uplinks.service for up and uplinks-run.service
// for run, and an example of the file, uplinks.conf. On other systems than Linux the commands fail with
// errors.ErrUnsupported.
//
// The program is also an example of package table: a line of the file becomes a
// [table.SourceRoutedUplink], and the commands are [table.PlanInstall],
// [table.PlanSync], [table.PlanRemove], [table.PlanRecover] and [table.Plan.Apply];
// run is [table.Maintain].
package main
