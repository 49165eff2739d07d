package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/internal/testrun"
	"github.com/policyroute/policyroute/internal/uapi"
	"github.com/policyroute/policyroute/route"
)

// TestMain runs the program if the test binary is called ip, or ip and an object.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "ip", "iproute", "iprule", "ipr":
		main()
	}
	lab.Main(m)
}

// A host is a network namespace like the one of the recorded cases.
type host struct {
	*testing.T
	report *testrun.Reporter
	lab    *lab.Lab
	ns     *lab.NS
	conn   *route.Socket
}

// Errorf prints a failure, unless enough of them are printed.
func (h *host) Errorf(format string, args ...any) {
	h.Helper()
	h.report.Errorf(format, args...)
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{T: t, report: testrun.Limit(t), lab: lab.Test(t)}
	h.ns = h.namespace("a")
	var err error
	if h.conn, err = route.Dial(h.ns.Config()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.conn.Close() })
	return h
}

// namespace makes another namespace of the same kind.
func (h *host) namespace(name string) *lab.NS {
	h.Helper()
	ns, far := h.lab.NS(name), h.lab.NS("far of "+name)
	ns.Sysctl("net.ipv6.conf.default.addr_gen_mode", "1") // no generated addresses
	h.lab.Veth(lab.End{NS: ns, Name: "eth0", Index: 3}, lab.End{NS: far, Name: "eth0"})
	h.lab.Veth(lab.End{NS: ns, Name: "eth1", Index: 5}, lab.End{NS: far, Name: "eth1"})
	ns.Addr("eth0", "192.168.1.6/24", "2001:db8:1::6/64")
	ns.Addr("eth1", "192.168.2.2/24", "2001:db8:2::2/64")
	return ns
}

// A result is the result of a command.
type result struct {
	status      int
	out, stderr string
}

// ip runs the program in the namespace.
func (h *host) ip(args ...string) result {
	return h.ipIn(h.ns, "", args...)
}

// ipIn runs the program in a namespace with an input.
func (h *host) ipIn(ns *lab.NS, in string, args ...string) result {
	return runProgram(in, append([]string{"-n", ns.Path()}, args...)...)
}

// runProgram runs the program in the namespace of the test.
func runProgram(in string, args ...string) result {
	var out, stderr bytes.Buffer
	p := program{in: strings.NewReader(in), out: &out, err: &stderr, files: shipped()}
	return result{status: p.run(args), out: out.String(), stderr: stderr.String()}
}

// shipped has the files of names from iproute2, with the entries that the recorded cases use.
func shipped() fstest.MapFS {
	var fields strings.Builder
	for class := 1; class <= 7; class++ {
		fmt.Fprintf(&fields, "%#x CS%d\n", class<<5, class)
		for drop := 1; class <= 4 && drop <= 3; drop++ {
			fmt.Fprintf(&fields, "%#x AF%d%d\n", class<<5+drop<<3, class, drop)
		}
	}
	fields.WriteString("0xb8 EF\n")
	return fstest.MapFS{
		"etc/iproute2/rt_dsfield": {Data: []byte(fields.String())},
		"etc/iproute2/rt_protos":  {Data: []byte("99 openr\n")},
		"etc/iproute2/rt_realms":  {Data: []byte("0 cosmos\n")},
	}
}

// needs skips a test on a kernel that is too old for it. On other kernels it does nothing.
func needs(t *testing.T, since uapi.Version) {
	t.Helper()
	if v, ok := uapi.Running(); ok && v.Less(since) {
		t.Skipf("the recorded cases are of Linux %s, and this is %s", since, v)
	}
}
