package explain_test

import (
	"strings"
	"testing"

	"github.com/policyroute/policyroute/internal/lab"
	"github.com/policyroute/policyroute/route"
	"github.com/policyroute/policyroute/table/explain"
)

// take reads the World of a namespace.
func take(t *testing.T, ns *lab.NS) explain.World {
	t.Helper()
	c, err := route.Dial(ns.Config())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	w, err := explain.Take(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Take reads every setting by its own name, in the namespace of the socket.
func TestKernelTakeSysctls(t *testing.T) {
	ns := lab.Test(t).NS("host")
	ns.Link("d1", ns, "p1")
	for _, name := range []string{
		"net.ipv4.conf.all.src_valid_mark", "net.ipv4.conf.all.accept_local", "net.ipv4.conf.all.route_localnet",
		"net.ipv4.fib_multipath_use_neigh", "net.ipv4.fib_multipath_hash_policy", "net.ipv6.fib_multipath_hash_policy",
		"net.ipv4.conf.d1.src_valid_mark", "net.ipv4.conf.d1.accept_local", "net.ipv4.conf.d1.route_localnet",
		"net.ipv4.conf.d1.forwarding", "net.ipv4.conf.d1.rp_filter", "net.ipv4.conf.d1.ignore_routes_with_linkdown",
		"net.ipv4.conf.d1.bc_forwarding", "net.ipv4.conf.all.rp_filter", "net.ipv4.conf.all.bc_forwarding",
		"net.ipv6.conf.d1.forwarding", "net.ipv6.conf.d1.ignore_routes_with_linkdown", "net.ipv6.conf.d1.disable_ipv6",
		"net.ipv6.conf.d1.use_oif_addrs_only", "net.ipv6.conf.d1.use_optimistic", "net.ipv6.conf.d1.use_tempaddr",
	} {
		value, want := "1", "1"
		if strings.HasSuffix(name, "d1.rp_filter") || strings.HasSuffix(name, "use_tempaddr") {
			value, want = "2", "2"
		}
		before := take(t, ns)
		ns.Sysctl(name, value)
		after := take(t, ns)
		for key, got := range after.Sysctls {
			if key != name && before.Sysctls[key] != got {
				t.Errorf("%s changes %s to %s", name, key, got)
			}
		}
		if got, _ := after.Sysctls.Get(name); got != want {
			t.Errorf("%s=%q, want %s", name, got, want)
		}
		ns.Sysctl(name, "0")
	}
}

// Take reads interfaces and addresses with what decides about packets.
func TestKernelTakeLinks(t *testing.T) {
	ns := lab.Test(t).NS("host")
	ns.Link("d1", ns, "p1")
	ns.AltName("d1", "uplink")
	ns.Bridge("b1", "p1")
	ns.Addr("d1", "192.0.2.2/24", "192.0.2.3/24", "2001:db8::2/64")
	text := take(t, ns).String()
	for _, want := range []string{
		"ip link add p1 index 3 master b1 type veth", "ip link add d1 index 2 altname uplink type veth",
		"ip link add b1 index 4", "type bridge", "ip address add 192.0.2.2/24 dev d1", "ip address add 192.0.2.3/24 dev d1 secondary",
		"ip address add 2001:db8::2/64 dev d1",
	} {
		if !strings.Contains(text, "# "+want) && !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
