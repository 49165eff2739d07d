// Ip is ip(8) of iproute2, of which it has the objects rule and route. It takes
// the same words, prints the same text and JSON, exits with the same status, and
// says the same on standard error, so that scripts for ip(8) run on it as they
// are:
//
//	go build -o /usr/local/sbin/ip ./examples/ip
//
//	ip [-4|-6|-f FAMILY] [-j] [-p] [-d] [-s] [-N] [-o] [-n NETNS] rule|route COMMAND ...
//	ip [-force] -batch FILE
//
// Objects, commands and keywords may be abbreviated as ip(8) allows it: "ip r",
// "ip ru ls", "ip route add ... prot static". "ip rule help" and "ip route help"
// have all of them. Files of save are those of ip(8), also for its restore.
// Where versions of iproute2 differ, it does what 7.1 does.
//
// It is strict where ip(8) is not: a number that is followed by letters is no
// number, and a number alone is no action of a rule. Numbers, addresses and names
// of the packages rule, route and rttables are those of ip(8) otherwise; the
// program is a thin layer over them. Words become a [rule.Rule] or a
// [route.Route] by Parse, these a message by MarshalBinary, and what the kernel
// reports becomes text by package route/show. It sends the messages itself, since
// ip(8) deletes the first rule that has what the words say, where [rule.Delete]
// takes care that it deletes the one that is meant.
//
// On other systems than Linux all commands but help fail.
package main
