package explain_test

import (
	"fmt"
	"testing"

	"github.com/policyroute/policyroute/table/explain"
)

// What kernels were seen to do with packets: 6.18, and for VRFs 6.12.
func TestObserved(t *testing.T) {
	const (
		redirect = `
link add d1 index 3
link add d3 index 5
address add 10.1.0.2/24 dev d1
address add 10.3.0.2/24 dev d3
route add 10.0.0.0/12 via 10.3.0.1 dev d3
sysctl -w net.ipv4.conf.all.forwarding=1
sysctl -w net.ipv4.fib_has_custom_rules=0
`
		vrf = `
link add v1 index 2 type vrf table 1001
link add d1 index 3 master v1
link add d3 index 5
address add 10.1.0.2/24 dev d1
address add 10.3.0.2/24 dev d3
rule add l3mdev pref 1000
`
		several = `
link add d1 index 3
link add d2 index 5
address add 2001:db8:1::2/64 dev d1
address add 2001:db8:2::2/64 dev d2
route add 2001:db8:9::/48 nexthop via fe80::1 dev d1 nexthop via fe80::1 dev d2
`
	)
	for _, test := range []struct{ world, packet, want string }{
		// To send a redirect, the kernel looks up the source, which is a broadcast here.
		{redirect, "10.15.71.1 from 10.1.0.255 iif d3", "none EINVAL"},
		{redirect + "sysctl -w net.ipv4.conf.all.send_redirects=0\nsysctl -w net.ipv4.conf.d3.send_redirects=0", "10.15.71.1 from 10.1.0.255 iif d3", "unicast 5"},
		{redirect + "sysctl -w net.ipv4.conf.all.send_redirects=0", "10.15.71.1 from 10.1.0.255 iif d3", "none EINVAL"},
		{redirect, "224.0.0.1 from 10.1.0.9 iif d3", "multicast 1"},
		// A route out of a VRF leaves the source in it.
		{vrf, "10.3.0.9 oif v1", "unicast 5 src 10.1.0.2"},
		{vrf, "10.3.0.9", "unicast 5 src 10.3.0.2"},
		{vrf, "239.1.2.3 oif v1", "none ENETUNREACH"},
		{several, "2001:db8:9::1", "unicast candidates 3 src 2001:db8:1::2, 5 src 2001:db8:2::2"},
		{several, "2001:db8:9::1 from 2001:db8:1::2", "unicast candidates 3, 5 src 2001:db8:1::2"},
	} {
		d := explain.NewFIB(parse(t, test.world)).Explain(packet(t, test.packet)).Decision
		got := d.Verdict.String()
		for i, c := range d.Candidates {
			got += []string{" candidates ", ", "}[min(i, 1)] + fmt.Sprint(c.OIF)
			if c.Source.IsValid() {
				got += " src " + c.Source.String()
			}
		}
		if d.OIF != 0 {
			got += fmt.Sprint(" ", d.OIF)
		}
		if d.Source.IsValid() && packet(t, test.packet).IIF == "" {
			got += " src " + d.Source.String()
		}
		if d.Error != 0 {
			got += " " + d.Error.String()
		}
		if got != test.want {
			t.Errorf("%s: %s, want %s", test.packet, got, test.want)
		}
	}
}
