// Package programs has the tests of replies with real programs: VPN and name servers, firewalls,
// published ports. It contains tests alone. It is a module of its own because its tests need
// programs that the tests of the library do not need.
//
//	bash .ci/programs DIR                                          # unpacks Debian's packages
//	cd internal/programs && POLICYROUTE_PROGRAMS=DIR go test ./...
//
// The programs come from Debian's packages, which .ci/programs unpacks to a directory and does
// not install: so no server starts on this machine, and none of its files changes. Programs that
// are installed are used as they are. Each program runs in a network namespace of the test and in
// a mount namespace of its own, where the unpacked files lie over /usr and /etc.
//
// Each test has a control: the same call without the policy. Where the program needs the policy,
// the control fails, and the packet that goes astray is counted on the wire.
package programs
