// Ip is a version of ip(8) from iproute2 with the objects rule and route. It takes the
// same words, prints the same text and JSON, exits with the same status, and prints the
// same errors. Scripts for ip(8) run on it without changes:
//
//	go build -o /usr/local/bin/policyroute-ip ./examples/ip
//
//	policyroute-ip [-4|-6|-f FAMILY] [-j] [-p] [-d] [-s] [-N] [-o] [-c] [-echo] [-n NETNS] rule|route COMMAND ...
//	policyroute-ip [-force] -batch FILE
//
// Do not install the program as ip: in /usr/local, it would hide ip(8), which has many more
// objects, from all scripts. As with ip(8), a link named iproute or iprule runs the command
// for that object.
//
// Objects, commands and keywords can be abbreviated as in ip(8): "ip r", "ip ru ls", "ip
// route add ... prot static". "ip rule help" and "ip route help" list them all. The
// command save writes the same files as ip(8), and both programs can restore them. Where
// versions of iproute2 differ, the program follows 7.1.
//
// The program is stricter than ip(8) in two cases: a number followed by letters is an
// error, and so is a number as the action of a rule. Otherwise the packages rule, route and
// rttables read numbers, addresses and names as ip(8) does, and the program is a thin layer
// over them. Parse makes a [rule.Rule] or a [route.Route] from words, MarshalBinary makes a
// message from that, and package route/show prints what the kernel reports. The program
// sends the messages itself. It does not use [rule.Delete], because ip(8) deletes the first
// rule that has the selectors of the command, and rule.Delete deletes only the exact rule.
//
// On systems other than Linux all commands except help fail.
package main
